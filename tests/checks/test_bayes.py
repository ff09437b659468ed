"""
Tests of L{mailgate.checks.bayes}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.bayes import BayesCheck
from mailgate.classify.classifier import AT_ONCE, Classifier
from mailgate.classify.model import Judgement, TokenSeen
from mailgate.classify.signals import SIGNALS
from mailgate.store.threads import ImmediateThreads
from tests.checks.given import settings, view_of_message
from tests.classify.given import letter, message, trained


def check(classifier=None, **options):
    """
    Make the check.
    """
    return BayesCheck.from_settings(settings(bayes=options), classifier or Classifier())


def judgement(logit, is_trained=True, **more):
    """
    Give a judgement.
    """
    return evolve(Judgement(logit, 0.5, is_trained, 1.0, (), (), ()), **more)


class FindingTests(SynchronousTestCase):
    """
    Tests of what is found, and of its words.
    """

    def find(self, data, classifier=None):
        """
        Give the one finding on a message.
        """
        (finding,) = check(classifier).check(view_of_message(data))
        return finding

    def test_spam(self):
        """
        What is like spam that was learned is a finding that names its words.
        """
        classifier = Classifier()
        classifier.learned = trained()
        finding = self.find(letter(True, 500), classifier)
        self.assertEqual(finding.symbol, "BAYES_SPAM")
        self.assertGreaterEqual(finding.score, 5)
        self.assertRegex(
            finding.detail,
            r"Seen mostly in spam: \u201c.+?\u201d \([\d,]+ times in spam, never in wanted\)",
        )
        self.assertEqual(finding.public, "")

    def test_ham(self):
        """
        So is what is like wanted mail.
        """
        classifier = Classifier()
        classifier.learned = trained()
        finding = self.find(letter(False, 500), classifier)
        self.assertEqual((finding.symbol, finding.score), ("BAYES_HAM", -3))
        self.assertIn("Seen mostly in wanted mail: ", finding.detail)

    def test_structure(self):
        """
        Untrained, the make of a message is told in words.
        """
        data = message(
            "From: PayPal <x@evil.test>",
            "Subject: hello",
            "Reply-To: x@gmail.com",
            body="hello you",
        )
        finding = self.find(data)
        self.assertEqual((finding.symbol, finding.score), ("BAYES_STRUCTURE", 5))
        self.assertIn(
            "the sender bears the name of a company whose domain it is not (+2.5)", finding.detail
        )

    def test_nothing(self):
        """
        Where nothing speaks for or against a message there is no finding.
        """
        self.assertEqual(check().check(view_of_message(letter(False, 1))), ())

    def test_large(self):
        """
        A message with much text is judged in a thread.
        """
        classifier = Classifier(ImmediateThreads())
        classifier.learned = trained()
        data = letter(True, 500) + b"cheap offer pills winner casino bonus \r\n" * (AT_ONCE // 30)
        answer = check(classifier).check(view_of_message(data))
        self.assertEqual(self.successResultOf(answer)[0].symbol, "BAYES_SPAM")

    def test_words_of_strangers(self):
        """
        Words of the message are quoted, with what cannot be seen in them spelled out.
        """
        seen = TokenSeen("a\x1b[0m", 5, 0)
        (finding,) = check().findings(judgement(9, of_spam=(seen,), probability=0.99999))
        self.assertIn("\u201ca\\x1b[0m\u201d (5 times in spam, never in wanted)", finding.detail)
        self.assertIn("more than 99.9 %", finding.detail)

    def test_direction(self):
        """
        For spam the signals are told that speak for it, for ham those that speak against it.
        """
        signals = ((SIGNALS[0], 2.0), (SIGNALS[1], -2.0))
        (spam,) = check().findings(judgement(9, signals=signals))
        (ham,) = check().findings(judgement(-9, signals=signals))
        self.assertIn(f"{SIGNALS[0].words} (+2.0)", spam.detail)
        self.assertNotIn(SIGNALS[1].words, spam.detail)
        self.assertIn(f"{SIGNALS[1].words} (-2.0)", ham.detail)
        self.assertNotIn(SIGNALS[0].words, ham.detail)
