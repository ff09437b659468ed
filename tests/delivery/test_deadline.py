"""
Tests of L{mailgate.delivery.deadline}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.deadline import Deadline


class DeadlineTests(SynchronousTestCase):
    """
    Tests of a moment that moves.
    """

    def setUp(self):
        """
        Make one that notes when it has come.
        """
        self.clock = Clock()
        self.passed = []
        self.deadline = Deadline(self.clock, lambda: self.passed.append(self.clock.seconds()))

    def until(self, seconds):
        """
        Let the time go on, a second at a time.
        """
        while self.clock.seconds() < seconds:
            self.clock.advance(1)

    def test_set(self):
        """
        It comes once, at its moment.
        """
        self.deadline.set(5)
        self.until(20)
        self.assertEqual(self.passed, [5])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_later(self):
        """
        Moved to a later moment it comes then, without one more call of the reactor before.
        """
        self.deadline.set(5)
        (call,) = self.clock.getDelayedCalls()
        for at in range(6, 16):
            self.deadline.set(at)
        self.assertEqual(self.clock.getDelayedCalls(), [call])
        self.until(30)
        self.assertEqual(self.passed, [15])

    def test_earlier(self):
        """
        Moved to an earlier moment it comes then, and only then.
        """
        self.deadline.set(15)
        self.deadline.set(5)
        self.until(30)
        self.assertEqual(self.passed, [5])

    def test_advance(self):
        """
        C{advance} moves it to an earlier moment only.
        """
        self.deadline.advance(10)
        self.deadline.advance(15)
        self.deadline.advance(8)
        self.until(30)
        self.assertEqual(self.passed, [8])

    def test_clear(self):
        """
        Cleared it does not come, and can be set again.
        """
        self.deadline.set(5)
        self.deadline.clear()
        self.until(10)
        self.deadline.set(12)
        self.until(20)
        self.assertEqual(self.passed, [12])

    def test_clear_and_set(self):
        """
        Cleared and set before the reactor has called, it comes at the new moment.
        """
        self.deadline.set(5)
        self.deadline.clear()
        self.deadline.set(3)
        self.until(4)
        self.assertEqual(self.passed, [3])
        self.deadline.set(8)
        self.deadline.clear()
        self.deadline.set(9)
        self.until(20)
        self.assertEqual(self.passed, [3, 9])

    def test_stop(self):
        """
        Stopped it leaves nothing with the reactor; stopping twice is fine.
        """
        self.deadline.set(5)
        self.deadline.stop()
        self.deadline.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.until(10)
        self.assertEqual(self.passed, [])
