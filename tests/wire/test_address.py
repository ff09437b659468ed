"""
Tests of L{mailgate.wire.address}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.address import NULL_SENDER, Address


class AddressTests(SynchronousTestCase):
    """
    Tests of an address.
    """

    def test_protected(self):
        """
        Those at which people complain are known by their local part, in any case and quoted too.
        """
        for local, domain in (
            ("postmaster", "example.com"),
            ("Postmaster", ""),
            ("ABUSE", "example.org"),
            ('"abuse"', "example.com"),
        ):
            self.assertTrue(Address(local, domain).is_protected)
        for local in ("postmaster.x", "abuse+x", "notabuse", ""):
            self.assertFalse(Address(local, "example.com").is_protected)

    def test_host(self):
        """
        Domains are compared in lower case and in their ASCII form; one that has none stays as it
        is, so that it is nobody's.
        """
        umlaut = "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher"
        for domain, host in (
            ("Example.COM", "example.com"),
            (f"{umlaut}.example", "xn--bcher-kva.example"),
            (f"{umlaut.upper()}.Example", "xn--bcher-kva.example"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            (umlaut * 20, umlaut * 20),
            (f"{umlaut}..example", f"{umlaut}..example"),
        ):
            self.assertEqual(Address("a", domain).host, host)

    def test_owner(self):
        """
        The domain tells no two owners apart by its case or its script, the local part does.
        """
        ada = Address("Ada", "Example.com")
        self.assertEqual(ada.owner, "Ada@example.com")
        self.assertEqual(Address("postmaster", "").owner, "postmaster")
        self.assertNotEqual(ada, Address("Ada", "example.com"))
        self.assertEqual(str(ada), "Ada@Example.com")

    def test_belongs_to(self):
        """
        What belongs to somebody else is still the address that it is.
        """
        ada, info = Address("Ada", "Example.com"), Address("info", "example.com")
        its = Address("info", "example.com", ada)
        self.assertEqual((its.owner, its.key), ("Ada@example.com", "info@example.com"))
        self.assertEqual(its, info)
        self.assertEqual(hash(its), hash(info))
        for owner in ("Ada@example.com", "info@example.com", "postmaster", ""):
            owned = Address.owned("info", "example.com", owner)
            self.assertEqual(owned.owner, owner or "info@example.com")

    def test_null(self):
        """
        Only the null sender is null.
        """
        self.assertTrue(NULL_SENDER.is_null)
        self.assertEqual(str(NULL_SENDER), "")
        self.assertFalse(Address("postmaster", "").is_null)

    def test_ascii(self):
        """
        Neither part may need SMTPUTF8.
        """
        self.assertTrue(Address("a", "example.com").is_ascii)
        self.assertFalse(Address("\xe4", "example.com").is_ascii)
        self.assertFalse(Address("a", "\xe4.example").is_ascii)

    @given(st.text(max_size=80))
    def test_any_domain(self, domain):
        """
        Any domain has a host, which never raises, and which is its own.
        """
        host = Address("a", domain).host
        self.assertEqual(Address("a", host).host, host)
