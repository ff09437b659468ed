"""
Tests of L{mailgate.hub.learning}.
"""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.learning import Learner
from mailgate.classify.lessons import Result
from mailgate.classify.store import Unusable, file_of
from mailgate.classify.teachers import Teachers
from mailgate.hub.learning import Learning
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.pipeline.events import events
from tests.storage import NOW, TEXT, temporary_folder


class LearningTests(SynchronousTestCase):
    """
    Tests of L{Learning}.
    """

    def setUp(self):
        """
        Make one in a folder that is not there yet.
        """
        self.folder = temporary_folder(self) / "classifier"
        self.learning = self.make()

    def make(self):
        """
        Make one, as another process would.
        """
        learner = Learner(self.folder, Files(), ImmediateThreads(), lambda: NOW)
        return Learning(learner, Teachers(3, lambda: NOW))

    def status(self, learning):
        """
        Tell how much was learned, of spam and of ham.
        """
        status = self.successResultOf(self.successResultOf(learning.open()).status())
        return status.spam, status.ham

    def test_unused(self):
        """
        As long as nobody learns nothing is opened, written or made.
        """
        self.assertFalse(self.successResultOf(self.learning.merge()))
        self.successResultOf(self.learning.close())
        self.assertFalse(self.folder.exists())

    def test_learn(self):
        """
        It opens itself for the first lesson; what was learned is there after it was closed.
        """
        self.successResultOf(self.learning.learn(TEXT, True, "ada"))
        self.assertTrue(self.successResultOf(self.learning.merge()))
        self.successResultOf(self.learning.learn(TEXT + b"more", False, "ada"))
        self.assertEqual(self.status(self.learning), (1, 1))
        self.successResultOf(self.learning.close())
        self.assertEqual(self.status(self.make()), (1, 1))

    def test_opened_once(self):
        """
        Two that want it at the same time get the same learner, which is opened once.
        """
        opened = []
        waits = [Deferred()]

        class Slow:
            def open(self):
                opened.append(self)
                return waits[0]

        learning = Learning(Slow(), Teachers(3, lambda: NOW))
        first, second = learning.open(), learning.open()
        self.assertNoResult(first)
        waits[0].callback(None)
        self.assertIs(self.successResultOf(first), self.successResultOf(second))
        self.assertEqual(len(opened), 1)

    def test_damaged(self):
        """
        A file that cannot be read is told at the start, and stays as it is whatever comes; once
        it is mended, learning goes on.
        """
        self.folder.mkdir()
        path = file_of(self.folder)
        path.write_bytes(b"nonsense")
        with events() as told:
            self.successResultOf(self.learning.open_at_start())
        self.assertEqual([event["event"] for event in told], ["classifier.not_opened"])
        self.failureResultOf(self.learning.learn(TEXT, True, "ada"), Unusable)
        self.assertFalse(self.successResultOf(self.learning.merge()))
        self.successResultOf(self.learning.close())
        self.assertEqual(path.read_bytes(), b"nonsense")
        path.unlink()
        self.successResultOf(self.learning.learn(TEXT, True, "ada"))
        self.assertEqual(self.status(self.learning), (1, 0))

    def test_poisoner(self):
        """
        However many messages one account teaches in a day, no more than the limit count, which is
        told; others teach as before.
        """
        with events() as told:
            results = [self.learn(b"lie%d" % number, False, "eve") for number in range(20)]
        self.assertEqual(results, [Result.LEARNED] * 3 + [Result.LIMITED] * 17)
        limited = [event for event in told if event["event"] == "classifier.limited"]
        self.assertEqual([event["by"] for event in limited], ["eve"] * 17)
        self.assertEqual(self.status(self.learning), (0, 3))
        self.assertEqual(self.learn(b"true", True, "ada"), Result.LEARNED)
        self.assertEqual(self.status(self.learning), (1, 3))

    def test_poisoner_forgets_nothing(self):
        """
        Nor can an account take back more than that of what others have taught.
        """
        for teacher in ("ada", "bob"):
            for number in range(3):
                self.learn(b"%s%d" % (teacher.encode(), number), True, teacher)
        for teacher in ("ada", "bob"):
            for number in range(3):
                self.learn(b"%s%d" % (teacher.encode(), number), False, "eve")
        self.assertEqual(self.status(self.learning), (3, 3))

    def test_repeated(self):
        """
        What teaches nothing, as the same message again, uses up no lesson.
        """
        for _ in range(10):
            self.learn(b"once", True, "ada")
        self.assertEqual(self.learn(b"another", True, "ada"), Result.LEARNED)

    def test_failed(self):
        """
        A lesson that failed uses none up either.
        """
        self.folder.mkdir()
        path = file_of(self.folder)
        path.write_bytes(b"nonsense")
        for _ in range(5):
            self.failureResultOf(self.learning.learn(TEXT, True, "ada"), Unusable)
        path.unlink()
        self.assertEqual(self.learn(b"at last", True, "ada"), Result.LEARNED)

    def learn(self, words, is_spam, by):
        """
        Teach a message with these words.
        """
        return self.successResultOf(self.learning.learn(TEXT + words, is_spam, by))
