"""
Tests of asking lists in the DNS for the domain in From.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.author import AuthorCheck
from mailgate.finding import Result
from mailgate.interfaces import Phase
from mailgate.knowledge.dnslists import DnsLists, ListTrouble
from mailgate.message.envelope import Envelope
from mailgate.message.header import Headers
from mailgate.pipeline.view import View
from mailgate.policy.verdict import Policy
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import Trouble
from tests.checks.given import NOW, session, settings
from tests.net.zones import Zones

CODES = {"127.0.0.2": {"words": "is a domain of spam", "score": 4.0}}
LISTS = {
    "dbl": {"zone": "d.example", "of": "domains", "codes": CODES, "page": "https://d.example/{}"},
    "orgs": {"zone": "o.example", "of": "organizations", "codes": CODES},
    "psbl": {"zone": "a.example", "codes": CODES},
}
LISTED = {"A": ["127.0.0.2"]}


class AuthorCheckTests(SynchronousTestCase):
    """
    Tests of L{AuthorCheck}.
    """

    def check(self, zones, author, sender="example.org", options=None, **more):
        """
        Give the findings about a message.
        """
        given = settings(dnslists={"lists": LISTS, **(options or {})}, author={"mode": "enforce"})
        self.lists = DnsLists.of_sections(given.checks.dnslists.lists)
        self.lists.take_up(evolve(one.state, trouble=None, reason="") for one in self.lists.lists)
        self.zones = Zones(zones)
        self.policy = Policy.from_settings(given)
        check = AuthorCheck.from_settings(given, self.lists, self.zones)
        calls = session(**{"client": "185.1.2.3", "helo": "mx.example.org", **more})
        envelope = Envelope(calls, "7q4m-x2vd-90kt", Address("ada", sender), NOW)
        fields = Headers.parse(f"From: {author}\r\n\r\n".encode())
        return check.check(View(calls, NOW, ({}, {}), {"fields": fields}, envelope))

    def test_listed(self):
        """
        The domain in From is asked for on lists of domains, as it is or as the organization's, and
        refused with C{enforce}, with the list and its look-up page.
        """
        zones = {"news.bad.example.d.example": LISTED, "bad.example.o.example": LISTED}
        findings = self.check(zones, "Eve <eve@News.bad.example>")
        self.assertEqual([each.symbol for each in findings], ["DNSBL_AUTHOR"] * 2)
        self.assertEqual(
            findings[0].detail,
            "The domain in From, news.bad.example, is on the list dbl: "
            "is a domain of spam (127.0.0.2).",
        )
        self.assertEqual(len(self.zones.asked), 2)
        result = Result("author", tuple(findings))
        ada = Address("ada", "example.com")
        reply = str(self.policy.judge(Phase.HEADERS, [result], "7q4m", ada).reply)
        self.assertIn("news.bad.example is listed by dbl, see https://d.example/news.bad", reply)

    def test_asked_before(self):
        """
        What was asked for at RCPT already is not asked for again.
        """
        for author, sender in (
            ("x@example.org", "example.org"),
            ("x@mx.example.org", "else.example"),
            ("x@EXAMPLE.org", "example.org"),
        ):
            self.assertEqual(self.check({}, author, sender), [])
            self.assertEqual(self.zones.asked, [], author)
        self.check({}, "x@news.example.org", "example.org")
        self.assertEqual([name for name, _ in self.zones.asked], ["news.example.org.d.example"])

    def test_not_asked(self):
        """
        Our own domains, a From that names none or several, and mail of ours are not asked for.
        """
        for author in (
            "x@example.com",
            "x@www.example.com",
            "x",
            "x@[192.0.2.1]",
            "x@a.example, y@b.example",
            "",
        ):
            self.check({}, author)
            self.assertEqual(self.zones.asked, [], author)
        for more in ({"client": "127.0.0.1"}, {"options": {"exempt_networks": ["185.0.0.0/8"]}}):
            self.check({}, "x@bad.example", **more)
            self.assertEqual(self.zones.asked, [])

    def test_trouble(self):
        """
        What is wrong with a list is told, counts nothing, and switches it off as elsewhere.
        """
        name = "bad.example.d.example"
        (finding,) = self.check({name: Trouble.TIMEOUT}, "x@bad.example")
        self.assertEqual((finding.symbol, finding.score), ("DNSLIST_UNKNOWN", 0))
        (finding,) = self.check({name: {"A": ["127.255.255.254"]}}, "x@bad.example")
        self.assertEqual((finding.symbol, finding.score), ("DNSLIST_REFUSED", 0))
        self.assertEqual(self.lists.lists[0].state.trouble, ListTrouble.REFUSED)
