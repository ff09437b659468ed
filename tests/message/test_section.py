"""
Tests of finding the header section.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.header import Headers
from mailgate.message.message import MemoryMessage
from mailgate.message.section import cut, header_section


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
