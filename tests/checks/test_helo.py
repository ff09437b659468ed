"""
Tests of judging what the client calls itself.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.helo import HeloCheck
from tests.checks.given import settings, view_of_session


class HeloTests(SynchronousTestCase):
    """
    Tests of L{HeloCheck}.
    """

    def check(self, helo, options=None, **session):
        """
        Give the one finding about a name, or C{None}.
        """
        check = HeloCheck.from_settings(settings(helo=options or {}))
        findings = check.check(view_of_session(helo=helo, **session))
        self.assertLessEqual(len(findings), 1)
        return findings[0] if findings else None

    def symbol(self, helo, **session):
        """
        Name the finding about a name, or give C{None}.
        """
        finding = self.check(helo, **session)
        return finding and finding.symbol

    def assertFound(self, finding, symbol, score, detail, public):
        """
        Make sure of all that a finding says.
        """
        self.assertEqual(
            (finding.symbol, finding.score, finding.detail, finding.public),
            (symbol, score, detail, public),
        )

    def test_good(self):
        """
        A full name is fine, also with an underscore, a hyphen or digits.
        """
        for name in (
            "mail.example.org",
            "MAIL-7.Example.ORG",
            "my_server.example.org",
            "7.example.org",
            "xn--mller-kva.example",
        ):
            self.assertIsNone(self.check(name))

    def test_none_yet(self):
        """
        Before a name is said there is nothing to find.
        """
        self.assertIsNone(self.check(""))

    def test_invalid(self):
        """
        What is neither a name nor an address literal is told.
        """
        for name in (
            "-a.example.org",
            "a-.example.org",
            "a..example.org",
            ".example.org",
            "a.example.org.",
            "a b",
            "300.1.1.1",
            "12345",
            "[client.example.org]",
            "[300.1.1.1]",
            "[IPv6:x]",
            "[2001:db8::7]",
            "a" * 64 + ".example.org",
            "a." * 128 + "org",
            "größe.example.org",
        ):
            self.assertEqual(self.symbol(name), "HELO_INVALID", name)
        self.assertFound(
            self.check("a b"),
            "HELO_INVALID",
            3,
            "The client calls itself “a b”, which is neither a name nor an address.",
            "HELO gives no valid domain name",
        )

    def test_unqualified(self):
        """
        A name without a domain is told.
        """
        self.assertFound(
            self.check("SERVER7"),
            "HELO_UNQUALIFIED",
            1,
            "The client calls itself “SERVER7”, a name without a domain.",
            "HELO gives a name without a domain",
        )

    def test_literal(self):
        """
        The client's own address in brackets is correct and unusual.
        """
        self.assertFound(
            self.check("[192.0.2.7]"),
            "HELO_LITERAL",
            1,
            "The client has no name for itself but its address, 192.0.2.7.",
            "HELO gives an address literal, not a domain name",
        )
        for literal in ("[IPv6:2001:db8::7]", "[ipv6:2001:DB8:0::7]"):
            self.assertEqual(self.symbol(literal, client="2001:db8::7"), "HELO_LITERAL")

    def test_bare_address(self):
        """
        The client's own address without brackets stands where a name belongs.
        """
        self.assertFound(
            self.check("192.0.2.7"),
            "HELO_INVALID",
            3,
            "The client calls itself 192.0.2.7, an address where a name belongs.",
            "HELO gives an address without brackets",
        )

    def test_forged_literal(self):
        """
        An address that is not the client's is forged, with brackets or without.
        """
        self.assertFound(
            self.check("[192.0.2.8]"),
            "HELO_FORGED_LITERAL",
            4,
            "The client calls itself 192.0.2.8, but its address is 192.0.2.7.",
            "HELO gives an address that is not the client's",
        )
        for name in ("192.0.2.8", "[IPv6:2001:db8::7]", "2001:db8::7", "[127.0.0.1]"):
            self.assertEqual(self.symbol(name), "HELO_FORGED_LITERAL")

    def test_two_spellings(self):
        """
        An IPv4 address is the same when it is spelled as an IPv6 one.
        """
        self.assertEqual(self.symbol("[IPv6:::ffff:192.0.2.7]"), "HELO_LITERAL")
        self.assertEqual(self.symbol("[192.0.2.7]", client="::ffff:192.0.2.7"), "HELO_LITERAL")

    def test_our_name(self):
        """
        A stranger that uses our own name is told, however it is spelled.
        """
        self.assertFound(
            self.check("mail.example.com"),
            "HELO_OWN_NAME",
            6,
            "The client calls itself by our own name, mail.example.com.",
            "HELO gives the name of this server, not of the client",
        )
        for name in ("MAIL.Example.Com", "mail.example.com."):
            self.assertEqual(self.symbol(name), "HELO_OWN_NAME")
        for name in ("example.com", "xmail.example.com", "mail.example.com.org"):
            self.assertIsNone(self.check(name))

    def test_our_address(self):
        """
        A stranger that uses the address it has connected to is told.
        """
        self.assertFound(
            self.check("[198.51.100.25]"),
            "HELO_OWN_NAME",
            6,
            "The client calls itself by our own address, 198.51.100.25.",
            "HELO gives the address of this server, not of the client",
        )
        self.assertEqual(self.symbol("198.51.100.25"), "HELO_OWN_NAME")
        self.assertEqual(self.symbol("198.51.100.25", local=""), "HELO_FORGED_LITERAL")

    def test_exempt(self):
        """
        Our own machine and configured networks may say what they like.
        """
        for client in ("127.0.0.1", "127.8.9.10", "::1", "198.51.100.25", "::ffff:127.0.0.1"):
            for name in ("mail.example.com", "localhost", "[192.0.2.8]"):
                self.assertIsNone(self.check(name, client=client))
        networks = {"exempt_networks": ["192.0.2.0/24", "2001:db8::/32"]}
        for client in ("192.0.2.7", "2001:db8::7"):
            self.assertIsNone(self.check("mail.example.com", networks, client=client))
        self.assertIsNotNone(self.check("mail.example.com", networks, client="127.0.0.1"))

    def test_scores(self):
        """
        The scores are those of the configuration.
        """
        options = {
            "syntax_score": 11,
            "literal_score": 12,
            "forged_literal_score": 13,
            "own_name_score": 14,
            "unqualified_score": 15,
        }
        names = ("a b", "[192.0.2.7]", "[192.0.2.8]", "mail.example.com", "a")
        self.assertEqual([self.check(name, options).score for name in names], [11, 12, 13, 14, 15])

    @given(st.text(max_size=300), st.ip_addresses().map(str))
    def test_any(self, name, client):
        """
        Whatever a client says is judged without an error.
        """
        self.check(name, client=client)

    @given(st.ip_addresses())
    def test_own_literal(self, client):
        """
        Every client's own address is a literal of its own and never forged.
        """
        literal = f"[{client}]" if client.version == 4 else f"[IPv6:{client}]"
        finding = self.check(literal, {"exempt_networks": []}, client=str(client))
        self.assertEqual(finding.symbol, "HELO_LITERAL")
