"""
Tests of L{mailgate.hub.poison}.
"""

from hashlib import sha256

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.poison import MOST, Poison
from mailgate.store.notes import Notes
from mailgate.store.threads import ImmediateThreads
from tests.pipeline.events import events
from tests.storage import temporary_folder


class LaterThreads(ImmediateThreads):
    """
    Does the work when it is told to.
    """

    def __init__(self):
        self.asked = []

    def run(self, function, *arguments):
        """
        Put the work off.
        """
        done = Deferred()
        run = super().run
        self.asked.append(lambda: run(function, *arguments).chainDeferred(done))
        return done

    def work(self):
        """
        Do it.
        """
        while self.asked:
            self.asked.pop(0)()


class PoisonTests(SynchronousTestCase):
    """
    Tests of L{Poison}.
    """

    def setUp(self):
        """
        Make one.
        """
        self.folder, self.threads = temporary_folder(self), LaterThreads()
        self.told = []
        self.poison = Poison(self.folder, self.threads)
        self.poison.changed = self.told.append

    def note(self, *words):
        """
        Make the notes of a worker that is at some messages.
        """
        path = self.poison.notes()
        notes = Notes(path)
        digests = [sha256(word).digest() for word in words]
        for digest in digests:
            notes.add(digest)
        notes.close()
        return path, set(digests)

    def test_died(self):
        """
        What a worker was at is read, and its notes are removed, in a thread; then all are told.
        """
        path, digests = self.note(b"one", b"two")
        self.assertNotEqual(path, self.poison.notes())
        reading = self.poison.died(path)
        self.assertTrue(path.exists())
        self.assertEqual((self.told, self.poison.known), ([], ()))
        with events() as told:
            self.threads.work()
        self.assertIsNone(self.successResultOf(reading))
        self.assertEqual(
            [(each["event"], each["number"]) for each in told], [("worker.suspects", 2)]
        )
        self.assertFalse(path.exists())
        self.assertEqual([set(each) for each in self.told], [digests])
        other, _ = self.note(b"three")
        self.poison.died(other)
        self.threads.work()
        self.assertEqual(len(self.told[-1]), 3)

    def test_nothing(self):
        """
        Of one that was at nothing there is nothing to tell.
        """
        path, _ = self.note()
        self.poison.died(path)
        self.threads.work()
        self.assertEqual((self.told, list(self.folder.iterdir())), ([], []))

    def test_not_read(self):
        """
        Notes that cannot be read are an event.
        """
        with events() as told:
            reading = self.poison.died(self.folder / "none")
            self.threads.work()
        self.assertIsNone(self.successResultOf(reading))
        self.assertEqual([each["event"] for each in told], ["worker.notes_not_read"])

    def test_gone(self):
        """
        Of a worker that has ended as it was told to nothing stays, and nobody learns.
        """
        path, _ = self.note(b"one")
        self.poison.gone(path)
        self.assertTrue(path.exists())
        self.threads.work()
        self.assertEqual((self.told, list(self.folder.iterdir())), ([], []))

    def test_most(self):
        """
        Only so many are remembered, the newest.
        """
        for number in range(MOST // 500 + 1):
            path, digests = self.note(*(b"%d %d" % (number, each) for each in range(500)))
            self.poison.died(path)
            self.threads.work()
        self.assertEqual(len(self.poison.known), MOST)
        self.assertLessEqual(digests, set(self.poison.known))
