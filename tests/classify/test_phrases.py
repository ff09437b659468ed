"""
Tests of L{mailgate.classify.phrases}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.phrases import Phrases

PHRASES = Phrases.of(("act now", "urgent", "l\u00e4uft ab", "\u7dca\u6025"))


class PhrasesTests(SynchronousTestCase):
    """
    Tests of L{Phrases}.
    """

    def test_found(self):
        """
        A phrase is found anywhere, in any capitals, at the beginning of a word.
        """
        for text, phrase in {
            "Act Now!": "act now",
            "Please, URGENT.": "urgent",
            "Ihr Passwort L\u00c4UFT AB": "l\u00e4uft ab",
            "\u3010\u7dca\u6025\u3011": "\u7dca\u6025",
        }.items():
            self.assertEqual(PHRASES.find(text), phrase, text)

    def test_not_found(self):
        """
        Parts of other words, and what comes late, are none.
        """
        for text in ("", "insurgent", "react now", "act", "x" * 300 + " urgent"):
            self.assertEqual(PHRASES.find(text), "", text)
