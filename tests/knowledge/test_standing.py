"""
Tests of L{mailgate.knowledge.standing}.
"""

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Reputation
from mailgate.knowledge.standing import MOST, SECONDS, Standings


@define
class Hub:
    """
    A hub that counts how often it was asked.
    """

    asked: list = field(factory=list)
    error: Exception | None = None

    def reputations(self, names):
        """
        Answer.
        """
        self.asked.extend(names)
        if self.error is not None:
            return fail(self.error)
        return succeed([Reputation(name, len(self.asked)) for name in names])


class StandingsTests(SynchronousTestCase):
    """
    Tests of L{Standings}.
    """

    def setUp(self):
        """
        Know nothing.
        """
        self.hub, self.clock = Hub(), Clock()
        self.standings = Standings(self.hub, self.clock.seconds)

    def of(self, name):
        """
        Give what is known, waited for or not.
        """
        known = self.standings.of(name)
        return self.successResultOf(known) if isinstance(known, Deferred) else known

    def test_remembered(self):
        """
        The hub is asked once a minute; meanwhile the answer is there at once.
        """
        self.assertEqual(self.of("example.org").good, 1)
        self.assertIsInstance(self.standings.of("example.org"), Reputation)
        self.clock.advance(SECONDS - 1)
        self.assertEqual(self.of("example.org").good, 1)
        self.clock.advance(1)
        self.assertEqual(self.of("example.org").good, 2)
        self.assertEqual(self.hub.asked, ["example.org"] * 2)

    def test_failure(self):
        """
        That the hub fails is told, and not remembered.
        """
        self.hub.error = OSError(5, "disk")
        self.failureResultOf(self.standings.of("example.org"), OSError)
        self.hub.error = None
        self.assertEqual(self.of("example.org").good, 2)

    def test_bounded(self):
        """
        Who was not asked for longest is forgotten first.
        """
        for number in range(MOST):
            self.of(f"d{number}.example")
        self.of("d0.example")
        self.of("new.example")
        self.assertIsInstance(self.standings.of("d0.example"), Reputation)
        self.assertIsInstance(self.standings.of("d1.example"), Deferred)
