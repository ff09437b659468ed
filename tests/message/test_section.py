"""
Tests of finding the header section.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.header import Headers
from mailgate.message.message import MemoryMessage
from mailgate.message.section import cut, has_more_fields, header_section


class SectionTests(SynchronousTestCase):
    """
    Tests of L{header_section}.
    """

    def test_end(self):
        """
        The section ends with the first empty line, or with the message.
        """
        for message, section in (
            (b"A: b\r\n\r\nbody\r\n\r\n", b"A: b\r\n\r\n"),
            (b"\r\nbody\r\n\r\n", b"\r\n"),
            (b"A: b\r\n", b"A: b\r\n"),
            (b"", b""),
        ):
            self.assertEqual(header_section(MemoryMessage((message,))), section)

    def test_long(self):
        """
        A section that is longer than usual is found whole.
        """
        for length in (16_379, 16_380, 16_381, 100_000):
            section = b"X: " + b"x" * length + b"\r\n\r\n"
            message = MemoryMessage((section[:1000], section[1000:] + b"body"))
            self.assertEqual(header_section(message), section)

    def test_cut(self):
        """
        What is longer than the section is cut, once: the section itself is whole already.
        """
        self.assertEqual(cut(b"A: b\r\n\r\nbody"), b"A: b\r\n\r\n")
        for whole in (b"A: b\r\n\r\n", b"\r\n", b"A: b\r\nbo", b""):
            self.assertEqual(cut(whole), whole)

    @given(st.lists(st.sampled_from([b"A: b", b"\r\n", b" c", b"\r", b"\n"]), max_size=12))
    def test_agrees(self, pieces):
        """
        It ends where the parsed headers end.
        """
        message = MemoryMessage(tuple(pieces))
        self.assertEqual(len(header_section(message)), Headers.parse(message.head(1000)).end)


class FieldsTests(SynchronousTestCase):
    """
    Tests of L{has_more_fields}.
    """

    def test_a9_fields(self):
        """
        Fields are counted without their folded lines, and a line that is no field counts as one.
        """
        for section, count in (
            (b"", 0),
            (b"A: b\r\n\r\n", 1),
            (b"A: b\r\n c\r\n\td\r\nE: f\r\n\r\n", 2),
            (b"A: b\r\nno field\r\nE: f", 3),
        ):
            if count:
                self.assertTrue(has_more_fields(section, count - 1), section)
            self.assertFalse(has_more_fields(section, count), section)

    def test_a9_lines(self):
        """
        There may be ten lines for each field that is allowed.
        """
        for lines, is_more in ((20, False), (21, True)):
            section = b"A: b\r\n" + b" c\r\n" * (lines - 2) + b"\r\n"
            self.assertIs(has_more_fields(section, 2), is_more)
