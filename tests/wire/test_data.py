"""
Tests of the framing of messages.
"""

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.data import ChunkReader, DataReader, DotStuffer, LineEndMender

PIECES = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\0", b"a", b"\r\n", b"\r\n.", b"text of a line"]),
    max_size=30,
).map(b"".join)
CUTS = st.lists(st.integers(1, 7), min_size=1, max_size=40)

FALSE_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r.\n",
    b"\r\n.\r",
    b"\r\n.\n",
    b"\n\n.\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
]


def cut(data, lengths):
    """
    Cut bytes into pieces of the given lengths, over and over.
    """
    pieces = []
    at = 0
    while at < len(data):
        length = lengths[len(pieces) % len(lengths)]
        pieces.append(data[at : at + length])
        at += length
    return pieces


def clean(data):
    """
    Make every line end CRLF.
    """
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\n", b"\r\n")


def strays(data):
    """
    Count the bare CR, the bare LF and the NUL in bytes.
    """
    without = data.replace(b"\r\n", b"")
    return without.count(b"\r"), without.count(b"\n"), without.count(b"\0")


def read(pieces):
    """
    Feed pieces to a reader until it has finished; give it and what it gave.
    """
    reader = DataReader()
    given_back = []
    rest = list(pieces)
    while rest and not reader.finished:
        given_back.append(reader.feed(rest.pop(0)))
    return reader, b"".join(given_back), reader.rest + b"".join(rest)


def plain_reading(wire):
    """
    Read a message as RFC 5321 describes it, byte for byte: content and rest, or None.
    """
    content = b""
    line = b""
    at = 0
    while at < len(wire):
        line += wire[at : at + 1]
        at += 1
        if line.endswith(b"\r\n"):
            if line == b".\r\n":
                return content, wire[at:]
            content += line.removeprefix(b".")
            line = b""
    return None


class DataReaderTests(SynchronousTestCase):
    """
    Tests of the incoming direction.
    """

    @given(PIECES, CUTS)
    @example(b".\r\n", [1])
    @example(b"..\r\n.\r\nQUIT\r\n", [1])
    def test_reads_as_the_rfc_says(self, wire, lengths):
        """
        However the bytes are cut, content, rest and end are those of the plain reading.
        """
        reader, content, rest = read(cut(wire, lengths))
        expected = plain_reading(wire)
        self.assertEqual(reader.finished, expected is not None)
        if expected is not None:
            self.assertEqual((content, rest), expected)
            self.assertEqual(reader.size, len(content))

    @given(PIECES, CUTS)
    def test_counts_strays(self, content, lengths):
        """
        Every bare CR, bare LF and NUL before the end is counted.
        """
        wire = DotStuffer().encode(content) + b"\r\n.\r\n"
        reader, given_back, _ = read(cut(wire, lengths))
        whole = content + b"\r\n"
        if given_back != whole:
            # The content itself held CR LF . CR LF split over a stray; the reader has seen less.
            whole = given_back
        self.assertEqual((reader.bare_cr, reader.bare_lf, reader.nul), strays(whole))

    def test_a03_smuggling(self):
        """
        None of the false ends ends the message, and each makes it unclean.
        """
        for false_end in FALSE_ENDS:
            smuggled = b"text" + false_end + b"MAIL FROM:<a@b.example>\r\n"
            reader, content, rest = read([b"Subject: x\r\n\r\n" + smuggled + b".\r\n"])
            self.assertTrue(reader.finished, false_end)
            self.assertIn(b"MAIL FROM", content, false_end)
            self.assertEqual(rest, b"", false_end)
            self.assertFalse(reader.is_clean, false_end)

    def test_after_the_end(self):
        """
        Nothing can be fed to a reader that has finished.
        """
        reader, _, _ = read([b"x\r\n.\r\n"])
        self.assertRaises(ValueError, reader.feed, b"more")


class ChunkReaderTests(SynchronousTestCase):
    """
    Tests of the chunks of BDAT.
    """

    @given(st.lists(st.tuples(PIECES, st.booleans()), min_size=1, max_size=6), CUTS)
    @example([(b"a\r", False), (b"", False), (b"\nb\r", False)], [1])
    def test_every_chunking(self, chunks, lengths):
        """
        However a message is divided into chunks, and these cut, the bytes are given as they are,
        each stray is counted once, and what follows a chunk is given back.
        """
        reader = ChunkReader()
        given_back = b""
        for number, (chunk, is_followed) in enumerate(chunks, 1):
            reader.announce(len(chunk), number == len(chunks))
            rest = b"NOOP\r\n" if is_followed else b""
            behind = b""
            for piece in cut(chunk + rest, lengths):
                given_back += reader.feed(piece)
                behind += reader.rest
            self.assertEqual(behind, rest)
            self.assertTrue(reader.is_between)
            self.assertEqual(reader.finished, number == len(chunks))
        whole = b"".join(chunk for chunk, _ in chunks)
        self.assertEqual((given_back, reader.size), (whole, len(whole)))
        self.assertEqual((reader.bare_cr, reader.bare_lf, reader.nul), strays(whole))
        self.assertEqual(reader.is_clean, strays(whole) == (0, 0, 0))

    def test_out_of_turn(self):
        """
        No chunk is announced within another, or behind the last.
        """
        reader = ChunkReader()
        reader.announce(2, False)
        reader.feed(b"a")
        self.assertFalse(reader.is_between)
        self.assertRaises(ValueError, reader.announce, 1, True)
        reader.feed(b"b")
        reader.announce(0, True)
        self.assertRaises(ValueError, reader.announce, 0, True)


class LineEndMenderTests(SynchronousTestCase):
    """
    Tests of line ends that are mended.
    """

    @given(PIECES, CUTS)
    @example(b"\r\r\n\n\r", [1])
    def test_every_cut(self, content, lengths):
        """
        However the bytes are cut, each bare CR and each bare LF becomes CRLF, and nothing else
        is changed.
        """
        mender = LineEndMender()
        mended = b"".join(map(mender.feed, cut(content, lengths))) + mender.finish()
        plain = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self.assertEqual(mended, plain.replace(b"\n", b"\r\n"))
        self.assertEqual(strays(mended)[:2], (0, 0))

    def test_nothing_to_do(self):
        """
        Bytes with whole line ends are given back themselves, not a copy.
        """
        chunk = b"a line\r\nanother one\r\n"
        self.assertIs(LineEndMender().feed(chunk), chunk)


class DotStufferTests(SynchronousTestCase):
    """
    Tests of the outgoing direction.
    """

    @given(PIECES.map(clean), CUTS)
    def test_round_trip(self, content, lengths):
        """
        What is stuffed, however it is cut, is read back as it was, with its last CRLF.
        """
        stuffer = DotStuffer()
        wire = b"".join(map(stuffer.encode, cut(content, lengths))) + stuffer.finish()
        _, given_back, rest = read([wire])
        if content and not content.endswith(b"\r\n"):
            content += b"\r\n"
        self.assertEqual((given_back, rest), (content, b""))

    def test_a04_dot_stuffing_at_every_edge(self):
        """
        A message of dotted lines is stuffed and read back the same, wherever between 1 and
        70,000 it is cut. (Both directions look back two bytes and ahead three, so the bytes
        around the cut stand for the whole.)
        """
        text = (b".\r\n..\r\nx.y\r\n.z\r\n\r\n" * 4000)[:70_020]
        for edge in range(1, 70_001):
            start = max(0, edge - 12)
            before, after = text[start:edge], text[edge : edge + 12]
            stuffer = DotStuffer()
            wire = stuffer.encode(before) + stuffer.encode(after) + stuffer.finish()
            whole = DotStuffer()
            self.assertEqual(wire, whole.encode(before + after) + whole.finish(), edge)
            again, content, _ = read([wire[: len(before)], wire[len(before) :]])
            self.assertTrue(again.finished)
            self.assertEqual(content.removesuffix(b"\r\n"), (before + after).removesuffix(b"\r\n"))

    def test_a04_a_dot_at_every_offset(self):
        """
        A dot that begins a line at any offset from 0 to 70,000 is doubled on the way out and
        taken away on the way in, by DATA and by BDAT, and nothing else is; with a cut between
        two bytes before it and two bytes behind it.
        """
        line = b"." + b"x" * 8 + b"\r\n"
        for offset in range(70_001):
            before = b"\r\n".rjust(offset, b"x") if offset > 1 else b"x" * offset
            content = before + line
            # A single byte before the dot is no line end.
            expected = before + (b"" if offset == 1 else b".") + line + b".\r\n"
            at = max(0, offset - 2 + offset % 5)
            stuffer = DotStuffer()
            wire = stuffer.encode(content[:at]) + stuffer.encode(content[at:]) + stuffer.finish()
            self.assertEqual(wire, expected, offset)
            reader, given_back, rest = read([wire[:at], wire[at:]])
            self.assertEqual((given_back, rest, reader.bare_lf), (content, b"", 0), offset)
            chunks = ChunkReader()
            chunks.announce(at, False)
            given_back = chunks.feed(content[:at])
            chunks.announce(len(content) - at, True)
            given_back += chunks.feed(content[at:])
            self.assertEqual((given_back, chunks.finished), (content, True), offset)

    def test_nothing_to_do(self):
        """
        A chunk without a dot at the beginning of a line is given back itself, not a copy.
        """
        chunk = b"a line\r\nanother. one\r\n"
        self.assertIs(DotStuffer().encode(chunk), chunk)
