"""
Tests of L{mailgate.commands.quarantine}.
"""

import json
import os
import shutil

from mailgate.commands import asking
from mailgate.verdict import Kind
from tests.commands.case import CommandLineCase, Terminal
from tests.storage import ADA, BOB, hold

HOSTILE = b"From: Eve\x1b[2J\r\nSubject: \xe2\x80\xaeevil\x07 \xe2\x98\x83\r\n\r\nHi\r\n"


class QuarantineTests(CommandLineCase):
    """
    Tests of C{quarantine}.
    """

    def test_list(self):
        """
        A listing is a table with a line for each message, the newest first.
        """
        first, second = self.hold(hold(ADA), hold(BOB, Kind.BULK))
        lines = self.say("quarantine", "list").splitlines()
        self.assertEqual(lines[0].split(), ["ID", "HELD", "KIND", "SCORE", "TO", "FROM", "SUBJECT"])
        self.assertEqual([line.split()[0] for line in lines[1:]], [second, first])
        self.assertIn("Eve <eve@example.org>", lines[1])
        self.assertEqual(len({line.index("Eve") for line in lines[1:]}), 1)

    def test_kind(self):
        """
        One kind can be asked for.
        """
        _, bulk = self.hold(hold(ADA), hold(BOB, Kind.BULK))
        (row,) = json.loads(self.say("quarantine", "list", "--kind", "bulk", "--json"))
        self.assertEqual(row["id"], bulk)

    def test_fifty(self):
        """
        A table shows 50 and says how many more there are; JSON has all of them.
        """
        ids = self.hold(*[hold()] * 60)
        lines = self.say("quarantine", "list").splitlines()
        self.assertEqual(len(lines), 52)
        self.assertIn("10 more", lines[-1])
        lines = self.say("quarantine", "list", "--limit", "60").splitlines()
        self.assertEqual(len(lines), 61)
        self.patch(asking, "PAGE", 7)
        rows = json.loads(self.say("quarantine", "list", "--json"))
        self.assertEqual([row["id"] for row in rows], list(reversed(ids)))
        rows = json.loads(self.say("quarantine", "list", "--json", "--limit", "8"))
        self.assertEqual(len(rows), 8)

    def test_nothing(self):
        """
        An empty quarantine is an empty table or array.
        """
        self.assertEqual(len(self.say("quarantine", "list").splitlines()), 1)
        self.assertEqual(json.loads(self.say("quarantine", "list", "--json")), [])

    def test_terminal(self):
        """
        On a terminal the table is as wide as that, and its ids are whole.
        """
        text = (
            b"From: "
            + b"x" * 200
            + b"\r\nSubject: "
            + "\N{SNOWMAN}\u6f22".encode() * 90
            + b"\r\n\r\n"
        )
        (identity,) = self.hold(text=text)
        self.patch(shutil, "get_terminal_size", lambda: os.terminal_size((90, 24)))
        lines = self.say("quarantine", "list", out=Terminal(is_terminal=True)).splitlines()
        self.assertLessEqual(max(map(len, lines)), 90)
        self.assertTrue(lines[1].startswith(identity))

    def test_show(self):
        """
        A held message is shown with its findings in words, the way it came, and its headers.
        """
        (identity,) = self.hold()
        text = self.say("quarantine", "show", identity)
        for words in (
            identity,
            "Something was seen. (SEEN)",
            "Fine. (FINE)",
            "192.0.2.7 port 40001",
            "client.example.org",
            "TLSv1.3",
            "<sender@Example.ORG>",
            "ada@Example.com",
            "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
            "  Subject: =?utf-8?q?caf=C3=A9?=",
        ):
            self.assertIn(words, text)
        answer = json.loads(self.say("quarantine", "show", identity, "--json"))
        self.assertEqual(answer["held"]["id"], identity)

    def test_a27_hostile(self):
        """
        What strangers have written reaches no terminal unescaped.
        """
        (identity,) = self.hold(text=HOSTILE)
        for words in (["list"], ["show", identity], ["list", "--json"]):
            text = self.say("quarantine", *words)
            self.assertTrue(text.replace("\n", "").isprintable(), text)

    def test_poor_terminal(self):
        """
        A terminal that knows no snowman shows its code.
        """
        self.hold(text=HOSTILE)
        self.assertIn("\\u2603", self.say("quarantine", "list", out=Terminal("ascii")))

    def test_release(self):
        """
        A release queues the message once; a second one says who was first.
        """
        (identity,) = self.hold()
        self.assertEqual(self.say("quarantine", "release", identity), f"{identity} released\n")
        self.assertIn(
            f"{identity} was released by {asking.person()}",
            self.say("quarantine", "release", identity),
        )
        (row,) = json.loads(self.say("outbox", "list", "--json"))
        self.assertEqual(row["released_from"], identity)

    def test_delete(self):
        """
        A deletion removes the message, and says whether it taught; a second one says that there
        was nothing.
        """
        for options, words in (((), "deleted"), (("--spam",), "deleted, taught as spam")):
            (identity,) = self.hold()
            delete = ("quarantine", "delete", *options, identity)
            self.assertEqual(self.say(*delete), f"{identity} {words}\n")
            self.assertEqual(self.say(*delete), f"{identity} is not there any more\n")

    def test_unknown(self):
        """
        An unknown id fails with a sentence, and the others are released all the same.
        """
        (identity,) = self.hold()
        status, out, complaints = self.call("quarantine", "release", "none", identity)
        self.assertEqual((status, out), (1, f"{identity} released\n"))
        self.assertEqual(complaints.count("\n"), 1)
        status, _, complaints = self.call("quarantine", "show", "none\x1b")
        self.assertEqual(status, 1)
        self.assertIn("none\\x1b", complaints)
