"""
Tests of L{mailgate.commands.greylist}.
"""

import json

from mailgate.interfaces import Attempt
from mailgate.store.threads import immediate_result
from tests.commands.case import CommandLineCase


class GreylistTests(CommandLineCase):
    """
    Tests of C{mailgate greylist}.
    """

    def setUp(self):
        """
        Have two attempts that wait.
        """
        super().setUp()
        attempts = [
            Attempt("192.0.2.0/24", "eve@example.org", "ada@example.com"),
            Attempt("198.51.100.0/24", "", "bob@example.com"),
        ]
        self.stored(lambda storage: immediate_result(storage.greylist.look_up(attempts)))

    def networks(self):
        """
        Give the networks of the listing.
        """
        return [row["network"] for row in json.loads(self.say("greylist", "list", "--json"))]

    def test_list(self):
        """
        The newest is first; the null sender is seen.
        """
        _, first, second = self.say("greylist", "list").splitlines()
        self.assertEqual(first.split()[:4], ["198.51.100.0/24", "waits", "<>", "bob@example.com"])
        self.assertIn("eve@example.org", second)
        self.assertEqual(self.networks(), ["198.51.100.0/24", "192.0.2.0/24"])

    def test_clear(self):
        """
        A network is named by itself or by an address in it.
        """
        text = self.say("greylist", "clear", "192.0.2.7", "203.0.113.0/24")
        self.assertEqual(text, "192.0.2.7: 1 forgotten\n203.0.113.0/24: 0 forgotten\n")
        self.assertEqual(self.networks(), ["198.51.100.0/24"])

    def test_clear_all(self):
        """
        Everything is forgotten only where that is asked for.
        """
        self.assertEqual(self.call("greylist", "clear")[0], 2)
        self.assertEqual(self.say("greylist", "clear", "--all"), "everything: 2 forgotten\n")
        self.assertEqual(self.networks(), [])

    def test_wrong(self):
        """
        What is no network is refused, and the others are done.
        """
        status, out, complaints = self.call("greylist", "clear", "example.org", "192.0.2.7")
        self.assertEqual((status, out), (1, "192.0.2.7: 1 forgotten\n"))
        self.assertIn("example.org must be an IP address", complaints)
