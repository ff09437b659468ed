"""
Tests of L{mailgate.hub.fuzzy}, and of the way from a lesson to a finding.
"""

import errno

from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.fuzzy import FuzzyCheck
from mailgate.classify.alike import alike_file_of, load_index
from mailgate.classify.classifier import Classifier, Reader
from mailgate.delivery.queue import Queue
from mailgate.hub.commands import Commands
from mailgate.hub.storage import Storage
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.checks.given import settings, view_of_message
from tests.classify.given import message, prose
from tests.pipeline.events import events
from tests.storage import ENVELOPE, hold, make_settings, make_storage, temporary_folder
from tests.storage import message as in_memory


def letter(number, name="ada"):
    """
    Give one of many that differ in a name and a number only.
    """
    return message(
        "From: Eve <eve@example.org>",
        f"Subject: Offer {number}",
        f"Message-ID: <{number}@example.org>",
        body=f"Dear {name}, your number is {number * 7919}. {prose(1)}",
    )


class FullFiles(Files):
    """
    A disk that is full while it is told so.
    """

    is_full = False

    def write(self, file, data):
        """
        Write, or fail.
        """
        if self.is_full:
            raise OSError(errno.ENOSPC, "full")
        super().write(file, data)


class LessonTests(SynchronousTestCase):
    """
    Tests of what is found after lessons.
    """

    def setUp(self):
        """
        Make a hub's storage, and a worker's classifier.
        """
        self.files = FullFiles()
        self.storage = make_storage(self, files=self.files)
        self.quarantine = self.storage.quarantine(lambda: None)
        self.commands = Commands(
            self.storage, self.quarantine, Queue(self.storage.messages, self.storage.now)
        )
        self.path = alike_file_of(self.storage.classifier)
        self.classifier = Classifier()
        self.reader = Reader(self.classifier, self.storage.classifier, Files(), ImmediateThreads())

    def hold(self, data):
        """
        Hold a message; give its id.
        """
        (identity,) = self.successResultOf(
            self.quarantine.hold(ENVELOPE, in_memory(data), (hold(),), False)
        )
        return identity

    def run_command(self, command, **arguments):
        """
        Carry a command out.
        """
        return self.successResultOf(self.commands.run(command, arguments))

    def write(self):
        """
        Write what was learned, as the hub does every minute.
        """
        return self.successResultOf(self.storage.fuzzy_file.write())

    def found(self, data):
        """
        Tell what a worker finds of a message.
        """
        self.successResultOf(self.reader.refresh())
        check = FuzzyCheck.from_settings(settings(), self.classifier, None)
        return [(each.symbol, each.detail) for each in check.check(view_of_message(data))]

    def test_flow(self):
        """
        What was deleted as spam is known again with another name and number in it; once it was
        released too, nothing is found any more.
        """
        self.assertEqual(self.found(letter(9, "bob")), [])
        for number in (1, 2):
            self.run_command("quarantine.delete", id=self.hold(letter(number)), by="ada", spam=True)
        self.assertTrue(self.write())
        words = "Nearly the same text was marked as spam here 2 times, last on 2027-01-15."
        self.assertEqual(self.found(letter(9, "bob")), [("FUZZY_TEXT", words)])
        self.assertEqual(self.found(message("Subject: Offer 1", body=prose(2))), [])
        self.run_command("quarantine.release", id=self.hold(letter(3)), by="ada")
        self.assertTrue(self.write())
        self.assertEqual(self.found(letter(9, "bob")), [])

    def test_corrected(self):
        """
        A message that was taught as the wrong kind counts as the right one only.
        """
        self.successResultOf(self.storage.learning.learn(letter(1), True, "ada"))
        self.write()
        self.assertEqual(len(self.found(letter(9))), 1)
        self.successResultOf(self.storage.learning.learn(letter(1), False, "ada"))
        self.write()
        self.assertEqual(self.found(letter(9)), [])

    def test_unlearned(self):
        """
        A message that is unlearned counts no more.
        """
        self.successResultOf(self.storage.learning.learn(letter(1), True, "ada"))
        self.write()
        learner = self.successResultOf(self.storage.learning.open())
        self.successResultOf(learner.unlearn(letter(1), "ada"))
        self.assertTrue(self.write())
        self.assertEqual(self.found(letter(9)), [])

    def test_limited(self):
        """
        Who has taught enough today teaches nothing here either.
        """
        self.storage.learning.teachers.most = 1
        for number in (1, 2):
            self.successResultOf(self.storage.learning.learn(letter(number), True, "ada"))
        self.write()
        self.assertEqual(self.found(letter(9))[0][1].count("here once"), 1)

    def test_unchanged(self):
        """
        As long as nothing is learned nothing is written.
        """
        self.assertFalse(self.write())
        self.assertFalse(self.path.exists())
        self.successResultOf(self.storage.learning.learn(letter(1), True, "ada"))
        self.assertTrue(self.write())
        self.assertFalse(self.write())

    def test_closed(self):
        """
        A command that learns without a hub writes at its end; at its start the hub writes what is
        not there.
        """
        data, threads = temporary_folder(self), ImmediateThreads()
        storage = Storage(make_settings(data), threads, threads, Files(), company=0)
        self.successResultOf(storage.open())
        self.successResultOf(storage.learning.learn(letter(1), True, "ada"))
        self.successResultOf(storage.close())
        path = alike_file_of(storage.classifier)
        self.assertEqual(len(load_index(path, Files()).texts), 1)
        path.unlink()
        self.successResultOf(make_storage(self, data).fuzzy_file.write_at_start())
        self.assertEqual(len(load_index(path, Files()).texts), 1)

    def test_full(self):
        """
        On a full disk what was written before counts; it is written as soon as there is room.
        """
        self.successResultOf(self.storage.learning.learn(letter(1), True, "ada"))
        self.write()
        self.successResultOf(self.storage.learning.learn(letter(2), True, "ada"))
        self.files.is_full = True
        self.failureResultOf(self.storage.fuzzy_file.write(), OSError)
        self.assertIn("here once", self.found(letter(9))[0][1])
        self.files.is_full = False
        self.assertTrue(self.write())
        self.assertIn("2 times", self.found(letter(9))[0][1])

    def test_full_at_start(self):
        """
        At the start that is told, and keeps no mail out.
        """
        self.files.is_full = True
        with events() as seen:
            self.successResultOf(self.storage.fuzzy_file.write_at_start())
        self.assertEqual([each["event"] for each in seen], ["fuzzy.not_written"])
        self.files.is_full = False

    def test_damaged(self):
        """
        A file that is damaged is told once, and what was known before counts.
        """
        self.successResultOf(self.storage.learning.learn(letter(1), True, "ada"))
        self.write()
        self.assertEqual(len(self.found(letter(9))), 1)
        other = self.path.with_suffix(".other")
        other.write_bytes(b"nonsense")
        other.rename(self.path)
        with events() as seen:
            self.assertEqual(len(self.found(letter(9))), 1)
            self.assertEqual(len(self.found(letter(9))), 1)
        self.assertEqual([each["event"] for each in seen], ["classifier.unusable"])
