"""
Tests of messages in memory and in files.
"""

import errno
import sys
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.interfaces import IMessage
from mailgate.message.message import HEAD_LIMIT, MemoryMessage
from mailgate.message.spool import BACKLOG, FileMessage, Spool
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads


class LateThreads:
    """
    Threads that do their work when they are told to.
    """

    def __init__(self):
        self.waiting = []

    def run(self, function, *args):
        """
        Note what is to be done.
        """
        done = Deferred()
        self.waiting.append((done, function, args))
        return done

    def work(self):
        """
        Do what waits.
        """
        while self.waiting:
            done, function, args = self.waiting.pop(0)
            execute(function, *args).addBoth(done.callback)


def content(case, message):
    """
    Read a whole message.
    """
    return b"".join(
        case.successResultOf(chunk) if isinstance(chunk, Deferred) else chunk
        for chunk in message.chunks()
    )


class SpoolCase(SynchronousTestCase):
    """
    Has a spool.
    """

    def setUp(self):
        """
        Make a spool of 1 MiB.
        """
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.threads = ImmediateThreads()
        self.spool = Spool(self.directory, Files(), self.threads, 1 << 20)

    def files(self):
        """
        List what lies in the spool's folder.
        """
        return list(self.directory.iterdir())

    def finish(self, writer):
        """
        Give the message that a writer has taken.
        """
        message = writer.finish()
        return self.successResultOf(message) if isinstance(message, Deferred) else message

    def write(self, *pieces):
        """
        Spool a message.
        """
        writer = self.spool.begin()
        for piece in pieces:
            writer.write(piece)
        return self.finish(writer)

    def size(self, thing):
        """
        Add up the bytes that a thing keeps, with all that it keeps.
        """
        if isinstance(thing, (bytes, bytearray)):
            return sys.getsizeof(thing)
        if isinstance(thing, (list, tuple)):
            return sum(map(self.size, thing))
        if type(thing).__module__.startswith("mailgate") and hasattr(thing, "__dict__"):
            return sum(self.size(value) for value in vars(thing).values())
        return 0

    def assertNothingIsLeft(self):
        """
        There is no file any more, and all memory has been given back.
        """
        self.assertEqual((self.spool.memory, self.spool.waiting, self.files()), (0, 0, []))


class SpoolTests(SpoolCase):
    """
    Tests of the spool.
    """

    def test_small(self):
        """
        A small message stays in memory, in its pieces, and gives the memory back.
        """
        pieces = [b"a" * 5000, b"b" * 5000]
        message = self.write(*pieces)
        verifyObject(IMessage, message)
        self.assertIsInstance(message, MemoryMessage)
        self.assertEqual((message.size, message.head(3), message.path), (10_000, b"aaa", None))
        for chunk, piece in zip(message.chunks(), pieces, strict=True):
            self.assertIs(chunk, piece)
        self.assertEqual(self.spool.memory, 10_000)
        message.close()
        message.close()
        self.assertNothingIsLeft()

    def test_large(self):
        """
        A message of more than 256 KiB goes to a file, which is removed in the end.
        """
        pieces = [bytes([65 + n]) * 100_000 for n in range(20)]
        message = self.write(*pieces)
        verifyObject(IMessage, message)
        self.assertIsInstance(message, FileMessage)
        self.assertEqual(content(self, message), b"".join(pieces))
        self.assertEqual(message.head(HEAD_LIMIT), b"".join(pieces)[:HEAD_LIMIT])
        self.assertEqual(self.files(), [message.path])
        message.close()
        message.close()
        self.assertNothingIsLeft()

    def test_exactly_the_limit(self):
        """
        A message of exactly 256 KiB stays in memory.
        """
        message = self.write(b"x" * HEAD_LIMIT)
        self.assertIsInstance(message, MemoryMessage)

    def test_prepend(self):
        """
        What is prepended later stands first, and the message itself is not copied.
        """
        for message in (self.write(b"text"), self.write(b"x" * 300_000)):
            longer = message.prepend(b"B: b\r\n").prepend(b"A: a\r\n")
            self.assertEqual(longer.prepended, b"A: a\r\nB: b\r\n")
            self.assertEqual(longer.size, message.size)
            self.assertEqual(message.prepended, b"")

    def test_full_disk(self):
        """
        A full disk is told at the end, and nothing stays behind.
        """
        files = self.spool.files
        files.write = self.fail_to_write
        writer = self.spool.begin()
        for _ in range(5):
            writer.write(b"x" * 100_000)
        self.failureResultOf(writer.finish(), OSError)
        self.assertNothingIsLeft()

    def fail_to_write(self, file, data):
        """
        Have no room.
        """
        raise OSError(28, "No space left on device")

    def test_abandoned_while_writing(self):
        """
        A message that is abandoned while the disk is at work leaves nothing behind.
        """
        threads = LateThreads()
        self.spool.threads = threads
        writer = self.spool.begin()
        writer.write(b"x" * 300_000)
        finishing = writer.finish()
        writer.abandon()
        finishing.addErrback(lambda failure: failure.trap(CancelledError))
        finishing.cancel()
        threads.work()
        self.assertNothingIsLeft()

    def test_abandoned_while_closing(self):
        """
        So does one that is abandoned after its last byte has been written, and its file is
        removed only when no other thread uses it any more.
        """
        threads = LateThreads()
        self.spool.threads = threads
        writer = self.spool.begin()
        writer.write(b"x" * 300_000)
        threads.work()
        finishing = writer.finish()
        writer.abandon()
        finishing.addErrback(lambda failure: failure.trap(CancelledError))
        finishing.cancel()
        self.assertEqual(len(threads.waiting), 1)
        threads.work()
        self.assertNothingIsLeft()

    def test_shortened_file(self):
        """
        A file that has become shorter is an error and not a shorter message.
        """
        message = self.write(b"x" * 300_000)
        message.path.write_bytes(b"x")
        (chunk,) = message.chunks()
        self.failureResultOf(chunk, OSError)


class MemoryTests(SpoolCase):
    """
    Tests of how much memory all messages take together, of which there is 1 MiB here.
    """

    header = b"Subject: x\r\n\r\n"

    def test_whole_messages(self):
        """
        Whole messages take three quarters of the memory; the next go to files, and of them only
        the header section stays.
        """
        kept = [self.write(self.header + b"x" * 200_000) for _ in range(6)]
        self.assertEqual(
            [type(message) for message in kept], [MemoryMessage] * 3 + [FileMessage] * 3
        )
        self.assertEqual(self.spool.memory, 3 * 200_000 + 6 * len(self.header))
        for message in kept:
            self.assertTrue(message.head(HEAD_LIMIT).startswith(self.header))
            self.assertEqual(content(self, message), self.header + b"x" * 200_000)
            message.close()
        self.assertNothingIsLeft()

    def test_received(self):
        """
        While a message goes to a file nothing of it stays in memory.
        """
        writers = [self.spool.begin() for _ in range(100)]
        for writer in writers:
            for _ in range(5):
                writer.write(b"x" * 60_000)
        self.assertEqual((self.spool.memory, self.spool.waiting), (0, 0))
        self.assertLess(sum(map(self.size, writers)), 100_000)

    def test_header_sections(self):
        """
        Where header sections use up the memory, the next message is refused, and leaves nothing;
        once there is memory it is taken.
        """
        long = b"X: " + b"x" * 250_000 + b"\r\n\r\n"
        body = b"y" * 100_000
        kept = [self.write(long, body) for _ in range(3)]
        writer = self.spool.begin()
        writer.write(long)
        writer.write(body)
        failure = self.failureResultOf(writer.finish(), OSError)
        self.assertEqual(failure.value.errno, errno.ENOMEM)
        self.assertCountEqual(self.files(), [message.path for message in kept])
        self.assertEqual(self.spool.memory, 3 * len(long))
        kept.pop().close()
        kept.append(self.write(long, body))
        for message in kept:
            self.assertEqual(message.head(HEAD_LIMIT), long)
            message.close()
        self.assertNothingIsLeft()

    def test_slow_senders(self):
        """
        Whole messages that fill their share leave room for the header sections of others.
        """
        writers = [self.spool.begin() for _ in range(4)]
        for writer in writers:
            writer.write(b"x" * 190_000)
        message = self.write(self.header + b"x" * 100_000)
        self.assertIsInstance(message, FileMessage)
        for taken in (*writers, message):
            getattr(taken, "abandon", message.close)()
        self.assertNothingIsLeft()

    def test_little_memory(self):
        """
        However little memory there is, one message after the other is taken.
        """
        self.spool.memory_limit = 1
        for _ in range(3):
            message = self.write(self.header)
            self.assertEqual(message.head(HEAD_LIMIT), self.header)
            message.close()
        self.assertNothingIsLeft()


class BacklogTests(SpoolCase):
    """
    Tests of a disk that is slower than the senders.
    """

    def setUp(self):
        """
        Have a disk that waits.
        """
        super().setUp()
        self.spool.threads = self.disk = LateThreads()

    def begin(self, *pieces):
        """
        Begin a message.
        """
        writer = self.spool.begin()
        for piece in pieces:
            writer.write(piece)
        return writer

    def test_backlog(self):
        """
        What waits for the disk is counted, and can be waited for.
        """
        writer = self.begin(b"x" * 300_000, b"x" * 300_000)
        self.assertEqual((writer.backlog, self.spool.waiting), (600_000, 600_000))
        written = writer.when_written()
        self.assertNoResult(written)
        self.disk.work()
        self.successResultOf(written)
        self.assertEqual((writer.backlog, self.spool.waiting), (0, 0))
        writer.abandon()
        self.disk.work()
        self.assertNothingIsLeft()

    def test_one_pauses(self):
        """
        A sender pauses while more than 1 MiB of its own message waits.
        """
        self.spool.memory_limit = 1 << 30
        writer = self.begin(b"x" * BACKLOG)
        self.assertFalse(writer.must_pause)
        writer.write(b"x")
        self.assertTrue(writer.must_pause)
        self.disk.work()
        self.assertFalse(writer.must_pause)

    def test_all_pause(self):
        """
        Every sender for whom something waits pauses while too much waits in all, an eighth of
        the memory.
        """
        self.spool.memory_limit = 8 * 600_000
        first, second = self.begin(b"x" * 300_000), self.begin(b"x" * 300_000)
        idle = self.spool.begin()
        self.assertFalse(first.must_pause or second.must_pause)
        first.write(b"x")
        self.assertTrue(first.must_pause and second.must_pause)
        self.assertFalse(idle.must_pause)
        first.abandon()
        self.assertFalse(first.must_pause)
        self.disk.work()
        self.assertFalse(second.must_pause)

    def test_small_pieces(self):
        """
        A sender of single bytes costs no more memory than its bytes while they wait.
        """
        writer = self.begin(b"x" * 300_000)
        for _ in range(20_000):
            writer.write(b"y")
        self.assertLess(self.size(writer), 25_000)
        finished = writer.finish()
        self.disk.work()
        message = self.successResultOf(finished)
        self.assertEqual(message.path.read_bytes(), b"x" * 300_000 + b"y" * 20_000)

    def test_failure(self):
        """
        What waits when the disk fails is not waited for any more.
        """
        writer = self.begin(b"x" * 300_000, b"x" * 300_000)
        done, _, _ = self.disk.waiting.pop()
        done.errback(OSError(errno.EIO, "disk"))
        self.assertEqual((writer.backlog, self.spool.waiting), (0, 0))
        finished = writer.finish()
        self.disk.work()
        self.failureResultOf(finished, OSError)
        self.assertNothingIsLeft()
