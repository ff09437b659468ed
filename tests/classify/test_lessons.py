"""
Tests of L{mailgate.classify.lessons}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.lessons import Pending, Result, decode_lessons, encode_lesson
from mailgate.classify.store import Learned, decode, encode
from tests.classify.given import lesson

KEYS = st.sets(st.integers(0, 30), max_size=8)
STEPS = st.lists(
    st.tuples(st.sampled_from(["spam", "ham", "forget"]), st.integers(0, 8)), max_size=40
)


def table(learned):
    """
    Give counts by key.
    """
    return {
        key: (spam, ham)
        for key, spam, ham in zip(
            learned.keys.tolist(),
            learned.spam_counts.tolist(),
            learned.ham_counts.tolist(),
            strict=True,
        )
    }


class PendingTests(SynchronousTestCase):
    """
    Tests of what lessons change.
    """

    def setUp(self):
        """
        Begin with nothing.
        """
        self.pending = Pending(Learned.nothing())

    def apply(self, what, identity, *groups, **more):
        """
        Apply a lesson.
        """
        return self.pending.apply(lesson(what, identity, *groups, **more))

    def test_results(self):
        """
        What became of a lesson is told.
        """
        self.assertEqual(self.apply("spam", 1, [1]), Result.LEARNED)
        self.assertEqual(self.apply("spam", 1, [1]), Result.KNOWN)
        self.assertEqual(self.apply("ham", 1, [1]), Result.CORRECTED)
        self.assertEqual(self.apply("forget", 1, [1]), Result.FORGOTTEN)
        self.assertEqual(self.apply("forget", 1, [1]), Result.UNKNOWN)

    def test_corrected(self):
        """
        What is corrected counts as the other class only, and the weights are moved once more.
        """
        for number in range(130):
            self.apply("spam", 1000 + number, [1], signals=["money"])
            self.apply("ham", 2000 + number, [2])
        before = self.pending.regression.weights.copy()
        self.apply("ham", 1000, [1], signals=["money"])
        self.assertEqual((self.pending.spam, self.pending.ham), (129, 131))
        self.assertEqual(table(self.pending.merged(1, 100)), {1: (129, 1), 2: (0, 130)})
        self.assertFalse((before == self.pending.regression.weights).all())

    def test_one_class_after_the_other(self):
        """
        Whoever teaches all of one class and then all of the other teaches the weights as much
        with both, over files or not.
        """
        for first, second in (("spam", "ham"), ("ham", "spam")):
            self.pending = Pending(Learned.nothing())
            for number in range(200):
                self.apply(first, 1000 + number, [number])
            self.pending = Pending(decode(encode(self.pending.merged(1, 10_000))))
            for number in range(200):
                self.apply(second, 2000 + number, [number])
            regression = self.pending.regression
            self.assertEqual(regression.spam, regression.ham)
            self.assertGreater(regression.spam, 50)

    def test_only_one_class(self):
        """
        The weights hardly move while there is only one class to learn from, and what waits is
        bounded.
        """
        for number in range(130):
            self.apply("spam", 1000 + number, [1])
            self.apply("ham", 3000 + number, [2])
        for number in range(1000):
            self.apply("spam", 10_000 + number, [number])
        regression = self.pending.regression
        self.assertLessEqual(regression.spam, 2 * regression.ham + 1)
        self.assertLess(len(self.pending.merged(1, 10_000).waiting), 1000 * 200)

    def test_forgotten_before_it_taught(self):
        """
        What is forgotten while it waits does not teach.
        """
        self.apply("spam", 1, [1])
        self.assertTrue(self.pending.merged(1, 100).waiting)
        self.apply("forget", 1, [1])
        self.assertEqual(self.pending.merged(1, 100).waiting, b"")

    @given(st.lists(KEYS, min_size=9, max_size=9), STEPS, st.integers(0, 40))
    def test_counts_are_exact(self, keys, steps, border):
        """
        Whatever is learned, corrected and forgotten, over files or not: the counts are those of
        the messages that are learned at the end.
        """
        pending, state = Pending(Learned.nothing()), {}
        for number, (what, identity) in enumerate(steps):
            if number == border:
                pending = Pending(pending.merged(1, 1000))
            pending.apply(lesson(what, identity, keys[identity]))
            state[identity] = what
        learned = pending.merged(2, 1000)
        expected = {}
        for identity, what in state.items():
            for key in keys[identity] if what != "forget" else ():
                spam, ham = expected.get(key, (0, 0))
                expected[key] = (spam + (what == "spam"), ham + (what == "ham"))
        self.assertEqual(table(learned), expected)
        self.assertEqual(learned.spam, sum(what == "spam" for what in state.values()))
        self.assertEqual(learned.ham, sum(what == "ham" for what in state.values()))
        self.assertEqual(len(learned.identities), learned.spam + learned.ham)

    def test_expiry(self):
        """
        Of too many keys those go that were seen least often, the oldest of them first.
        """
        for day in (10, 11, 12):
            self.apply("spam", day, [day, 100], day=day)
        self.apply("ham", 13, [9], day=13)
        self.assertEqual(set(table(self.pending.merged(1, 4))), {100, 11, 12, 9})
        self.assertEqual(set(table(self.pending.merged(1, 2))), {100, 9})

    def test_expired(self):
        """
        Forgetting what has expired makes no count negative.
        """
        self.apply("spam", 1, [1], day=1)
        self.apply("spam", 2, [2], day=2)
        self.pending = Pending(self.pending.merged(1, 1))
        self.apply("forget", 1, [1])
        self.assertEqual(table(self.pending.merged(2, 10)), {2: (1, 0)})


class LogTests(SynchronousTestCase):
    """
    Tests of the log.
    """

    LESSONS = (
        lesson("spam", 2**64 - 1, [1, 2**32 - 1], [3], signals=["html", "money"]),
        lesson("ham", 5, day=1),
        lesson("forget", 5, [7]),
    )

    def state(self, lessons):
        """
        Give what is known after lessons.
        """
        pending = Pending(Learned.nothing())
        for each in lessons:
            pending.apply(each)
        return encode(pending.merged(1, 100))

    def test_again(self):
        """
        What was written is read again, and teaches the same.
        """
        log = b"".join(map(encode_lesson, self.LESSONS))
        found, rest = decode_lessons(log)
        self.assertEqual((len(found), rest), (3, 0))
        self.assertEqual(found[0].evidence.signals, {"html", "money"})
        self.assertEqual(self.state(found), self.state(self.LESSONS))

    def test_cut(self):
        """
        Wherever a log is cut, what is whole before it is read and the rest is counted.
        """
        first, second = map(encode_lesson, self.LESSONS[:2])
        log = first + second
        for at in range(len(log)):
            found, rest = decode_lessons(log[:at])
            whole = int(at >= len(first))
            self.assertEqual((len(found), rest), (whole, at - whole * len(first)))

    def test_damaged(self):
        """
        Nothing is read from a damaged record on.
        """
        log = bytearray(b"".join(map(encode_lesson, self.LESSONS)))
        log[len(encode_lesson(self.LESSONS[0])) + 20] ^= 1
        self.assertEqual(len(decode_lessons(bytes(log))[0]), 1)

    @given(st.binary())
    def test_any_bytes(self, data):
        """
        No bytes raise.
        """
        decode_lessons(data)
