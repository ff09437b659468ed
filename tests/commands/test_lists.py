"""
Tests of L{mailgate.commands.lists}.
"""

import json
import time

from mailgate.commands import asking
from mailgate.commands.lists import load_lists
from mailgate.config.load import load
from mailgate.knowledge.lists import Evidence
from mailgate.wire.address import Address
from tests.commands.case import CommandLineCase
from tests.storage import ADA

EVE = "eve@example.org"


class ListsTests(CommandLineCase):
    """
    Tests of C{allow} and C{block}.
    """

    def entries(self, name, *more):
        """
        Give the entries of a list as JSON.
        """
        return json.loads(self.say(name, "--list", "--json", *more))

    def test_allow(self):
        """
        A mistake is mended with one short line; the entry says why and by whom, and that it counts
        only where its domain vouches for the sender.
        """
        text = self.say("allow", "Eve@Example.org", "--note", "invoices")
        self.assertIn(f"address {EVE} allowed (if verified) for everybody: entry 1\n", text)
        self.assertIn("counts only where SPF or DKIM of the domain passes", text)
        (entry,) = self.entries("allow")
        self.assertEqual(
            (entry["value"], entry["kind"], entry["scope"], entry["note"], entry["by"]),
            (EVE, "address", "", "invoices", asking.person()),
        )
        self.assertIsNone(entry["expires"])

    def test_block(self):
        """
        Several things are blocked at once, for a person and for a time, each as it is written.
        """
        before = time.time()
        text = self.say(
            "block",
            EVE,
            ".example.net",
            "192.0.2.0/24",
            "<dev.example.org>",
            "--for",
            "ada@example.com",
            "--expires",
            "30",
        )
        self.assertNotIn("f verified", text)
        self.assertEqual(text.count("blocked for ada@example.com until "), 4)
        found = self.entries("block")
        self.assertEqual(
            [(entry["kind"], entry["value"]) for entry in found],
            [
                ("list-id", "dev.example.org"),
                ("network", "192.0.2.0/24"),
                ("domain", ".example.net"),
                ("address", EVE),
            ],
        )
        for entry in found:
            self.assertEqual(entry["scope"], "ada@example.com")
            self.assertTrue(before <= entry["expires"] - 30 * 86400 <= time.time())

    def test_kind(self):
        """
        What is written like something else can be named.
        """
        self.say("allow", "dev.example.org", "--kind", "list-id")
        self.assertEqual(self.entries("allow")[0]["kind"], "list-id")

    def test_network_is_verified(self):
        """
        A network shows itself, so nothing is said of vouching.
        """
        self.assertNotIn("f verified", self.say("allow", "192.0.2.7"))

    def test_list(self):
        """
        Each list shows its own, the newest first, as a table or up to a limit.
        """
        self.say("allow", "one@example.org", "two@example.org", "--note", "friends")
        self.say("block", EVE, "--expires", "1")
        lines = self.say("allow", "--list").splitlines()
        self.assertEqual(
            [line.split()[:4] for line in lines[1:]],
            [
                ["2", "two@example.org", "address", "everybody"],
                ["1", "one@example.org", "address", "everybody"],
            ],
        )
        self.assertIn("never", lines[1])
        self.assertTrue(lines[1].endswith("friends"))
        self.assertIn("1 more", self.say("allow", "--list", "--limit", "1"))
        self.assertEqual(len(self.entries("allow", "--limit", "1")), 1)
        (entry,) = self.entries("block")
        self.assertEqual(entry["value"], EVE)

    def test_moved(self):
        """
        What is blocked after it was allowed is on one list only.
        """
        self.say("allow", EVE)
        self.say("block", EVE)
        self.assertEqual((self.entries("allow"), len(self.entries("block"))), ([], 1))

    def test_remove(self):
        """
        An entry is removed by its id, and it is said what that was; others stay.
        """
        self.say("allow", EVE, "bob@example.org")
        status, out, complaints = self.call("allow", "--remove", "7", "1")
        self.assertEqual(
            (status, out),
            (1, f"address {EVE} allowed (if verified) for everybody: entry 1 removed\n"),
        )
        self.assertIn("7", complaints)
        self.assertEqual([entry["id"] for entry in self.entries("allow")], [2])

    def test_refused(self):
        """
        What cannot be taken is told with its name, and the rest is taken.
        """
        status, out, complaints = self.call("allow", "@example.org", EVE)
        self.assertEqual((status, complaints.count("\n")), (1, 1))
        self.assertIn("@example.org: ", complaints)
        self.assertIn("write example.org", complaints)
        self.assertIn(EVE, out)
        status, out, complaints = self.call("block", EVE, "--for", "example.net")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("example.net is none of your domains", complaints)

    def test_wrong_use(self):
        """
        One thing at a time: to add, to list or to remove.
        """
        for words in ([], [EVE, "--list"], ["--list", "--remove", "1"], ["--remove", "x"]):
            self.assertEqual(self.call("allow", *words)[0], 2, words)
        self.assertEqual(self.call("allow", EVE, "--expires", "0")[0], 2)


class LoadTests(CommandLineCase):
    """
    Tests of L{load_lists}.
    """

    def load(self):
        """
        Load them.
        """
        settings = load(self.config)
        arguments = asking.Arguments(config=self.config)
        return load_lists(arguments, settings)

    def test_all(self):
        """
        What was loaded finds what was entered, on both lists, over more than a page.
        """
        self.patch(asking, "PAGE", 2)
        self.say("allow", "one@example.org", "two@example.org", "192.0.2.0/24")
        self.say("block", ".example.net", "--for", "example.com")
        lists = self.load()
        self.assertEqual(len(lists), 4)
        found = lists.look_up(Evidence(("x@a.example.net",), "", (), "198.51.100.1"), ADA, 0.0)
        self.assertEqual((found.entry.list, found.entry.value), ("block", ".example.net"))
        other = Address("ada", "example.org")
        evidence = Evidence(("x@a.example.net",), "", (), "192.0.2.9")
        self.assertEqual(lists.look_up(evidence, other, 0.0).entry.value, "192.0.2.0/24")

    def test_never_run(self):
        """
        Where the gateway has never run nothing is known, and no data folder is made.
        """
        self.assertEqual(len(self.load()), 0)
        self.assertFalse(load(self.config).data.exists())
