"""
Tests of whether lists in the DNS can be believed.
"""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import DnsList
from mailgate.knowledge.dnslists import AGAIN_SECONDS, DnsLists, ListTrouble
from mailgate.wire.dns.answer import Trouble
from tests.net.zones import Zones

CODES = {"127.0.0.2": {"words": "sends spam", "score": 4.0}}
GOOD = {"2.0.0.127.bl.example": {"A": ["127.0.0.2"]}}
NIBBLES = "0.0.f.7.f.f.f.f" + ".0" * 20
LISTED_6 = f"2.0.0.0.{NIBBLES}.bl.example"


class SelfTests(SynchronousTestCase):
    """
    Tests of L{DnsLists.test} (RFC 5782 section 5).
    """

    def setUp(self):
        """
        Gather events.
        """
        self.clock = Clock()
        self.events = []
        globalLogPublisher.addObserver(self.gather)
        self.addCleanup(globalLogPublisher.removeObserver, self.gather)

    def gather(self, event):
        """
        Keep an event of a list.
        """
        if str(event.get("event", "")).startswith("dnslist."):
            self.events.append((event["event"], event["list"]))

    def make(self, **options):
        """
        Make one list.
        """
        section = DnsList(zone="bl.example", codes=CODES, **options)
        self.lists = DnsLists.of_sections({"psbl": section}, 4, self.clock.seconds)
        return self.lists.lists[0]

    def run_test(self, table):
        """
        Test what is due against a table.
        """
        self.zones = Zones(table)
        self.successResultOf(Deferred.fromCoroutine(self.lists.test(self.zones)))

    def test_passes(self):
        """
        A list that has its test entry and not everything is asked from then on, not before, and
        tested again after some hours.
        """
        one = self.make()
        self.assertEqual(one.trouble, ListTrouble.UNTESTED)
        self.run_test(GOOD)
        self.assertIsNone(one.trouble)
        names = ["2.0.0.127.bl.example", "1.0.0.127.bl.example"]
        self.assertEqual([name for name, _ in self.zones.asked], names)
        self.clock.advance(4 * 3600 - 1)
        self.run_test(GOOD)
        self.assertEqual(self.zones.asked, [])
        self.clock.advance(1)
        self.run_test(GOOD)
        self.assertEqual(len(self.zones.asked), 2)
        self.assertEqual(self.events, [])

    def test_fails(self):
        """
        One that has not its test entry, has everything, refuses, is hijacked or silent is switched
        off with an event, tested again five minutes later, and asked again when it passes.
        """
        first, second = "2.0.0.127.bl.example", "1.0.0.127.bl.example"
        for table, trouble in (
            ({}, ListTrouble.SELF_TEST),
            ({**GOOD, second: {"A": ["127.0.0.2"]}}, ListTrouble.SELF_TEST),
            ({first: {"A": ["127.255.255.254"]}}, ListTrouble.REFUSED),
            ({**GOOD, second: {"A": ["127.0.0.1"]}}, ListTrouble.REFUSED),
            ({first: {"A": ["203.0.113.80"]}}, ListTrouble.HIJACKED),
            ({first: Trouble.TIMEOUT}, ListTrouble.SILENT),
            ({**GOOD, second: Trouble.SERVFAIL}, ListTrouble.SILENT),
        ):
            self.events.clear()
            one = self.make()
            self.run_test(table)
            self.assertEqual(one.trouble, trouble)
            self.assertEqual(self.events, [("dnslist.off", "psbl")])
            self.clock.advance(AGAIN_SECONDS - 1)
            self.run_test(GOOD)
            self.assertEqual(one.trouble, trouble)
            self.clock.advance(1)
            self.run_test(table)
            self.assertEqual(len(self.events), 1, "the same trouble is told once")
            self.clock.advance(AGAIN_SECONDS)
            self.run_test(GOOD)
            self.assertIsNone(one.trouble)
            self.assertEqual(self.events[1:], [("dnslist.on", "psbl")])

    def test_ipv6(self):
        """
        Of a list with IPv6 addresses those of the test are looked up too.
        """
        one = self.make(ipv6=True)
        self.run_test({**GOOD, LISTED_6: {"A": ["127.0.0.2"]}})
        self.assertIsNone(one.trouble)
        one = self.make(ipv6=True)
        self.run_test(GOOD)
        self.assertEqual(one.trouble, ListTrouble.SELF_TEST)

    def test_domains(self):
        """
        Of a list of domains it is C{test} and not C{invalid}.
        """
        one = self.make(of="domains")
        self.run_test({"test.bl.example": {"A": ["127.0.0.2"]}})
        self.assertIsNone(one.trouble)
        one = self.make(of="domains")
        both = {name: {"A": ["127.0.0.2"]} for name in ("test.bl.example", "invalid.bl.example")}
        self.run_test(both)
        self.assertEqual(one.trouble, ListTrouble.SELF_TEST)

    def test_nobody_to_ask(self):
        """
        Where no DNS server could be asked the list stays as it is, without an event.
        """
        one = self.make()
        unreachable = {"2.0.0.127.bl.example": Trouble.UNREACHABLE}
        self.run_test(unreachable)
        self.assertEqual(one.trouble, ListTrouble.UNTESTED)
        self.clock.advance(AGAIN_SECONDS)
        self.run_test(GOOD)
        self.clock.advance(4 * 3600)
        self.run_test(unreachable)
        self.assertIsNone(one.trouble)
        self.assertEqual(self.events, [])
