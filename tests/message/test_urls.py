"""
Tests of L{mailgate.message.urls}.
"""

from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.urls import are_related, links_in, organisation, parse_link, spans_of_links


class LinkTests(SynchronousTestCase):
    """
    Tests of L{parse_link}.
    """

    def test_parts(self):
        """
        A link is taken apart.
        """
        link = parse_link("HTTPS://WWW.Shop.Example.co.uk:8443/a/B.php?id=1&x&y=2#z")
        self.assertEqual(link.scheme, "https")
        self.assertEqual(link.host, "www.shop.example.co.uk")
        self.assertEqual(link.labels, ["www", "shop", "example", "co", "uk"])
        self.assertEqual(link.organisation, "example.co.uk")
        self.assertEqual(link.port, 8443)
        self.assertEqual(link.path, "/a/B.php")
        self.assertEqual(link.query, ("id", "x", "y"))
        self.assertFalse(link.is_address)
        self.assertTrue(link.is_web)

    def test_host_as_a_browser_reads_it(self):
        """
        The host is the one that a browser goes to, whatever is done to hide it.
        """
        for target in (
            "http://bank.example@evil.test/",
            "http://a@b@evil.test",
            "http:\\\\evil.test\\path",
            "http:/evil.test",
            "http:////evil.test",
            "ht\ntp://ev\til.test/",
            "//evil.test/x",
            "http://EVIL.test.",
            "http://%65vil.test",
            " http://evil.test?bank.example",
        ):
            self.assertEqual(parse_link(target).host, "evil.test", target)

    def test_addresses(self):
        """
        An IP address is one in every way in which it is written.
        """
        for host in ("192.0.2.7", "3221225991", "0xC0000207", "192.0.519", "[2001:db8::1]"):
            link = parse_link(f"http://{host}/")
            self.assertTrue(link.is_address, host)
            self.assertEqual(link.organisation, link.host)
        self.assertFalse(parse_link("http://7.example/").is_address)

    def test_mailto(self):
        """
        Of C{mailto:} the host is that of the address.
        """
        link = parse_link("mailto:Ada@Example.org?subject=x")
        self.assertEqual((link.scheme, link.host), ("mailto", "example.org"))
        self.assertFalse(link.is_web)

    def test_nowhere(self):
        """
        What leads nowhere outside of the message is no link.
        """
        for target in ("", "#top", "page.html", "?x=1", "1:2"):
            self.assertIsNone(parse_link(target), target)
        self.assertEqual(parse_link("www.example.org/x").scheme, "http")
        self.assertEqual(parse_link("javascript:alert(1)").host, "")

    @given(st.text())
    def test_never_raises(self, target):
        """
        Nothing that stands for a link raises.
        """
        parse_link(target)
        parse_link(f"http://{target}")


class OrganisationTests(SynchronousTestCase):
    """
    Tests of organisational domains.
    """

    def test_organisation(self):
        """
        It has one label more than what a registry gives names under.
        """
        for host, expected in (
            ("example.org", "example.org"),
            ("a.b.example.org", "example.org"),
            ("www.example.co.uk", "example.co.uk"),
            ("example.com.br", "example.com.br"),
            ("www.example.de", "example.de"),
            ("co.uk", "co.uk"),
            ("localhost", "localhost"),
            ("", ""),
        ):
            self.assertEqual(organisation(host), expected)

    def test_related(self):
        """
        The same domain is related, and the same name in another country if it is long enough.
        """
        self.assertTrue(are_related("example.com", "example.com"))
        self.assertTrue(are_related("example.com", "example.de"))
        self.assertFalse(are_related("abc.com", "abc.de"))
        self.assertFalse(are_related("example.com", "example-mail.com"))
        self.assertFalse(are_related("", ""))
        self.assertFalse(are_related("1234.com", "1234.net"))


class SpanTests(SynchronousTestCase):
    """
    Tests of L{spans_of_links}.
    """

    def found(self, text):
        """
        Give the links in a text.
        """
        return [text[start:end] for start, end in spans_of_links(text)]

    def test_found(self):
        """
        Links end at spaces, brackets and quotes, and without the sentence's punctuation.
        """
        self.assertEqual(
            self.found(
                'see http://a.test/x, (www.b.test), <https://c.test/?q=1> "ftp://d.test".'
                " awww.e.test foo://f.test http:// www. xhttp://g.test/http://h.test"
            ),
            [
                "http://a.test/x",
                "www.b.test",
                "https://c.test/?q=1",
                "ftp://d.test",
                "http://g.test/http://h.test",
            ],
        )

    def test_as_written(self):
        """
        Links are given as they are written, also beside a letter that is two in lower case.
        """
        for letter in ("", "\u0130"):
            text = f"{letter} HTTPS://A.test/X {letter} www.B.test."
            self.assertEqual(list(links_in(text)), ["HTTPS://A.test/X", "www.B.test"])

    def test_hostile(self):
        """
        Half a megabyte of beginnings takes no longer than half a second.
        """
        for piece in ("://", "www.", "http://", "http://a ", "www.a"):
            start = process_time()
            list(spans_of_links(piece * (500_000 // len(piece))))
            self.assertLess(process_time() - start, 0.5, piece)

    @given(st.text("htp:/w.a "))
    def test_in_order(self, text):
        """
        Spans follow one another and never overlap.
        """
        at = 0
        for start, end in spans_of_links(text):
            self.assertLessEqual(at, start)
            self.assertLess(start, end)
            at = end
        self.assertLessEqual(at, len(text))
