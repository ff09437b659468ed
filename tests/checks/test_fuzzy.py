"""
Tests of L{mailgate.checks.fuzzy}.
"""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.fuzzy import FuzzyCheck
from mailgate.classify.alike import Index
from mailgate.classify.classifier import AT_ONCE, Classifier
from mailgate.classify.evidence import lore_of
from mailgate.interfaces import Remembered
from mailgate.store.threads import ImmediateThreads
from tests.checks.given import judge_message, settings, view_of_message
from tests.classify.given import message, page, prose, with_files

DAY = 20_515
"""2026-03-03."""

TEXT = message("Subject: x", body=prose(1))
FILE = with_files(("invoice.xls", b"evil" * 200))


def knowing(*lessons):
    """
    Give a classifier that was taught: of each lesson the message, how often as spam, how often as
    ham.
    """
    classifier = Classifier()
    classifier.alike = Index.of(
        Remembered(is_spam, DAY, lore_of(data).marks)
        for data, spam, ham in lessons
        for is_spam, number in ((True, spam), (False, ham))
        for _ in range(number)
    )
    return classifier


def find(data, *lessons, threads=None, **options):
    """
    Give symbols and scores of what is found in a message.
    """
    check = FuzzyCheck.from_settings(settings(fuzzy=options), knowing(*lessons), threads)
    return [(each.symbol, each.score) for each in check.check(view_of_message(data))]


class TextTests(SynchronousTestCase):
    """
    Tests of what is found of a text.
    """

    def test_nothing_learned(self):
        """
        Where nothing was learned nothing is found.
        """
        self.assertEqual(find(TEXT), [])

    def test_grows(self):
        """
        The score grows with each time, and nears its limit.
        """
        for number, score in ((1, 1.33), (2, 2.0), (14, 3.5), (1000, 3.99)):
            self.assertEqual(find(TEXT, (TEXT, number, 0)), [("FUZZY_TEXT", score)])
        self.assertEqual(find(TEXT, (TEXT, 2, 0), text_score=1.0), [("FUZZY_TEXT", 0.5)])

    def test_words(self):
        """
        It is told how often, and when last.
        """
        for number, words in (
            (1, "Nearly the same text was marked as spam here once, on 2026-03-03."),
            (14, "Nearly the same text was marked as spam here 14 times, last on 2026-03-03."),
        ):
            check = FuzzyCheck.from_settings(settings(), knowing((TEXT, number, 0)), None)
            (finding,) = check.check(view_of_message(TEXT))
            self.assertEqual((finding.detail, finding.public), (words, ""))

    def test_wanted(self):
        """
        What is learned as wanted about as often, or more than a fifth as often, is not held against
        anybody.
        """
        for spam, ham, number in ((1, 1, 0), (4, 1, 0), (5, 1, 1), (0, 1, 0), (9, 2, 0)):
            self.assertEqual(len(find(TEXT, (TEXT, spam, ham))), number, (spam, ham))

    def test_other(self):
        """
        Another text is not found, nor one with more than a third of it exchanged.
        """
        self.assertEqual(find(message(body=prose(2)), (TEXT, 9, 0)), [])
        mixed = message(body=prose(1, words=150) + prose(2, words=150))
        self.assertEqual(find(mixed, (TEXT, 9, 0)), [])

    def test_short(self):
        """
        A short text is never found.
        """
        short = message(body="Thank you very much. Best regards, Ada\r\n")
        self.assertEqual(find(short, (short, 99, 0), (TEXT, 1, 0)), [])


class FileTests(SynchronousTestCase):
    """
    Tests of what is found of files.
    """

    def test_file(self):
        """
        The same file is found under another name, and its name is told.
        """
        other = with_files(("re “x”.doc", b"good" * 200), ("order.xls", b"evil" * 200))
        check = FuzzyCheck.from_settings(settings(), knowing((FILE, 3, 0)), None)
        (finding,) = check.check(view_of_message(other))
        self.assertEqual((finding.symbol, finding.score), ("FUZZY_ATTACHMENT", 2.4))
        self.assertEqual(
            finding.detail,
            "What is attached was marked as spam here 3 times, last on 2026-03-03: “order.xls”.",
        )

    def test_once(self):
        """
        Found once, it is told so; a file needs no name.
        """
        nameless = with_files(("", b"evil" * 200))
        check = FuzzyCheck.from_settings(settings(), knowing((FILE, 1, 0)), None)
        (finding,) = check.check(view_of_message(nameless))
        self.assertEqual(
            finding.detail,
            "What is attached was marked as spam here once, on 2026-03-03: a file without a name.",
        )

    def test_wanted(self):
        """
        A file that wanted mail has too is not found, nor another one.
        """
        self.assertEqual(find(FILE, (FILE, 4, 1)), [])
        self.assertEqual(find(with_files(("a.xls", b"good" * 200)), (FILE, 4, 0)), [])


class StructureTests(SynchronousTestCase):
    """
    Tests of what is found of structures.
    """

    def test_often(self):
        """
        A structure is found from the third time on, as long as nobody wanted such a message.
        """
        for spam, ham, found in (
            (2, 0, []),
            (3, 0, [("FUZZY_STRUCTURE", 0.5)]),
            (99, 1, []),
        ):
            lessons = [(page(words=f"spam{n}"), 1, 0) for n in range(spam)]
            lessons += [(page(words=f"ham{n}"), 0, 1) for n in range(ham)]
            self.assertEqual(find(page(words="other"), *lessons), found)

    def test_words(self):
        """
        It is told how often, and when last.
        """
        check = FuzzyCheck.from_settings(settings(), knowing((page(), 5, 0)), None)
        (finding,) = check.check(view_of_message(page(words="other")))
        self.assertEqual(
            finding.detail,
            "Messages of the same structure were marked as spam here 5 times, last on 2026-03-03.",
        )


class TogetherTests(SynchronousTestCase):
    """
    Tests of the check as a whole.
    """

    def test_cap(self):
        """
        All of it together counts so much at most.
        """
        both = with_files(("a.xls", b"evil" * 200), body=TEXT)
        found = find(both, (both, 1000, 0))
        self.assertEqual([symbol for symbol, _ in found], ["FUZZY_TEXT", "FUZZY_ATTACHMENT"])
        self.assertAlmostEqual(sum(score for _, score in found), 5.0)

    def test_large(self):
        """
        A large message is looked at in a thread, with the same result.
        """
        large = message(body=prose(1, words=AT_ONCE // 8))
        check = FuzzyCheck.from_settings(settings(), knowing((large, 2, 0)), ImmediateThreads())
        looking = check.check(view_of_message(large))
        self.assertIsInstance(looking, Deferred)
        self.assertEqual([each.score for each in self.successResultOf(looking)], [2.0])
        self.assertNotIsInstance(check.check(view_of_message(TEXT)), Deferred)

    def test_judged(self):
        """
        It counts in the verdict of the gateway.
        """
        given = settings()
        check = FuzzyCheck.from_settings(given, knowing((TEXT, 14, 0)), None)
        verdict = judge_message(TEXT, given, (check,))
        self.assertEqual((verdict.total, verdict.findings[0].check), (3.5, "fuzzy"))
