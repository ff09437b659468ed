"""
Properties of messages on their way through: in by DATA or by BDAT, however the bytes are cut,
and out over the real client.
"""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.edge.harness import Edge
from tests.edge.relay import RelayingDispatcher
from tests.edge.test_smtp import EdgeTestCase
from tests.wire.test_data import PIECES, cut, plain_reading, strays

LINES = st.lists(
    st.sampled_from([b"", b".", b"..", b".x", b"QUIT", b"a line", b"\xc3\xa4", b"X: y"]),
    max_size=12,
).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
"""Content of whole lines."""

SIZES = st.lists(st.integers(0, 9), max_size=7)
"""Sizes of chunks; what is left goes into one more, or into none where nothing is."""

CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=12)
"""Lengths of the pieces in which the bytes arrive, over and over."""

ENVELOPE = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<ada@example.com>\r\n"
ACCEPTED = "250 2.0.0 taken"


def chunked(content, sizes, has_empty_last):
    """
    Write content as the chunks of BDAT, commands included.
    """
    chunks = []
    at = 0
    for size in sizes:
        chunk = content[at : at + size]
        at += len(chunk)
        chunks.append(chunk)
    if at < len(content) or not chunks:
        chunks.append(content[at:])
    if has_empty_last:
        chunks.append(b"")
    *others, last = chunks
    wire = [b"BDAT %d\r\n%b" % (len(chunk), chunk) for chunk in others]
    return b"".join([*wire, b"BDAT %d LAST\r\n%b" % (len(last), last)])


def stuffed(content):
    """
    Write content as DATA has it, byte for byte as RFC 5321 section 4.5.2 says; the last line
    must be whole.
    """
    lines = content.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n"


class FramingTestCase(EdgeTestCase):
    """
    A test case that sends messages through.
    """

    def relay(self, memory_limit=1 << 28, **listener):
        """
        Connect a client to an edge that relays.
        """
        edge = Edge(
            Files(),
            ImmediateThreads(),
            self.folder,
            dispatcher=RelayingDispatcher(),
            memory_limit=memory_limit,
            listener=listener,
        )
        return edge.greeted()

    def setUp(self):
        """
        Have a folder for the spool.
        """
        self.folder = self.edge().directory

    def by_data(self, wire, lengths=(1 << 20,), **parts):
        """
        Send a message by DATA; give the edge and the replies to the message.
        """
        edge = self.relay(**parts)
        edge.say(ENVELOPE + b"DATA\r\n")
        return edge, "".join(edge.say(piece) for piece in cut(wire, lengths))

    def by_bdat(self, wire, lengths=(1 << 20,), **parts):
        """
        Send a message by BDAT, the envelope with it; give the edge and the replies to the chunks.
        """
        edge = self.relay(**parts)
        said = "".join(edge.say(piece) for piece in cut(ENVELOPE + wire, lengths))
        greeted = "250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n"
        self.assertTrue(said.startswith(greeted), said)
        return edge, said.removeprefix(greeted)

    def passed(self, edge):
        """
        Give the one message that was handed on, after seeing that the upstream reads just that.
        """
        ((envelope, recipients, prepended, content),) = edge.dispatcher.messages
        ((commands, wire),) = edge.dispatcher.sent
        self.assertEqual(strays(wire), (0, 0, 0))
        self.assertEqual(strays(commands), (0, 0, 0))
        read, rest = plain_reading(wire)
        self.assertEqual(rest, b"")
        whole = prepended + content
        self.assertEqual(read, whole if whole.endswith(b"\r\n") else whole + b"\r\n")
        self.assertEqual((str(envelope.sender), len(recipients)), ("a@example.org", 1))
        return content


class WayInTests(FramingTestCase):
    """
    DATA and BDAT are two ways to say the same.
    """

    @settings(max_examples=150)
    @given(LINES, SIZES, st.booleans(), CUTS, st.booleans())
    @example(b"", [], False, [1], False)
    @example(b".\r\n", [1, 1, 1, 0], True, [1], False)
    @example(b"a\r\n.\r\nQUIT\r\n", [2, 3, 0, 3], False, [3], True)
    def test_a05_every_chunking(self, content, sizes, has_empty_last, lengths, is_on_disk):
        """
        For content of whole lines every chunking, cut into pieces anywhere, gives byte for byte
        the message that DATA gives: to the checks, and to the upstream.
        """
        limit = 0 if is_on_disk else 1 << 28
        data, said = self.by_data(stuffed(content), lengths, memory_limit=limit)
        self.assertEqual(said.strip(), ACCEPTED)
        bdat, said = self.by_bdat(
            chunked(content, sizes, has_empty_last), lengths, memory_limit=limit
        )
        self.assertEqual(said.splitlines()[-1], ACCEPTED)
        self.assertEqual(self.passed(data), content)
        self.assertEqual(self.passed(bdat), content)

    @settings(max_examples=150)
    @given(PIECES, SIZES, CUTS)
    @example(b"a\r\nb", [2], [1])
    @example(b"a\r", [1], [1])
    @example(b"a\rb\nc\0", [2, 2], [1])
    def test_a05_same_refusal(self, content, sizes, lengths):
        """
        What DATA refuses for a bare CR, a bare LF or a NUL, BDAT refuses with the same words if
        it comes in one chunk; and in several with the same codes, at the first bad chunk or
        where the CR is found to be bare. Nothing of it goes anywhere.
        """
        content += b"\r\n"
        wire = stuffed(content)
        _, data = self.by_data(wire)
        cr, lf, nul = strays(content)
        edge, bdat = self.by_bdat(chunked(content, sizes, False), lengths)
        self.assertEqual(plain_reading(wire), (content, b""))
        if not (cr or lf or nul):
            self.assertEqual(data.strip(), ACCEPTED)
            self.assertEqual(bdat.splitlines()[-1], ACCEPTED)
            return
        self.assertEqual(edge.dispatcher.messages, [])
        found = [(cr, "a CR without LF"), (lf, "an LF without CR"), (nul, "a NUL")]
        words = " and ".join(text for count, text in found if count)
        self.assertEqual(data, f"550 5.5.2 the message contains {words} (ID)\r\n")
        _, whole = self.by_bdat(chunked(content, [], False), lengths)
        self.assertEqual(whole, data)
        replies = bdat.splitlines()
        first, *rest = [reply for reply in replies if not reply.endswith("bytes so far")]
        self.assertRegex(first, r"^550 5\.5\.2 the message contains .* \(ID\)$")
        self.assertEqual(rest, ["503 5.5.1 say MAIL first"] * len(rest))
        self.assertEqual(replies[-len(rest) - 1 :], [first, *rest])

    @settings(max_examples=150)
    @given(PIECES, SIZES, CUTS, st.booleans())
    @example(b"a\r", [2], [1], False)
    @example(b"\r\r\n\n", [1, 1, 1], [1], True)
    def test_normalized(self, content, sizes, lengths, is_on_disk):
        """
        Where line ends are mended, DATA and every chunking of BDAT give the same message, and no
        bare CR or LF leaves. A NUL is refused there too.
        """
        content += b"\r\n"
        parts = {"memory_limit": 0 if is_on_disk else 1 << 28, "bare_newline": "normalize"}
        data, said = self.by_data(stuffed(content), lengths, **parts)
        bdat, also = self.by_bdat(chunked(content, sizes, True), lengths, **parts)
        if b"\0" in content:
            self.assertEqual(said, "550 5.5.2 the message contains a NUL (ID)\r\n")
            self.assertIn(said, also)
            self.assertEqual(data.dispatcher.messages + bdat.dispatcher.messages, [])
            return
        self.assertEqual(said.strip(), ACCEPTED)
        self.assertEqual(also.splitlines()[-1], ACCEPTED)
        mended = self.passed(data)
        self.assertEqual(self.passed(bdat), mended)
        lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self.assertEqual(mended, b"\r\n".join(lines))


class SplitTests(FramingTestCase):
    """
    How the bytes of a session are cut makes no difference.
    """

    @settings(max_examples=150)
    @given(
        st.lists(
            st.sampled_from(
                [
                    b"MAIL FROM:<a@example.org> SIZE=10 BODY=8BITMIME\r\n",
                    b"MAIL FROM:<>\r\n",
                    b"RCPT TO:<ada@example.com>\r\n",
                    b"RCPT TO:<nobody@example.net>\r\n",
                    b"BDAT 4\r\na\r\n.",
                    b"BDAT 3\r\n\r\n\r",
                    b"BDAT 6\r\n\nRSET\n",
                    b"BDAT 0\r\n",
                    b"BDAT 0 LAST\r\n",
                    b"BDAT 6 LAST\r\nQUIT\r\n",
                    b"BDAT x\r\n",
                    b"RSET\r\n",
                    b"NOOP\n",
                    b"NOOP \0\r\n",
                    b"x" * 600 + b"\r\n",
                    b"\r\n",
                    b"\x80\r\n",
                    b"SSH-2.0-x\r\n",
                    b"QUIT\r\n",
                ]
            ),
            max_size=14,
        ),
        CUTS,
    )
    @example([b"\r\n", b"SSH-2.0-x\r\n"], [2])
    @example([b"\x80\r\n", b"NOOP\n"], [3])
    def test_every_split(self, commands, lengths):
        """
        Whatever is said, replies, messages and the end of the session are those that the bytes
        in one piece would get, from the first byte on.
        """
        outcomes = []
        for pieces in ([b"".join(commands)], cut(b"".join(commands), lengths)):
            edge = self.edge(dispatcher=RelayingDispatcher())
            said = edge.connect() + "".join(map(edge.say, pieces))
            messages = [message[1:2] + message[3:] for message in edge.dispatcher.messages]
            outcomes.append((said, messages, edge.transport.disconnecting))
        self.assertEqual(outcomes[0], outcomes[1])
