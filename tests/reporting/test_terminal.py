"""
Tests of L{mailgate.reporting.terminal}.
"""

from hypothesis import given
from hypothesis.strategies import integers, lists, text, tuples
from twisted.trial.unittest import SynchronousTestCase

from mailgate.reporting.terminal import _width, printable, table


class PrintableTests(SynchronousTestCase):
    """
    Tests of L{printable}.
    """

    def test_harmless(self):
        """
        What can be seen stays as it is.
        """
        words = "Gr\u00fc\u00dfe \u6f22\u5b57"
        self.assertEqual(printable(words), words)

    def test_a27_escaped(self):
        """
        Control characters, escape sequences, turned text and lone surrogates are escaped.
        """
        self.assertEqual(printable("a\r\n\x1b[2J"), "a\\x0d\\x0a\\x1b[2J")
        self.assertEqual(printable("\u202eabc\udcff"), "\\u202eabc\\udcff")
        self.assertEqual(printable("\U000e0001"), "\\U000e0001")

    @given(text())
    def test_a27_anything(self, words):
        """
        Whatever comes, nothing that cannot be seen goes out.
        """
        self.assertTrue(printable(words).isprintable())


class TableTests(SynchronousTestCase):
    """
    Tests of L{table}.
    """

    def test_aligned(self):
        """
        Columns are aligned, also with characters that take two columns or none.
        """
        self.assertEqual(
            table(("A", "B"), [("x", "1"), ("\u6f22", "2"), ("e\u0301", "3")], None),
            ["A   B", "x   1", "\u6f22  2", "e\u0301   3"],
        )

    def test_cut(self):
        """
        The widest columns are cut, the first one never.
        """
        lines = table(("ID", "WORDS", "MORE"), [("0123456789abcdef", "x" * 50, "short")], 40)
        self.assertEqual(lines[1], f"0123456789abcdef  {'x' * 14}\N{HORIZONTAL ELLIPSIS}  short")

    @given(lists(tuples(text(), text(), text()), max_size=5), integers(40, 200))
    def test_fits(self, rows, width):
        """
        Whatever is in it, a table with a narrow first column fits.
        """
        for line in table(("I", "B", "C"), [("id", b, c) for _, b, c in rows], width):
            self.assertLessEqual(_width(line), width)
            self.assertTrue(line.isprintable())
