"""
Tests of quoting a stranger's words.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.words import listed, path_of, quote, times


class QuoteTests(SynchronousTestCase):
    """
    Tests of L{quote}.
    """

    def test_plain(self):
        """
        What can be seen is shown as it is.
        """
        self.assertEqual(quote("my server"), "“my server”")
        self.assertEqual(quote("größe"), "“größe”")

    def test_invisible(self):
        """
        What cannot be seen, or turns what stands beside it, is spelled out.
        """
        self.assertEqual(quote("a\r\n\x1b[0m\u202eb"), "“a\\r\\n\\x1b[0m\\u202eb”")

    def test_long(self):
        """
        What is long is cut, and said to be.
        """
        self.assertEqual(quote("x" * 80), f"“{'x' * 80}”")
        self.assertEqual(quote("x" * 81), f"“{'x' * 79}…”")

    def test_times(self):
        """
        How often something was is said as people say it.
        """
        words = [times(number) for number in (0, 1, 2, 3, 1234)]
        self.assertEqual(words, ["never", "once", "twice", "3 times", "1,234 times"])

    def test_listed(self):
        """
        Three pieces of evidence are named, each once, and the rest are counted.
        """
        self.assertEqual(listed(["a", "b", "a"]), "a; b")
        self.assertEqual(listed("abcabc"), "a; b; c")
        self.assertEqual(listed("abcdef"), "a; b; c; and 3 more")

    def test_path(self):
        """
        A file is named with the outermost of those in which it lies.
        """
        self.assertEqual(path_of(("a.zip", "b.zip", "c.exe")), "“c.exe” in “a.zip”")
        self.assertEqual(path_of(("a.zip", "")), "a file without a name in “a.zip”")
        self.assertEqual((path_of(("a",)), path_of(())), ("“a”", ""))

    @given(st.text())
    def test_one_line(self, text):
        """
        Whatever is quoted is one line of limited length.
        """
        self.assertTrue(quote(text).isprintable())
        self.assertLessEqual(len(quote(text)), 80 * 10 + 2)
