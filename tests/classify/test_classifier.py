"""
Tests of L{mailgate.classify.classifier}.
"""

from time import process_time

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.classifier import AT_ONCE, Classifier, Reader
from mailgate.classify.learning import Learner
from mailgate.classify.store import file_of
from mailgate.message.mime import read
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.classify.given import letter, message, trained
from tests.pipeline.events import events
from tests.storage import temporary_folder


class ClassifierTests(SynchronousTestCase):
    """
    Tests of judging.
    """

    def test_at_first(self):
        """
        Before anything was learned, it judges by signals.
        """
        self.assertFalse(Classifier().judge(read(letter(True, 1))).is_trained)

    def test_learned(self):
        """
        What it is given counts from then on.
        """
        classifier = Classifier()
        classifier.learned = trained()
        self.assertGreater(classifier.judge(read(letter(True, 500))).logit, 3)

    def test_threads(self):
        """
        Much text is judged in a thread, little at once, with the same result.
        """
        classifier = Classifier(ImmediateThreads())
        self.assertNotIsInstance(classifier.judge(read(letter(True, 1))), Deferred)
        large = read(message("Subject: x", body="word " * (AT_ONCE // 5 + 1)))
        judging = classifier.judge(large)
        self.assertEqual(self.successResultOf(judging), Classifier().judge(large))

    def test_hostile(self):
        """
        No message takes longer than a second.
        """
        classifier = Classifier()
        classifier.learned = trained()
        links = "".join(f'<a href="http://h{n}.test/{n}?a{n}=1">x</a>' for n in range(100_000))
        for kind, begin, piece in (
            ("html", "", links),
            ("plain", "", links),
            ("html", "", "<div>"),
            ("html", "", "<"),
            ("html", "", "&"),
            ("html", "", '"'),
            ("plain", "", "a"),
            ("plain", "", "!"),
            ("plain", "", "a "),
            ("plain", "", "http://a.test/ "),
            ("plain", "", "www."),
            ("plain", "", "\u00e9"),
            ("plain", "", "a\u200b"),
            ("plain", "", "a\u03b1"),
            ("plain", "", "\ufdfa"),
            ("plain", "", "\n"),
            ("plain", "unsubscribe\n", "---\nunsubscribe\n"),
            ("plain", "unsubscribe\n", " "),
            ("plain", "unsubscribe\n", "-" * 70 + " \t"),
            ("plain", "", "http://" + "@" * 1900 + " "),
        ):
            body = begin + piece * max(1, 10_000_000 // len(piece.encode()))
            parsed = read(
                message(f"Content-Type: text/{kind}; charset=utf-8", "From: x", body=body)
            )
            start = process_time()
            classifier.judge(parsed)
            self.assertLess(process_time() - start, 1.0, (kind, piece[:40]))

    def test_hostile_headers(self):
        """
        Neither do header fields of a quarter of a megabyte.
        """
        for name in ("From", "Subject", "Message-ID", "Date", "Reply-To", "List-Unsubscribe"):
            for piece in ("<", "@", "a.", "=?utf-8?q?", "(", "\u00e9", "9", "<a@b>,", "paypal "):
                data = message(f"{name}: {piece * (250_000 // len(piece.encode()))}", body="x")
                start = process_time()
                Classifier().judge(read(data))
                self.assertLess(process_time() - start, 1.0, (name, piece))


class ReaderTests(SynchronousTestCase):
    """
    Tests of taking over what is new.
    """

    def setUp(self):
        """
        Make a learner and a reader of its file.
        """
        self.folder = temporary_folder(self)
        self.learner = Learner(self.folder, Files(), ImmediateThreads(), lambda: 0.0)
        self.successResultOf(self.learner.open())
        self.classifier = Classifier()
        self.reader = Reader(self.classifier, self.folder, Files(), ImmediateThreads())

    def learn(self, number):
        """
        Learn a letter, and write it into the file.
        """
        self.successResultOf(self.learner.learn(letter(True, number), True, "ada"))
        self.successResultOf(self.learner.merge())

    def refresh(self):
        """
        Look for a new file.

        @return: how many messages of spam are known then.
        """
        self.successResultOf(self.reader.refresh())
        return self.classifier.learned.spam

    def test_new_file(self):
        """
        Each new file is taken; without one nothing is read.
        """
        self.assertEqual(self.refresh(), 0)
        self.learn(1)
        self.assertEqual(self.refresh(), 1)
        before = self.classifier.learned
        self.refresh()
        self.assertIs(self.classifier.learned, before)
        self.learn(2)
        self.assertEqual(before.spam_counts.max(), 1)
        self.assertEqual(self.refresh(), 2)

    def test_damaged(self):
        """
        A damaged file is told once, by its name, and what was known before counts on.
        """
        self.learn(1)
        self.refresh()
        path = file_of(self.folder)
        path.with_suffix(".other").write_bytes(b"rubbish")
        path.with_suffix(".other").rename(path)
        with events() as heard:
            self.assertEqual(self.refresh(), 1)
            self.assertEqual(self.refresh(), 1)
        (told,) = [each for each in heard if each.get("event") == "classifier.unusable"]
        self.assertIn(str(path), told["error"])
