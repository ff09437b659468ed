"""
Tests of reading a header section.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.header import Headers, decode


def len_of(headers):
    """
    Count the names of fields.
    """
    return len(headers.fields)


class HeadersTests(SynchronousTestCase):
    """
    Tests of the fields and their values.
    """

    def test_fields(self):
        """
        Values are found by name in any case, in their order, unfolded.
        """
        section = b"From: a@b.example\r\nSubject: one\r\n two\r\n\tthree\r\nX: 1\r\nx : 2\r\n\r\n"
        headers = Headers.parse(section + b"body: no\r\n")
        self.assertEqual(headers.values("FROM"), [b"a@b.example"])
        self.assertEqual(headers.values("subject"), [b"one two\tthree"])
        self.assertEqual(headers.values("X"), [b"1", b"2"])
        self.assertEqual(headers.values("body"), [])
        self.assertEqual(headers.end, len(section))

    def test_once(self):
        """
        What is made of the fields is made once for all who ask.
        """
        made = []

        def first(headers):
            made.append(headers)
            return headers.values("a")

        headers, others = Headers.parse(b"A: 1\r\n\r\n"), Headers.parse(b"A: 2\r\n\r\n")
        self.assertEqual([headers.once(first) for _ in range(3)], [[b"1"]] * 3)
        self.assertEqual(others.once(first), [b"2"])
        self.assertEqual(headers.once(len_of), 1)
        self.assertEqual(made, [headers, others])

    def test_end(self):
        """
        The body begins behind the empty line, at once where there is no header.
        """
        self.assertEqual(Headers.parse(b"A: b\r\n\r\nbody").end, 8)
        self.assertEqual(Headers.parse(b"\r\nbody").end, 2)
        self.assertEqual(Headers.parse(b"A: b\r\n").end, 6)
        self.assertEqual(Headers.parse(b"").end, 0)

    def test_strange_lines(self):
        """
        A line that is no field is passed over with its continuation, and so is a continuation
        of nothing.
        """
        headers = Headers.parse(b" lost\r\nA: b\r\nno field\r\n more of it\r\nC: d\r\n\r\n")
        self.assertEqual(headers.fields, {"a": [b" b"], "c": [b" d"]})

    def test_oddity(self):
        """
        Whatever may make programs read other fields is told; a usual section has nothing of it.
        """
        for section in (b"", b"A: b", b"A: b\r\n c\r\nD:e\r\n\r\nbody\0\n\r", b"\r\nx"):
            self.assertEqual(Headers.parse(section).oddity, "", section)
        for section, words in (
            (b"A : b\r\n\r\n", "the name of a header field"),
            (b"\xc3\x84: b\r\n\r\n", "the name of a header field"),
            (b"A: b\r\nwords\r\n\r\n", "a line among the header fields is none"),
            (b"A: b\r\n\t\r\n c\r\n\r\n", "a line of white space"),
            (b" A: b\r\n\r\n", "begins with white space"),
            (b"A: b\nC: d\r\n\r\n", "a CR or LF by itself"),
            (b"A: b\0\r\n\r\n", "a NUL"),
        ):
            self.assertIn(words, Headers.parse(section).oddity, section)

    def test_text(self):
        """
        Encoded words are decoded, the space between two of them goes.
        """
        headers = Headers.parse(
            b"Subject: =?utf-8?Q?Fr=C3=BChjahr?= =?iso-8859-1?b?c2tvbnplcnQ=?= now\r\n\r\n"
        )
        self.assertEqual(headers.text("Subject"), "Frühjahrskonzert now")
        self.assertEqual(headers.text("Missing"), "")

    def test_raw_text(self):
        """
        Raw 8-bit text is UTF-8, or else Windows-1252.
        """
        self.assertEqual(decode("für".encode()), "für")
        self.assertEqual(decode("für".encode("latin-1")), "für")

    def test_broken_words(self):
        """
        What cannot be decoded is shown as it came.
        """
        for word in (b"=?utf-8?B?a?=", b"=?utf-8?X?a?=", b"=?utf-8?Q?a"):
            self.assertEqual(decode(word), word.decode("ascii"))

    @given(st.binary(max_size=300))
    def test_any_bytes(self, data):
        """
        Any bytes can be read, and the section ends within them.
        """
        headers = Headers.parse(data)
        self.assertLessEqual(headers.end, len(data))
        for name in headers.fields:
            headers.text(name)
        decode(data)

    @given(st.binary(max_size=300), st.sampled_from([b"", b"Content-Type: text/html\r\n\r\n"]))
    def test_of_part(self, data, begin):
        """
        The header section of a part is read like any other, whoever had the same one before.
        """
        first, again = Headers.of_part(begin + data), Headers.of_part(begin + data)
        read = Headers.parse(begin + data)
        for headers in (first, again):
            self.assertEqual((headers, headers.oddity), (read, read.oddity))

    def test_a11_bounded(self):
        """
        Of a value of a megabyte only the beginning is decoded.
        """
        self.assertEqual(len(decode(b"x" * 1_000_000)), 1000)
