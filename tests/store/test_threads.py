"""
Tests of L{mailgate.store.threads}.
"""

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.store.threads import immediate_result, undone_when_cancelled


class UndoneWhenCancelledTests(SynchronousTestCase):
    """
    Tests of L{undone_when_cancelled}.
    """

    def setUp(self):
        """
        Make work that is under way.
        """
        self.working = Deferred()
        self.undone = []

    def undo(self, result):
        """
        Write down what is undone.
        """
        self.undone.append(result)
        return succeed(None)

    def test_result(self):
        """
        What nobody cancels gives its result and stays.
        """
        done = undone_when_cancelled(self.working, self.undo)
        self.working.callback("ids")
        self.assertEqual(self.successResultOf(done), "ids")
        self.assertEqual(self.undone, [])

    def test_failure(self):
        """
        What fails fails.
        """
        done = undone_when_cancelled(self.working, self.undo)
        self.working.errback(OSError("full"))
        self.failureResultOf(done, OSError)

    def test_cancelled(self):
        """
        What was cancelled is undone once it has been done.
        """
        done = undone_when_cancelled(self.working, self.undo)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.undone, [])
        self.working.callback("ids")
        self.assertEqual(self.undone, ["ids"])

    def test_cancelled_and_failed(self):
        """
        Of what was cancelled and has failed there is nothing to undo.
        """
        done = undone_when_cancelled(self.working, self.undo)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.working.errback(OSError("full"))
        self.assertEqual(self.undone, [])

    def test_undo_fails(self):
        """
        What cannot be undone is an event.
        """
        done = undone_when_cancelled(self.working, lambda _: fail(OSError("full")))
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.working.callback("ids")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class ImmediateResultTests(SynchronousTestCase):
    """
    Tests of L{immediate_result}.
    """

    def test_result(self):
        """
        A result is returned.
        """
        self.assertEqual(immediate_result(succeed(7)), 7)

    def test_failure(self):
        """
        A failure is raised.
        """
        self.assertRaises(OSError, immediate_result, fail(OSError("full")))
