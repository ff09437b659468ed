"""
Tests of L{mailgate.classify.model}.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.evidence import Evidence
from mailgate.classify.lessons import Pending
from mailgate.classify.model import (
    FEATURES,
    MEANS,
    Regression,
    judge,
    measure,
    probability,
    teach,
)
from mailgate.classify.store import Learned
from tests.classify.given import evidence, lesson, letter, tokens, trained


class Table:
    """
    Counts that are given.
    """

    def __init__(self, spam, ham, counts):
        self.spam = spam
        self.ham = ham
        self._counts = counts

    def look_up(self, keys):
        """
        Give them.
        """
        pairs = [self._counts.get(key, (0, 0)) for key in keys.tolist()]
        spam, ham = np.array(pairs, np.int64).reshape(-1, 2).T
        return spam, ham


class MeasureTests(SynchronousTestCase):
    """
    Tests of L{measure}.
    """

    def test_means(self):
        """
        Each mean is the sum of the log-odds over their number and eight.
        """
        counts = Table(100, 200, {1: (50, 0), 2: (10, 20), 3: (0, 30), 11: (5, 0)})
        measured = measure(Evidence(tokens([1, 2, 3, 4], [11, 12]), frozenset()), counts)

        def odds(spam, ham):
            return np.log((spam + 0.05) / 100.1) - np.log((ham + 0.05) / 200.1)

        one, three, eleven = odds(50, 0), odds(0, 30), odds(5, 0)
        expected = [(one + three + eleven) / 11, (one + three) / 10, eleven / 9, 0, 0, 0]
        np.testing.assert_allclose(measured.means, expected)
        self.assertEqual(measured.coverage, 0.5)

    def test_too_little(self):
        """
        Below five messages of a kind there are no means.
        """
        counts = Table(4, 200, {1: (4, 0)})
        measured = measure(Evidence(tokens([1]), frozenset()), counts)
        self.assertEqual(measured.means, [0.0] * len(MEANS))

    def test_nothing(self):
        """
        A message without tokens has means of zero.
        """
        measured = measure(Evidence(tokens(), frozenset()), Table(100, 200, {}))
        self.assertEqual(measured.means, [0.0] * len(MEANS))
        self.assertEqual(measured.coverage, 0)


class RegressionTests(SynchronousTestCase):
    """
    Tests of L{Regression}.
    """

    def test_it_learns(self):
        """
        A signal that goes with spam gains weight, one that does not loses it.
        """
        at = {name: index for index, name in enumerate(FEATURES)}
        nothing = Table(100, 200, {})
        regression = teach(
            (Evidence(tokens(), frozenset([signal])), is_spam, nothing)
            for _ in range(50)
            for signal, is_spam in (("white_text", True), ("money", False))
        )
        self.assertGreater(regression.weights[at["white_text"]], 0.5)
        self.assertLess(regression.weights[at["money"]], -0.5)
        self.assertEqual(regression.weights[at["ip_host"]], 1.5)

    def test_cap(self):
        """
        Tokens say less where few pairs are known, for ham never more than five.
        """
        regression = Regression.fresh()
        for mean, coverage, expected in (
            (10, 0.0, 1),
            (10, 0.5, 4),
            (10, 1.0, 13),
            (0.5, 1.0, 1.5),
            (-10, 1.0, -5),
            (-10, 0.0, -1),
        ):
            logit = regression.logit([mean] * len(MEANS), (), coverage)
            self.assertAlmostEqual(logit, expected)

    def test_probability(self):
        """
        A probability lies between 0 and 1, whatever the logit.
        """
        self.assertEqual(probability(0), 0.5)
        self.assertAlmostEqual(probability(3) + probability(-3), 1)
        for logit in (-1e9, 1e9):
            self.assertTrue(0 <= probability(logit) <= 1)


class JudgeTests(SynchronousTestCase):
    """
    Tests of L{judge}.
    """

    def test_trained(self):
        """
        What is like the spam that was learned is judged as that, and ham as ham, with the words.
        """
        learned = trained()
        spam = judge(evidence(letter(True, 1000)), learned, learned.regression)
        ham = judge(evidence(letter(False, 1000)), learned, learned.regression)
        self.assertTrue(spam.is_trained)
        self.assertGreater(spam.logit, 3)
        self.assertLess(ham.logit, -2)
        self.assertGreater(spam.of_spam[0].spam, 10)
        self.assertEqual(spam.of_spam[0].ham, 0)
        self.assertEqual(spam.of_ham, ())
        self.assertGreater(ham.of_ham[0].ham, 10)

    def test_gate(self):
        """
        One message of spam or of ham too few, and tokens say nothing.
        """
        made = evidence(letter(True, 1000))
        for spam, ham, expected in ((60, 120, True), (59, 120, False), (60, 119, False)):
            learned = trained(spam, ham)
            judgement = judge(made, learned, learned.regression)
            self.assertEqual(judgement.is_trained, expected)
            if not expected:
                self.assertEqual((judgement.of_spam, judgement.coverage), ((), 0))

    def test_untrained(self):
        """
        Before anything was learned the signals count, with their priors.
        """
        nothing = Learned.nothing()
        made = Evidence(tokens([1, 2]), frozenset(["ip_host", "shortener", "many_hosts"]))
        judgement = judge(made, nothing, nothing.regression)
        self.assertAlmostEqual(judgement.logit, 1.5 + 1.0 - 0.4)
        self.assertEqual(
            [signal.name for signal, _ in judgement.signals], ["ip_host", "shortener", "many_hosts"]
        )

    @given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 20))), max_size=60))
    def test_scored_before_it_is_counted(self, lessons):
        """
        Whatever is learned, the weights stay finite and no count is negative.
        """
        pending = Pending(Learned.nothing())
        for number, (is_spam, keys) in enumerate(lessons):
            pending.apply(lesson("spam" if is_spam else "ham", number, keys))
        learned = pending.merged(1, 1000)
        self.assertTrue(np.isfinite(learned.regression.weights).all())
        self.assertEqual(learned.spam + learned.ham, len(lessons))
        expected = [sum(key in keys for _, keys in lessons) for key in learned.keys.tolist()]
        self.assertEqual((learned.spam_counts + learned.ham_counts).tolist(), expected)
