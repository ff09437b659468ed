"""
Tests of messages in memory and in files.
"""

from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.interfaces import IMessage
from mailgate.message.message import HEAD_LIMIT, MemoryMessage
from mailgate.message.spool import FileMessage, Spool
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
            done.callback(function(*args))


def content(case, message):
    """
    Read a whole message.
    """
    return b"".join(
        case.successResultOf(chunk) if isinstance(chunk, Deferred) else chunk
        for chunk in message.chunks()
    )


class SpoolTests(SynchronousTestCase):
    """
    Tests of the spool.
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

    def test_small(self):
        """
        A small message stays in memory, in its pieces, and gives the memory back.
        """
        message = self.write(b"ab", b"cd")
        verifyObject(IMessage, message)
        self.assertIsInstance(message, MemoryMessage)
        self.assertEqual((message.size, message.head(3), message.path), (4, b"abc", None))
        self.assertEqual(list(message.chunks()), [b"ab", b"cd"])
        self.assertEqual(self.spool.memory, 4)
        message.close()
        message.close()
        self.assertEqual((self.spool.memory, self.files()), (0, []))

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
        self.assertEqual((self.spool.memory, self.files()), (0, []))

    def test_exactly_the_limit(self):
        """
        A message of exactly 256 KiB stays in memory.
        """
        message = self.write(b"x" * HEAD_LIMIT)
        self.assertIsInstance(message, MemoryMessage)

    def test_memory_of_all(self):
        """
        When all messages together have used the memory, small ones go to files too.
        """
        kept = [self.write(b"x" * 200_000) for _ in range(6)]
        self.assertEqual([type(message) for message in kept], [MemoryMessage] * 5 + [FileMessage])
        self.assertEqual(kept[5].head(HEAD_LIMIT), b"x" * 200_000)
        for message in kept:
            message.close()
        self.assertEqual((self.spool.memory, self.files()), (0, []))

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
        self.assertEqual((self.spool.memory, self.files()), (0, []))

    def fail_to_write(self, file, data):
        """
        Have no room.
        """
        raise OSError(28, "No space left on device")

    def test_backlog(self):
        """
        What waits for the disk is counted, and can be waited for.
        """
        threads = LateThreads()
        self.spool.threads = threads
        writer = self.spool.begin()
        writer.write(b"x" * 300_000)
        writer.write(b"x" * 300_000)
        self.assertEqual(writer.backlog, 600_000)
        written = writer.when_written()
        self.assertNoResult(written)
        threads.work()
        self.successResultOf(written)
        self.assertEqual(writer.backlog, 0)
        writer.abandon()
        threads.work()
        self.assertEqual(self.files(), [])

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
        self.assertEqual((self.spool.memory, self.files()), (0, []))

    def test_shortened_file(self):
        """
        A file that has become shorter is an error and not a shorter message.
        """
        message = self.write(b"x" * 300_000)
        message.path.write_bytes(b"x")
        (chunk,) = message.chunks()
        self.failureResultOf(chunk, OSError)
