"""
What came over the days, in numbers: verdicts, where mail was stopped and why, who sent most, how
long deliveries took.

They are counted in memory and written once a minute, to a file of their own; a crash costs a minute
of them and nothing else.
"""

from __future__ import annotations

import os
import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.interfaces import IThreads
from mailgate.message.record import Record
from mailgate.store.database import Connect
from mailgate.verdict import Action

KEEP_DAYS = 400

EARLY = "early"
"""Beside the actions: refused before the message was sent."""

VERDICTS = ("accept", "tag", "quarantine", "discard", "defer", "reject", EARLY)

PHASES = ("CONNECT", "HELO", "MAIL", "RCPT", "DATA")
"""Where mail is refused; C{DATA} is after the message was sent."""

SECONDS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0, 30.0, 60.0)
"""Ends of the classes into which times of delivery are counted; the last class has none."""

_NAMED = ("reason", "sender", "recipient")
"""Kinds with any number of names."""

_BEST = 100
"""Names of a kind that are kept of a day that is over."""

_AT_ONCE = 20_000
"""Names that may wait in memory; what comes beyond them is counted as one."""

_STRENGTH = (
    Action.ACCEPT,
    Action.TAG,
    Action.DISCARD,
    Action.DEFER,
    Action.QUARANTINE,
    Action.REJECT,
)
_TABLE = """
CREATE TABLE IF NOT EXISTS counts (
    day INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (day, kind, name)
) STRICT, WITHOUT ROWID;
"""

_Key = tuple[int, str, str]


@frozen
class Figures:
    """
    The counts of some days.
    """

    by_day: Mapping[int, Mapping[str, int]]
    """For each day, as L{date.toordinal} numbers them, its transactions by verdict."""

    counts: Mapping[str, Mapping[str, int]]
    """The sums over the days, by kind and name."""

    def number(self, kind: str, *names: str) -> int:
        """
        Add up what was counted under some names of a kind.
        """
        of = self.counts.get(kind, {})
        return sum(of.get(name, 0) for name in names)

    def most(self, kind: str, number: int) -> Sequence[tuple[str, int]]:
        """
        Give the most frequent names of a kind.
        """
        of = self.counts.get(kind, {})
        known = ((name, count) for name, count in of.items() if name)
        return sorted(known, key=lambda item: (-item[1], item[0]))[:number]

    def seconds(self, share: float) -> float | None:
        """
        Give within how many seconds a share of all deliveries was done, by the end of a class;
        C{None} where there were none.
        """
        of = {int(name): count for name, count in self.counts.get("seconds", {}).items()}
        left = share * sum(of.values())
        for place in sorted(of):
            left -= of[place]
            if left <= 0:
                return SECONDS[min(place, len(SECONDS) - 1)]
        return None

    @property
    def saved(self) -> int:
        """
        Estimate the bytes that were not sent, as mail was refused before: as many messages, of the
        mean size of the unwanted ones that were.
        """
        number = self.number("messages", "unwanted")
        mean = self.number("bytes", "unwanted") / number if number else 0
        return round(mean * self.number("verdict", EARLY))


class Statistics:
    """
    Counts transactions.
    """

    log = Logger()

    def __init__(
        self,
        path: Path,
        now: Callable[[], float],
        threads: IThreads,
        connect: Connect = sqlite3.connect,
    ) -> None:
        """
        @param path: the file.
        @param now: the time in seconds since the epoch.
        """
        self._path = path
        self._now = now
        self._threads = threads
        self._connect = connect
        self._counts: Counter[_Key] = Counter()
        self._lock = DeferredLock()
        self._day = 0
        self._until = 0.0

    def today(self) -> int:
        """
        Give the number of the day, by the clock of this machine.
        """
        now = self._now()
        if not self._until - 3600 <= now < self._until:
            self._day = datetime.fromtimestamp(now).toordinal()
            # Asked again each hour: the day may have 23 hours, or 25.
            self._until = now + 3600 - now % 3600
        return self._day

    def record(self, record: Record) -> None:
        """
        Count a transaction.
        """
        day, counts = self.today(), self._counts
        is_full = len(counts) > _AT_ONCE
        for kind, name, number in _counted(record):
            counts[day, kind, "" if is_full and kind in _NAMED else name] += number

    def flush(self) -> Deferred[None]:
        """
        Write what was counted. Never fails: what cannot be written is an event, and tried again.
        """
        return self._lock.run(self._flush)

    def figures(self, first: int, last: int) -> Deferred[Figures]:
        """
        Give the counts of all days from C{first} to C{last}, of today up to now.
        """
        return Deferred.fromCoroutine(self._figures(first, last))

    def purge(self) -> Deferred[None]:
        """
        Forget what is older than L{KEEP_DAYS}, and of days that are over the names of which there
        were few.
        """
        return self._lock.run(self._threads.run, self._purge, self.today())

    # -- in the reactor ---------------------------------------------------------------

    def _flush(self) -> Deferred[None]:
        counts, self._counts = self._counts, Counter()
        writing = self._threads.run(self._write, counts)
        return writing.addErrback(self._not_written, counts)

    def _not_written(self, failure: Failure, counts: Counter[_Key]) -> None:
        self._counts.update(counts)
        self.log.failure("{event}", failure, event="statistics.not_written")

    async def _figures(self, first: int, last: int) -> Figures:
        await self.flush()
        rows = await self._threads.run(self._read, first, last)
        by_day: dict[int, Counter[str]] = {}
        sums: dict[str, Counter[str]] = {}
        # What could not be written counts as well.
        waiting = ((*key, number) for key, number in self._counts.items())
        for day, kind, name, number in (*rows, *waiting):
            if first <= day <= last:
                sums.setdefault(kind, Counter())[name] += number
                if kind == "verdict":
                    by_day.setdefault(day, Counter())[name] += number
        return Figures(by_day, sums)

    # -- in a thread ------------------------------------------------------------------

    def _open(self) -> closing[sqlite3.Connection]:
        # SQLite would make it readable for everybody, and it tells who writes to whom.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = self._connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLE)
        return closing(connection)

    def _write(self, counts: Mapping[_Key, int]) -> None:
        if not counts:
            return
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET number = number + excluded.number",
                [(*key, number) for key, number in counts.items()],
            )
            connection.execute("COMMIT")

    def _read(self, first: int, last: int) -> Iterable[tuple[int, str, str, int]]:
        try:
            with self._open() as connection:
                query = "SELECT day, kind, name, number FROM counts WHERE day BETWEEN ? AND ?"
                return connection.execute(query, (first, last)).fetchall()
        except (OSError, sqlite3.Error) as error:
            self.log.error("{event} {error}", event="statistics.not_read", error=str(error))
            return ()

    def _purge(self, today: int) -> None:
        with self._open() as connection:
            connection.execute("DELETE FROM counts WHERE day < ?", (today - KEEP_DAYS,))
            for kind in _NAMED:
                connection.execute(
                    "DELETE FROM counts WHERE kind = :kind AND (day, name) IN (SELECT day, name "
                    "FROM (SELECT day, name, row_number() OVER (PARTITION BY day ORDER BY number "
                    "DESC) AS place FROM counts WHERE kind = :kind AND name <> '' "
                    "AND day < :today AND day > :today - 3) WHERE place > :best)",
                    {"kind": kind, "today": today, "best": _BEST},
                )


def day_of(number: int) -> date:
    """
    Give the date of a day that is a number.
    """
    return date.fromordinal(number)


def _counted(record: Record) -> Iterator[tuple[str, str, int]]:
    """
    Say what a transaction counts: kind, name and number.
    """
    verdict = _verdict(record)
    if verdict is None:
        return
    yield "verdict", verdict, 1
    is_refused = verdict in (Action.REJECT, EARLY)
    if is_refused:
        yield "phase", _phase(record), 1
    if record.size is not None:
        wanted = "wanted" if verdict in (Action.ACCEPT, Action.TAG) else "unwanted"
        yield "messages", wanted, 1
        yield "bytes", wanted, record.size
    if is_refused or verdict == Action.QUARANTINE:
        reason = _reason(record)
        if reason:
            yield "reason", reason, 1
    if record.sender and (is_refused or record.size is not None):
        yield "sender", record.sender.rpartition("@")[2].lower(), 1
    for copy in record.copies:
        if copy.has_come or copy.outcome == "held":
            yield "recipient", copy.recipient.lower(), 1
    if any(copy.outcome == "delivered" for copy in record.copies):
        yield "seconds", str(bisect_left(SECONDS, record.seconds)), 1


def _verdict(record: Record) -> str | None:
    """
    Say under which verdict a transaction is counted: the strongest; C{None} where it has ended
    without one.
    """
    actions = {verdict.action for verdict in record.verdicts}
    if record.size is None:
        refused = record.reply[:1] == "5" or any(c.reply[:1] == "5" for c in record.copies)
        if refused or Action.REJECT in actions:
            return EARLY
        return Action.DEFER if record.reply[:1] == "4" or Action.DEFER in actions else None
    if actions:
        return max(actions, key=_STRENGTH.index)
    return {"2": Action.ACCEPT, "4": Action.DEFER, "5": Action.REJECT}.get(record.reply[:1])


def _phase(record: Record) -> str:
    if record.size is not None:
        return "DATA"
    if record.sender is not None:
        return "RCPT" if record.copies else "MAIL"
    return "HELO" if record.session.helo else "CONNECT"


def _reason(record: Record) -> str:
    """
    Give the symbol of the gravest finding, or that nobody has the address.
    """
    found = [each for verdict in record.verdicts for each in verdict.findings if each.score > 0]
    if found:
        return max(found, key=lambda finding: finding.score).symbol
    return "RCPT_UNKNOWN" if any(copy.names_nobody for copy in record.copies) else ""
