"""
What tests of surveys share.
"""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.survey import Weight
from tests.net.zones import Zones


class SurveyCase(SynchronousTestCase):
    """
    Surveys zones in memory.
    """

    def survey(self, survey, zones, *arguments):
        """
        Carry a survey out, with answers that come at once and with some that do not, which must
        come to the same.
        """
        at_once = self.successResultOf(Deferred.fromCoroutine(survey(Zones(zones), *arguments)))
        later = Zones(zones, is_later=True)
        asking = Deferred.fromCoroutine(survey(later, *arguments))
        later.go_on()
        self.assertEqual(self.successResultOf(asking), at_once)
        return at_once

    def words(self, part, weight):
        """
        Give the remarks of a weight.
        """
        return [remark.words for remark in part.remarks if remark.weight is weight]

    def assert_said(self, part, weight, *said):
        """
        Have as many remarks of a weight as are said here, each with what is said.
        """
        found = self.words(part, weight)
        self.assertEqual(len(found), len(said), found)
        for words, each in zip(found, said, strict=True):
            self.assertIn(each, words)
            self.assertTrue(words.isprintable() and words.endswith("."), words)

    def assert_mistakes(self, part, *said):
        """
        Have just these mistakes, in their order.
        """
        self.assert_said(part, Weight.MISTAKE, *said)
