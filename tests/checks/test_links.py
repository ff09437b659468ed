"""
Tests of judging where a message leads.
"""

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.dkim import Dkim, DkimResult
from mailgate.authentication.dmarc import Dmarc, DmarcResult, Identifier
from mailgate.checks.links import HOSTS, LinksCheck, has_mixed_letters
from mailgate.finding import Finding, Result
from mailgate.knowledge.dnslists import DnsLists
from mailgate.message.links import LIMIT
from tests.checks.given import settings, view_of_message
from tests.net.zones import Zones

HEAD = b"From: Shop <shop@example.com>\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
OURS = '<a href="https://www.example.com/">us</a>'


def page(*addresses):
    """
    Give a page with links.
    """
    return "".join(f'<a href="{address}">here</a> ' for address in addresses)


def proven(*domains):
    """
    Give what the checks before have said of a message that is signed for these domains.
    """
    signed = [Dkim(DkimResult.PASS, domain, "s", "it is right") for domain in domains]
    aligned = tuple(
        Identifier("dkim", domain, True) for domain in domains if domain == "example.com"
    )
    result = DmarcResult.PASS if aligned else DmarcResult.FAIL
    dmarc = Dmarc(result, "example.com", "so it is", aligned=aligned)
    return (
        Result("dkim", tuple(Finding("DKIM_PASS", 0, "x", fact=fact) for fact in signed)),
        Result("dmarc", (Finding("DMARC", 0, "x", fact=dmarc),)),
    )


class LinksTests(SynchronousTestCase):
    """
    Tests of L{LinksCheck}.
    """

    def check(self, html, head=HEAD, said=(), **options):
        """
        Give the findings about a message.
        """
        check = LinksCheck.from_settings(settings(links=options), DnsLists(), Zones())
        return check.check(view_of_message(head + html.encode() + b"\r\n", said))

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

    def test_foreign_signed(self):
        """
        Who signs for a proven author is no stranger, and where such a one unsubscribes people the
        link is not judged; whoever signs for an author that is not proven is one.
        """
        html = page("https://click.esp.test/a")
        for domains, is_found in (
            (["example.com", "esp.test"], False),
            (["example.com", "mail.esp.test"], False),
            (["esp.test"], True),
            (["example.com"], True),
            ([], True),
        ):
            found = self.found(html, said=proven(*domains))
            self.assertEqual("LINK_FOREIGN" in found, is_found, domains)
        for target, domains, is_found in (
            ("https://www.example.com/u", ["example.com"], False),
            ("https://u.sender.test/1", ["example.com", "sender.test"], False),
            ("mailto:leave@example.com", ["example.com"], False),
            ("https://www.example.com/u", [], True),
            ("https://evil.test/u", ["example.com"], True),
            ("https://evil.test/u", ["evil.test"], True),
        ):
            head = f"List-Unsubscribe: <{target}>\r\n".encode() + HEAD
            found = self.found(html, head=head, said=proven(*domains))
            self.assertEqual("LINK_FOREIGN" in found, is_found, (target, domains))

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


CODES = {
    "127.0.0.2": {"words": "is a domain of spam", "score": 5.0},
    "127.0.0.4": {"words": "is a domain of phishing", "score": 7.0},
}
LISTS = {
    "dbl": {"zone": "d.test", "of": "domains", "codes": CODES},
    "orgs": {
        "zone": "o.test",
        "of": "organizations",
        "codes": CODES,
        "linked_addresses": True,
    },
    "psbl": {"zone": "a.test", "codes": CODES},
}
SPAM = {"A": ["127.0.0.2"]}
PHISHING = {"A": ["127.0.0.4"]}


class ListedLinksTests(SynchronousTestCase):
    """
    Tests of asking lists in the DNS for the hosts of links.
    """

    def check(self, html, zones=(), is_later=False, options=(), ours=OURS, **more):
        """
        Give the findings about a message.
        """
        given = settings(dnslists={"lists": LISTS, **dict(options)})
        lists = DnsLists.of_sections(given.checks.dnslists.lists)
        lists.take_up(evolve(one.state, trouble=None, reason="") for one in lists.lists)
        self.lists = lists
        self.zones = Zones(zones, is_later)
        check = LinksCheck.from_settings(given, lists, self.zones)
        calls = {"client": "185.1.2.3", "helo": "mx.example.org", **more}
        view = view_of_message(HEAD + (ours + html).encode() + b"\r\n", **calls)
        return check.check(view)

    def asked(self, *given, **more):
        """
        Give the names that are looked up for a message.
        """
        self.check(*given, **more)
        return [name for name, _ in self.zones.asked]

    def test_listed(self):
        """
        The host of a link is asked for as it is or as the organization's, as each list wants, and
        an entry is a finding; no list of clients is asked.
        """
        zones = {"a.bad.example.d.test": SPAM, "bad.example.o.test": PHISHING}
        one, other = self.check(page("https://A.bad.example/x"), zones)
        self.assertEqual((one.symbol, one.score), ("DNSBL_LINK", 7))
        self.assertEqual(
            other.detail.partition(" (Counts")[0],
            "The host of a link, a.bad.example, is on the list dbl: is a domain of spam "
            "(127.0.0.2).",
        )
        self.assertEqual(
            [name for name, _ in self.zones.asked], ["a.bad.example.d.test", "bad.example.o.test"]
        )

    def test_carried(self):
        """
        Where a link leads on to is asked for too.
        """
        html = page("https://t.example.com/?u=https%3A%2F%2Fbad.example%2F")
        self.assertEqual(self.asked(html), ["bad.example.d.test", "bad.example.o.test"])

    def test_addresses(self):
        """
        Bare addresses are asked for, reversed, where a list knows such; private ones never.
        """
        html = page(
            "http://3221225991/", "http://185.1.2.9/", "http://10.0.0.1/", "http://[2a00::1]/"
        )
        self.assertEqual(self.asked(html), ["9.2.1.185.o.test"])

    def test_not_asked(self):
        """
        Our own names, those that were asked for before, and mail of ours are not asked for.
        """
        known = page("https://mx.example.org/", "https://example.org/", "mailto:x@bad.example")
        self.assertEqual(self.asked(known + page("https://www.example.com/")), [])
        html = page("https://bad.example/")
        self.assertEqual(self.asked(html, client="127.0.0.1"), [])
        self.assertEqual(self.asked(html, options={"exempt_networks": ["185.0.0.0/8"]}), [])

    def test_most(self):
        """
        At most so many hosts are asked for, one of each organization first, and those that are not
        the author's before those that are.
        """
        html = page(
            *(f"https://{number}.many.example/" for number in range(30)),
            "https://www.example.net/",
            *(f"https://other{number}.test/" for number in range(10)),
        )
        asked = [name for name in self.asked(html, ours="") if name.endswith(".d.test")]
        self.assertEqual(len(asked), HOSTS)
        self.assertEqual(asked[:2], ["0.many.example.d.test", "other0.test.d.test"])
        self.assertEqual(
            asked[10:13], ["other9.test.d.test", "www.example.net.d.test", "1.many.example.d.test"]
        )

    def test_once(self):
        """
        A list gives each of its findings once, and all lists together count no more than they may.
        """
        zones = {f"{name}.test.{zone}.test": SPAM for name in "pqr" for zone in "do"}
        found = self.check(page(*(f"https://{name}.test/" for name in "pqr")), zones)
        self.assertEqual([each.score for each in found], [5, 3])
        self.assertEqual(len(self.zones.asked), 6)

    def test_link_score(self):
        """
        A list can count otherwise for links than for senders.
        """
        codes = {"127.0.0.2": {"words": "x", "score": 2.0, "link_score": 4.0}}
        lists = {"one": {"zone": "d.test", "of": "domains", "codes": codes}}
        zones = {"bad.example.d.test": SPAM}
        (finding,) = self.check(page("https://bad.example/"), zones, options={"lists": lists})
        self.assertEqual(finding.score, 4)

    def test_later(self):
        """
        What has to be waited for comes behind what the links themselves show.
        """
        html = page("http://192.0.2.7/", "https://bad.example/")
        answer = self.check(html, {"bad.example.d.test": SPAM}, is_later=True)
        self.assertIsInstance(answer, Deferred)
        self.zones.go_on()
        found = self.successResultOf(answer)
        self.assertEqual([each.symbol for each in found], ["LINK_ADDRESS", "DNSBL_LINK"])

    def test_trouble(self):
        """
        What is wrong with a list is told and counts nothing.
        """
        (finding,) = self.check(
            page("https://bad.example/"), {"bad.example.d.test": {"A": ["127.255.255.254"]}}
        )
        self.assertEqual((finding.symbol, finding.score), ("DNSLIST_REFUSED", 0))
