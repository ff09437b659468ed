"""
Tests of L{mailgate.wire.saslprep}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.saslprep import name_key, saslprep


class SaslprepTests(SynchronousTestCase):
    """
    Tests of the preparation.
    """

    def test_examples(self):
        """
        The examples of RFC 4013 section 3 hold.
        """
        for text, prepared in (
            ("I\u00adX", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("\u00aa", "a"),
            ("\u2168", "IX"),
        ):
            self.assertEqual(saslprep(text), prepared)
        self.assertRaises(ValueError, saslprep, "\u0007")
        self.assertRaises(ValueError, saslprep, "\u0627\u0031")

    def test_spaces(self):
        """
        Every space is the ordinary one.
        """
        self.assertEqual(saslprep("a\u00a0b\u3000c"), "a b c")

    def test_refused(self):
        """
        Nothing, what leaves nothing, private characters, halves of characters and mixed
        directions are refused.
        """
        for text in ("", "\u00ad", "a\0", "\x7f", "\ue000", "\udc80", "\u0627a\u0627", "a\u0627"):
            self.assertRaises(ValueError, saslprep, text)

    def test_right_to_left(self):
        """
        What is written from right to left throughout is fine.
        """
        self.assertEqual(saslprep("\u0627\u0628"), "\u0627\u0628")

    @given(st.text())
    def test_once_is_enough(self, text):
        """
        What is prepared stays as it is, or can no longer be used.
        """
        try:
            prepared = saslprep(text)
        except ValueError:
            return
        try:
            self.assertEqual(saslprep(prepared), prepared)
        except ValueError:
            self.assertFalse(prepared.isascii())


class NameKeyTests(SynchronousTestCase):
    """
    Tests of names as they are compared.
    """

    def test_same(self):
        """
        Case and width make no difference.
        """
        self.assertEqual(name_key("Ada@Example.COM"), name_key("\uff41da@example.com"))
        self.assertNotEqual(name_key("ada"), name_key("bob"))

    def test_unusable(self):
        """
        A name that cannot be prepared is still a key.
        """
        self.assertEqual(name_key("a\0b"), "a\0b")
