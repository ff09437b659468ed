"""
Tests of L{mailgate.reporting.statistics}.
"""

import sqlite3

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding
from mailgate.message.record import Copy
from mailgate.reporting import statistics
from mailgate.reporting.statistics import EARLY, Statistics
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Verdict
from tests.pipeline.events import events
from tests.reporting.records import RECORD, REFUSED
from tests.storage import ADA, SESSION, WallClock, temporary_folder

DAY = 86_400
DELIVERED = evolve(
    RECORD,
    seconds=0.4,
    size=1_000,
    copies=(Copy("Ada@example.com", "delivered", "250 2.0.0 taken", "inbox"),),
    verdicts=(Verdict(Action.ACCEPT, (), 0.0, (ADA,)),),
)
"""One message to one person."""


def judged(action, **more):
    """
    Give a transaction that ended with an action.
    """
    findings = (Finding("LIGHT", 1.0, "a"), Finding("HEAVY", 9.0, "b"), Finding("GOOD", -3, "c"))
    return evolve(DELIVERED, copies=(), verdicts=(Verdict(action, findings, 7.0, (ADA,)),), **more)


def unknown(sender="eve@spam.example"):
    """
    Give a transaction in which nobody was there to get anything.
    """
    copies = (Copy("nobody@example.com", "refused", "550 5.1.1 no such user"),)
    return evolve(
        DELIVERED, sender=sender, size=None, copies=copies, verdicts=(), reply="250 2.0.0 reset"
    )


class StatisticsTests(SynchronousTestCase):
    """
    Counting over the days.
    """

    def setUp(self):
        """
        Begin to count.
        """
        self.folder = temporary_folder(self)
        self.clock = Clock()
        self.now = WallClock(self.clock)
        self.connect = sqlite3.connect
        self.statistics = self.make()

    def make(self):
        """
        Make statistics on the same file.
        """
        return Statistics(
            self.folder / "statistics.db",
            self.now,
            ImmediateThreads(),
            lambda *args, **keywords: self.connect(*args, **keywords),
        )

    def figures(self, days=1, of=None):
        """
        Give the counts of the last days.
        """
        counted = of or self.statistics
        today = counted.today()
        return self.successResultOf(counted.figures(today - days + 1, today))

    def count(self, *records):
        """
        Count transactions.
        """
        for each in records:
            self.statistics.record(each)

    def test_verdicts(self):
        """
        Each transaction counts once, under its strongest verdict.
        """
        self.count(
            DELIVERED,
            RECORD,
            judged(Action.TAG),
            judged(Action.REJECT, reply="554 5.7.1 no"),
            judged(Action.DEFER, reply="451 4.7.1 later"),
            REFUSED,
            unknown(),
            evolve(DELIVERED, verdicts=(), copies=(), size=None, reply="", sender="a@b.example"),
        )
        self.assertEqual(
            self.figures().counts["verdict"],
            {"accept": 1, "quarantine": 1, "tag": 1, "reject": 1, "defer": 1, EARLY: 2},
        )

    def test_phases(self):
        """
        It is told where mail was refused.
        """
        at_mail = evolve(unknown(), copies=(), reply="550 5.7.1 no")
        named = evolve(REFUSED, session=SESSION)
        self.count(REFUSED, named, at_mail, unknown(), judged(Action.REJECT))
        self.assertEqual(
            self.figures().counts["phase"],
            {"CONNECT": 1, "HELO": 1, "MAIL": 1, "RCPT": 1, "DATA": 1},
        )

    def test_names(self):
        """
        The most frequent reasons, senders and recipients come first.
        """
        self.count(unknown(), unknown("x@spam.EXAMPLE"), judged(Action.REJECT), DELIVERED)
        figures = self.figures()
        self.assertEqual(figures.most("reason", 9), [("RCPT_UNKNOWN", 2), ("HEAVY", 1)])
        self.assertEqual(figures.most("sender", 1), [("example.org", 2)])
        self.assertEqual(figures.most("recipient", 9), [("ada@example.com", 1)])

    def test_saved(self):
        """
        What was not sent is as large as the unwanted mail that was.
        """
        self.count(DELIVERED, judged(Action.REJECT, size=3_000), judged(Action.TAG, size=9_000))
        self.assertEqual(self.figures().saved, 0)
        self.count(unknown(), unknown())
        self.assertEqual(self.figures().saved, 6_000)

    def test_seconds(self):
        """
        Times of delivery are told by the end of their class.
        """
        self.assertEqual(self.figures().seconds(0.5), None)
        for seconds in (0.05, 0.4, 0.45, 0.5, 500.0):
            self.count(evolve(DELIVERED, seconds=seconds))
        figures = self.figures()
        self.assertEqual([figures.seconds(each) for each in (0.2, 0.5, 1)], [0.1, 0.5, 60.0])

    def test_days(self):
        """
        Each day has its own counts, which a restart keeps.
        """
        for number in (1, 2, 3):
            self.count(*[DELIVERED] * number)
            self.successResultOf(self.statistics.flush())
            self.clock.advance(DAY)
        self.count(DELIVERED)
        self.assertEqual(self.figures(3).counts["verdict"], {"accept": 6})
        again = self.make()
        by_day = self.figures(4, again).by_day
        self.assertEqual([counts["accept"] for counts in by_day.values()], [1, 2, 3, 1])

    def test_f12_not_written(self):
        """
        What cannot be written counts all the same, and is written later.
        """

        def broken(*args, **keywords):
            raise sqlite3.OperationalError("disk I/O error")

        self.connect = broken
        self.count(DELIVERED)
        with events() as told:
            self.successResultOf(self.statistics.flush())
            self.assertEqual(self.figures().counts["verdict"], {"accept": 1})
        self.assertEqual(
            {each["event"] for each in told}, {"statistics.not_written", "statistics.not_read"}
        )
        self.flushLoggedErrors(sqlite3.OperationalError)
        self.connect = sqlite3.connect
        self.assertEqual(self.figures(of=self.make()).counts, {})
        self.successResultOf(self.statistics.flush())
        self.assertEqual(self.figures(of=self.make()).counts["verdict"], {"accept": 1})

    def test_bounded(self):
        """
        Thousands of names take a bounded place, in memory and on the disk.
        """
        self.patch(statistics, "_AT_ONCE", 10)
        self.patch(statistics, "_BEST", 3)
        for number in range(50):
            self.count(unknown(f"a@d{number % 7}.example"), unknown(f"a@x{number}.example"))
        self.assertLess(len(self.statistics._counts), 20)
        self.assertEqual(self.figures().counts["verdict"], {EARLY: 100})
        self.clock.advance(DAY)
        self.successResultOf(self.statistics.purge())
        self.assertEqual(len(self.figures(2).most("sender", 99)), 3)
        self.clock.advance(DAY * 500)
        self.successResultOf(self.statistics.purge())
        self.assertEqual(self.figures(900).counts, {})
