"""
Tests of L{mailgate.knowledge.sums}.
"""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.excess import Amount
from mailgate.knowledge.sums import STEPS, Window, distinct, end_of, step_of
from tests.storage import NOW


class WindowTests(SynchronousTestCase):
    """
    Tests of L{Window}.
    """

    @given(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 99)), min_size=1)
    )
    def test_sums(self, messages):
        """
        Whatever comes when, the sums are those of the last steps, and a limit is reached until the
        step is over that is told.
        """
        window, all_, step = Window(), [], 100
        for later, recipients, size in messages:
            step += later
            window.add(step, recipients, size)
            all_.append((step, 1, recipients, size))
            within = [each for each in all_ if each[0] > step - STEPS]
            for at, amount in enumerate((Amount.MESSAGES, Amount.RECIPIENTS, Amount.BYTES), 1):
                number = sum(each[at] for each in within)
                self.assertEqual(window.number(amount), number)
                if not number:
                    continue
                limit = (number + 1) // 2
                last = window.last(amount, limit)
                self.assertGreaterEqual(sum(e[at] for e in within if e[0] >= last), limit)
                self.assertLess(sum(e[at] for e in within if e[0] > last), limit)

    def test_distinct(self):
        """
        Different recipients are those of all steps together.
        """
        window = Window()
        for step, places in ((1, 0b11), (2, 0b110), (3, 0b10)):
            window.add(step, 2, 0).places |= places
        self.assertEqual(window.number(Amount.DISTINCT), 3)
        self.assertEqual(window.last(Amount.DISTINCT, 3), 1)
        self.assertEqual(window.last(Amount.DISTINCT, 2), 2)
        window.add(7, 0, 0)
        self.assertEqual(window.number(Amount.DISTINCT), 2)

    def test_steps(self):
        """
        A step is over when it lies a window back.
        """
        step = step_of(NOW, 60)
        self.assertEqual(end_of(step, 60), NOW + 3600)
        self.assertEqual(step_of(NOW + 599, 60), step)
        self.assertEqual(step_of(NOW + 600, 60), step + 1)


class DistinctTests(SynchronousTestCase):
    """
    Tests of how different recipients are counted.
    """

    def test_error(self):
        """
        Up to 10,000 it is right to within 0.05.
        """
        for seed in range(20):
            random = Random(seed)
            places = 0
            for number in range(10_001):
                if number in (0, 10, 100, 1000, 10_000):
                    error = abs(distinct(places) - number)
                    self.assertLessEqual(error, 0.05 * number)
                places |= 1 << random.randrange(4096)

    def test_full(self):
        """
        Where every place is taken it is a number all the same.
        """
        self.assertGreater(distinct((1 << 4096) - 1), 30_000)
