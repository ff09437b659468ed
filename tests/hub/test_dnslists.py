"""
Tests of L{mailgate.hub.dnslists}.
"""

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import CheckMode, DnsListsCheck
from mailgate.hub.dnslists import AGAIN_SECONDS, SOON_SECONDS, ListWatch
from mailgate.knowledge.dnslists import ListTrouble
from mailgate.reporting.status import DnsListStatus
from mailgate.wire.dns.answer import Trouble
from tests.net.zones import Zones

CODES = {"127.0.0.2": {"words": "sends spam", "score": 4.0}}
LISTED, NOT_LISTED = "2.0.0.127.bl.example", "1.0.0.127.bl.example"
GOOD = {LISTED: {"A": ["127.0.0.2"]}}
NIBBLES = "0.0.f.7.f.f.f.f" + ".0" * 20
LISTED_6 = f"2.0.0.0.{NIBBLES}.bl.example"
HOUR = 3600
EPOCH = 1_800_000_000.0


def section(*names, **options):
    """
    Give the table of the check, with lists of these names.
    """
    one = {"zone": "bl.example", "codes": CODES, **options}
    return DnsListsCheck.model_validate({"lists": dict.fromkeys(names or ("psbl",), one)})


class Case(SynchronousTestCase):
    """
    A watch of one list.
    """

    def make(self, **options):
        """
        Make it.
        """
        self.clock = Clock()
        self.events = []
        self.watch = ListWatch(section(**options), self.clock.seconds, self.now)
        self.told = []
        self.watch.changed = self.told.extend

    def now(self):
        """
        Give the time.
        """
        return EPOCH + self.clock.seconds()

    def run_test(self, table):
        """
        Test what is due against a table, and give the events.
        """
        self.zones = Zones(table)
        with capturedLogs() as events:
            self.successResultOf(Deferred.fromCoroutine(self.watch.test(self.zones)))
        self.events += [(each["event"], each["list"]) for each in events]

    @property
    def trouble(self):
        """
        Give what is wrong with the list.
        """
        (state,) = self.watch.states()
        return state.trouble


class SelfTests(Case):
    """
    Tests of the test (RFC 5782 section 5).
    """

    def test_lists_self_test(self):
        """
        A list that has its test entry and not everything is asked from then on, not before, and
        tested again after some hours. Those who ask it are told once.
        """
        self.make()
        self.assertEqual(self.trouble, ListTrouble.UNTESTED)
        self.run_test(GOOD)
        self.assertIsNone(self.trouble)
        self.assertEqual(self.told, list(self.watch.states()))
        self.assertEqual([name for name, _ in self.zones.asked], [LISTED, NOT_LISTED])
        self.clock.advance(4 * HOUR - 1)
        self.run_test(GOOD)
        self.assertEqual(self.zones.asked, [])
        self.clock.advance(1)
        self.run_test(GOOD)
        self.assertEqual(len(self.zones.asked), 2)
        self.assertEqual((self.events, len(self.told)), ([], 1))

    def test_lists_self_test_fails(self):
        """
        One that has not its test entry, has everything, refuses, is hijacked or silent is switched
        off with an event, tested again later, and asked again when it passes, not before.
        """
        for table, trouble, pause in (
            ({}, ListTrouble.SELF_TEST, AGAIN_SECONDS),
            ({**GOOD, NOT_LISTED: {"A": ["127.0.0.2"]}}, ListTrouble.SELF_TEST, AGAIN_SECONDS),
            ({LISTED: {"A": ["127.255.255.254"]}}, ListTrouble.REFUSED, AGAIN_SECONDS),
            ({**GOOD, NOT_LISTED: {"A": ["127.0.0.1"]}}, ListTrouble.REFUSED, AGAIN_SECONDS),
            ({LISTED: {"A": ["203.0.113.80"]}}, ListTrouble.HIJACKED, AGAIN_SECONDS),
            ({LISTED: Trouble.TIMEOUT}, ListTrouble.SILENT, SOON_SECONDS),
            ({**GOOD, NOT_LISTED: Trouble.SERVFAIL}, ListTrouble.SILENT, SOON_SECONDS),
        ):
            self.make()
            self.run_test(table)
            self.assertEqual(self.trouble, trouble)
            self.assertEqual(self.events, [("dnslist.off", "psbl")])
            self.clock.advance(pause - 1)
            self.run_test(GOOD)
            self.assertEqual(self.trouble, trouble)
            self.clock.advance(1)
            self.run_test(table)
            self.assertEqual(len(self.events), 1, "the same trouble is told once")
            self.clock.advance(pause)
            self.run_test(GOOD)
            self.assertIsNone(self.trouble)
            self.assertEqual(self.events[1:], [("dnslist.on", "psbl")])
            self.assertEqual([state.trouble for state in self.told], [trouble, None])

    def test_lists_self_test_ipv6(self):
        """
        Of a list with IPv6 addresses those of the test are looked up too.
        """
        self.make(ipv6=True)
        self.run_test({**GOOD, LISTED_6: {"A": ["127.0.0.2"]}})
        self.assertIsNone(self.trouble)
        self.make(ipv6=True)
        self.run_test(GOOD)
        self.assertEqual(self.trouble, ListTrouble.SELF_TEST)

    def test_lists_self_test_domains(self):
        """
        Of a list of domains it is C{test}, or what the list has in its place, and not C{invalid}.
        """
        for of in ("domains", "organizations"):
            for entry in ("test", "always.example"):
                options = {"of": of} if entry == "test" else {"of": of, "test_entry": entry}
                self.make(**options)
                listed = {f"{entry}.bl.example": {"A": ["127.0.0.2"]}}
                self.run_test(listed)
                self.assertIsNone(self.trouble)
                self.make(**options)
                self.run_test({**listed, "invalid.bl.example": {"A": ["127.0.0.2"]}})
                self.assertEqual(self.trouble, ListTrouble.SELF_TEST)

    def test_nobody_to_ask(self):
        """
        Where no DNS server could be asked the list stays as it is, without an event.
        """
        self.make()
        unreachable = {LISTED: Trouble.UNREACHABLE}
        self.run_test(unreachable)
        self.assertEqual(self.trouble, ListTrouble.UNTESTED)
        self.clock.advance(SOON_SECONDS)
        self.run_test(GOOD)
        self.clock.advance(4 * HOUR)
        self.run_test(unreachable)
        self.assertIsNone(self.trouble)
        self.assertEqual(self.events, [])

    def test_many(self):
        """
        All lists are asked at the same time, and one that is silent holds up no other.
        """
        self.make()
        lists = {
            "one": {"zone": "bl.example", "codes": CODES},
            "two": {"zone": "silent.example", "codes": CODES},
        }
        self.watch.take_up(DnsListsCheck.model_validate({"lists": lists}))
        self.run_test({**GOOD, "2.0.0.127.silent.example": Trouble.TIMEOUT})
        one, two = self.watch.states()
        self.assertEqual((one.trouble, two.trouble), (None, ListTrouble.SILENT))


class WorkerTests(Case):
    """
    Tests of what workers say.
    """

    def fail(self, trouble=ListTrouble.REFUSED, reason="no", **more):
        """
        Let a worker say that the list is not to be believed, and give the events.
        """
        (state,) = self.watch.states()
        with capturedLogs() as events:
            self.watch.failed(evolve(state, trouble=trouble, reason=reason, **more))
        return [each["event"] for each in events]

    def test_lists_switched_off_for_all(self):
        """
        What one worker sees counts for all, is told once, and lasts until a later test.
        """
        self.make()
        self.run_test(GOOD)
        self.clock.advance(100)
        self.assertEqual(self.fail(), ["dnslist.off"])
        self.assertEqual(self.fail(), [])
        self.assertEqual(self.trouble, ListTrouble.REFUSED)
        self.assertEqual([state.trouble for state in self.told], [None, ListTrouble.REFUSED])
        self.assertEqual(
            self.watch.status(),
            (DnsListStatus("psbl", "refused", "no", EPOCH + 100, EPOCH),),
        )
        self.run_test(GOOD)
        self.assertEqual(self.trouble, ListTrouble.REFUSED)
        self.clock.advance(AGAIN_SECONDS)
        self.run_test(GOOD)
        self.assertIsNone(self.trouble)
        self.assertEqual(self.events, [("dnslist.on", "psbl")])

    def test_meanwhile(self):
        """
        A test that began before a worker saw that the list is not to be believed proves nothing;
        nor does one of a list that the configuration has no more.
        """
        self.make()
        self.run_test(GOOD)
        for change in (self.fail, lambda: self.watch.take_up(section("other"))):
            self.clock.advance(4 * HOUR)
            zones = Zones(GOOD, is_later=True)
            testing = Deferred.fromCoroutine(self.watch.test(zones))
            change()
            before, told = self.watch.states(), len(self.told)
            zones.go_on()
            self.successResultOf(testing)
            self.assertEqual((self.watch.states(), len(self.told)), (before, told))

    def test_hostile_worker(self):
        """
        A worker cannot say that a list works, has failed a test, or is another one, nor fill the
        memory with its reasons.
        """
        self.make()
        self.run_test(GOOD)
        for trouble in (None, ListTrouble.UNTESTED, ListTrouble.SELF_TEST):
            self.assertEqual(self.fail(trouble), [])
        for more in ({"name": "other"}, {"points": ("2.0.0.127.old.example",)}):
            self.assertEqual(self.fail(**more), [])
        self.assertIsNone(self.trouble)
        self.fail(reason="x" * 10_000)
        (state,) = self.watch.states()
        self.assertLess(len(state.reason), 1000)
        self.assertEqual(self.fail(None), [])
        self.assertEqual(self.trouble, ListTrouble.REFUSED)


class ReloadTests(Case):
    """
    Tests of a new configuration.
    """

    def test_kept(self):
        """
        What is known of a list is kept where it is tested as before, whatever its answers mean now.
        """
        self.make()
        self.run_test(GOOD)
        self.watch.failed(evolve(self.watch.states()[0], trouble=ListTrouble.HIJACKED, reason="x"))
        before = self.watch.status()
        codes = {"127.0.0.9": {"words": "x", "score": 1.0}}
        self.watch.take_up(section("psbl", "other", codes=codes))
        self.assertEqual(self.watch.status()[:1], before)
        self.assertEqual(self.watch.states()[1].trouble, ListTrouble.UNTESTED)

    def test_changed(self):
        """
        Where it is tested otherwise it is another list; one that is gone is forgotten.
        """
        self.make()
        self.run_test(GOOD)
        self.watch.take_up(section(ipv6=True))
        self.assertEqual(self.trouble, ListTrouble.UNTESTED)
        self.watch.take_up(DnsListsCheck(mode=CheckMode.OFF, lists=section().lists))
        self.assertEqual(self.watch.states(), ())
        self.run_test(GOOD)
        self.assertEqual(self.zones.asked, [])

    def test_shorter(self):
        """
        A shorter time between two tests counts at once.
        """
        self.make()
        self.run_test(GOOD)
        self.watch.take_up(DnsListsCheck(test_hours=1.0, lists=section().lists))
        self.clock.advance(HOUR)
        self.run_test(GOOD)
        self.assertEqual(len(self.zones.asked), 2)
