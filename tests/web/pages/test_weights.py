"""
Tests of L{mailgate.web.pages.weights}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Policy
from mailgate.finding import Finding
from mailgate.web.pages.weights import Rail, draw

SCORES = st.lists(st.floats(-100, 100), min_size=1, max_size=20)


def bars(*scores):
    """
    Draw findings with these scores, and give the bars.
    """
    drawn = draw([Finding(f"F_{number}", score, "x") for number, score in enumerate(scores)])
    return [bar for side in drawn for group in side.groups for bar in group.bars]


class BarTests(SynchronousTestCase):
    """
    Findings as bars.
    """

    def test_usual(self):
        """
        The scale goes from -1 to +3 at least, with its zero at a quarter.
        """
        (bar,) = bars(1.5)
        self.assertEqual((bar.zero, bar.left, bar.width), (25.0, 25.0, 37.5))
        (bar,) = bars(-1)
        self.assertEqual((bar.zero, bar.left, bar.width), (25.0, 0.0, 25.0))

    def test_heavy_on_both_sides(self):
        """
        What weighs much in favour moves the zero, so that the other side is still to be seen.
        """
        against, favour = bars(4, -6)
        self.assertEqual((against.zero, against.left, against.width), (60.0, 60.0, 40.0))
        self.assertEqual((favour.left, favour.width), (0.0, 60.0))

    @given(SCORES)
    def test_within_the_picture(self, scores):
        """
        Every bar lies within the picture, on its side of the zero, and all have one scale.
        """
        drawn = bars(*scores)
        self.assertEqual(len(drawn), len(scores))
        self.assertEqual(len({bar.zero for bar in drawn}), 1)
        for bar in drawn:
            self.assertGreaterEqual(bar.left, -0.01)
            self.assertLessEqual(bar.left + bar.width, 100.02)
            if bar.is_against:
                self.assertEqual(bar.left, bar.zero)
            else:
                self.assertAlmostEqual(bar.left + bar.width, bar.zero, 1)


class RailTests(SynchronousTestCase):
    """
    The total on its rail.
    """

    @given(st.floats(-1000, 1000), SCORES)
    def test_within_the_picture(self, total, thresholds):
        """
        Whatever the total and the thresholds, all of it lies within the picture.
        """
        tag, quarantine, reject = sorted([*thresholds, 0.0, 1.0, 2.0])[:3]
        rail = Rail.of(total, Policy(tag=tag, quarantine=quarantine, reject=reject))
        places = (rail.tag, rail.quarantine, rail.reject, rail.total)
        self.assertTrue(all(0 <= place <= 100 for place in places))
        widths = (rail.tag_width, rail.quarantine_width, rail.reject_width)
        self.assertAlmostEqual(rail.tag + sum(widths), 100, 1)
