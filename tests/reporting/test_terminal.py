"""
Tests of L{mailgate.reporting.terminal}.
"""

import os
import sys

from hypothesis import given
from hypothesis.strategies import integers, lists, text, tuples
from twisted.trial.unittest import SynchronousTestCase

from mailgate.reporting.terminal import Progress, Voice, _width, printable, progress_line, table
from tests.commands.case import Terminal
from tests.pipeline.events import events


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


class ProgressTests(SynchronousTestCase):
    """
    Tests of L{Progress}.
    """

    def setUp(self):
        """
        Let standard error be a terminal, and time stand still.
        """
        self.error = Terminal(is_terminal=True)
        self.patch(sys, "stderr", self.error)
        self.now = 100.0

    def drawn(self):
        """
        Give what the terminal was told to show since it was last looked at.
        """
        text = self.error.text()
        self.error.buffer.seek(0)
        self.error.buffer.truncate()
        return text

    def test_bar(self):
        """
        It is drawn at the beginning and at most every tenth of a second, each time over itself,
        and wiped away at the end.
        """
        with Progress(200, lambda: self.now) as progress:
            self.assertIn("0/200   0 %", self.drawn())
            progress.advance()
            self.assertEqual(self.drawn(), "")
            self.now += 0.5
            progress.advance(49)
            text = self.drawn()
            self.assertTrue(text.startswith("\r[##########......"), text)
            self.assertIn("50/200  25 %  100/s  0:02 left", text)
            self.assertTrue(text.endswith("\x1b[K"), text)
        self.assertEqual(self.drawn(), "\r\x1b[K")

    def test_wiped(self):
        """
        It goes away for other words, once, and comes back with the next that is done.
        """
        progress = Progress(2, lambda: self.now)
        with self.assertRaises(KeyError), progress:
            self.drawn()
            progress.wipe()
            progress.wipe()
            self.assertEqual(self.drawn(), "\r\x1b[K")
            self.now += 1
            progress.advance()
            self.assertIn("1/2", self.drawn())
            raise KeyError
        self.assertEqual(self.drawn(), "\r\x1b[K")

    def test_no_terminal(self):
        """
        Nothing is drawn into a file, nor where there is nothing to do.
        """
        with Progress(0, lambda: self.now):
            pass
        self.patch(sys, "stderr", Terminal())
        with Progress(2, lambda: self.now) as progress:
            progress.advance(2)
            progress.wipe()
        self.assertEqual(sys.stderr.text() + self.drawn(), "")

    def test_line(self):
        """
        Rate and time left follow from what is done; a narrow terminal gets no bar, and no line
        is wider than it.
        """
        self.assertEqual(
            progress_line(1000, 10_000_000, 10.0, 50),
            "1,000/10,000,000   0 %  100/s  27:46:30 left",
        )
        self.assertTrue(progress_line(0, 5, 0.0, 80).endswith(".] 0/5   0 %"))
        self.assertTrue(progress_line(5, 5, 2.0, 80).endswith("#] 5/5 100 %  2/s  0:00 left"))
        for columns in range(1, 120):
            self.assertLess(len(progress_line(3, 7, 1.0, columns)), columns)

    def test_width_of_the_terminal(self):
        """
        The width is that of standard error, wherever the output goes.
        """
        self.patch(self.error, "fileno", lambda: 77)
        asked = {77: os.terminal_size((30, 20))}
        self.patch(os, "get_terminal_size", asked.__getitem__)
        with Progress(1000, lambda: self.now):
            self.assertLess(len(self.drawn().removesuffix("\x1b[K")), 31)


class VoiceTests(SynchronousTestCase):
    """
    Tests of L{Voice}.
    """

    def test_heard(self):
        """
        Each line is there at once, even where the log has taken standard output.
        """
        out = Terminal()
        self.patch(sys, "__stdout__", out)
        voice = Voice()
        voice("Mail comes in.")
        self.assertEqual(out.buffer.getvalue(), b"Mail comes in.\n")

    def test_not_heard(self):
        """
        A reader that is gone is told to the log, once and without the words, which may be
        secret; nothing breaks.
        """
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as out:
            self.patch(sys, "__stdout__", out)
            voice = Voice()
            with events() as told:
                voice("secret")
                voice("secret")
            # What could not be written must not break the end of this test either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), writing)
        (event,) = told
        self.assertEqual(event["event"], "gateway.not_heard")
        self.assertNotIn("secret", str(event))

    def test_no_standard_output(self):
        """
        Without any standard output there is nothing to do.
        """
        self.patch(sys, "__stdout__", None)
        with events() as told:
            Voice()("secret")
        self.assertEqual(told, [])
