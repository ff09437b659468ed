"""
Tests of L{mailgate.parts}.
"""

import time

from twisted.internet.base import ReactorBase
from twisted.trial.unittest import SynchronousTestCase

from mailgate.parts import keep_steady


class Reactor(ReactorBase):
    """
    A reactor that does nothing by itself.
    """

    def installWaker(self):
        """
        Wake nobody.
        """

    def removeAll(self):
        """
        Watch nothing.
        """
        return []


class SteadyTests(SynchronousTestCase):
    """
    Tests of what a reactor measures time by.
    """

    def test_f13_monotonic(self):
        """
        What waits in a reactor is due by a clock that nobody can set.
        """
        reactor, done = Reactor(), []
        keep_steady(reactor)
        moment = 1000.0
        self.patch(reactor, "seconds", lambda: moment)
        reactor.callLater(60, done.append, 1)
        self.patch(time, "time", lambda: 4_000_000_000.0)
        reactor.runUntilCurrent()
        self.assertEqual(done, [])
        moment += 60
        reactor.runUntilCurrent()
        self.assertEqual(done, [1])

    def test_clock(self):
        """
        It is the clock of the system that only goes forward.
        """
        reactor = Reactor()
        keep_steady(reactor)
        before = time.monotonic()
        self.assertTrue(before <= reactor.seconds() <= time.monotonic())

    def test_too_late(self):
        """
        Where something waits already, the clock stays.
        """
        reactor = Reactor()
        reactor.callLater(60, int)
        self.assertRaises(RuntimeError, keep_steady, reactor)
