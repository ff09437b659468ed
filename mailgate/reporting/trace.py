"""
The trace: what became of each transaction, to be found by its id for as long as it is kept.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.interfaces import IThreads
from mailgate.message.record import Record
from mailgate.reporting import trace_index
from mailgate.reporting.log import TransactionLog
from mailgate.reporting.record import from_json, to_json
from mailgate.reporting.trace_index import Cursor
from mailgate.reporting.trace_query import TraceQuery
from mailgate.store.database import Connect

WEIGHT = 100_000
"""
How many records may wait for the disk, of about 1 kB each; one of several copies is as many.
"""

_PERIOD = 1.0
_STOP_SECONDS = 2.0
_TABLE = """
CREATE TABLE IF NOT EXISTS traces (
    trace TEXT NOT NULL,
    session TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS traces_trace ON traces (trace);
CREATE INDEX IF NOT EXISTS traces_session ON traces (session);
"""

_INDEXED_AT_ONCE = 6_000
"""
How many records are made ready to be searched each minute, so that a busy gateway spends next to
nothing on it; the rest of a day follows when it is quiet, or when somebody searches.
"""

_INDEXED_FOR_A_SEARCH = 20_000
"""How many of a day when somebody waits: about a second."""

_Row = tuple[str, str, str]
_T = TypeVar("_T")


@frozen
class Search:
    """
    What was found.
    """

    records: Sequence[Mapping[str, Any]]
    older: Cursor | None
    """With what to go on, or C{None} where everything was looked at."""

    left: int
    """How many records could not be searched yet."""


class Traces:
    """
    Writes records once a second, in a thread: to a database for each day (UTC), and to the
    transaction log. Forgets a day by removing its file.
    """

    log = Logger()

    def __init__(
        self,
        directory: Path,
        now: Callable[[], float],
        threads: IThreads,
        transactions: TransactionLog,
        keep_days: int,
        kept: Callable[[str], Deferred[Sequence[Record]]],
        connect: Connect = sqlite3.connect,
        limit: int = WEIGHT,
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param transactions: takes the same lines.
        @param keep_days: for how many days a trace is kept.
        @param kept: tells by the same ids what else is known, where a crash has lost the trace.
        @param limit: how many records may wait, one of several copies as so many; what comes beyond
            it is dropped and counted. What is known of held messages is with them, and not lost.
        """
        self._directory = directory
        self._now = now
        self._threads = threads
        self._transactions = transactions
        self._keep_days = keep_days
        self._kept = kept
        self._connect = connect
        self._limit = limit
        self._records: deque[Record] = deque()
        self._weight = 0
        self._lost = 0
        self._lock = DeferredLock()
        self._loop = LoopingCall(self.flush)
        # Of the thread, and of the reactor only while no thread writes:
        self._rows: deque[tuple[int, _Row]] = deque()
        self._overflow = 0
        self._path: Path | None = None
        self._connection: sqlite3.Connection | None = None

    def start(self, clock: IReactorTime) -> None:
        """
        Begin to write once a second.
        """
        self._loop.clock = clock
        self._transactions.start()
        self._loop.start(_PERIOD, now=False).addErrback(self._broken)

    def stop(self) -> Deferred[None]:
        """
        Write what waits, and close the files.
        """
        return Deferred.fromCoroutine(self._stop())

    def record(self, record: Record) -> None:
        """
        Note how a transaction ended. Returns at once.
        """
        weight = _weight(record)
        # The first is taken however large it is.
        if self._records and self._weight + weight > self._limit:
            self._lost += 1
            return
        self._weight += weight
        self._records.append(record)

    def flush(self) -> Deferred[None]:
        """
        Write what waits. Never fails: what cannot be written is an event, and tried again.
        """
        return self._lock.run(self._flush)

    def find(self, identity: str) -> Deferred[Sequence[Mapping[str, Any]]]:
        """
        Give the records of a transaction, or of all those of a session, oldest first, as
        L{mailgate.reporting.record.from_json} reads them.
        """
        return Deferred.fromCoroutine(self._find_all(identity))

    def containing(self, text: str, days: int, most: int) -> Deferred[Sequence[Mapping[str, Any]]]:
        """
        Give records in whose lines a text stands, the newest first. Each line is looked at, so this
        is for people who can wait.

        @param text: as it stands in JSON.
        @param days: how many days are looked at.
        @param most: how many records are given.
        """
        return Deferred.fromCoroutine(self._containing(text, days, most))

    def search(
        self, query: TraceQuery, limit: int, after: Cursor | None = None
    ) -> Deferred[Search]:
        """
        Give the records that are looked for, the newest first.

        @param after: where an earlier search has ended.
        """
        return Deferred.fromCoroutine(self._search(query, limit, after))

    def index(self) -> Deferred[int]:
        """
        Make some of what was written today and yesterday ready to be searched, and count what is
        left.
        """
        return self._threads.run(
            lambda: sum(self._fill(path, _INDEXED_AT_ONCE) for path in self._days()[-2:])
        )

    def purge(self) -> Deferred[int]:
        """
        Remove the days that are over, and count them.
        """
        today = datetime.fromtimestamp(self._now(), UTC).date()
        return self._threads.run(self._purge, today - timedelta(days=self._keep_days))

    # -- in the reactor ---------------------------------------------------------------

    def _flush(self) -> Deferred[None]:
        lost = self._lost + self._overflow + self._transactions.take_lost()
        if lost:
            self._lost = self._overflow = 0
            self.log.error("{event} {number} records or lines", event="trace.lost", number=lost)
        if not self._records and not self._rows:
            return succeed(None)
        records, self._records = self._records, deque()
        self._weight = 0
        writing = self._threads.run(self._write, records, self._path_of_today())
        return writing.addErrback(self._not_written)

    def _path_of_today(self) -> Path:
        today = datetime.fromtimestamp(self._now(), UTC)
        return self._directory / f"trace-{today:%Y%m%d}.db"

    def _not_written(self, failure: Failure) -> None:
        self.log.failure(
            "{event} {number} records wait",
            failure,
            event="trace.not_written",
            number=len(self._rows),
        )

    def _broken(self, failure: Failure) -> None:
        self.log.failure("{event} no trace is written any more", failure, event="trace.broken")

    async def _stop(self) -> None:
        if self._loop.running:
            self._loop.stop()
        await self.flush()
        await self._lock.run(self._threads.run, self._close)
        if not await self._threads.run(self._transactions.stop, _STOP_SECONDS):
            self.log.error("{event} the file is blocked", event="trace.log_blocked")

    async def _find_all(self, identity: str) -> Sequence[Mapping[str, Any]]:
        await self.flush()
        found = await self._threads.run(self._find, identity)
        known = {record["trace"] for record in found}
        lost = [each for each in await self._kept(identity) if each.trace not in known]
        return [*found, *(from_json(to_json(each)) for each in lost)]

    async def _search(self, query: TraceQuery, limit: int, after: Cursor | None) -> Search:
        await self.flush()
        return await self._threads.run(self._find_words, query, limit, after)

    async def _containing(self, text: str, days: int, most: int) -> Sequence[Mapping[str, Any]]:
        await self.flush()
        return await self._threads.run(self._find_containing, text, days, most)

    # -- in a thread ------------------------------------------------------------------

    def _write(self, records: Sequence[Record], path: Path) -> None:
        fresh = [
            (_weight(record), (record.trace, record.session.id, to_json(record)))
            for record in records
        ]
        self._transactions.write([line for _, (_, _, line) in fresh])
        self._rows += fresh
        try:
            connection = self._open(path)
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO traces VALUES (?, ?, ?)", [row for _, row in self._rows]
            )
            connection.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            self._close()
            if type(error) is sqlite3.DatabaseError:
                # Damaged, so that no later try can succeed either: make room for a new file.
                _set_aside(path)
            excess = sum(weight for weight, _ in self._rows) - self._limit
            while excess > 0 and len(self._rows) > 1:
                excess -= self._rows.popleft()[0]
                self._overflow += 1
            raise
        self._rows.clear()

    def _open(self, path: Path) -> sqlite3.Connection:
        if self._connection is not None:
            if self._path == path:
                return self._connection
            self._close()
        # SQLite would make it readable for everybody, and it tells who writes to whom.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = self._connect(path, isolation_level=None, check_same_thread=False)
        self._connection, self._path = connection, path
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLE)
        return connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _days(self) -> Sequence[Path]:
        return sorted(self._directory.glob("trace-[0-9]*.db"))

    def _find(self, identity: str) -> Sequence[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for path in self._days():
            found += self._select(
                path, "WHERE trace = :id OR session = :id ORDER BY rowid", {"id": identity}
            )
        return found

    def _find_containing(self, text: str, days: int, most: int) -> Sequence[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for path in reversed(self._days()[-days:]):
            found += self._select(
                path,
                "WHERE instr(record, :text) ORDER BY rowid DESC LIMIT :most",
                {"text": text, "most": most - len(found)},
            )
        return found

    def _find_words(self, query: TraceQuery, limit: int, after: Cursor | None) -> Search:
        found: list[tuple[Cursor, str]] = []
        left = 0
        for path in reversed(self._days()):
            day = path.stem.removeprefix("trace-")
            if (query.day and day != query.day) or (after and day > after.day):
                continue
            if query.words:
                left += self._fill(path, _INDEXED_FOR_A_SEARCH)
            before = after.row if after and day == after.day else None
            find = partial(
                trace_index.find, query=query, before=before, limit=limit + 1 - len(found)
            )
            found += [(Cursor(day, row), line) for row, line in self._read(path, find) or ()]
            if len(found) > limit:
                break
        older = found[limit - 1][0] if len(found) > limit else None
        return Search([from_json(line) for _, line in found[:limit]], older, left)

    def _fill(self, path: Path, most: int) -> int:
        """
        Index a day, and count what is left.
        """
        return self._read(path, lambda connection: trace_index.fill(connection, most)) or 0

    def _select(
        self, path: Path, condition: str, parameters: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        """
        Give the records of a day; of one that cannot be read none.
        """
        statement = f"SELECT record FROM traces {condition}"
        lines = self._read(path, lambda c: c.execute(statement, parameters).fetchall())
        return [from_json(line) for (line,) in lines or ()]

    def _read(self, path: Path, work: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """
        Look into the file of a day; C{None} where it cannot be read, which is told.
        """
        try:
            # Not created: the day may be over by now.
            connection = self._connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
            try:
                return work(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            self.log.error(
                "{event} {path}: {error}", event="trace.not_read", path=str(path), error=str(error)
            )
            return None

    def _purge(self, first: date) -> int:
        over = [path for path in self._days() if path.stem < f"trace-{first:%Y%m%d}"]
        for path in over:
            for leftover in path.parent.glob(f"{path.name}*"):
                leftover.unlink()
        return len(over)


def _weight(record: Record) -> int:
    return max(1, len(record.copies))


def _set_aside(path: Path) -> None:
    path.rename(f"{path}.damaged")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
