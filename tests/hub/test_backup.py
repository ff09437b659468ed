"""
Tests of L{mailgate.hub.backup}.
"""

import errno
import sqlite3
from stat import S_IMODE

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.queue import Queue
from mailgate.hub.backup import FOLDER
from mailgate.hub.commands import CommandError, Commands
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.storage import ENVELOPE, TEXT, hold, make_storage, message


class NoLinks(Files):
    """
    A file system without second names.
    """

    def link(self, source, target):
        """
        Refuse.
        """
        raise OSError(errno.EXDEV, "another file system")


class Waiting(ImmediateThreads):
    """
    Threads that do the next work when they are told to.
    """

    def __init__(self):
        self.waits = False
        self.waiting = []

    def run(self, function, *args):
        """
        Do the work, or wait.
        """
        if not self.waits:
            return super().run(function, *args)
        done = Deferred()
        self.waiting.append(lambda: super(Waiting, self).run(function, *args).chainDeferred(done))
        return done


class PutAsideTests(SynchronousTestCase):
    """
    Tests of what a backup is made of, by way of the commands.
    """

    def setUp(self):
        """
        Make a storage with a held message.
        """
        self.make()

    def make(self, **more):
        """
        Make a storage with a held message.
        """
        self.storage = make_storage(self, **more)
        self.quarantine = self.storage.quarantine(lambda: None)
        self.commands = Commands(
            self.storage, self.quarantine, Queue(self.storage.messages, self.storage.now)
        )
        self.held = self.hold()

    def hold(self):
        """
        Hold a message.
        """
        (identity,) = self.successResultOf(
            self.quarantine.hold(ENVELOPE, message(), [hold()], False)
        )
        return identity

    def run_command(self, command, /, **arguments):
        """
        Carry out a command.
        """
        return self.successResultOf(self.commands.run(command, arguments))

    def test_begin(self):
        """
        Database, messages and what was learned lie in a folder of the spool, for the owner alone.
        """
        begun = self.run_command("backup.begin")
        self.assertEqual((begun["missing"], begun["problems"]), ([], []))
        folder = self.storage.spool / begun["name"]
        self.assertEqual(S_IMODE(folder.stat().st_mode), 0o700)
        (stored,) = begun["messages"]
        self.assertEqual({p.name for p in folder.iterdir()}, {"state.db", "tokens", stored})
        self.assertEqual((folder / stored).read_bytes(), TEXT)
        self.assertEqual(S_IMODE((folder / "state.db").stat().st_mode), 0o600)
        with sqlite3.connect(folder / "state.db") as copy:
            self.assertEqual(copy.execute("SELECT id FROM held").fetchall(), [(self.held,)])
        copy.close()

    def test_end(self):
        """
        At the end it is gone, and nothing else can be removed so.
        """
        begun = self.run_command("backup.begin")
        self.run_command("backup.end", name=begun["name"])
        self.assertEqual(list(self.storage.spool.iterdir()), [])
        for name in ("..", f"{FOLDER}/../..", "state.db", ""):
            failing = self.commands.run("backup.end", {"name": name})
            self.failureResultOf(failing, CommandError)
        self.failureResultOf(self.commands.run("backup.end", {"name": begun["name"]}), CommandError)

    def test_later(self):
        """
        What happens afterwards changes nothing of it: not even what is deleted.
        """
        begun = self.run_command("backup.begin")
        self.assertTrue(self.successResultOf(self.quarantine.delete(self.held, "ada")))
        self.hold()
        folder = self.storage.spool / begun["name"]
        (stored,) = begun["messages"]
        self.assertFalse(self.storage.blobs.path(stored).exists())
        self.assertEqual((folder / stored).read_bytes(), TEXT)

    def test_meanwhile(self):
        """
        A message that is deleted between the copy of its row and its second name is still there
        for that, and goes afterwards.
        """
        threads = self.storage.threads = Waiting()
        threads.waits = True
        beginning = self.commands.run("backup.begin", {})
        self.assertEqual(len(threads.waiting), 1)
        threads.waiting.pop(0)()  # the folder is made
        # The row is copied; the second name waits.
        self.successResultOf(self.quarantine.delete(self.held, "ada"))
        paths = [p for p in (self.storage.settings.data / "blobs").rglob("*") if p.is_file()]
        self.assertEqual(len(paths), 1)
        threads.waits = False
        while threads.waiting:
            threads.waiting.pop(0)()
        begun = self.successResultOf(beginning)
        (stored,) = begun["messages"]
        self.assertEqual((self.storage.spool / begun["name"] / stored).read_bytes(), TEXT)
        self.assertEqual(paths[0].exists(), False)

    def test_no_links(self):
        """
        Where a file cannot have two names it is copied.
        """
        self.make(files=NoLinks())
        begun = self.run_command("backup.begin")
        (stored,) = begun["messages"]
        self.assertEqual((self.storage.spool / begun["name"] / stored).read_bytes(), TEXT)

    def test_missing(self):
        """
        A message whose file is gone is named, and the others are there.
        """
        (gone,) = self.run_command("backup.begin")["messages"]
        self.storage.blobs.path(gone).unlink()
        self.hold()
        begun = self.run_command("backup.begin")
        self.assertEqual(begun["missing"], [gone])
        self.assertEqual(len(begun["messages"]), 1)

    def test_unusable(self):
        """
        What was learned is left out where it cannot be read, and it is said.
        """
        self.storage.classifier.mkdir()
        (self.storage.classifier / "tokens").write_bytes(b"rubbish")
        begun = self.run_command("backup.begin")
        (problem,) = begun["problems"]
        self.assertRegex(problem, "what was learned cannot be read.*left out")
        self.assertFalse((self.storage.spool / begun["name"] / "tokens").exists())

    def test_failure(self):
        """
        Where it is not possible nothing is left of it.
        """

        def refuse(path):
            raise OSError(errno.ENOSPC, "no space")

        self.storage.files.create = refuse
        self.failureResultOf(self.commands.run("backup.begin", {}), CommandError)
        self.assertEqual(list(self.storage.spool.iterdir()), [])

    def test_swept(self):
        """
        What a crash has left of one is gone after the next start.
        """
        self.run_command("backup.begin")
        self.successResultOf(self.storage.sweep())
        self.assertEqual(list(self.storage.spool.iterdir()), [])
