"""
Tests of L{mailgate.authentication.domain}.
"""

from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.domain import canonical, is_within


class CanonicalTests(SynchronousTestCase):
    """
    Tests of L{canonical}.
    """

    def test_same(self):
        """
        All ways to write a name are the same.
        """
        for name, *written in (
            (
                "example.com",
                "example.com",
                "EXAMPLE.Com",
                "example.com.",
                "\uff45\uff58ample.com",
                "example\u3002com",
            ),
            ("xn--bcher-kva.example", "bücher.example", "BÜCHER.example", "XN--BCHER-KVA.example"),
            ("xn--bcher-kva.example", "bu\u0308cher.example", "b\u00adücher.example."),
            ("xn--strae-oqa.example", "straße.example", "xn--strae-oqa.example"),
            ("_dmarc.a-b.example", "_dmarc.a-b.example"),
            ("com", "com"),
        ):
            for each in written:
                self.assertEqual(canonical(each), name, each)

    def test_different(self):
        """
        What only looks alike is not the same.
        """
        self.assertNotEqual(canonical("\u0435\u0445ample.com"), canonical("example.com"))
        self.assertNotEqual(canonical("straße.example"), canonical("strasse.example"))

    def test_none(self):
        """
        What is no host name is none.
        """
        for text in (
            *(
                "",
                ".",
                "a..b",
                ".a",
                "a b.com",
                "[192.0.2.1]",
                "a@b",
                "-a.com",
                "a-.com",
                "a\0.com",
            ),
            *(
                "a,b",
                'a"b',
                "a/b.com",
                "x" * 64 + ".com",
                "a." * 130,
                "ü" * 300,
                "a.com..",
                "\u202ea.com",
            ),
            *("ü..com", "a%b.com", "a;b", "a\n", "\ud800.com", "ü\\.com"),
        ):
            self.assertIsNone(canonical(text), text)

    def test_bounded(self):
        """
        A long name costs nothing.
        """
        start = process_time()
        for text in ("\u0378" * 100_000, "ü." * 100_000, "\u0300" * 253):
            self.assertIsNone(canonical(text))
        self.assertLess(process_time() - start, 2)

    @given(st.text())
    def test_anything(self, text):
        """
        Any text is a name or none, and a name is its own.
        """
        name = canonical(text)
        if name is not None:
            self.assertEqual(canonical(name), name)
            self.assertTrue(name.isascii())

    def test_within(self):
        """
        A name is within itself and those above it, and in none that only ends alike.
        """
        self.assertTrue(is_within("example.com", "example.com"))
        self.assertTrue(is_within("a.example.com", "example.com"))
        self.assertFalse(is_within("anexample.com", "example.com"))
        self.assertFalse(is_within("com", "example.com"))
