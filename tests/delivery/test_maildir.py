"""
Tests of the Maildir: what it writes, and in which order.
"""

import errno
import shutil
from itertools import count
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.delivery.maildir import MaildirDelivery
from mailgate.interfaces import IDelivery
from mailgate.message.envelope import Envelope, Session
from mailgate.message.message import MemoryMessage
from mailgate.message.spool import FileMessage
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address
from tests.pipeline.events import events
from tests.recording import Journal, RecordingFiles

SESSION = Session("sess-sess-sess", "mx", "mx", "192.0.2.7", 40001, 0.0)
ENVELOPE = Envelope(SESSION, "trac-trac-trac", Address("sender", "example.org"), 0.0)
ADA, BOB = Address("ada", "example.com"), Address("bob", "example.com")
TEXT = b"Subject: x\r\n\r\n.dot\r\nline\r\n"


class MaildirTests(SynchronousTestCase):
    """
    Tests of one Maildir.
    """

    def setUp(self):
        """
        Make a delivery whose steps are written down.
        """
        self.folder = Path(self.mktemp()) / "inbox"
        self.journal = Journal()
        self.files = RecordingFiles(self.journal, Files())
        self.threads = ImmediateThreads()
        self.delivery = MaildirDelivery(
            "inbox", self.folder, self.files, self.threads, "mail.example.com", lambda: 1.5, Clock()
        )

    def deliver(self, message, *recipients):
        """
        Deliver a message, and give the replies.
        """
        delivering = self.delivery.deliver(ENVELOPE, recipients or (ADA,), message)
        return self.successResultOf(delivering)

    def new(self):
        """
        Give what lies in C{new}.
        """
        return [path.read_bytes() for path in sorted((self.folder / "new").iterdir())]

    def test_interface(self):
        """
        It is a delivery, which takes 8-bit mail.
        """
        verifyObject(IDelivery, self.delivery)
        self.assertIn("8BITMIME", self.delivery.capabilities.extensions)

    def test_content(self):
        """
        One file a recipient, with Return-Path and Delivered-To, ours prepended, LF line ends.
        """
        message = MemoryMessage((TEXT,), b"Received: us\r\n")
        replies = self.deliver(message, ADA, BOB)
        self.assertEqual([reply.code for reply in replies], [250, 250])
        first, second = self.new()
        self.assertEqual(
            first,
            b"Return-Path: <sender@example.org>\nDelivered-To: ada@example.com\n"
            b"Received: us\nSubject: x\n\n.dot\nline\n",
        )
        self.assertIn(b"Delivered-To: bob@example.com\n", second)

    def test_line_ends_at_every_cut(self):
        """
        Wherever the message is cut into pieces, every CRLF becomes one LF.
        """
        for cut in range(len(TEXT) + 1):
            self.deliver(MemoryMessage((TEXT[:cut], TEXT[cut:])))
        for content in self.new():
            self.assertTrue(content.endswith(b"Subject: x\n\n.dot\nline\n"), content)

    def test_order_before_the_250(self):
        """
        A 250 comes after write, fsync, rename and the fsync of the folder, in this order.
        """
        self.deliver(MemoryMessage((TEXT,)))
        self.journal.clear()
        delivering = self.delivery.deliver(ENVELOPE, (ADA,), MemoryMessage((TEXT,)))
        delivering.addCallback(lambda replies: self.journal.add(f"reply {replies[0].code}"))
        self.assertEqual(
            self.journal.names(),
            ["create", "write", "sync", "rename", "sync_directory", "reply 250"],
        )

    def test_from_a_file(self):
        """
        A message from the spool is written chunk by chunk, in the same order.
        """
        spooled = Path(self.mktemp())
        line = b"0123456789" * 7 + b"\r\n"
        spooled.write_bytes(TEXT + line * 40_000)
        message = FileMessage(spooled, spooled.stat().st_size, TEXT, self.threads)
        self.assertEqual(self.deliver(message)[0].code, 250)
        (content,) = self.new()
        self.assertTrue(content.endswith((TEXT + line * 40_000).replace(b"\r\n", b"\n")))
        self.assertEqual(
            self.journal.names()[-5:], ["create", "write", "sync", "rename", "sync_directory"]
        )

    def test_full_disk(self):
        """
        A full disk is a 452, and nothing is left in C{tmp}.
        """

        def full(file, data):
            raise OSError(28, "No space left on device")

        self.files.write = full
        (reply,) = self.deliver(MemoryMessage((TEXT,)))
        self.assertEqual((reply.code, reply.enhanced), (452, "4.3.1"))
        self.assertEqual(list((self.folder / "tmp").iterdir()), [])
        self.assertEqual(self.new(), [])
        self.assertEqual(self.delivery.failures, 1)
        self.flushLoggedErrors(OSError)

    def test_failing_sync(self):
        """
        A message that cannot be synced is not visible and not taken.
        """

        def broken(file):
            raise OSError(5, "Input/output error")

        self.files.sync = broken
        (reply,) = self.deliver(MemoryMessage((TEXT,)))
        self.assertEqual(reply.code, 451)
        self.assertEqual(self.new(), [])
        self.assertEqual(list((self.folder / "tmp").iterdir()), [])
        self.flushLoggedErrors(OSError)

    def test_probe_makes_the_folders(self):
        """
        The folders are there after the start.
        """
        probing = self.delivery.probe()
        self.assertIsInstance(probing, Deferred)
        self.successResultOf(probing)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["cur", "new", "tmp"])

    def fail_at(self, step, number, error, at=1):
        """
        Let a step fail with an error, the C{at}th time it is done.
        """
        done = getattr(self.files, step)
        times = count(1)

        def failing(*args):
            if next(times) == at:
                raise OSError(number, error)
            return done(*args)

        setattr(self.files, step, failing)

    def files_left(self):
        """
        Give the names of the files below C{tmp} and C{new}.
        """
        return [path for name in ("tmp", "new") for path in (self.folder / name).iterdir()]

    def test_every_step_can_fail(self):
        """
        Whatever step fails, the copy is deferred and nothing is left; the next one is taken.
        """
        self.successResultOf(self.delivery.probe())
        for step in ("create", "write", "sync", "rename", "sync_directory"):
            for number, code, enhanced in (
                (errno.ENOSPC, 452, "4.3.1"),
                (errno.EDQUOT, 452, "4.3.1"),
                (errno.EIO, 451, "4.3.0"),
                (errno.EROFS, 451, "4.3.0"),
            ):
                self.fail_at(step, number, "disk")
                with events() as told:
                    (reply,) = self.deliver(MemoryMessage((TEXT,)))
                self.assertEqual((reply.code, reply.enhanced), (code, enhanced), step)
                self.assertTrue(reply.text.endswith("(trac-trac-trac)"))
                self.assertEqual(self.files_left(), [], step)
                self.assertEqual(self.delivery.failures, 1)
                self.assertEqual([e["event"] for e in told], ["maildir.failed"])
                (reply,) = self.deliver(MemoryMessage((TEXT,)))
                self.assertEqual(reply.code, 250)
                self.assertEqual(self.delivery.failures, 0)
                for path in self.files_left():
                    path.unlink()

    def test_full_for_one(self):
        """
        A disk that becomes full between two recipients defers the second only.
        """
        self.fail_at("create", errno.ENOSPC, "full", at=2)
        replies = self.deliver(MemoryMessage((TEXT,)), ADA, BOB)
        self.assertEqual([reply.code for reply in replies], [250, 452])
        (content,) = self.new()
        self.assertIn(b"Delivered-To: ada@example.com\n", content)
        self.assertEqual(len(self.files_left()), 1)

    def test_unreadable(self):
        """
        A spool file that is shorter than it was defers the copy, and no half of it is left.
        """
        spooled = Path(self.mktemp())
        spooled.write_bytes(b"x" * 1_500_000)
        message = FileMessage(spooled, 2_500_000, b"x", self.threads)
        (reply,) = self.deliver(message)
        self.assertEqual(reply.code, 451)
        self.assertEqual(self.files_left(), [])

    def test_bare_line_ends(self):
        """
        Only CRLF becomes LF; any other CR stays, at the very end too.
        """
        self.deliver(MemoryMessage((b"a\rb\r", b"\r\nc\r")))
        (content,) = self.new()
        self.assertTrue(content.endswith(b"\na\rb\r\nc\r"), content)

    def test_names(self):
        """
        Files that are written at the same moment have different names, without C{/} and C{:}.
        """
        self.delivery = MaildirDelivery(
            "inbox", self.folder, self.files, self.threads, "a/b:c", lambda: 1.5, Clock()
        )
        for _ in range(3):
            self.deliver(MemoryMessage((TEXT,)))
        names = {path.name for path in (self.folder / "new").iterdir()}
        self.assertEqual(len(names), 3)
        for name in names:
            self.assertTrue(name.startswith("1.M500000P"), name)
            self.assertTrue(name.endswith(".a\\057b\\072c"), name)

    def test_folders_are_synced(self):
        """
        A folder that is made is synced in the one above it, before anything is in it.
        """
        self.successResultOf(self.delivery.probe())
        synced = [path for step, path in self.journal.steps if step == "sync_directory"]
        self.assertEqual(synced[-4:], [self.folder.parent, *[self.folder] * 3])

    def test_folder_removed(self):
        """
        A Maildir that is removed while we run is made anew for the second message.
        """
        self.deliver(MemoryMessage((TEXT,)))
        shutil.rmtree(self.folder)
        self.assertEqual(self.deliver(MemoryMessage((TEXT,)))[0].code, 451)
        self.assertEqual(self.deliver(MemoryMessage((TEXT,)))[0].code, 250)

    def test_probe_fails(self):
        """
        A Maildir that cannot be made is told to the log, and is a failure.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.write_bytes(b"a file")
        self.successResultOf(self.delivery.probe())
        self.assertEqual(self.delivery.failures, 1)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.deliver(MemoryMessage((TEXT,)))[0].code, 451)
