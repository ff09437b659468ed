"""
Tests of ids, sessions and addresses.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.envelope import Session, new_id
from mailgate.wire.address import NULL_SENDER, Address


class IdTests(SynchronousTestCase):
    """
    Tests of the ids of sessions and transactions.
    """

    def test_form(self):
        """
        An id is three times four letters without i, l, o and u, and seldom the same.
        """
        ids = {new_id() for _ in range(1000)}
        self.assertEqual(len(ids), 1000)
        for one in ids:
            self.assertRegex(one, r"^([0-9a-hjkmnp-tv-z]{4}-){2}[0-9a-hjkmnp-tv-z]{4}$")


class SessionTests(SynchronousTestCase):
    """
    Tests of the protocol's name.
    """

    def test_protocol(self):
        """
        The Received header names SMTP, ESMTP or ESMTPS (RFC 3848).
        """
        session = {"id": "x", "listener": "mx", "role": "mx", "client": "::1", "port": 1}
        for is_esmtp, tls, name in (
            (False, "", "SMTP"),
            (True, "", "ESMTP"),
            (True, "TLSv1.3 X", "ESMTPS"),
        ):
            made = Session(**session, started=0, is_esmtp=is_esmtp, tls=tls)
            self.assertEqual(made.protocol, name)

    def test_stranger(self):
        """
        Whoever comes where strangers are let in is one until he has logged in.
        """
        for role, account, is_stranger in (
            ("mx", "", True),
            ("mx", "ada", False),
            ("internal", "", False),
            ("lmtp", "", False),
        ):
            made = Session("x", "x", role, "::1", 1, 0, account=account)
            self.assertIs(made.is_stranger, is_stranger)


class AddressTests(SynchronousTestCase):
    """
    Tests of addresses.
    """

    def test_text_and_owner(self):
        """
        An address is written as it came; its owner has the domain in lower case.
        """
        address = Address("Ada.Lind", "Example.COM")
        self.assertEqual(str(address), "Ada.Lind@Example.COM")
        self.assertEqual(address.owner, "Ada.Lind@example.com")
        self.assertEqual(str(Address("postmaster", "")), "postmaster")

    def test_null(self):
        """
        The null sender is empty.
        """
        self.assertTrue(NULL_SENDER.is_null)
        self.assertEqual(str(NULL_SENDER), "")
        self.assertFalse(Address("postmaster", "").is_null)
