"""
Tests of L{mailgate.delivery.body}: messages that are read while they go out.
"""

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.body import Unclean, encode
from mailgate.message.message import HEAD_LIMIT, MemoryMessage
from tests.delivery.client import NOT_REACHED, ClientCase
from tests.wire.test_data import PIECES, plain_reading, strays


class SlowMessage:
    """
    A message that lies on a disk, which gives its chunks when it is told to.
    """

    prepended = b"Top: 1\r\n"
    path = None

    def __init__(self, *chunks):
        self.size = HEAD_LIMIT + 1
        self.pieces = [(Deferred(), chunk) for chunk in chunks]
        self.asked = 0

    def chunks(self):
        """
        Give the chunks.
        """
        for done, _ in self.pieces:
            self.asked += 1
            yield done

    def read(self, at):
        """
        Let a chunk be read.
        """
        done, chunk = self.pieces[at]
        if isinstance(chunk, Exception):
            done.errback(chunk)
        else:
            done.callback(chunk)


class FromMemoryTests(SynchronousTestCase):
    """
    Messages that go out in one go.
    """

    @given(st.lists(PIECES, max_size=6))
    @example([b"a\r", b"\n.\r", b"\n"])
    @example([b"a\r\n.", b".\r"])
    def test_every_division(self, chunks):
        """
        However a message is divided into chunks, it goes out so that it is read as it was, or
        not at all where it has a bare CR, a bare LF or a NUL.
        """
        whole = b"".join(chunks)
        message = MemoryMessage(tuple(chunks), prepended=b"Top: 1\r\n")
        if strays(whole) != (0, 0, 0):
            self.assertRaises(Unclean, encode, message)
            return
        content = b"Top: 1\r\n" + whole
        if not content.endswith(b"\r\n"):
            content += b"\r\n"
        self.assertEqual(plain_reading(b"".join(encode(message))), (content, b""))


class FromDiskTests(ClientCase):
    """
    Messages that are read while they go out.
    """

    def setUp(self):
        """
        Have a client that is ready.
        """
        self.greet()

    def send(self, *chunks):
        """
        Begin to send a message from the disk, up to 354.
        """
        self.message = SlowMessage(*chunks)
        answer = self.begin(message=self.message)
        self.wire.heard()
        self.wire.take()
        return answer

    def resume(self):
        """
        Let the transport ask for more.
        """
        self.wire.transport.producer.resumeProducing()
        return self.wire.heard()

    def test_in_step(self):
        """
        A chunk goes out when the one before has gone, and only one more is read ahead.
        """
        answer = self.send(b"a\r\n.", b".b\r\n", b"c")
        self.assertEqual(self.resume(), b"Top: 1\r\n")
        self.message.read(0)
        self.assertEqual(self.wire.heard(), b"")
        self.assertEqual(self.message.asked, 1)
        self.assertEqual(self.resume(), b"a\r\n..")
        self.assertEqual(self.message.asked, 2)
        self.assertEqual(self.resume(), b"")
        self.message.read(1)
        self.assertEqual(self.wire.heard(), b".b\r\n")
        self.message.read(2)
        self.assertEqual(self.resume(), b"c\r\n.\r\n")
        self.assertIsNone(self.wire.transport.producer)
        self.wire.finish()
        self.assertEqual(self.words(answer), ["250 2.0.0 taken"])

    @given(st.lists(PIECES, min_size=1, max_size=5))
    @example([b"a\r", b"\n.\r", b"\n"])
    @example([b"a\r\n.", b".\r"])
    def test_every_division(self, chunks):
        """
        However a message is divided into chunks, it goes out so that it is read as it was, or
        is broken off before its end where it has a bare CR, a bare LF or a NUL.
        """
        self.greet()
        answer = self.send(*chunks)
        for at in range(len(chunks)):
            self.message.read(at)
        out = b""
        while not self.wire.is_closed and self.wire.transport.producer is not None:
            out += self.resume()
        whole = b"".join(chunks)
        if strays(whole) != (0, 0, 0):
            self.assertBroken(answer, "550 5.6.0 bare CR, bare LF or NUL in the message")
            self.assertIsNone(plain_reading(out))
            return
        content = self.message.prepended + whole
        if not content.endswith(b"\r\n"):
            content += b"\r\n"
        self.assertEqual(plain_reading(out), (content, b""))
        self.wire.finish()
        self.assertEqual(self.words(answer), ["250 2.0.0 taken"])

    def test_unclean(self):
        """
        Bare line ends and NUL never go out, and nothing that could end the message does.
        """
        for chunks in (
            (b"a\n.\r\n",),
            (b"a\r.\r\n",),
            (b"a\r\n\0",),
            (b"a\r", b".\r\n"),
            (b"a\r\n.\r", b"\r\n"),
            (b"a", b"\n.\r\nMAIL"),
            (b"a\r",),
        ):
            self.greet()
            answer = self.send(*chunks)
            out = self.resume()
            for at in range(len(chunks)):
                if not self.wire.is_closed:
                    self.message.read(at)
                    out += self.wire.heard()
                if not self.wire.is_closed:
                    out += self.resume()
            self.assertBroken(answer, "550 5.6.0 bare CR, bare LF or NUL in the message")
            self.assertNotIn(b"\r\n.\r\n", out)
            self.assertNotIn(b"\n.", out.replace(b"\r\n", b""))

    def test_f08_dropped(self):
        """
        A drop before the dot means that the message was not taken (F8).
        """
        answer = self.send(b"a\r\n", b"b\r\n")
        self.resume()
        self.wire.drop()
        self.assertBroken(answer, f"{NOT_REACHED}connection lost")
        self.message.read(0)
        self.assertEqual(self.wire.heard(), b"")

    def test_never_repeated(self):
        """
        What breaks in the midst of a message is not repeated, on an old connection either.
        """
        first = self.begin()
        self.wire.take()
        self.wire.finish()
        self.assertEqual(self.words(first), ["250 2.0.0 taken"])
        answer = self.send(b"a\r\n", b"b\r\n")
        self.resume()
        self.wire.drop()
        self.assertBroken(answer, f"{NOT_REACHED}connection lost")
        self.assertEqual([repeat for _, repeat in self.owner.closed], [False])

    def test_f06_not_read(self):
        """
        An upstream that stops reading is given up; one that reads slowly is not (F6).
        """
        answer = self.send(b"a\r\n", b"b\r\n", b"c\r\n")
        for at in range(2):
            self.clock.advance(149)
            self.resume()
            self.message.read(at)
        self.clock.advance(149)
        self.assertNoResult(answer)
        self.clock.advance(1)
        self.assertBroken(answer, f"{NOT_REACHED}no reply in time")

    def test_refused_amid(self):
        """
        A refusal in the midst of a message is its answer, and ends the connection.
        """
        answer = self.send(b"a\r\n", b"b\r\n")
        self.resume()
        self.wire.say("552 5.3.4 too big")
        self.assertEqual(self.words(answer), ["552 5.3.4 too big"])
        self.assertTrue(self.wire.is_closed)

    def test_taken_amid(self):
        """
        Nobody can have taken half a message.
        """
        answer = self.send(b"a\r\n", b"b\r\n")
        self.resume()
        self.wire.say("250 2.0.0 taken")
        self.assertBroken(answer, f"{NOT_REACHED}it answered the message with nonsense")

    def test_unreadable(self):
        """
        A message that cannot be read is deferred, half of it is never ended with a dot.
        """
        answer = self.send(b"a\r\n", OSError("disk"))
        self.resume()
        self.message.read(0)
        self.assertEqual(self.resume(), b"a\r\n")
        self.message.read(1)
        self.assertEqual(self.wire.heard(), b"")
        self.assertBroken(answer, "451 4.3.0 the message cannot be read")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_empty_chunk(self):
        """
        A chunk without bytes does not stop the message.
        """
        answer = self.send(b"", b"a\r\n")
        self.resume()
        self.message.read(0)
        self.message.read(1)
        self.assertEqual(self.resume(), b"a\r\n.\r\n")
        self.wire.finish()
        self.assertEqual(self.words(answer), ["250 2.0.0 taken"])

    def test_read_too_late(self):
        """
        A message that is gone when nobody needs it any more is no event; a mistake is.
        """
        for error, logged in ((OSError("gone"), 0), (ValueError("broken"), 1)):
            self.greet()
            self.send(error)
            self.resume()
            self.wire.drop()
            self.message.read(0)
            self.assertEqual(len(self.flushLoggedErrors()), logged)
