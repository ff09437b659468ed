"""
Conversations as text files: tests/dialogues/*.txt, one for every rule and every bug.

A file is a conversation from the greeting on::

    # a comment
    C: a line that the client sends, with CR LF; lines that follow each other go as one piece
    R: raw bytes instead, with \\r \\n \\0 \\t \\xHH written out and nothing added
    S: a line of the server's; three dots at its end stand for anything
    M: a message that is handed on: its bytes as for R, without the Received header
    X: the server closes the connection

Everything the server says must be in the file.
"""

import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Limits
from mailgate.interfaces import Capabilities
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.edge.harness import Edge, ScriptedRecipients

DIALOGUES = Path(__file__).parent.parent / "dialogues"


def steps(text):
    """
    Read a file: (kind, text) of each line, joined where the client sends several.
    """
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, rest = line.partition(":")
        rest = rest.removeprefix(" ")
        if kind in "RM":
            rest = rest.encode("latin-1").decode("unicode_escape").encode("latin-1")
        elif kind == "C":
            kind, rest = "R", rest.encode("utf-8") + b"\r\n"
        if kind == "R" and found and found[-1][0] == "R":
            found[-1] = ("R", found[-1][1] + rest)
        else:
            found.append((kind, rest))
    return found


def options(script):
    """
    Read what a script says of its listener (C{L: role = "lmtp"}) and of what the routes offer.
    """
    listener = tomllib.loads("\n".join(text for kind, text in script if kind == "L"))
    found = {"limits": Limits(**listener.pop("limits", {}))}
    if "offers" in listener:
        offered = Capabilities(frozenset(listener.pop("offers")))
        found["recipients"] = ScriptedRecipients(capabilities=offered)
    return {**found, "listener": listener}


class DialogueTests(SynchronousTestCase):
    """
    One test for each file.
    """

    def play(self, path):
        """
        Hold the conversation of one file, in pieces of every size.
        """
        script = steps(path.read_text("utf-8"))
        self.assertTrue(any(kind in "SX" for kind, _ in script), f"{path} expects nothing")
        for size in (1, 2, 7, 1 << 20):
            self.play_in_pieces(path.name, script, size)

    def play_in_pieces(self, name, script, size):
        """
        Hold the conversation, the client sending C{size} bytes at a time.
        """
        edge = Edge(Files(), ImmediateThreads(), Path(self.mktemp()), **options(script))
        said = edge.connect().splitlines()
        handed_on = 0
        for kind, text in script:
            if kind == "L":
                continue
            where = f"{name} in pieces of {size}: {kind}: {text!r}"
            if kind == "R":
                self.assertEqual(said, [], where)
                for at in range(0, len(text), size):
                    said += edge.say(text[at : at + size]).splitlines()
            elif kind == "S":
                self.assertTrue(said, f"{where}, but nothing was said")
                line = said.pop(0)
                if text.endswith("..."):
                    self.assertTrue(line.startswith(text[:-3]), f"{where}, but {line!r}")
                else:
                    self.assertEqual(line, text, where)
            elif kind == "M":
                self.assertEqual(edge.dispatcher.messages[handed_on][3], text, where)
                handed_on += 1
            elif kind == "X":
                self.assertEqual(said, [], where)
                self.assertTrue(edge.transport.disconnecting, where)
            else:
                self.fail(f"{where} is no step")
        self.assertEqual(said, [], name)
        self.assertEqual(handed_on, len(edge.dispatcher.messages), name)


def _add_tests():
    for path in sorted(DIALOGUES.glob("*.txt")):

        def test(self, path=path):
            self.play(path)

        test.__doc__ = path.read_text("utf-8").splitlines()[0].removeprefix("# ")
        test.__name__ = f"test_{path.stem}"
        setattr(DialogueTests, test.__name__, test)


_add_tests()
