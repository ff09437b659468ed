"""
Tests of L{mailgate.classify.lessons}.
"""

from itertools import zip_longest

from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_almost_equal, assert_array_equal
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.lessons import Pending, Result, decode_lessons, encode_lesson
from mailgate.classify.model import FEATURES, Regression
from mailgate.classify.store import Learned, decode, encode
from tests.classify.given import lesson

MONEY = FEATURES.index("money")
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
        What is corrected counts, and teaches the weights, as the other class only.
        """
        for number in range(130):
            self.apply("spam", 1000 + number, [1], signals=["money"])
            self.apply("ham", 2000 + number, [2])
        before = self.weights()
        self.apply("ham", 1000, [1], signals=["money"])
        self.assertEqual((self.pending.spam, self.pending.ham), (129, 131))
        self.assertEqual(table(self.pending.merged(1, 100)), {1: (129, 1), 2: (0, 130)})
        self.assertNotEqual(self.weights()[MONEY], before[MONEY])

    def weights(self):
        """
        Give the weights that the lessons teach.
        """
        return self.pending.merged(1, 10_000).regression.weights

    def test_any_order(self):
        """
        In whatever order the classes are taught, over files or not, the weights become the same.
        """
        spam = [("spam", 1000 + number) for number in range(200)]
        ham = [("ham", 2000 + number) for number in range(150)]
        in_turn = [each for both in zip_longest(spam, ham) for each in both if each]
        found = []
        for order in (spam + ham, ham + spam, in_turn):
            self.pending = Pending(Learned.nothing())
            for number, (what, identity) in enumerate(order):
                signals = ["money"] if what == "spam" and identity % 2 else []
                self.apply(what, identity, [identity % 7, identity % 5 + 10], signals=signals)
                if number == 180:
                    self.pending = Pending(decode(encode(self.pending.merged(1, 10_000))))
            found.append(self.weights())
        for weights in found[1:]:
            assert_array_almost_equal(weights, found[0])
        self.assertGreater(found[0][MONEY], 0.1)

    def test_only_one_class(self):
        """
        What one class alone is taught moves the weights no further than the other class keeps
        up, and what is kept for it is bounded.
        """
        for number in range(130):
            self.apply("spam", 1000 + number, [1])
            self.apply("ham", 3000 + number, [2])
        for number in range(1000):
            self.apply("spam", 10_000 + number, [number], signals=["money"])
        self.assertLess(self.weights()[MONEY], 3)
        self.assertLess(len(self.pending.merged(1, 10_000).recent), 1000 * 200)

    def test_too_little(self):
        """
        Until enough was learned the weights are those that were set by hand.
        """
        for number in range(119):
            self.apply("spam", 1000 + number, [1], signals=["money"])
            self.apply("ham", 3000 + number, [2])
        assert_array_equal(self.weights(), Regression.fresh().weights)

    def test_forgotten(self):
        """
        What is forgotten teaches no more.
        """
        self.apply("spam", 1, [1])
        self.assertTrue(self.pending.merged(1, 100).recent)
        self.apply("forget", 1, [1])
        self.assertEqual(self.pending.merged(1, 100).recent, b"")

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
