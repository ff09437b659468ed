"""
Tests of L{mailgate.knowledge.penalty}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import PenaltyCheck as Section
from mailgate.knowledge.penalty import HOUR, Penalties, Penalty
from tests.storage import NOW

SECTION = Section(from_points=5.0)
NAME = "192.0.2.7"


class PenaltyTests(SynchronousTestCase):
    """
    Tests of L{Penalty}.
    """

    def test_aged(self):
        """
        After each half-life half of the points is left, and the bad part stays the same.
        """
        penalty = Penalty(NAME, 10.0, 30.0, NOW)
        aged = penalty.aged(NOW + 48 * HOUR, 24)
        self.assertEqual(aged, Penalty(NAME, 2.5, 7.5, NOW + 48 * HOUR))
        self.assertEqual(aged.share, penalty.share)

    def test_put_back(self):
        """
        Where the clock was put back nothing becomes more.
        """
        penalty = Penalty(NAME, 10.0, 30.0, NOW)
        self.assertEqual(penalty.aged(NOW - 86400, 24), penalty)

    def test_boxed(self):
        """
        Who has enough bad points is in the box, unless as many are good.
        """
        for good, bad, is_boxed in (
            (0.0, 5.0, True),
            (0.0, 4.9, False),
            (5.0, 5.0, True),
            (5.1, 5.0, False),
            (0.0, 0.0, False),
        ):
            self.assertIs(Penalty(NAME, good, bad, NOW).is_boxed(NOW, SECTION), is_boxed)

    @given(st.floats(5, 1e6), st.floats(0.1, 8760))
    def test_ends(self, bad, hours):
        """
        When it ends is when too few points are left.
        """
        section = Section(from_points=5.0, half_life_hours=hours)
        penalty = Penalty(NAME, 0.0, bad, NOW)
        end = penalty.ends(section.from_points, hours)
        self.assertTrue(penalty.is_boxed(NOW, section))
        self.assertFalse(penalty.is_boxed(end + 1 + hours, section))
        self.assertGreaterEqual(end, NOW)

    def test_client(self):
        """
        An IPv6 network is a client, an IPv4 network is one of many.
        """
        for name, is_client in (
            (NAME, True),
            ("192.0.2.0/24", False),
            ("2001:db8::/64", True),
        ):
            self.assertIs(Penalty(name, 0.0, 1.0, NOW).is_client, is_client)


class NameTests(SynchronousTestCase):
    """
    Tests of how people name what is counted.
    """


class PenaltiesTests(SynchronousTestCase):
    """
    Tests of L{Penalties}.
    """

    def test_take(self):
        """
        What is told last counts; who has no points any more is forgotten.
        """
        first, second = Penalty(NAME, 0.0, 6.0, NOW), Penalty(NAME, 0.0, 7.0, NOW)
        penalties = Penalties([first])
        self.assertEqual(penalties.find(NAME), first)
        penalties.take([second])
        self.assertEqual((penalties.find(NAME), list(penalties)), (second, [second]))
        penalties.take([Penalty(NAME, 0.0, 0.0, NOW), Penalty("192.0.2.8", 0.0, 0.0, NOW)])
        self.assertEqual((penalties.find(NAME), len(penalties)), (None, 0))
