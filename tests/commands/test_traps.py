"""
Tests of L{mailgate.commands.traps}.
"""

import json

from tests.commands.case import CommandLineCase


class TrapsTests(CommandLineCase):
    """
    Tests of C{mailgate trap}.
    """

    def traps(self):
        """
        Name those of the listing.
        """
        return [row["address"] for row in json.loads(self.say("trap", "list", "--json"))]

    def test_add(self):
        """
        What is made is listed, the newest first, with who has made it and why.
        """
        text = self.say("trap", "add", "a@example.com", "B@example.com", "--note", "left in 2019")
        self.assertEqual(text, "a@example.com is a trap\nb@example.com is a trap\n")
        self.assertEqual(self.traps(), ["b@example.com", "a@example.com"])
        heads, first, _ = self.say("trap", "list").splitlines()
        self.assertEqual(heads.split()[0], "ADDRESS")
        self.assertIn("left in 2019", first)
        self.assertIn("never", first)

    def test_wrong(self):
        """
        What can be none is refused with the reason, and the others are made.
        """
        status, out, complaints = self.call(
            "trap", "add", "a@example.net", "abuse@example.com", "x", "a@example.com"
        )
        self.assertEqual((status, out), (1, "a@example.com is a trap\n"))
        for why in ("none of your domains", "people complain there", "x is no address"):
            self.assertIn(why, complaints)

    def test_delete(self):
        """
        What is deleted is none any more; what is none cannot be.
        """
        self.say("trap", "add", "a@example.com")
        text = self.say("trap", "delete", "A@example.com")
        self.assertEqual(text, "a@example.com is no trap any more\n")
        self.assertEqual(self.traps(), [])
        status, _, complaints = self.call("trap", "delete", "a@example.com")
        self.assertEqual(status, 1)
        self.assertIn("none of the traps", complaints)
        text = self.say("trap", "add", "a@example.com")
        self.assertIn("it was used before", text)
