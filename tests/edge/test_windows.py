"""
Tests of L{mailgate.edge.windows}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge.windows import SlidingWindow


class SlidingWindowTests(SynchronousTestCase):
    """
    Tests of the counts.
    """

    def setUp(self):
        """
        Three events in ten seconds, of four keys.
        """
        self.clock = Clock()
        self.window = SlidingWindow(self.clock, 3, 10, 4)

    def test_full(self):
        """
        A key is full with the last event that is allowed, and others are not.
        """
        for is_full in (False, False, True, True):
            self.window.add("a")
            self.assertEqual(self.window.is_full("a"), is_full)
        self.assertFalse(self.window.is_full("b"))

    def test_sliding(self):
        """
        Each event counts for as long as the others: there is no moment at which all are gone.
        """
        for _ in range(3):
            self.window.add("a")
            self.clock.advance(3)
        self.assertTrue(self.window.is_full("a"))
        self.clock.advance(1)
        self.assertFalse(self.window.is_full("a"))
        self.window.add("a")
        self.assertTrue(self.window.is_full("a"))
        self.clock.advance(2.9)
        self.assertTrue(self.window.is_full("a"))
        self.clock.advance(0.1)
        self.assertFalse(self.window.is_full("a"))

    def test_taken_back(self):
        """
        An event that is taken back makes room, and a key without events is forgotten.
        """
        for _ in range(3):
            self.window.add("a")
        self.window.take_back("a")
        self.assertFalse(self.window.is_full("a"))
        self.window.take_back("a")
        self.window.take_back("a")
        self.assertEqual(len(self.window), 0)
        self.window.take_back("a")
        self.window.add("a")
        self.assertFalse(self.window.is_full("a"))

    def test_bounded_keys(self):
        """
        The key without an event for the longest time makes room for a new one.
        """
        for key in "abcd":
            for _ in range(3):
                self.window.add(key)
        self.window.add("a")
        self.window.add("e")
        self.assertEqual(len(self.window), 4)
        self.assertFalse(self.window.is_full("b"))
        self.assertTrue(self.window.is_full("a"))

    def test_over(self):
        """
        Keys whose events are over are forgotten without being asked for.
        """
        self.window.add("a")
        self.window.add("b")
        self.clock.advance(5)
        self.window.add("b")
        self.clock.advance(5)
        self.window.add("c")
        self.assertEqual(len(self.window), 2)

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), max_size=60))
    def test_as_if_all_were_kept(self, steps):
        """
        The answer is that of a list of all events, and no more than three of a key are kept.
        """
        clock = Clock()
        window = SlidingWindow(clock, 3, 10, 4)
        events = []
        for key, seconds in steps:
            clock.advance(seconds)
            window.add(key)
            events.append((key, clock.seconds()))
            for each in "abc":
                since = clock.seconds() - 10
                recent = [when for who, when in events if who == each and when > since]
                self.assertEqual(window.is_full(each), len(recent) >= 3)
                self.assertLessEqual(len(window._times.get(each, ())), 3)
