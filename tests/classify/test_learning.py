"""
Tests of L{mailgate.classify.learning}.
"""

import random

from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.classify.evidence import lore_of
from mailgate.classify.learning import Learner
from mailgate.classify.lessons import Result
from mailgate.classify.store import Unusable, encode, file_of, load
from mailgate.interfaces import ILearner, SandboxDied, SandboxUnavailable
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.classify.given import letter
from tests.pipeline.events import events
from tests.recording import Journal, RecordingFiles
from tests.storage import temporary_folder

NOW = 1_800_000_000.0


class Crash(BaseException):
    """
    The process is gone.
    """


class CrashingFiles(RecordingFiles):
    """
    Real files, until a number of steps were done; the next one does not happen any more.
    """

    def __init__(self, steps):
        super().__init__(Journal())
        self.left = steps
        self.error = Crash

    def _step(self, name, *args):
        if self.left == 0:
            raise self.error
        self.left -= 1
        return getattr(super(), name)(*args)

    def create(self, path):
        """
        Create a file.
        """
        return self._step("create", path)

    def write(self, file, data):
        """
        Append to a file, at a crash only a part.
        """
        if self.left == 0:
            super().write(file, data[: len(data) // 2])
        self._step("write", file, data)

    def sync(self, file):
        """
        Fsync a file.
        """
        self._step("sync", file)

    def rename(self, source, target):
        """
        Move a file.
        """
        self._step("rename", source, target)

    def sync_directory(self, path):
        """
        Fsync a directory.
        """
        self._step("sync_directory", path)

    def remove(self, path):
        """
        Remove a file.
        """
        self._step("remove", path)


class LearnerTests(SynchronousTestCase):
    """
    Tests of learning.
    """

    def setUp(self):
        """
        Make a folder.
        """
        self.folder = temporary_folder(self) / "classifier"

    def learner(self, files=None, **options):
        """
        Open a learner.
        """
        learner = Learner(self.folder, files or Files(), ImmediateThreads(), lambda: NOW, **options)
        self.successResultOf(learner.open())
        return learner

    def teach(self, learner, numbers, is_spam=True):
        """
        Teach letters of one kind.
        """
        messages = [letter(is_spam, number) for number in numbers]
        return self.successResultOf(learner.learn_many(messages, is_spam, "ada"))

    def content(self, learner):
        """
        Give all that a learner knows, as it is written.
        """
        self.successResultOf(learner.merge())
        return encode(load(file_of(self.folder), Files()))

    def counts(self):
        """
        Give keys and counts of the file.
        """
        learned = load(file_of(self.folder), Files())
        return (
            learned.spam,
            learned.ham,
            learned.keys.tolist(),
            learned.spam_counts.tolist(),
            learned.ham_counts.tolist(),
            learned.identities.tolist(),
        )

    def test_interface(self):
        """
        It is a learner.
        """
        verifyObject(ILearner, self.learner())

    def test_learned(self):
        """
        What is learned is in the status at once and in the file after merging.
        """
        learner = self.learner()
        self.assertEqual(
            self.successResultOf(learner.learn(letter(True, 1), True, "ada")), Result.LEARNED
        )
        self.assertEqual(self.successResultOf(learner.status()).spam, 1)
        self.assertFalse(file_of(self.folder).exists())
        self.assertTrue(self.successResultOf(learner.merge()))
        self.assertFalse(self.successResultOf(learner.merge()))
        learned = load(file_of(self.folder), Files())
        self.assertEqual((learned.spam, learned.ham), (1, 0))
        self.assertEqual(set(learned.spam_counts.tolist()), {1})
        self.assertEqual([path.name for path in self.folder.iterdir()], ["tokens"])

    def test_from_a_file(self):
        """
        A message can be given by the file that holds it.
        """
        learner = self.learner()
        path = self.folder / "letter"
        path.write_bytes(letter(True, 1))
        self.assertEqual(self.successResultOf(learner.learn(path, True, "ada")), Result.LEARNED)
        self.assertEqual(self.teach(learner, [1]), [Result.KNOWN])

    def test_twice(self):
        """
        A message teaches once, in one call, in the next and after a restart.
        """
        learner = self.learner()
        self.assertEqual(self.teach(learner, [1, 1]), [Result.LEARNED, Result.KNOWN])
        self.successResultOf(learner.close())
        learner = self.learner()
        before = self.content(learner)
        self.assertEqual(self.teach(learner, [1]), [Result.KNOWN])
        self.assertEqual(self.content(learner), before)

    def test_unreadable(self):
        """
        A message that kills whoever reads it teaches nothing, and those beside it do all the same;
        where nobody can read at all, nothing was learned.
        """
        errors = {letter(True, 2): SandboxDied("it was killed by SIGSEGV")}

        def read(data):
            return fail(errors[data]) if data in errors else succeed(lore_of(data))

        learner = self.learner(read=read)
        with events() as told:
            results = self.teach(learner, [1, 2, 3])
        self.assertEqual(results, [Result.LEARNED, Result.UNREADABLE, Result.LEARNED])
        self.assertEqual(told[0]["event"], "classifier.unreadable")
        self.assertEqual(told[1]["number"], 2)
        before = self.content(learner)
        errors[letter(True, 5)] = SandboxUnavailable("no process was free in time")
        learning = learner.learn_many([letter(True, 4), letter(True, 5)], True, "ada")
        self.failureResultOf(learning, SandboxUnavailable)
        self.assertEqual(self.content(learner), before)

    def test_remembered(self):
        """
        Of all that is taught the marks are told, also of what was known already; of what is
        forgotten it is told too, and of what nobody can read nothing is.
        """
        remembered = []

        def read(data):
            died = data == letter(True, 2)
            return fail(SandboxDied("it was killed")) if died else succeed(lore_of(data))

        def remember(marks, is_spam):
            remembered.append((marks, is_spam))
            return succeed(None)

        learner = self.learner(read=read, remember=remember)
        lores = [lore_of(letter(True, number)) for number in (1, 3)]
        marks = {lore.identity: lore.marks for lore in lores}
        for _ in range(2):
            self.teach(learner, [1, 2, 3])
        self.successResultOf(learner.unlearn(letter(True, 1), "ada"))
        first = {lores[0].identity: lores[0].marks}
        self.assertEqual(remembered, [(marks, True), (marks, True), (first, None)])

    def test_not_remembered(self):
        """
        Where the marks cannot be kept the lesson fails, and it is made up by teaching it again.
        """
        answers = [fail(OSError("full")), succeed(None)]
        learner = self.learner(remember=lambda marks, is_spam: answers.pop(0))
        self.failureResultOf(learner.learn(letter(True, 1), True, "ada"), OSError)
        self.assertEqual(self.teach(learner, [1]), [Result.KNOWN])
        self.assertEqual(answers, [])

    def test_unlearn_is_exact(self):
        """
        After un-learning, the counts are what they were before, over any restart.
        """
        learner = self.learner()
        self.teach(learner, range(10))
        self.teach(learner, range(10), is_spam=False)
        self.successResultOf(learner.merge())
        before = self.counts()
        dice = random.Random(1)
        for turn in range(3):
            more = [(is_spam, number) for is_spam in (True, False) for number in range(20, 26)]
            for is_spam, number in dice.sample(more, len(more)):
                self.teach(learner, [number], is_spam)
            if turn:
                self.successResultOf(learner.close())
                learner = self.learner()
            for is_spam, number in dice.sample(more, len(more)):
                forgotten = learner.unlearn(letter(is_spam, number), "ada")
                self.assertEqual(self.successResultOf(forgotten), Result.FORGOTTEN)
            self.successResultOf(learner.merge())
            self.assertEqual(self.counts(), before)
        unknown = learner.unlearn(letter(True, 99), "ada")
        self.assertEqual(self.successResultOf(unknown), Result.UNKNOWN)

    def test_correct_is_exact(self):
        """
        What is learned as one class and then as the other counts as if it were learned right.
        """
        learner = self.learner()
        self.teach(learner, range(10))
        mistaken = learner.learn(letter(False, 3), True, "ada")
        self.assertEqual(self.successResultOf(mistaken), Result.LEARNED)
        right = learner.learn(letter(False, 3), False, "ada")
        self.assertEqual(self.successResultOf(right), Result.CORRECTED)
        self.successResultOf(learner.merge())
        corrected = self.counts()
        self.folder = temporary_folder(self) / "other"
        learner = self.learner()
        self.teach(learner, range(10))
        self.teach(learner, [3], is_spam=False)
        self.successResultOf(learner.merge())
        self.assertEqual(corrected, self.counts())

    def test_order_of_steps(self):
        """
        A lesson is synced before it is told to be learned; a file is synced before it takes its
        name, and its folder before the log goes.
        """
        journal = Journal()
        learner = self.learner(RecordingFiles(journal))
        journal.clear()
        self.teach(learner, [1])
        self.assertEqual(journal.names(), ["create", "sync_directory", "write", "sync"])
        journal.clear()
        self.teach(learner, [2])
        self.assertEqual(journal.names(), ["write", "sync"])
        journal.clear()
        self.successResultOf(learner.merge())
        steps = [(step, path and path.name) for step, path in journal.steps]
        self.assertEqual(
            steps[1:],
            [
                ("create", "tokens.new"),
                ("write", "tokens.new"),
                ("sync", "tokens.new"),
                ("rename", "tokens"),
                ("sync_directory", "classifier"),
                ("open", "tokens"),
                ("remove", "lessons-1"),
            ],
        )

    def test_crash_anywhere(self):
        """
        Wherever the process goes, all that was told to be learned is there at the next start,
        once.
        """
        crashes = 0
        for steps in range(1, 60):
            self.folder = temporary_folder(self) / "classifier"
            told = self.run_until(CrashingFiles(steps))
            crashes += len(told) < 6
            learner = self.learner()
            again = [
                self.successResultOf(learner.learn(letter(True, number), True, "ada"))
                for number in told
            ]
            self.assertEqual(again, [Result.KNOWN] * len(told), steps)
            status = self.successResultOf(learner.status())
            self.assertIn(status.spam, (len(told), len(told) + 1), steps)
            self.successResultOf(learner.merge())
            learned = load(file_of(self.folder), Files()) if status.spam else None
            if learned is not None:
                self.assertEqual(learned.spam_counts.max(), status.spam, steps)
                self.assertEqual(len(learned.identities), status.spam)
        self.assertGreater(crashes, 20)
        self.assertLess(crashes, 59)

    def run_until(self, files):
        """
        Learn and merge until a crash.

        @return: the numbers of the letters that were told to be learned.
        """
        told = []
        try:
            learner = Learner(self.folder, files, ImmediateThreads(), lambda: NOW)
            self.result_of(learner.open())
            for number in range(6):
                self.result_of(learner.learn(letter(True, number), True, "ada"))
                told.append(number)
                if number in (2, 3, 5):
                    self.result_of(learner.merge())
        except Crash:
            pass
        return told

    def result_of(self, done):
        """
        Give the result, or raise what it failed with, a crash too.
        """
        results = []
        done.addBoth(results.append)
        if isinstance(getattr(results[0], "value", None), BaseException):
            raise results[0].value
        return results[0]

    def test_disk_full(self):
        """
        Whatever step of the disk fails, the lesson that was told to have failed can be taught
        again, and nothing that was learned before or after is lost.
        """
        for steps in range(1, 25):
            self.folder = temporary_folder(self) / "classifier"
            files = CrashingFiles(steps)
            files.error = OSError(28, "No space left on device")
            learner = Learner(self.folder, files, ImmediateThreads(), lambda: NOW)
            try:
                self.result_of(learner.open())
            except OSError:
                continue
            learned = set()
            for number in range(3):
                try:
                    self.result_of(learner.learn(letter(True, number), True, "ada"))
                    learned.add(number)
                    self.result_of(learner.merge())
                except OSError:
                    files.left = -1
            again = self.learner()
            status = self.successResultOf(again.status())
            self.assertGreaterEqual(status.spam, len(learned), steps)
            known = [self.teach(again, [number])[0] for number in sorted(learned)]
            self.assertEqual(set(known) - {Result.KNOWN}, set(), steps)

    def test_damaged(self):
        """
        A damaged file is told by its name, and never overwritten.
        """
        learner = self.learner()
        self.teach(learner, [1])
        self.successResultOf(learner.close())
        path = file_of(self.folder)
        path.write_bytes(path.read_bytes()[:-1])
        before = path.read_bytes()
        learner = Learner(self.folder, Files(), ImmediateThreads(), lambda: NOW)
        failure = self.failureResultOf(learner.open(), Unusable)
        self.assertIn(str(path), failure.getErrorMessage())
        self.assertEqual(path.read_bytes(), before)

    def test_export_and_import(self):
        """
        What is exported here and imported there is the same there, lessons of the moment too.
        """
        learner = self.learner()
        self.teach(learner, range(10))
        self.teach(learner, range(20), is_spam=False)
        exported = self.folder.parent / "exported"
        status = self.successResultOf(learner.export(exported))
        self.assertEqual((status.spam, status.ham), (10, 20))
        here = self.counts()
        self.failureResultOf(learner.export(exported), FileExistsError)
        self.folder = temporary_folder(self) / "there"
        other = self.learner()
        status = self.successResultOf(other.import_(exported))
        self.assertEqual((status.spam, status.ham), (10, 20))
        self.assertEqual(self.counts(), here)
        self.assertEqual(self.teach(other, [3]), [Result.KNOWN])

    def test_import_replaces(self):
        """
        An import replaces what was learned, if that is wished, and only then; lessons from
        before it do not come back.
        """
        learner = self.learner()
        self.teach(learner, range(3))
        exported = self.folder.parent / "exported"
        self.successResultOf(learner.export(exported))
        here = self.counts()
        self.teach(learner, range(10, 15))
        self.failureResultOf(learner.import_(exported), ValueError)
        self.assertEqual(self.successResultOf(learner.status()).spam, 8)
        self.successResultOf(learner.import_(exported, replace=True))
        learner = self.learner()
        self.assertEqual(self.successResultOf(learner.status()).spam, 3)
        self.assertEqual(self.counts(), here)

    def test_import_of_rubbish(self):
        """
        What is no export is refused, and what was learned stays.
        """
        learner = self.learner()
        self.teach(learner, [1])
        rubbish = self.folder.parent / "rubbish"
        rubbish.write_bytes(b"")
        self.failureResultOf(learner.import_(rubbish, replace=True), Unusable)
        self.assertEqual(self.successResultOf(learner.status()).spam, 1)

    def test_limit(self):
        """
        There are never more keys than the limit.
        """
        learner = self.learner(keys_limit=100)
        self.teach(learner, range(20))
        self.successResultOf(learner.merge())
        self.assertLessEqual(self.successResultOf(learner.status()).keys, 100)
