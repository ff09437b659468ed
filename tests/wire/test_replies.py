"""
Tests of L{mailgate.wire.replies}.
"""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Capabilities
from mailgate.reply import Reply
from mailgate.wire.replies import LINE_LIMIT, LINES_LIMIT, ReplyParser, read_ehlo

CONVERSATION = (
    b"220 mx.example.com ESMTP\r\n"
    b"250-mx.example.com\r\n250-SIZE 5\r\n250 8BITMIME\r\n"
    b"250 2.1.0 sender ok\n"
    b"550-5.1.1 nobody\r\n550-5.1.1 of that\r\n550 5.1.1 name\r\n"
    b"354\r\n"
    b"451 4.3.0 \xff\x00\tlater\r\n"
)
REPLIES = [
    Reply(220, "", "mx.example.com ESMTP"),
    Reply(250, "", "mx.example.com\nSIZE 5\n8BITMIME"),
    Reply(250, "2.1.0", "sender ok"),
    Reply(550, "5.1.1", "nobody\nof that\nname"),
    Reply(354, "", ""),
    Reply(451, "4.3.0", "?? later"),
]


def parse(*pieces):
    """
    Give the replies in bytes that come in pieces, and what is wrong with them.
    """
    parser = ReplyParser()
    replies = [reply for piece in pieces for reply in parser.feed(piece)]
    return replies, parser.error, parser.is_amid


class ReplyParserTests(SynchronousTestCase):
    """
    Tests of the parser.
    """

    def test_conversation(self):
        """
        Replies of one line and of several are read, with and without enhanced codes; what is
        not printable ASCII becomes a question mark.
        """
        self.assertEqual(parse(CONVERSATION), (REPLIES, "", False))

    def test_every_cut(self):
        """
        Two pieces, cut anywhere, or single bytes give the same replies.
        """
        for cut in range(len(CONVERSATION)):
            pieces = CONVERSATION[:cut], CONVERSATION[cut:]
            self.assertEqual(parse(*pieces), (REPLIES, "", False))
        single = (bytes((byte,)) for byte in CONVERSATION)
        self.assertEqual(parse(*single), (REPLIES, "", False))

    @settings(max_examples=300)
    @given(
        st.lists(
            st.sampled_from(
                [b"250 ok\r\n", b"250-a\r\n", b"550 5.1.1 x\r\n", b"25", b"\r", b"\n", b"x", b"-"]
            ),
            max_size=12,
        ),
        st.lists(st.integers(0, 80), max_size=5),
    )
    def test_any_cut_of_anything(self, parts, cuts):
        """
        However any bytes are cut, replies and errors are the same.
        """
        data = b"".join(parts)
        places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        pieces = [data[a:b] for a, b in pairwise(places)]
        self.assertEqual(parse(*pieces), parse(data))

    @settings(max_examples=200)
    @given(st.binary(max_size=300))
    def test_hostile(self, data):
        """
        No bytes raise, and what is kept of them is printable.
        """
        replies, _, _ = parse(data, b"250 " + data + b"\r\n")
        for reply in replies:
            self.assertTrue(reply.text.replace("\n", "").isprintable())
            self.assertTrue(reply.text.isascii())

    def test_is_amid(self):
        """
        A reply has begun with its first byte and ends with its last line.
        """
        parser = ReplyParser()
        self.assertFalse(parser.is_amid)
        for piece in (b"2", b"50-a\r\n", b"250 b"):
            parser.feed(piece)
            self.assertTrue(parser.is_amid)
        self.assertEqual(parser.feed(b"\r\n"), [Reply(250, "", "a\nb")])
        self.assertFalse(parser.is_amid)

    def test_malformed(self):
        """
        What is no reply is an error; those before it are given, and none after it.
        """
        for line in (
            b"",
            b"25",
            b"150 x",
            b"650 x",
            b"250x",
            b"2500 x",
            b" 250 x",
            b"HTTP/1.1 200",
        ):
            replies, error, _ = parse(b"250 ok\r\n" + line + b"\r\n250 ok\r\n", b"250 ok\r\n")
            self.assertEqual(replies, [Reply(250, "", "ok")], line)
            self.assertEqual(error, "its reply is not well-formed", line)

    def test_different_codes(self):
        """
        All lines of a reply have the same code.
        """
        self.assertEqual(
            parse(b"250-a\r\n550 b\r\n")[:2],
            ([], "the lines of its reply have different codes"),
        )

    def test_long_line(self):
        """
        A line may be as long as the limit says, complete or not.
        """
        longest = b"250 " + b"x" * (LINE_LIMIT - 6)
        self.assertEqual(parse(longest + b"\r\n")[1], "")
        for cut in (1, LINE_LIMIT - 2, LINE_LIMIT):
            line = longest + b"y\r\n"
            error = parse(line[:cut], line[cut:])[1]
            self.assertEqual(error, "a line of its reply is too long", cut)
        replies, error, is_amid = parse(b"250 ok\r\n" + b"9" * LINE_LIMIT)
        self.assertEqual(len(replies), 1)
        self.assertEqual(error, "a line of its reply is too long")
        self.assertFalse(is_amid)

    def test_many_lines(self):
        """
        A reply may have as many lines as the limit says.
        """
        line = b"250-x\r\n"
        replies, error, _ = parse(line * (LINES_LIMIT - 1) + b"250 x\r\n")
        self.assertEqual((len(replies), error), (1, ""))
        replies, error, _ = parse(line * LINES_LIMIT + b"250 x\r\n")
        self.assertEqual((replies, error), ([], "its reply has too many lines"))

    def test_enhanced(self):
        """
        An enhanced code is one only in its own class and in its own form.
        """
        for line, enhanced, text in (
            (b"550 5.7.1 no", "5.7.1", "no"),
            (b"550 5.7.1", "5.7.1", ""),
            (b"550 4.7.1 no", "", "4.7.1 no"),
            (b"550 5.7 no", "", "5.7 no"),
            (b"550 5.7.1234 no", "", "5.7.1234 no"),
            (b"354 3.0.0 go", "", "3.0.0 go"),
        ):
            code = int(line[:3])
            self.assertEqual(parse(line + b"\r\n")[0], [Reply(code, enhanced, text)])


class EhloTests(SynchronousTestCase):
    """
    Tests of L{read_ehlo}.
    """

    def test_extensions(self):
        """
        Keywords are read in any case; the first line is no keyword.
        """
        reply = Reply(250, "", "size.example.com\n8bitmime\nSize 1000\nAUTH PLAIN LOGIN")
        self.assertEqual(
            read_ehlo(reply), Capabilities(frozenset(("8BITMIME", "SIZE", "AUTH")), 1000)
        )

    def test_size(self):
        """
        No limit is named by zero, by nothing, and by nonsense.
        """
        for line in ("SIZE", "SIZE 0", "SIZE x", "SIZE -5", "SIZE " + "9" * 21):
            capabilities = read_ehlo(Reply(250, "", f"mx\n{line}"))
            self.assertEqual(capabilities, Capabilities(frozenset(("SIZE",)), None))

    def test_nothing(self):
        """
        A reply of one line offers nothing.
        """
        self.assertEqual(read_ehlo(Reply(250, "", "mx")), Capabilities())
