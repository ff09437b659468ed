"""
Tests of L{mailgate.delivery.lookout}: what waits for an upstream when that is back.
"""

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed

from mailgate.delivery.lookout import LONGEST_PAUSE, SECONDS
from mailgate.store.database import StoreError
from mailgate.wire.address import Address
from tests.delivery.test_outbox import LATER, TAKEN, UNREACHED, OutboxCase, ScriptedDelivery
from tests.pipeline.events import events


@define(eq=False)
class Probed(ScriptedDelivery):
    """
    An upstream that is down until a test says otherwise, and counts how often it is looked at.
    """

    failures: int = 1
    probed: int = 0
    probing: Deferred | None = field(default=None)

    def probe(self):
        """
        Find out nothing new.
        """
        self.probed += 1
        return self.probing or succeed(None)


class LookoutTests(OutboxCase):
    """
    Tests with an upstream that is down.
    """

    def setUp(self):
        """
        Let it be down, with mail that waits for it for hours.
        """
        super().setUp()
        self.routes["example.com"] = self.upstream = Probed()
        self.start()
        for number in range(12):
            self.enqueue(Address(f"p{number}", "example.com"))
        self.pass_time(6 * 3600)
        self.assertGreater(min(row.next_try for row in self.rows()), self.storage.now() + 3600)

    def pass_time(self, seconds, reply=UNREACHED):
        """
        Let minutes pass, in which all tries have the same end, and count these.
        """
        tries = 0
        for _ in range(int(seconds / 60)):
            while self.upstream.asked:
                tries += 1
                self.upstream.answer(reply)
            self.clock.advance(60)
        return tries

    def test_still_down(self):
        """
        One that is down is connected to once a minute, and no message is tried for that.
        """
        before = self.upstream.probed
        self.assertEqual(self.pass_time(600), 0)
        self.assertEqual(self.upstream.probed, before + 10)

    def test_back(self):
        """
        When it is back, one copy is tried within a minute; the others follow when that was taken,
        few at a time at first, and an event tells.
        """
        self.upstream.failures = 0
        with events() as said:
            self.clock.advance(SECONDS)
        self.assertEqual([each["event"] for each in said], ["outbox.woken"])
        self.assertEqual(len(self.upstream.asked), 1)
        self.clock.advance(SECONDS)
        self.assertEqual(len(self.upstream.asked), 1)
        most = 0
        while self.upstream.asked:
            self.upstream.answer(TAKEN)
            most = max(most, len(self.upstream.asked))
        self.assertEqual(self.rows(), [])
        self.assertLessEqual(most, self.settings.deliveries_per_upstream)

    def test_together(self):
        """
        Recipients of one message go together here too.
        """
        self.routes["example.net"] = other = Probed(name="other")
        people = [Address(f"p{number}", "example.net") for number in range(3)]
        self.enqueue(*people)
        other.answer(UNREACHED)
        other.failures = 0
        self.clock.advance(SECONDS)
        self.assertEqual([asked.recipients for asked in other.asked], [people])

    def test_answer_of_any_kind(self):
        """
        A copy that is put off by the upstream itself lets the others be tried as well.
        """
        self.upstream.failures = 0
        self.clock.advance(SECONDS)
        self.upstream.answer(LATER)
        self.assertEqual(len(self.upstream.asked), 2)

    def test_only_seems_to_be_back(self):
        """
        One that lets itself be connected to and takes nothing gets single copies, after longer and
        longer pauses.
        """
        self.upstream.failures = 0
        tries = self.pass_time(3 * 3600)
        self.assertGreater(tries, 3)
        self.assertLess(tries, 12)
        day = self.pass_time(24 * 3600)
        by_themselves = 12 * 24 / 4
        self.assertLess(day, 24 * 3600 / LONGEST_PAUSE + by_themselves)

    def test_down_again(self):
        """
        After it was down again nothing is left of the pauses.
        """
        self.upstream.failures = 0
        self.pass_time(2 * 3600)
        self.upstream.failures = 1
        self.pass_time(120)
        self.assertEqual(self.upstream.asked, [])
        self.upstream.failures = 0
        self.clock.advance(SECONDS)
        self.assertEqual(len(self.upstream.asked), 1)

    def test_restart(self):
        """
        After a restart it is looked as well, though nothing is known of the upstream yet.
        """
        self.successResultOf(self.outbox.stop(0))
        self.upstream.failures = 0
        self.outbox = self.make()
        self.start()
        self.assertEqual(len(self.upstream.asked), 1)

    def test_breaker(self):
        """
        While a breaker is open, that looks whether the upstream is back, and nobody else.
        """
        self.upstream.is_open = True
        before = self.upstream.probed
        self.pass_time(600)
        self.assertEqual(self.upstream.probed, before)
        self.upstream.is_open, self.upstream.failures = False, 0
        self.clock.advance(SECONDS)
        self.assertEqual(len(self.upstream.asked), 1)

    def test_stopped_by_somebody(self):
        """
        What somebody has stopped is not tried, now or later.
        """
        for row in self.rows():
            self.successResultOf(self.queue.hold(row.id, "Bob"))
        self.upstream.failures = 0
        self.assertEqual(self.pass_time(600), 0)

    def test_stopped_meanwhile(self):
        """
        Nor is what somebody stops while it is looked.
        """
        self.upstream.failures, self.upstream.probing = 0, Deferred()
        self.clock.advance(SECONDS)
        for row in self.rows():
            self.successResultOf(self.queue.hold(row.id, "Bob"))
        with events() as said:
            self.upstream.probing.callback(None)
        self.assertEqual((self.upstream.asked, said), ([], []))

    def test_not_again_meanwhile(self):
        """
        While one takes long to be looked at, it is not looked anew; the end of the outbox is not
        waited for.
        """
        self.upstream.probing = Deferred()
        before = self.upstream.probed
        self.pass_time(600)
        self.assertEqual(self.upstream.probed, before + 1)
        self.successResultOf(self.outbox.stop(30))

    def test_only_put_off(self):
        """
        What an upstream itself has put off waits for its time.
        """
        self.routes["example.net"] = other = Probed(name="other")
        self.enqueue(Address("ada", "example.net"))
        other.answer(LATER)
        self.pass_time(120)
        self.assertEqual((other.probed, other.asked), (0, []))

    def test_f4(self):
        """
        A disk that fails meanwhile is told, and a minute later it is looked again.
        """
        self.upstream.failures = 0
        database = self.storage.database
        write = database.write
        waiting = self.upstream.probing = Deferred()
        self.clock.advance(SECONDS)
        database.write = lambda function: fail(StoreError(5, "input/output error"))
        waiting.callback(None)
        self.assertEqual(len(self.flushLoggedErrors(StoreError)), 1)
        database.write = write
        self.upstream.probing = None
        self.pass_time(300, TAKEN)
        self.assertEqual(self.rows(), [])
