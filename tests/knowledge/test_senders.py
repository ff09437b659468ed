"""
Tests of L{mailgate.knowledge.senders}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.senders import Names
from mailgate.wire.address import NULL_SENDER, Address

NAMES = Names(frozenset({"mail.example"}))


class NamesTests(SynchronousTestCase):
    """
    Tests of L{Names}.
    """

    def test_of(self):
        """
        A sender is known by its domain, however it is written; at a domain that many share by its
        address; who has no domain by nothing.
        """
        for address, name in (
            (Address("Ada", "Example.ORG"), "example.org"),
            (Address("ada", "bücher.example"), "xn--bcher-kva.example"),
            (Address("Ada", "Mail.example"), "ada@mail.example"),
            (Address("ada", "sub.mail.example"), "sub.mail.example"),
            (NULL_SENDER, None),
            (Address("ada", "[192.0.2.1]"), None),
            (Address("ada", "localhost"), None),
        ):
            self.assertEqual(NAMES.of(address), name, address)

    def test_meant(self):
        """
        A person may name a sender by an address, whether it is known by that or by its domain.
        """
        for text, name in (
            ("Example.ORG", "example.org"),
            ("bücher.example.", "xn--bcher-kva.example"),
            ("Eve@Example.ORG", "example.org"),
            ("BOB@mail.example ", "bob@mail.example"),
            ("mail.example", "mail.example"),
            ("ada@localhost", "ada@localhost"),
        ):
            self.assertEqual(NAMES.meant(text), name, text)
