"""
Tests for L{mailgate.message.encoding}.
"""

from base64 import b64encode
from binascii import a2b_base64, b2a_qp

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.encoding import (
    IN_PIECES,
    UNTIL_PADDING,
    decode_body,
    measure,
)


class EncodingTests(SynchronousTestCase):
    """
    Tests of bodies.
    """

    @given(st.binary(max_size=300), st.integers(0, 400), st.integers(1, 9))
    def test_base64(self, data, limit, width):
        """
        Base64 is decoded up to the limit, however its lines are broken.
        """
        letters = b64encode(data)
        lines = b"\r\n!".join(letters[at : at + width] for at in range(0, len(letters), width))
        self.assertEqual(decode_body(lines, "base64", limit), data[:limit])
        self.assertEqual(measure(lines, "base64")[0], len(data))

    @given(st.binary(max_size=300), st.integers(0, 400))
    def test_quoted_printable(self, data, limit):
        """
        Quoted-printable is decoded up to the limit.
        """
        lines = b2a_qp(data, istext=False).replace(b"=\n", b"=\r\n")
        self.assertEqual(decode_body(lines, "quoted-printable", limit), data[:limit])
        self.assertEqual(measure(lines, "quoted-printable")[0], len(data))

    def test_identity(self):
        """
        Any other encoding is none.
        """
        for encoding in ("", "7bit", "binary", "x-unknown"):
            self.assertEqual(decode_body(b"a=41\r\n", encoding, 4), b"a=41")
            self.assertEqual(measure(b"a=41\r\n", encoding)[0], 6)

    def test_a21_junk_before(self):
        """
        What is in base64 is found behind any amount of what is not.
        """
        self.assertEqual(decode_body(b"!\r\n" * 100_000 + b"TVqQAA", "base64", 4), b"MZ\x90\0")
        self.assertEqual(decode_body(b"=\r\n" * 100_000 + b"=4D", "quoted-printable", 4), b"M")

    def test_a21_padding_within(self):
        """
        Base64 with padding within is read in all ways: as ended by it, as several pieces, and as if
        it were not there.
        """
        raw = b"QQ==QkM=REVG"
        self.assertEqual(decode_body(raw, UNTIL_PADDING, 9), b"A")
        self.assertEqual(decode_body(raw, IN_PIECES, 9), b"ABCDEF")
        self.assertEqual(decode_body(raw, IN_PIECES, 2), b"AB")
        self.assertEqual(decode_body(raw, "base64", 99), a2b_base64(b"QQQkMREV"))

    def test_measure(self):
        """
        Base64 is strict where it has letters, line ends and padding at its end; others are.
        """
        for raw, expected in (
            (b"QUJD\r\nQQ==\r\n", (4, True)),
            (b"QUJD QQ==", (4, False)),
            (b"QQ==QUJD", (4, False)),
            (b"QUJDQ", (3, False)),
        ):
            self.assertEqual(measure(raw, "base64"), expected, raw)
        self.assertEqual(measure(b"=41=", "quoted-printable"), (0, True))
        self.assertEqual(measure(b"====", ""), (4, True))

    def test_uuencode(self):
        """
        An encoding that says that it is uuencode is decoded.
        """
        self.assertEqual(decode_body(b"begin 644 a\n#0V%T\n`\nend\n", "x-uuencode", 9), b"Cat")
        self.assertEqual(decode_body(b"words", "x-uuencode", 9), b"")

    @given(
        st.binary(max_size=100),
        st.sampled_from(
            ["base64", "quoted-printable", "x", "x-uuencode", UNTIL_PADDING, IN_PIECES]
        ),
    )
    def test_anything(self, raw, encoding):
        """
        Whatever it is given, it gives at most what it was asked for.
        """
        self.assertLessEqual(len(decode_body(raw, encoding, 10)), 10)
        self.assertLessEqual(0, measure(raw, encoding)[0])
