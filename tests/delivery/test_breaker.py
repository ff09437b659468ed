"""
Tests of L{mailgate.delivery.breaker}, alone and in a pool.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.breaker import Breaker
from tests.delivery.kinds import Kind, MailSubject
from tests.pipeline.events import events
from tests.storage import ADA, ENVELOPE, message, temporary_folder

OPEN = "451 4.4.1 destination not reached: it has failed too often, and is tried again soon"


class BreakerTests(SynchronousTestCase):
    """
    A breaker whose upstream the test plays.
    """

    def setUp(self):
        """
        Make one that opens at the third failure.
        """
        self.clock = Clock()
        self.attempts = []
        self.breaker = Breaker("up", self.clock, 3, 30.0, self.attempt)

    def attempt(self):
        """
        Note an attempt.
        """
        self.attempts.append(self.clock.seconds())

    def fail(self, times=1):
        """
        Fail.
        """
        for _ in range(times):
            self.breaker.failed("451 4.4.1 refused")

    def test_opens(self):
        """
        It opens at so many failures in a row, which is told once.
        """
        with events() as seen:
            self.fail(2)
            self.assertFalse(self.breaker.is_open)
            self.fail(3)
        self.assertTrue(self.breaker.is_open)
        self.assertEqual(
            [(each["event"], each["failures"]) for each in seen], [("breaker.opened", 3)]
        )

    def test_in_a_row(self):
        """
        What works between two failures makes them count from the beginning.
        """
        self.fail(2)
        self.breaker.connected()
        self.fail(2)
        self.assertFalse(self.breaker.is_open)

    def test_half_open(self):
        """
        It is tried again after pauses that double up to the longest, and closes when it works.
        """
        self.fail(3)
        for _ in range(200):
            before = len(self.attempts)
            self.clock.advance(1)
            if len(self.attempts) > before:
                self.assertTrue(self.breaker.is_open)
                self.fail()
        self.assertEqual(self.attempts[:8], [1, 3, 7, 15, 31, 61, 91, 121])
        with events() as seen:
            self.breaker.connected()
        self.assertFalse(self.breaker.is_open)
        self.assertEqual([each["event"] for each in seen], ["breaker.closed"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hangs(self):
        """
        Where connections can be had and nothing comes on them, only a message shows whether it
        works: one at a time is let through.
        """
        for _ in range(3):
            self.breaker.hung("451 4.4.1 no reply in time")
            self.breaker.connected()
        self.assertTrue(self.breaker.is_open)
        for pause in (1, 2, 4, 8, 16, 30, 30):
            self.clock.advance(pause - 0.1)
            self.assertTrue(self.breaker.is_open)
            self.clock.advance(0.2)
            self.assertFalse(self.breaker.is_open)
            self.breaker.admit()
            self.assertTrue(self.breaker.is_open)
            self.breaker.connected()
            self.assertTrue(self.breaker.is_open)
            self.clock.advance(150)
            self.breaker.hung("451 4.4.1 no reply in time")
        self.assertEqual(self.attempts, [])
        self.clock.advance(30)
        self.breaker.admit()
        self.breaker.answered()
        self.assertFalse(self.breaker.is_open)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_outcome(self):
        """
        A message whose outcome never comes does not keep it open for ever.
        """
        for _ in range(3):
            self.breaker.hung("451 4.4.1 no reply in time")
        self.clock.advance(1)
        self.breaker.admit()
        self.clock.advance(299)
        self.assertTrue(self.breaker.is_open)
        self.clock.advance(1)
        self.assertFalse(self.breaker.is_open)

    def test_hangs_in_a_row(self):
        """
        A transaction that ends between two that hang makes them count from the beginning.
        """
        for _ in range(5):
            self.breaker.hung("451 4.4.1 no reply in time")
            self.breaker.hung("451 4.4.1 no reply in time")
            self.breaker.answered()
        self.assertFalse(self.breaker.is_open)

    def test_one_attempt_at_a_time(self):
        """
        Failures of others while it is open make no further attempts.
        """
        self.fail(9)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)


class PoolTests(SynchronousTestCase):
    """
    A mail server in memory that does not work.
    """

    def setUp(self):
        """
        Make it.
        """
        kind = Kind("", {"breaker_failures": 3, "breaker_seconds": 30.0})
        self.subject = MailSubject(temporary_folder(self), kind)
        self.behaviour = self.subject.behaviour
        self.behaviour.is_broken = True
        self.delivery = self.subject.delivery

    def deliver(self):
        """
        Deliver a message, and give the reply in words.
        """
        answer = self.delivery.deliver(ENVELOPE, (ADA,), message())
        self.subject.work()
        (reply,) = self.successResultOf(answer)
        return str(reply)

    def break_it(self):
        """
        Let it fail until nobody goes there any more.
        """
        for _ in range(3):
            self.assertIn("connection lost", self.deliver())
        self.assertTrue(self.delivery.is_open)

    def test_open(self):
        """
        While it is open everybody is told at once, and no connection is made.
        """
        self.break_it()
        made = len(self.behaviour.servers)
        self.assertEqual(self.deliver(), OPEN)
        asked = self.delivery.verify(ENVELOPE.sender, ADA)
        self.assertEqual(str(self.successResultOf(asked)), OPEN)
        self.assertEqual(len(self.behaviour.servers), made)

    def test_closes_by_itself(self):
        """
        It is tried without anybody's message, and the next message goes there as soon as it works.
        """
        self.break_it()
        self.behaviour.is_broken = False
        self.subject.clock.advance(1)
        self.subject.work()
        self.assertFalse(self.delivery.is_open)
        self.assertEqual(self.behaviour.lines, [b"EHLO gw.example.com"])
        self.assertEqual(self.deliver(), "250 2.0.0 taken")

    def test_closes_by_a_probe(self):
        """
        The probe that asks what it can take closes it too.
        """
        self.break_it()
        self.behaviour.is_broken = False
        probed = self.delivery.probe()
        self.subject.work()
        self.successResultOf(probed)
        self.assertFalse(self.delivery.is_open)

    def test_not_while_others_work(self):
        """
        An upstream that only wants no more connections is no reason to open it.
        """
        self.behaviour.is_broken = False
        self.subject.hang()
        working = self.delivery.deliver(ENVELOPE, (ADA,), message())
        self.subject.work()
        self.behaviour.is_broken = True
        for _ in range(5):
            self.deliver()
        self.assertFalse(self.delivery.is_open)
        self.subject.go_on()
        self.assertEqual(self.successResultOf(working)[0].code, 250)

    def test_a_refusal_is_no_failure(self):
        """
        A server that refuses everything works.
        """
        self.behaviour.is_broken = False
        self.behaviour.replies["MAIL"] = "451 4.3.0 not now"
        for _ in range(9):
            self.assertEqual(self.deliver(), "451 4.3.0 not now")
        self.assertFalse(self.delivery.is_open)

    def test_hangs(self):
        """
        A server that takes connections and hangs costs only three messages their time; one at a
        time sees whether it works again.
        """
        self.behaviour.is_broken = False
        self.behaviour.replies["MAIL"] = None
        for _ in range(3):
            answer = self.delivery.deliver(ENVELOPE, (ADA,), message())
            self.subject.work()
            self.subject.clock.advance(150)
            self.subject.work()
            self.assertIn("no reply in time", str(self.successResultOf(answer)[0]))
        self.assertTrue(self.delivery.is_open)
        self.assertEqual(self.deliver(), OPEN)
        self.subject.clock.advance(1)
        trying = self.delivery.deliver(ENVELOPE, (ADA,), message())
        self.subject.work()
        self.assertNoResult(trying)
        self.assertEqual(self.deliver(), OPEN)
        self.subject.clock.advance(150)
        self.subject.work()
        self.assertIn("no reply in time", str(self.successResultOf(trying)[0]))
        del self.behaviour.replies["MAIL"]
        self.assertEqual(self.deliver(), OPEN)
        self.subject.clock.advance(2)
        self.assertEqual(self.deliver(), "250 2.0.0 taken")
        self.assertFalse(self.delivery.is_open)
        self.assertEqual(self.deliver(), "250 2.0.0 taken")

    def test_close(self):
        """
        A closed one leaves nothing with the reactor.
        """
        self.break_it()
        self.successResultOf(self.delivery.close())
        self.assertEqual(self.subject.clock.getDelayedCalls(), [])
