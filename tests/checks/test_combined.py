"""
Tests of L{mailgate.checks.combined}.
"""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.combined import Others, score_of
from mailgate.classify.model import Judgement
from mailgate.config.checks import BayesCheck as Section

logits = st.floats(-20, 20)
scores = st.floats(0, 8)


def judgement(logit, is_trained=True, **more):
    """
    Give a judgement.
    """
    return evolve(Judgement(logit, 0.5, is_trained, 1.0, (), (), ()), **more)


class ScoreTests(SynchronousTestCase):
    """
    Tests of the score.
    """

    def test_trained(self):
        """
        It is 5 at logit 3 and 8 at logit 4, in a line, and nears -3 and 10.
        """
        for logit, score in (
            (3, 5),
            (4, 8),
            (3.5, 6.5),
            (9, 10),
            (2, 2),
            (5, 9.55),
            (4 / 3, 0),
            (1, -0.85),
            (-9, -3),
        ):
            self.assertAlmostEqual(score_of(judgement(logit), Section()), score)

    def test_order(self):
        """
        The surer one has the higher score, also where both are sure.
        """
        scores = [score_of(judgement(each / 2), Section()) for each in range(-4, 15)]
        self.assertEqual(scores, sorted(set(scores)))

    def test_untrained(self):
        """
        Before enough was learned it tags at most, and speaks for nothing.
        """
        for logit, score in ((3, 5), (9, 5), (2, 2), (1, 0), (-9, 0)):
            self.assertAlmostEqual(score_of(judgement(logit, False), Section()), score)

    def test_options(self):
        """
        The limits are options.
        """
        section = Section(highest_score=6, lowest_score=-1, untrained_score=0)
        self.assertEqual(score_of(judgement(9), section), 6)
        self.assertEqual(score_of(judgement(-9), section), -1)
        self.assertEqual(score_of(judgement(9, False), section), 0)

    def test_strange(self):
        """
        What was learned here does not hold mail of a kind that was never learned by itself.
        """
        strange = [score_of(judgement(logit, coverage=0.3), Section()) for logit in (2, 3, 4, 20)]
        self.assertEqual(strange[:2], [2, 5])
        self.assertLess(max(strange), 6.51)
        half = score_of(judgement(20, coverage=0.55), Section())
        self.assertTrue(strange[-1] < half < score_of(judgement(20), Section()))


class OthersTests(SynchronousTestCase):
    """
    Tests of the score where other checks of content have found something.
    """

    def test_added(self):
        """
        What speaks against a message that is in doubt is added up.
        """
        self.assertEqual(score_of(judgement(2.5), Section(), Others(2.0)), 3.5)

    def test_weighed(self):
        """
        What the classifier has weighed counts once.
        """
        self.assertEqual(score_of(judgement(2.5), Section(), Others(0.0, 1.5)), 2.0)
        self.assertEqual(score_of(judgement(1.5), Section(), Others(0.0, 1.5)), 0.0)

    def test_wanted(self):
        """
        Of a message that is sure to be wanted it changes little.
        """
        before = score_of(judgement(-5), Section())
        after = score_of(judgement(-5), Section(), Others(2.0)) + 2.0
        self.assertTrue(before <= after < before + 0.05)

    def test_untrained(self):
        """
        Before enough was learned it is simply added up.
        """
        self.assertEqual(score_of(judgement(2.5, False), Section(), Others(2.0, 1.0)), 3.5)

    @given(logits, st.floats(0, 1), scores, scores, scores)
    def test_more_is_more(self, logit, coverage, counts, weighed, more):
        """
        Whatever else is found, more of it never makes the total less, nor is the score of the other
        side.
        """
        judged = judgement(logit, coverage=coverage)
        score = score_of(judged, Section(), Others(counts, weighed))
        higher = score_of(judged, Section(), Others(counts + more, weighed))
        self.assertLessEqual(score + counts, higher + counts + more + 0.02)
        alone = score_of(judged, Section())
        self.assertGreaterEqual(score * alone, 0)
