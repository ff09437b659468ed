"""
Tests of L{mailgate.store.notes}.
"""

import os
import shutil
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.interfaces import INotes
from mailgate.store.notes import PLACES, Notes, read_notes


def digest(text):
    """
    Give what is noted of a message.
    """
    return sha256(text.encode()).digest()


class NotesTests(SynchronousTestCase):
    """
    Tests of L{Notes}.
    """

    def setUp(self):
        """
        Make a folder.
        """
        folder = Path(mkdtemp(prefix="mailgate-"))
        self.addCleanup(shutil.rmtree, folder)
        self.path = folder / "notes"

    def test_reading(self):
        """
        Another one reads what was noted and not taken back.
        """
        notes = Notes(self.path)
        self.assertTrue(verifyObject(INotes, notes))
        self.assertEqual(read_notes(self.path), frozenset())
        first, second = notes.add(digest("1")), notes.add(digest("2"))
        self.assertEqual(read_notes(self.path), {digest("1"), digest("2")})
        notes.remove(first)
        self.assertEqual(read_notes(self.path), {digest("2")})
        notes.add(digest("2"))
        notes.remove(second)
        self.assertEqual(read_notes(self.path), {digest("2")})

    def test_death(self):
        """
        A note is there when the process that has made it was killed in the next moment.
        """
        pid = os.fork()
        if pid == 0:
            Notes(self.path).add(digest("deadly"))
            os.kill(os.getpid(), 9)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -9)
        self.assertEqual(read_notes(self.path), {digest("deadly")})

    def test_new(self):
        """
        A new file of notes has none of those before, and is for nobody else to read.
        """
        old = Notes(self.path)
        old.add(digest("old"))
        old.close()
        Notes(self.path)
        self.assertEqual(read_notes(self.path), frozenset())
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_left(self):
        """
        A note that was left stays until its place is the last that is free.
        """
        notes = Notes(self.path)
        left, done = notes.add(digest("left")), notes.add(digest("done"))
        notes.leave(left)
        notes.remove(done)
        for number in range(PLACES - 1):
            notes.add(digest(str(number)))
        self.assertIn(digest("left"), read_notes(self.path))
        self.assertEqual(notes.add(digest("last")), left)
        self.assertNotIn(digest("left"), read_notes(self.path))

    def test_full(self):
        """
        Where all places are taken nothing is noted, until one is free.
        """
        notes = Notes(self.path)
        places = [notes.add(digest(str(number))) for number in range(PLACES)]
        self.assertEqual(len(read_notes(self.path)), PLACES)
        self.assertIs(notes.add(digest("more")), None)
        notes.remove(places[7])
        self.assertEqual(notes.add(digest("more")), places[7])

    def test_unreadable(self):
        """
        Of a file that has lost its end, what is whole is read; one that is not there is told.
        """
        self.path.write_bytes(digest("1") + digest("2")[:-1])
        self.assertEqual(read_notes(self.path), {digest("1")})
        self.assertRaises(FileNotFoundError, read_notes, self.path.with_name("none"))
