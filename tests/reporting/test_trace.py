"""
Tests of L{mailgate.reporting.trace}.
"""

import os
import sqlite3
from datetime import UTC, datetime

from attrs import evolve
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.reporting import trace
from mailgate.reporting.log import TransactionLog
from mailgate.reporting.record import from_json, to_json
from mailgate.reporting.trace import Traces
from mailgate.reporting.trace_query import parse_query
from mailgate.store.threads import ImmediateThreads
from tests.pipeline.events import events
from tests.reporting.records import RECORD, REFUSED, record
from tests.storage import SESSION, WallClock, temporary_folder

DAY = 86400


class TracesCase(SynchronousTestCase):
    """
    Traces in a folder.
    """

    def setUp(self):
        """
        Start them.
        """
        self.folder = temporary_folder(self)
        self.clock = Clock()
        self.now = WallClock(self.clock)
        self.connect = sqlite3.connect
        self.kept = ()
        self.traces = self.make()
        self.traces.start(self.clock)
        self.addCleanup(lambda: self.successResultOf(self.traces.stop()))

    def make(self, **more):
        """
        Make traces.
        """
        return Traces(
            self.folder,
            self.now,
            ImmediateThreads(),
            TransactionLog(self.folder / "log.jsonl"),
            keep_days=30,
            kept=lambda identity: succeed(self.kept),
            connect=lambda *args, **keywords: self.connect(*args, **keywords),
            **more,
        )


class TracesTests(TracesCase):
    """
    Tests of L{Traces}.
    """

    def find(self, identity, traces=None):
        """
        Find the ids of records.
        """
        found = self.successResultOf((traces or self.traces).find(identity))
        return [each["trace"] for each in found]

    def days(self):
        """
        List the databases.
        """
        return sorted(path.name for path in self.folder.glob("trace-*.db"))

    def count(self):
        """
        Count the rows on the disk.
        """
        total = 0
        for name in self.days():
            connection = sqlite3.connect(self.folder / name)
            total += connection.execute("SELECT count(*) FROM traces").fetchone()[0]
            connection.close()
        return total

    def test_once_a_second(self):
        """
        Records are written once a second, all together.
        """
        self.traces.record(record("one"))
        self.traces.record(record("two"))
        self.assertEqual(self.days(), [])
        self.clock.advance(1)
        self.assertEqual(self.days(), ["trace-20270115.db"])
        self.assertEqual(self.count(), 2)

    def test_find(self):
        """
        A record is found at once by its id, with all that is in it.
        """
        self.traces.record(RECORD)
        self.traces.record(record("other"))
        (found,) = self.successResultOf(self.traces.find(RECORD.trace))
        self.assertEqual(found, from_json(to_json(RECORD)))
        self.assertEqual(self.find("none"), [])

    def test_find_session(self):
        """
        By the id of a session all of its transactions are found, and what it was refused with.
        """
        for each in (record("one"), record("two"), REFUSED):
            self.traces.record(each)
        self.assertEqual(self.find(SESSION.id), ["one", "two", SESSION.id])

    def test_lost(self):
        """
        What a crash has lost is told by what else is known, and that never shadows a trace.
        """
        self.traces.record(record("one"))
        self.kept = [evolve(record("one"), subject="Shadow"), record("lost")]
        found = self.successResultOf(self.traces.find(SESSION.id))
        self.assertEqual(
            [(each["trace"], each["subject"]) for each in found],
            [("one", RECORD.subject), ("lost", RECORD.subject)],
        )

    def test_days(self):
        """
        Each day (UTC) has a file of its own, and all are looked through.
        """
        self.traces.record(record("one"))
        self.clock.advance(1)
        self.clock.advance(DAY)
        self.traces.record(record("two"))
        self.clock.advance(1)
        self.assertEqual(self.days(), ["trace-20270115.db", "trace-20270116.db"])
        self.assertEqual(self.find(SESSION.id), ["one", "two"])

    def test_f13_clock_jumps(self):
        """
        However the clock jumps, a record is written within a second and found, and none is written
        over.
        """
        ids = ["today", "tomorrow", "today again", "yesterday", "later"]
        jumps = (0, DAY, -DAY, -DAY, 2**31 + DAY - self.now())
        for identity, jump in zip(ids, jumps, strict=True):
            self.now.start += jump
            self.traces.record(record(identity))
            self.clock.advance(1)
        self.assertEqual(sorted(self.find(SESSION.id)), sorted(ids))
        self.assertEqual(self.count(), len(ids))
        self.assertEqual(
            self.days(),
            [f"trace-{day}.db" for day in ("20270114", "20270115", "20270116")]
            + ["trace-20380119.db"],
        )

    def test_purge(self):
        """
        A day goes after 30 days, with all that belongs to its file.
        """
        self.traces.record(record("one"))
        self.clock.advance(1)
        self.clock.advance(30 * DAY)
        self.traces.record(record("two"))
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(self.traces.purge()), 0)
        self.clock.advance(DAY)
        self.assertEqual(self.successResultOf(self.traces.purge()), 1)
        self.assertEqual(self.find(SESSION.id), ["two"])
        self.assertEqual(list(self.folder.glob("trace-20270115*")), [])

    def test_log(self):
        """
        The log has the same lines as the trace, and a stop writes the last of both.
        """
        self.traces.record(record("one"))
        self.clock.advance(1)
        self.traces.record(record("two"))
        self.successResultOf(self.traces.stop())
        lines = (self.folder / "log.jsonl").read_text().splitlines()
        self.assertEqual(lines, [to_json(record("one")), to_json(record("two"))])
        self.assertEqual(self.count(), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_start(self):
        """
        Finding needs no start.
        """
        self.traces.record(record("one"))
        self.successResultOf(self.traces.stop())
        self.assertEqual(self.find("one", self.make()), ["one"])

    def test_f4_full(self):
        """
        What the disk does not take is an event, and is written once it does.
        """

        def fail(*args, **keywords):
            raise sqlite3.OperationalError("database or disk is full")

        self.connect = fail
        self.traces.record(record("one"))
        self.clock.advance(1)
        self.traces.record(record("two"))
        self.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(sqlite3.OperationalError)), 2)
        self.connect = sqlite3.connect
        self.clock.advance(1)
        self.assertEqual(self.find(SESSION.id), ["one", "two"])

    def test_bounded(self):
        """
        What waits is bounded; what is dropped is counted in an event.
        """
        traces = self.make(limit=6)  # each has two copies
        for number in range(5):
            traces.record(record(str(number)))
        with events() as told:
            self.successResultOf(traces.flush())
        self.assertEqual([(event["event"], event["number"]) for event in told], [("trace.lost", 2)])
        self.assertEqual(self.count(), 3)

    def test_bounded_with_copies(self):
        """
        A record of many copies is large, and counts for as many; also while the disk fails.
        """
        many = evolve(record("many"), copies=record("one").copies * 2)
        self.assertEqual(len(many.copies), 4)
        traces = self.make(limit=6)
        for each in (many, record("one"), record("two")):
            traces.record(each)
        with events() as told:
            self.successResultOf(traces.flush())
        self.assertEqual([(each["event"], each["number"]) for each in told], [("trace.lost", 1)])
        self.assertEqual(self.count(), 2)
        path = self.folder / "trace-20270116.db"
        path.mkdir()
        self.clock.advance(DAY)
        for each in (record("three"), record("four"), many):
            traces.record(each)
            self.successResultOf(traces.flush())
        self.flushLoggedErrors(IsADirectoryError)
        path.rmdir()
        self.assertEqual(self.find(SESSION.id, traces), ["many", "one", "four", "many"])

    def test_bounded_while_disk_fails(self):
        """
        What waits for the disk is bounded, too; the oldest goes first.
        """
        traces = self.make(limit=6)  # each has two copies
        path = self.folder / "trace-20270115.db"
        path.mkdir()
        for number in range(4):
            traces.record(record(str(number)))
            self.successResultOf(traces.flush())
        self.flushLoggedErrors(IsADirectoryError)
        path.rmdir()
        with events() as told:
            self.assertEqual(self.find(SESSION.id, traces), ["1", "2", "3"])
        self.assertEqual([(each["event"], each["number"]) for each in told], [("trace.lost", 1)])

    def test_private(self):
        """
        Only the gateway's own user may read what is kept, the log aside, which a group may.
        """
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.traces.record(record("one"))
        self.clock.advance(1)
        modes = {path.name: path.stat().st_mode & 0o777 for path in self.folder.iterdir()}
        day = "trace-20270115.db"
        private = dict.fromkeys((day, f"{day}-wal", f"{day}-shm"), 0o600)
        self.assertEqual(modes, {"log.jsonl": 0o640, **private})

    def test_f12_damaged(self):
        """
        A damaged file is set aside, and the day goes on in a new one.
        """
        (self.folder / "trace-20270115.db").write_bytes(b"no database at all" * 100)
        self.traces.record(record("one"))
        self.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(sqlite3.DatabaseError)), 1)
        self.clock.advance(1)
        self.assertEqual(self.find("one"), ["one"])
        self.assertTrue((self.folder / "trace-20270115.db.damaged").exists())

    def test_f12_damaged_day(self):
        """
        A day that cannot be read is an event, and the others are found.
        """
        (self.folder / "trace-20270114.db").write_bytes(b"no database at all" * 100)
        self.traces.record(record("one"))
        with events() as told:
            self.assertEqual(self.find("one"), ["one"])
        self.assertEqual([event["event"] for event in told], ["trace.not_read"])


class SearchTests(TracesCase):
    """
    Tests of finding records by what is in them.
    """

    def search(self, text, limit=10, after=None):
        """
        Search, and give the ids that are found.
        """
        found = self.successResultOf(self.traces.search(parse_query(text), limit, after))
        self.last = found
        return [each["trace"] for each in found.records]

    def test_by_everything(self):
        """
        A record is found by each thing that people know of it.
        """
        self.traces.record(RECORD)
        self.traces.record(REFUSED)
        for text in (
            "from:sender@example.org",
            "from:@example.org",
            "to:bob@example.com",
            "to:<bob@example.com>",
            "bob@example.com",
            "example.org",
            "subject:hello",
            "HELLO",
            "hel*",
            "id:<1@e>",
            "is:held",
            "is:quarantine hello",
            f"client:{SESSION.client} hello",
            f"{SESSION.client} is:delivered",
        ):
            self.assertEqual((text, self.search(text)), (text, [RECORD.trace]))
        self.assertEqual(self.search("is:reject"), [REFUSED.trace])
        self.assertEqual(self.search(""), [REFUSED.trace, RECORD.trace])
        for text in ("from:bob@example.com", "subject:bob", "hell", "to:example.org", 'x" OR y'):
            self.assertEqual((text, self.search(text)), (text, []))

    def test_pages(self):
        """
        It goes on where it has ended, over the days, the newest first.
        """
        for day in range(3):
            for number in range(3):
                self.traces.record(record(f"d{day}-{number}"))
            self.successResultOf(self.traces.flush())
            self.clock.advance(DAY)
        pages, after = [], None
        while True:
            pages.append(self.search("hello", 4, after))
            after = self.last.older
            if after is None:
                break
        self.assertEqual(
            pages,
            [["d2-2", "d2-1", "d2-0", "d1-2"], ["d1-1", "d1-0", "d0-2", "d0-1"], ["d0-0"]],
        )
        self.assertEqual(self.search("hello", 3), ["d2-2", "d2-1", "d2-0"])
        day = f"{datetime.fromtimestamp(self.now() - 2 * DAY, UTC):%Y-%m-%d}"
        self.assertEqual(self.search(f"hello on:{day}"), ["d1-2", "d1-1", "d1-0"])

    def test_indexed_beforehand(self):
        """
        What is indexed by and by is found once, as what is not.
        """
        for number in range(5):
            self.traces.record(record(f"a{number}"))
            if number % 2:
                self.successResultOf(self.traces.flush())
                self.assertEqual(self.successResultOf(self.traces.index()), 0)
        self.assertEqual(self.search("hello"), ["a4", "a3", "a2", "a1", "a0"])

    def test_too_many(self):
        """
        Where more was written than can be indexed for a search, it is told how much is left.
        """
        self.patch(trace, "_INDEXED_FOR_A_SEARCH", 3)
        for number in range(5):
            self.traces.record(record(f"a{number}"))
        self.assertEqual((self.search("hello"), self.last.left), (["a2", "a1", "a0"], 2))
        self.assertEqual((self.search("hello")[:2], self.last.left), (["a4", "a3"], 0))

    def test_nothing_yet(self):
        """
        Before anything was written there is nothing, and no complaint.
        """
        with events() as told:
            self.assertEqual(self.successResultOf(self.traces.index()), 0)
            self.assertEqual(self.search("hello"), [])
        self.assertEqual(told, [])

    def test_damaged(self):
        """
        A day that cannot be read is told, and the others are searched.
        """
        self.traces.record(record("good"))
        self.successResultOf(self.traces.flush())
        (self.folder / "trace-20000101.db").write_bytes(b"no database" * 1000)
        with events() as told:
            self.assertEqual(self.search("hello"), ["good"])
        self.assertIn("trace.not_read", [each["event"] for each in told])
