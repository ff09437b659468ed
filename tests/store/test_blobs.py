"""
Tests of L{mailgate.store.blobs}.
"""

import errno
import os

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.message import MemoryMessage
from mailgate.message.spool import FileMessage
from mailgate.store.blobs import Blobs, Sweep
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.recording import Journal, RecordingFiles
from tests.storage import temporary_folder


class OtherFileSystem(Files):
    """
    Files of which none can be linked.
    """

    def link(self, source, target):
        """
        Refuse.
        """
        raise OSError(errno.EXDEV, "another file system")


class FailingFiles(Files):
    """
    Files on a disk that fails at one step.
    """

    def __init__(self, step):
        def fail(*args):
            raise OSError(errno.ENOSPC, "no space")

        setattr(self, step, fail)


class BlobsCase(SynchronousTestCase):
    """
    Has a folder for blobs.
    """

    def setUp(self):
        """
        Make the folder.
        """
        self.folder = temporary_folder(self)
        self.journal = Journal()

    def make(self, files=None):
        """
        Make blobs.
        """
        return Blobs(self.folder / "blobs", files or Files(), ImmediateThreads())

    def save(self, blobs, message):
        """
        Save a message at once.
        """
        return Deferred.fromCoroutine(blobs.save(message))

    def spooled(self, data=b"spooled text", size=None):
        """
        Make a message in a spool file.
        """
        path = self.folder / "spooled"
        path.write_bytes(data)
        return FileMessage(path, len(data) if size is None else size, data, ImmediateThreads())

    def left(self):
        """
        List all files of the blobs.
        """
        return [path for path in (self.folder / "blobs").rglob("*") if path.is_file()]


class SaveTests(BlobsCase):
    """
    Tests of L{Blobs.save}.
    """

    def test_memory(self):
        """
        The bytes of a message in memory are kept, without what is prepended.
        """
        blobs = self.make()
        identity = self.successResultOf(
            self.save(blobs, MemoryMessage((b"one ", b"two"), prepended=b"X: 1\r\n"))
        )
        self.assertEqual(blobs.path(identity).read_bytes(), b"one two")
        self.assertEqual(self.left(), [blobs.path(identity)])

    def test_late_chunks(self):
        """
        Chunks that have to be waited for are waited for.
        """

        class Late(MemoryMessage):
            def chunks(self):
                return iter([b"one ", succeed(b"two")])

        blobs = self.make()
        identity = self.successResultOf(self.save(blobs, Late(())))
        self.assertEqual(blobs.path(identity).read_bytes(), b"one two")

    def test_spool_file(self):
        """
        A spool file is kept as it is, without copying, and outlives its first name.
        """
        blobs = self.make()
        message = self.spooled()
        identity = self.successResultOf(self.save(blobs, message))
        self.assertTrue(os.path.samefile(message.path, blobs.path(identity)))
        message.path.unlink()
        self.assertEqual(blobs.path(identity).read_bytes(), b"spooled text")

    def test_spool_file_elsewhere(self):
        """
        A spool file on another file system is copied.
        """
        blobs = self.make(OtherFileSystem())
        data = os.urandom(600_000)
        identity = self.successResultOf(self.save(blobs, self.spooled(data)))
        self.assertEqual(blobs.path(identity).read_bytes(), data)

    def test_spool_file_torn(self):
        """
        A spool file that is not as long as the message is refused.
        """
        for files in (Files(), OtherFileSystem()):
            self.failureResultOf(
                self.save(self.make(files), self.spooled(b"half", size=9)), OSError
            )
        self.assertEqual(self.left(), [])

    def test_order(self):
        """
        Bytes are written and synced before the file gets its name, then the folder is synced;
        a folder that is new has been synced before.
        """
        blobs = self.make(RecordingFiles(self.journal))
        identity = self.successResultOf(self.save(blobs, MemoryMessage((b"text",))))
        path = blobs.path(identity)
        temporary = path.with_suffix(".new")
        self.assertEqual(
            self.journal.steps,
            [
                ("sync_directory", path.parent.parent),
                ("create", temporary),
                ("write", temporary),
                ("sync", temporary),
                ("rename", path),
                ("sync_directory", path.parent),
            ],
        )

    def test_order_of_spool_file(self):
        """
        A spool file that is taken over is synced, too, as nobody has done it before.
        """
        blobs = self.make(RecordingFiles(self.journal))
        identity = self.successResultOf(self.save(blobs, self.spooled()))
        path = blobs.path(identity)
        temporary = path.with_suffix(".new")
        self.assertEqual(
            self.journal.steps,
            [
                ("sync_directory", path.parent.parent),
                ("link", temporary),
                ("open", temporary),
                ("sync", temporary),
                ("rename", path),
                ("sync_directory", path.parent),
            ],
        )

    def test_f4_full(self):
        """
        A disk that fails at any step leaves nothing behind.
        """
        for step in ("create", "write", "sync", "rename"):
            blobs = self.make(FailingFiles(step))
            failure = self.failureResultOf(self.save(blobs, MemoryMessage((b"text",))), OSError)
            self.assertEqual(failure.value.errno, errno.ENOSPC)
            self.assertEqual(self.left(), [], step)

    def test_folder_not_synced(self):
        """
        A file whose folder cannot be synced is taken away again.
        """
        blobs = self.make()
        blobs._files = FailingFiles("sync_directory")
        self.failureResultOf(self.save(blobs, MemoryMessage((b"text",))), OSError)
        self.assertEqual(self.left(), [])


class KeepingTests(BlobsCase):
    """
    Tests of reading, removing and sweeping.
    """

    def test_beginning(self):
        """
        The beginning of a message is its first 256 KiB.
        """
        blobs = self.make()
        data = os.urandom(300_000)
        identity = self.successResultOf(self.save(blobs, MemoryMessage((data,))))
        self.assertEqual(self.successResultOf(blobs.beginning(identity)), data[:262_144])

    def test_remove(self):
        """
        A removed file is gone, and removing it again is fine.
        """
        blobs = self.make()
        identity = self.successResultOf(self.save(blobs, MemoryMessage((b"text",))))
        for _ in range(2):
            self.successResultOf(blobs.remove([identity]))
        self.assertEqual(self.left(), [])

    def test_not_removed(self):
        """
        A file that cannot be removed is an event.
        """
        blobs = self.make(FailingFiles("remove"))
        self.successResultOf(blobs.remove(["abcd"]))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_sweep(self):
        """
        A sweep removes what no row names and what was never finished, and tells what is gone.
        """
        blobs = self.make()
        kept, orphan = (
            self.successResultOf(self.save(blobs, MemoryMessage((b"text",)))) for _ in range(2)
        )
        (blobs.path(kept).parent / "half.new").write_bytes(b"ha")
        gone = "00" + "f" * 30
        known = {kept, gone}
        swept = blobs.sweep(lambda first, before: {i for i in known if first <= i < before})
        self.assertEqual(swept, Sweep(2, (gone,)))
        self.assertEqual(self.left(), [blobs.path(kept)])
        self.assertNotEqual(orphan, kept)
