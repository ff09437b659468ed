"""
Tests of judging where a message leads.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.links import LinksCheck, has_mixed_letters
from mailgate.message.links import LIMIT
from tests.checks.given import settings, view_of_message

HEAD = b"From: Shop <shop@example.com>\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
OURS = '<a href="https://www.example.com/">us</a>'


def page(*addresses):
    """
    Give a page with links.
    """
    return "".join(f'<a href="{address}">here</a> ' for address in addresses)


class LinksTests(SynchronousTestCase):
    """
    Tests of L{LinksCheck}.
    """

    def check(self, html, head=HEAD, **options):
        """
        Give the findings about a message.
        """
        check = LinksCheck.from_settings(settings(links=options))
        return check.check(view_of_message(head + html.encode() + b"\r\n"))

    def found(self, html, **more):
        """
        Give symbols and scores of the findings.
        """
        return {finding.symbol: finding.score for finding in self.check(html, **more)}

    def test_good(self):
        """
        What honest mail links to is no finding: the sender, others beside, trackers, no link.
        """
        for html in (
            OURS,
            OURS + page("https://other.example.net/x?utm=1"),
            page("https://click.tracker.example.net/?u=https%3A%2F%2Fwww.example.com%2F"),
            page("https://www.example.de/"),
            page("https://b\u00fccher.example/", "https://www.example.com:8443/a"),
            page("mailto:shop@example.com"),
            "nothing",
        ):
            self.assertEqual(self.found(html), {}, html)

    def test_words_of_links(self):
        """
        That the words of a link name another host than its target is no finding.
        """
        html = OURS + '<a href="https://click.example.net/1">https://www.bank.example/</a>'
        self.assertEqual(self.found(html), {})

    def test_kinds(self):
        """
        Each kind of link has its symbol.
        """
        for address, symbols in {
            "http://192.0.2.7/": {"LINK_ADDRESS"},
            "http://[2001:db8::1]/": {"LINK_ADDRESS"},
            "http://3221225991/": {"LINK_ADDRESS", "LINK_DISGUISED"},
            "http://%65vil.example/": {"LINK_DISGUISED"},
            "http:\\\\evil.example\\": {"LINK_DISGUISED"},
            "http://ev\u200bil.example/": {"LINK_DISGUISED"},
            "http://www.bank.example@evil.example/": {"LINK_USER"},
            "https://bit.ly/3x": {"LINK_SHORTENER"},
            "https://r.example.net/?to=https%3A%2F%2Fbit.ly%2F3x": {"LINK_SHORTENER"},
            "https://r.example.net/?to=http%3A%2F%2F192.0.2.7%2F": {"LINK_ADDRESS"},
            "https://p\u0430ypal.example/": {"LINK_MIXED_LETTERS"},
        }.items():
            self.assertEqual(set(self.found(OURS + page(address))), symbols, address)

    def test_no_disguise(self):
        """
        A name in capitals, with a port, with letters of its own alphabet, or with a user's name
        without a dot is no disguise.
        """
        for address in (
            "HTTPS://WWW.Other.Example.NET:443/",
            "https://\u043f\u0440\u0438\u043c\u0435\u0440.example/",
            "ftp://ada@files.example.net/",
            "https://other.example.net./",
            "https://\uff45xample.net/",
        ):
            self.assertEqual(self.found(OURS + page(address)), {}, address)

    def test_foreign(self):
        """
        That all links lead to one foreign host is a finding; who is the sender must be known.
        """
        html = page("https://evil.test/a", "https://evil.test/b")
        self.assertEqual(self.found(html), {"LINK_FOREIGN": 0.5})
        self.assertEqual(self.found(html, head=HEAD[HEAD.index(b"Content") :]), {})
        self.assertEqual(self.found(html + page("https://other.test/")), {})

    def test_in_text(self):
        """
        Links in plain text count too, and such as a page only shows.
        """
        plain = HEAD.replace(b"html", b"plain")
        self.assertEqual(self.found("see http://192.0.2.7/x.", head=plain)["LINK_ADDRESS"], 1.5)
        self.assertEqual(self.found("see http://192.0.2.7/x.")["LINK_ADDRESS"], 1.5)

    def test_many(self):
        """
        What is behind the 200th link is not looked at, and that is a finding.
        """
        many = [f"https://www.example.com/{number}" for number in range(LIMIT + 1)]
        self.assertEqual(self.found(page(*many)), {"LINK_MANY": 0.5})
        self.assertEqual(self.found(page(*many[1:])), {})

    def test_words(self):
        """
        The finding quotes the links, three of them.
        """
        html = page(*(f"http://192.0.2.{number}/" for number in range(1, 6)))
        (finding,) = (f for f in self.check(OURS + html) if f.symbol == "LINK_ADDRESS")
        self.assertEqual(
            finding.detail,
            "A link leads to a bare IP address: “http://192.0.2.1/”; “http://192.0.2.2/”; "
            "“http://192.0.2.3/”; and 2 more.",
        )

    def test_capped(self):
        """
        All together count no more than they may.
        """
        html = page("http://a.b@3221225991/", "http://p\u0430y.example\\", "https://bit.ly/1")
        self.assertEqual(sum(self.found(html).values()), 4)
        self.assertEqual(sum(self.found(html, cap_score=1).values()), 1)

    def test_letters(self):
        """
        Only a label in which two alphabets meet has mixed letters.
        """
        for label, is_so in {
            "xn--pypal-4ve": True,
            "xn--bcher-kva": False,
            "xn--e1afmkfd": False,
            "example": False,
            "xn--\N{DEGREE SIGN}": False,
            "xn--999999999": False,
        }.items():
            self.assertEqual(has_mixed_letters(label), is_so, label)
