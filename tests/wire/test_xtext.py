"""
Tests of L{mailgate.wire.xtext}.
"""

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.xtext import decode, encode


class XtextTests(SynchronousTestCase):
    """
    Tests of both directions.
    """

    @given(st.text())
    def test_round_trip(self, text):
        """
        Every text comes back, and on the way is of characters that RFC 3461 allows.
        """
        xtext = encode(text)
        self.assertRegex(xtext, re.compile(r"\A(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z"))
        self.assertEqual(decode(xtext), text)

    def test_visible(self):
        """
        What may stand for itself does; a plus, an equals sign and a space may not.
        """
        self.assertEqual(encode("a@b[1]"), "a@b[1]")
        self.assertEqual(encode("a+b=c d"), "a+2Bb+3Dc+20d")
        self.assertEqual(decode("a+2Bb+3Dc+20d"), "a+b=c d")

    def test_more_than_needed(self):
        """
        A character may be encoded that need not be.
        """
        self.assertEqual(decode("+41+C3+A9"), "A\N{LATIN SMALL LETTER E WITH ACUTE}")

    def test_refused(self):
        """
        Anything else is no xtext: half a code, small letters in it, what may not stand, and
        bytes that are no UTF-8.
        """
        for text in ("+", "+4", "+4g", "+2b", "a=b", "a b", "a\n", "\x7f", "\xe9", "+C3", "+FF"):
            self.assertRaises(ValueError, decode, text)
