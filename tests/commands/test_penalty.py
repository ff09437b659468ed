"""
Tests of L{mailgate.commands.penalty}.
"""

import json
import stat

from mailgate.interfaces import Deed
from mailgate.store.threads import immediate_result
from tests.commands.case import CommandLineCase


class PenaltyTests(CommandLineCase):
    """
    Tests of C{mailgate penalty}.
    """

    def setUp(self):
        """
        Have one who is very bad, one who is bad, and one who is good.
        """
        super().setUp()
        self.target = self.config.parent / "penalty"

        def fill(storage):
            box = storage.penalty_box
            immediate_result(box.load())
            box.mark("192.0.2.7", Deed.TRAP, 10)
            box.mark("192.0.2.7", Deed.TRAP, 10)
            box.mark("2001:db8::7", Deed.TRAP, 2)
            box.mark("198.51.100.1", Deed.GOOD, 5)
            immediate_result(box.write())

        self.stored(fill)

    def names(self, *more):
        """
        Give the names of the listing.
        """
        return [row["name"] for row in json.loads(self.say("penalty", "list", "--json", *more))]

    def test_list(self):
        """
        Those in the box are shown with their points and until when they are in it.
        """
        _, *rows = self.say("penalty", "list").splitlines()
        self.assertEqual(
            [row.split()[:4] for row in rows],
            [
                ["2001:db8::/64", "boxed", "10.0", "0.0"],
                ["192.0.2.0/24", "exported", "100.0", "0.0"],
                ["192.0.2.7", "exported", "100.0", "0.0"],
            ],
        )
        self.assertEqual(self.names(), ["2001:db8::/64", "192.0.2.0/24", "192.0.2.7"])

    def test_list_all(self):
        """
        All that is remembered is shown where that is asked for.
        """
        self.assertEqual(
            self.names("--all"),
            ["198.51.100.0/24", "198.51.100.1", "2001:db8::/64", "192.0.2.0/24", "192.0.2.7"],
        )
        first = self.say("penalty", "list", "--all", "--limit", "1").splitlines()
        self.assertEqual(first[1].split(), ["198.51.100.0/24", "-", "0.0", "5.0", "-"])
        self.assertEqual(first[2], "and 4 more; --limit 5 shows all")

    def test_clear(self):
        """
        An address and a network are forgotten; what is none is refused, and the others are done.
        """
        text = self.say("penalty", "clear", "192.0.2.0/24", "2001:db8::7")
        self.assertEqual(text, "192.0.2.0/24: 2 forgotten\n2001:db8::7: 1 forgotten\n")
        self.assertEqual(self.names(), [])
        status, _, complaints = self.call("penalty", "clear", "example.org")
        self.assertEqual(status, 1)
        self.assertIn("example.org must be an IP address", complaints)

    def test_clear_all(self):
        """
        Everything is forgotten only where that is asked for.
        """
        self.assertEqual(self.call("penalty", "clear")[0], 2)
        self.assertEqual(self.say("penalty", "clear", "--all"), "everything: 5 forgotten\n")
        self.assertEqual(self.names("--all"), [])

    def test_export(self):
        """
        Those with the most points are written, clients alone unless networks are asked for; a file
        that is there is replaced, and can be read by others.
        """
        self.target.write_text("old")
        text = self.say("penalty", "export", str(self.target))
        self.assertEqual(text, f"{self.target}: 1 written\n")
        written = self.target.read_text()
        self.assertRegex(written, r"\n    192\.0\.2\.7 timeout 86\d{3}s,\n")
        self.assertNotIn("192.0.2.0/24", written)
        self.assertNotIn("2001:db8", written)
        self.assertEqual(stat.S_IMODE(self.target.stat().st_mode), 0o644)
        self.say("penalty", "export", "--networks", "--format", "ipset", str(self.target))
        self.assertIn("add mailgate-penalty4-new 192.0.2.0/24 timeout", self.target.read_text())
        self.assertEqual(
            sorted(path.name for path in self.target.parent.iterdir()),
            ["data", "mailgate.toml", "penalty"],
        )

    def test_export_to_output(self):
        """
        It is written to the standard output for C{-}.
        """
        self.assertIn("192.0.2.7", self.say("penalty", "export", "-"))

    def test_export_fails(self):
        """
        What cannot be written is told, nothing is left, and what was there stays.
        """
        folder = self.target
        folder.mkdir()
        status, out, complaints = self.call("penalty", "export", str(folder))
        self.assertEqual((status, out), (1, ""))
        self.assertIn(f"{folder} cannot be written: Is a directory", complaints)
        status, _, complaints = self.call("penalty", "export", str(folder / "none" / "file"))
        self.assertEqual(status, 1)
        self.assertIn("cannot be written: No such file or directory", complaints)
        self.assertEqual(list(folder.iterdir()), [])
        self.assertEqual(
            sorted(path.name for path in folder.parent.iterdir()),
            ["data", "mailgate.toml", "penalty"],
        )
