"""
Tests of L{mailgate.rules.fold}.
"""

# ruff: noqa: RUF001

from twisted.trial.unittest import SynchronousTestCase

from mailgate.rules.fold import fold, fold_pattern


class FoldTests(SynchronousTestCase):
    """
    Tests of how texts and patterns are written.
    """

    def test_blanks(self):
        """
        All blanks, ends of lines too, become one space, and none is left at the ends.
        """
        self.assertEqual(fold("\t a \r\n\r\n b\u00a0\u2003c\n"), "a b c")

    def test_accents(self):
        """
        Accents go, however they are written, and letters of their own become what people write
        for them.
        """
        self.assertEqual(
            fold("Überweisung U\u0308ber straße Łódź cœur"), "uberweisung Uber strasse lodz coeur"
        )

    def test_widthless(self):
        """
        Characters that nobody sees go.
        """
        self.assertEqual(fold("un\u200bclai\u00admed f\u2060unds\ufeff"), "unclaimed funds")

    def test_forms(self):
        """
        Letters in other forms become the usual ones.
        """
        self.assertEqual(fold("\uff56\uff49\U0001d41a ﬁne"), "via fine")

    def test_look_alikes(self):
        """
        In a word of two scripts look-alikes become Latin; a word of one script stays.
        """
        self.assertEqual(fold("р\u0430ypal"), "paypal")
        self.assertEqual(fold("счет paypal"), "счет paypal")

    def test_many_letters(self):
        """
        A text with many different letters is written like one with few.
        """
        letters = "".join(map(chr, range(0xC0, 0x17F)))
        self.assertEqual(fold(letters), "".join(map(fold, letters)))
        self.assertEqual(fold(letters + "a" * 10_000), fold(letters) + "a" * 10_000)

    def test_pattern(self):
        """
        A pattern is written like a text, but keeps what is no letter.
        """
        self.assertEqual(fold_pattern(r"\bmönëy\b.{0,3}  [äö]"), r"\bmoney\b.{0,3}  [ao]")

    def test_borders(self):
        """
        The border of a word beside a letter that is not Latin is refused.
        """
        for pattern in (r"\bсчет", r"счет\b"):
            self.assertRaises(ValueError, fold_pattern, pattern)
        self.assertEqual(fold_pattern(r"\büber"), r"\buber")
