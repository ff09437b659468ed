"""
Conversations as text files: tests/dialogues/*.txt, one for every rule and every bug.

A file is a conversation from the greeting on::

    # a comment
    L: a line of TOML on the listener and all behind it, see C{make_edge}
    C: a line that the client sends, with CR LF; lines that follow each other go as one piece
    R: raw bytes instead, with \\r \\n \\0 \\t \\xHH written out and nothing added
    S: a line of the server's; three dots at its end stand for anything
    M: a message that is handed on: its bytes as for R, without what the server adds
    A: a header field that the server adds to that message, beside its Received; dots as for S
    H: the TLS handshake comes to its end
    T: so many seconds pass
    N: another client connects, from this IP address; the one before stays connected
    G: the client hangs up
    X: the server closes the connection

A number behind the letter repeats: C{C*100: NOOP} is sent a hundred times, C{R*3: ab} is
C{ababab}, and so on. Everything the server says must be in the file.
"""

import tomllib
from base64 import b64decode
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Limits
from mailgate.edge import auth
from mailgate.edge.attempts import Attempts
from mailgate.edge.auth import Authentication
from mailgate.edge.sasl import MECHANISMS, Scram
from mailgate.interfaces import Account, Capabilities
from mailgate.reply import Reply
from mailgate.rewrite.headers import HeaderRewriter
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.scram import decoy, make_verifier
from tests.edge.harness import Edge, PretendedTls, ScriptedRecipients

DIALOGUES = Path(__file__).parent.parent / "dialogues"

UNKNOWN = Reply(550, "5.1.1", "no such recipient")

SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
"""What the server adds to the nonce in the example of RFC 7677 section 3."""


class OneAccount:
    """
    The account of the example of RFC 7677: C{user} with the password C{pencil}, who may send as
    user@example.com.
    """

    has_scram = True
    user = Account("user", frozenset({"user@example.com"}))

    def verify(self, name, password):
        """
        Look whether it is the one.
        """
        return succeed(self.user if (name, password) == ("user", "pencil") else None)

    def verifier(self, name):
        """
        Give what SCRAM needs.
        """
        salt = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
        known = name == "user"
        return succeed(make_verifier("pencil", salt, 4096) if known else decoy(b"x", name, 4096))

    def find(self, name):
        """
        Find the account.
        """
        return self.user if name == "user" else None


def steps(text):
    """
    Read a file: (kind, text) of each line, joined where the client sends several.
    """
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, rest = line.partition(":")
        kind, _, times = kind.partition("*")
        rest = rest.removeprefix(" ")
        if kind in "RM":
            rest = rest.encode("latin-1").decode("unicode_escape").encode("latin-1")
        elif kind == "C":
            kind, rest = "R", rest.encode("utf-8") + b"\r\n"
        if kind == "R":
            rest *= int(times or 1)
            if found and found[-1][0] == "R":
                found[-1] = ("R", found[-1][1] + rest)
            else:
                found.append(("R", rest))
        elif kind == "M":
            found.append(("M", rest * int(times or 1)))
        else:
            found += [(kind, rest)] * int(times or 1)
    return found


def settings(script):
    """
    Read what a script says in C{L}.
    """
    return tomllib.loads("\n".join(text for kind, text in script if kind == "L"))


def make_edge(said, directory):
    """
    Make an edge as the settings of a script say: the keys of C{[[listener]]} and

      - C{limits}: what C{[limits]} holds;
      - C{offers}, C{largest}: extensions of all routes, and their smallest limit of size;
      - C{unknown}: addresses that no mailbox has;
      - C{outcomes}: replies to copies of a message (C{"550 5.7.1 words"}) by address;
      - C{tls}: whether there is a certificate;
      - C{accounts}: whether there is L{OneAccount};
      - C{full}: whether the disk is;
      - C{rewritten}: whether C{M} shows messages as an upstream gets them.
    """
    limits = Limits(**said.pop("limits", {}))
    edge = Edge(Files(), ImmediateThreads(), directory, limits)
    offers = frozenset(said.pop("offers", ["8BITMIME"]))
    unknown = dict.fromkeys(said.pop("unknown", ()), UNKNOWN)
    edge.recipients = ScriptedRecipients(unknown, Capabilities(offers, said.pop("largest", None)))
    for address, outcome in said.pop("outcomes", {}).items():
        code, enhanced, words = outcome.split(" ", 2)
        edge.dispatcher.replies[address] = Reply(int(code), enhanced, words)
    if said.pop("rewritten", False):
        edge.dispatcher.rewriter = HeaderRewriter(hostname="mail.example.com")
    if said.pop("tls", False):
        edge.tls = PretendedTls()
    if said.pop("accounts", False):
        edge.authentication = Authentication(OneAccount(), Attempts(limits.clients, edge.clock))
    edge.hub.room = not said.pop("full", False)
    edge.listener = said
    return edge


@define
class Play:
    """
    One conversation under way.
    """

    case: SynchronousTestCase
    edge: Edge
    said: list
    """Lines of the server's that the script has not named yet."""

    size: int
    """How many bytes the client sends at a time."""

    handed_on: int = 0
    added: list = field(factory=list)
    """Fields of the last message that the script has not named yet."""

    def step(self, kind, text, where):
        """
        Take one step of a script.
        """
        case, edge = self.case, self.edge
        if kind == "S":
            case.assertTrue(self.said, f"{where}, but nothing was said")
            self.expect(self.said.pop(0), text, where)
            return
        if kind == "A":
            case.assertTrue(self.added, f"{where}, but nothing was added")
            self.expect(self.added.pop(0), text, where)
            return
        if kind != "M":
            case.assertEqual(self.said, [], where)
            case.assertEqual(self.added, [], where)
        if kind == "R":
            for at in range(0, len(text), self.size):
                self.hear(edge.say(text[at : at + self.size]))
        elif kind == "M":
            _, _, prepended, content = edge.dispatcher.messages[self.handed_on]
            case.assertEqual(content, text, where)
            fields = prepended.decode("utf-8").replace("\r\n\t", " ").splitlines()
            self.added = [each for each in fields if not each.startswith("Received: ")]
            self.handed_on += 1
        elif kind == "H":
            self.hear(edge.secure())
        elif kind == "T":
            edge.clock.advance(float(text))
            self.hear(edge.said())
        elif kind == "N":
            self.hear(edge.join(text))
        elif kind == "G":
            edge.lose()
        elif kind == "X":
            case.assertTrue(edge.transport.disconnecting, where)
        else:
            case.fail(f"{where} is no step")

    def hear(self, said):
        """
        Remember what the server said.
        """
        self.said += said.splitlines()

    def expect(self, line, text, where):
        """
        See that a line is as the script has it.
        """
        if text.endswith("..."):
            self.case.assertTrue(line.startswith(text[:-3]), f"{where}, but {line!r}")
        else:
            self.case.assertEqual(line, text, where)


class DialogueTests(SynchronousTestCase):
    """
    One test for each file.
    """

    def setUp(self):
        """
        Have the server choose the nonce that the example of SCRAM has.
        """
        known = {"SCRAM-SHA-256": lambda: Scram(lambda: SERVER_NONCE)}
        self.patch(auth, "MECHANISMS", {**MECHANISMS, **known})

    def play(self, path):
        """
        Hold the conversation of one file, in pieces of every size, unless it says that it hangs
        on what comes together (C{together = true}).
        """
        script = steps(path.read_text("utf-8"))
        self.assertTrue(any(kind in "SX" for kind, _ in script), f"{path} expects nothing")
        together = settings(script).get("together", False)
        for size in (1 << 20,) if together else (1, 2, 7, 1 << 20):
            self.play_in_pieces(path.name, script, size)

    def play_in_pieces(self, name, script, size):
        """
        Hold the conversation, the client sending C{size} bytes at a time.
        """
        said = settings(script)
        said.pop("together", None)
        peer = said.pop("peer", "192.0.2.7")
        edge = make_edge(said, Path(self.mktemp()))
        play = Play(self, edge, edge.connect(peer).splitlines(), size)
        for kind, text in script:
            if kind != "L":
                play.step(kind, text, f"{name} in pieces of {size}: {kind}: {text!r}")
        self.assertEqual(play.said, [], name)
        self.assertEqual(play.added, [], name)
        self.assertEqual(play.handed_on, len(edge.dispatcher.messages), name)


def _add_tests():
    for path in sorted(DIALOGUES.glob("*.txt")):

        def test(self, path=path):
            self.play(path)

        test.__doc__ = path.read_text("utf-8").splitlines()[0].removeprefix("# ")
        test.__name__ = f"test_{path.stem}"
        setattr(DialogueTests, test.__name__, test)


_add_tests()
