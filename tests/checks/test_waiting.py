"""
Tests of running coroutines of checks.
"""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.waiting import at_once


async def twice(first, second):
    """
    Wait for two Deferreds.
    """
    return await first + await second


class AtOnceTests(SynchronousTestCase):
    """
    Tests of L{at_once}.
    """

    def test_ready(self):
        """
        What need not wait is a value, also where it awaits what is there already.
        """
        ready = [Deferred(), Deferred()]
        for each in ready:
            each.callback(2)
        self.assertEqual(at_once(twice(*ready)), 4)

    def test_broken(self):
        """
        What breaks before it has waited raises.
        """
        broken = Deferred()
        broken.errback(ValueError())
        with self.assertRaises(ValueError):
            at_once(twice(broken, broken))

    def test_waiting(self):
        """
        What waits is a Deferred, which fires with the value or the failure, once.
        """
        for failure, expected in ((None, 3), (ValueError(), ValueError)):
            first, second = Deferred(), Deferred()
            found = at_once(twice(first, second))
            self.assertNoResult(found)
            first.callback(1)
            self.assertNoResult(found)
            if failure is None:
                second.callback(2)
                self.assertEqual(self.successResultOf(found), expected)
            else:
                second.errback(failure)
                self.failureResultOf(found, expected)

    def test_cancelled(self):
        """
        Who cancels it cancels what it waits for.
        """
        first = Deferred()
        found = at_once(twice(first, Deferred()))
        found.cancel()
        self.failureResultOf(found, CancelledError)
