"""
Tests of L{mailgate.hub.jobs}.
"""

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.jobs import Job, Jobs
from tests.pipeline.events import events


class JobsTests(SynchronousTestCase):
    """
    Tests of L{Jobs}.
    """

    def setUp(self):
        """
        Make a clock and a list of what ran.
        """
        self.clock = Clock()
        self.ran = []

    def job(self, name, seconds, answer=succeed):
        """
        Make a job that writes down when it ran.
        """

        def work():
            self.ran.append((name, self.clock.seconds()))
            return answer(None)

        return Job(name, seconds, work)

    def test_at_their_times(self):
        """
        Each runs at the start and then at its own times.
        """
        jobs = Jobs(self.clock, [self.job("a", 10), self.job("b", 15)])
        jobs.start()
        self.clock.pump([5] * 4)
        self.assertEqual(self.ran, [("a", 0), ("b", 0), ("a", 10), ("b", 15), ("a", 20)])
        self.successResultOf(jobs.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failing(self):
        """
        A failing job is an event, and runs again.
        """
        jobs = Jobs(self.clock, [self.job("a", 10, lambda _: fail(OSError("full")))])
        with events() as told:
            jobs.start()
            self.clock.advance(10)
        self.assertEqual([(e["event"], e["job"]) for e in told], [("job.failed", "a")] * 2)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)
        self.successResultOf(jobs.stop())

    def test_not_twice_at_a_time(self):
        """
        A job that is not done does not run a second time, and a stop waits for it.
        """
        waiting = Deferred()
        jobs = Jobs(self.clock, [self.job("a", 10, lambda _: waiting)])
        jobs.start()
        self.clock.advance(30)
        self.assertEqual(self.ran, [("a", 0)])
        stopped = jobs.stop()
        self.assertNoResult(stopped)
        waiting.callback(None)
        self.successResultOf(stopped)
