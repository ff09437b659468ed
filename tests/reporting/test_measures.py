"""
Tests of L{mailgate.reporting.measures}.
"""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Asked
from mailgate.message.record import Copy
from mailgate.reporting.measures import (
    BOUNDS,
    STEPS_LIMIT,
    Durations,
    Measured,
    StepDurations,
    Stopwatch,
    Sums,
)
from tests.reporting.records import RECORD, REFUSED

SMALL = st.integers(-2, 2)
COUNTS = (
    (),
    (1,) * (len(BOUNDS) + 1),
    (-1, *(2,) * len(BOUNDS)),
    (1,) * (len(BOUNDS) + 2),
)
"""How often something took how long, by workers that are right and such that are not."""


class DurationsTests(SynchronousTestCase):
    """
    Tests of L{Durations}.
    """

    def test_buckets(self):
        """
        A duration falls into the first bucket whose bound it does not pass, a bound into its own;
        one that is longer than all into the last, and one below zero counts as nothing.
        """
        durations = Durations()
        for seconds in (0.001, 0.0011, 31, -5):
            durations.add(seconds)
        expected = dict.fromkeys((*BOUNDS, None), 0) | {0.001: 1, 0.003: 1, None: 1, 0.0001: 1}
        self.assertEqual(dict(zip((*BOUNDS, None), durations.counts, strict=True)), expected)
        self.assertAlmostEqual(durations.seconds, 31.0021)


class StopwatchTests(SynchronousTestCase):
    """
    Tests of L{Stopwatch}.
    """

    def test_take(self):
        """
        What was taken is not given twice.
        """
        watch = Stopwatch()
        watch("helo", False, 0.5)
        watch("helo", False, 0.5)
        watch("files", True, 2)
        taken = {(step.name, step.is_extractor): step for step in watch.take()}
        self.assertEqual(set(taken), {("helo", False), ("files", True)})
        self.assertEqual((sum(taken["helo", False].counts), taken["helo", False].seconds), (2, 1.0))
        self.assertEqual(watch.take(), ())


class SumsTests(SynchronousTestCase):
    """
    Tests of L{Sums}.
    """

    def test_record(self):
        """
        A transaction counts by reply and role, its verdicts by action and kind, its copies by what
        became of them; one that was refused before the message has no message.
        """
        sums = Sums()
        sums.count(RECORD)
        sums.count(REFUSED)
        self.assertEqual(sums.replies, {("mx", "2xx"): 1, ("mx", "5xx"): 1})
        self.assertEqual(sums.verdicts, {("accept", ""): 1, ("quarantine", "phishing"): 1})
        self.assertEqual({k: n for k, n in sums.copies.items() if n}, {"delivered": 1, "held": 1})
        self.assertEqual(sums.bytes, RECORD.size)
        self.assertEqual(sum(sums.parts["delivery"].counts), 1)

    def test_bounded(self):
        """
        Whatever a worker says, the number of keys is bounded.
        """
        sums = Sums()
        for number in range(STEPS_LIMIT + 10):
            counts = (1,) * (len(BOUNDS) + 1)
            sums.add(Measured((StepDurations(f"check{number}", False, counts, 1.0),)))
            session = evolve(RECORD.session, role=f"role{number}")
            copy = Copy("ada@example.com", f"outcome{number}")
            durations = {f"part{number}": 1.0}
            sums.count(evolve(RECORD, session=session, copies=(copy,), durations=durations))
        self.assertEqual(len(sums.steps), STEPS_LIMIT)
        self.assertEqual(set(sums.replies), {("", "2xx")})
        self.assertEqual(set(sums.copies), set(Sums().copies))
        self.assertEqual(set(sums.parts), set(Sums().parts))

    @given(st.lists(st.tuples(SMALL, SMALL, st.sampled_from(COUNTS), SMALL, SMALL), max_size=6))
    def test_never_back(self, numbers):
        """
        No sum ever goes back, whatever a worker says: numbers below zero, too few or too many of
        them.
        """
        told = [
            Measured(
                (StepDurations("a", False, counts, seconds),),
                admitted,
                turned_away,
                {"sent": sent, "else": 1},
            )
            for admitted, turned_away, counts, seconds, sent in numbers
        ]
        sums = Sums()
        last = [0, 0, 0]
        seen = {}
        for measured in told:
            sums.add(measured)
            now = [sums.admitted, sums.turned_away, sums.dns[Asked.SENT]]
            self.assertEqual(set(sums.dns), set(Asked))
            self.assertTrue(all(a <= b for a, b in zip(last, now, strict=True)))
            last = now
            for key, durations in sums.steps.items():
                before = seen.get(key, ([0] * (len(BOUNDS) + 1), 0.0))
                counts = zip(before[0], durations.counts, strict=True)
                self.assertTrue(all(a <= b for a, b in counts))
                self.assertLessEqual(before[1], durations.seconds)
                seen[key] = list(durations.counts), durations.seconds
