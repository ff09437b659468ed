"""
Who has sent bad mail lately and who good one: what the hub counts of the transactions that end.

Points are kept in memory and written from time to time; a crash loses those of the last seconds.
Whoever has few of them waits apart from those that are known, so that nobody who comes from ever
new addresses makes the known ones forgotten, or fills the disk: what is new is not written.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from itertools import count, islice
from typing import TYPE_CHECKING

from attrs import define
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.checks import CheckMode
from mailgate.config.checks import PenaltyCheck as Section
from mailgate.config.values import parse_network
from mailgate.interfaces import Deed
from mailgate.knowledge.penalty import Penalties, Penalty, is_client, left_of
from mailgate.store.database import Database, select
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.network import client_names, has_client, named

if TYPE_CHECKING:
    from mailgate.message.record import Record

MOST = 50_000
"""How many are known at most, and how many are new; whoever was seen least lately is forgotten."""

KNOWN_POINTS = 3.0
"""With how many points somebody is known; with fewer, whoever can be in the box with fewer."""

LEAST_POINTS = 0.5
"""With how few of them somebody is forgotten."""

PURGED = 5000
"""How many are looked at in one purge, so that the reactor gets to something else."""

MOST_DEEDS = 10
"""How many of one kind count of one transaction."""

LOGIN_FAILED = "log-in"
_WRONG = ": 535 "
"""What stands in a note of a log-in that failed for what the client has said (RFC 4954)."""

_BAD_KINDS = (Kind.SPAM, Kind.PHISHING, Kind.SPOOF, Kind.MALWARE)
_COUNTED = ("penalty", "traps")
"""Checks that tell of what has given points before, or does so by itself."""

_NO_EVIDENCE = (*_COUNTED, "greylist", "rates", "subjects", "reputation", "lists")
"""Checks that find nothing bad of a message: only when and how often it comes, what came before,
and what single people want."""


@define
class _Tally:
    number: int
    good: float
    bad: float
    at: float
    is_boxed: bool = False


class PenaltyBox:
    """
    Counts, tells of whoever is in the box, and keeps all that.
    """

    log = Logger()

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        section: Section,
        relays: Sequence[str] = (),
        most: int = MOST,
    ) -> None:
        """
        @param now: the time in seconds since the epoch. Put forward, it makes points fewer at
            once; put back, it lets them stay until it has caught up.
        @param relays: the networks of our relays: what they bring is not theirs.
        @param most: how many are known, and how many are new.
        """
        self._database = database
        self._now = now
        self._most = most
        self._new: OrderedDict[str, _Tally] = OrderedDict()
        self._known: OrderedDict[str, _Tally] = OrderedDict()
        self._numbers = count(1)
        self._is_loaded = False
        self._unwritten: dict[str, None] = {}
        self._untold: dict[str, None] = {}
        self._unpurged: list[str] = []
        self.penalties = Penalties()
        """What counts, for the check; empty before L{load}."""

        self.changed: Callable[[Sequence[Penalty]], None] = lambda penalties: None
        """Called by L{tell} with what has changed in the box since it was called before; whoever
        is not in it any more has no points."""

        self.counted: Callable[[Deed, int], None] = lambda deed, times: None
        """Called with what is counted, and how often."""

        self._set(section, relays)

    def __len__(self) -> int:
        """
        Count those of whom anything is remembered.
        """
        return len(self._new) + len(self._known)

    def take_up(self, section: Section, relays: Sequence[str]) -> None:
        """
        Take up other settings.
        """
        before = self.section
        self._set(section, relays)
        if section == before:
            return  # To look at all of them takes long, and most reloads are for something else.
        for table in (self._new, self._known):
            for name, tally in table.items():
                self._put(name, tally, has_changed=False)

    # -- counting ---------------------------------------------------------------------

    def count(self, record: Record) -> None:
        """
        Count what a transaction, or a session that was turned away, says of its client.
        """
        session = record.session
        client = record.origin or session.client
        if not record.origin and self._is_relay(client):
            return
        failures = sum(note.startswith(LOGIN_FAILED) and _WRONG in note for note in record.notes)
        if failures:
            self.mark(client, Deed.LOGIN, failures)
        if not session.is_stranger:
            # Those whom we know; that they can log in speaks for where they are.
            if session.account and _is_delivered(record):
                self.mark(client, Deed.GOOD)
            return
        unknown = sum(copy.names_nobody for copy in record.copies)
        if unknown:
            self.mark(client, Deed.UNKNOWN, unknown)
        bad = [verdict for verdict in record.verdicts if _is_bad(verdict)]
        if bad:
            self.mark(client, Deed.REFUSED if record.size is None else Deed.SPAM)
        elif _is_delivered(record):
            self.mark(client, Deed.GOOD)

    def mark(self, client: str, deed: Deed, times: int = 1) -> None:
        """
        Count what was seen of a client, for its address and its network.

        @param client: its IP address; what is none, or exempt, is not counted.
        @param times: how often; L{MOST_DEEDS} at most count.
        """
        times = min(times, MOST_DEEDS)
        points = self._points[deed] * times
        names = client_names(client)
        is_off = self.section.mode is CheckMode.OFF
        if is_off or not points or not names or self._is_exempt(client):
            return
        self.counted(deed, times)
        for name in names:
            if deed is Deed.GOOD:
                self._add(name, points, 0.0)
            else:
                self._add(name, 0.0, points)

    # -- from time to time ------------------------------------------------------------

    def tell(self) -> Deferred[None]:
        """
        Tell what has changed in the box, and let the checks know.
        """
        if self._untold:
            names, self._untold = self._untold, {}
            changes = [self._penalty(name) for name in names]
            self.penalties.take(changes)
            self.changed(changes)
        return succeed(None)

    def load(self) -> Deferred[None]:
        """
        Read what is kept, unless that was done.
        """
        if self._is_loaded:
            return succeed(None)

        def work(connection: sqlite3.Connection) -> Sequence[sqlite3.Row]:
            # Those that were seen last come last, as they do in memory.
            return list(select(connection, "SELECT * FROM penalty ORDER BY at, number"))

        def loaded(rows: Sequence[sqlite3.Row]) -> None:
            self._is_loaded = True
            for row in rows:
                tally = _Tally(row["number"], row["good"], row["bad"], row["at"])
                self._known[row["name"]] = tally
                tally.is_boxed = _of(row["name"], tally).is_boxed(self._now(), self.section)
                if tally.is_boxed:
                    self._untold[row["name"]] = None
            self._numbers = count(1 + max((row["number"] for row in rows), default=0))
            self.tell()

        return self._database.read(work).addCallback(loaded)

    def write(self) -> Deferred[int]:
        """
        Write what has changed since it was written before, and count it.
        """
        if not self._unwritten:
            return succeed(0)
        names, self._unwritten = self._unwritten, {}
        kept = [
            (tally.number, name, tally.good, tally.bad, tally.at)
            for name in names
            if (tally := self._known.get(name)) is not None
        ]
        gone = [(name,) for name in names if name not in self._known]

        def work(connection: sqlite3.Connection) -> int:
            connection.executemany("DELETE FROM penalty WHERE name = ?", gone)
            connection.executemany(
                "INSERT INTO penalty (number, name, good, bad, at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET"
                " good = excluded.good, bad = excluded.bad, at = excluded.at",
                kept,
            )
            return len(names)

        def failed(failure: Failure) -> Failure:
            self._unwritten = names | self._unwritten
            return failure

        return self._database.write(work).addErrback(failed)

    def purge(self) -> Deferred[int]:
        """
        Look at the next L{PURGED}, and forget those of whom hardly a point is left; count them.
        """
        now, hours = self._now(), self.section.half_life_hours
        number = 0
        if not self._unpurged:
            self._unpurged = [*self._new, *self._known]
        names = self._unpurged[-PURGED:]
        del self._unpurged[-PURGED:]
        for name in names:
            table = self._new if name in self._new else self._known
            tally = table.get(name)
            if tally is None:
                continue  # it was forgotten meanwhile
            if (tally.good + tally.bad) * left_of(now - tally.at, hours) < LEAST_POINTS:
                self._forget(table, name)
                number += 1
            elif tally.is_boxed:
                self._put(name, tally, has_changed=False)
        self.tell()
        return self.write().addCallback(lambda _: number)

    # -- looking ----------------------------------------------------------------------

    def newest(
        self, limit: int | None = None, before: int | None = None, is_boxed: bool = True
    ) -> Deferred[Sequence[tuple[int, Penalty]]]:
        """
        Give those that are remembered as they are now, with their numbers, the newest first.

        @param limit: at most so many; C{None} is all.
        @param before: the number of the last one seen, to go on from there.
        @param is_boxed: only those in the box.
        """

        def chosen(_: None) -> Sequence[tuple[int, Penalty]]:
            return list(islice(self._all(is_boxed, before), limit))

        return self.load().addCallback(chosen)

    def number(self, is_boxed: bool = True) -> Deferred[int]:
        """
        Count those that L{newest} would give.
        """

        def counted(_: None) -> int:
            return sum(1 for _ in self._all(True)) if is_boxed else len(self)

        return self.load().addCallback(counted)

    def clear(self, by: str, name: str | None = None) -> Deferred[int]:
        """
        Forget all that is remembered, or that of an address or a network and all in it, and count
        it. The checks are told at once; the Deferred fires when it is off the disk as well.

        @param by: who wants it so, in words.
        @raise ValueError: C{name} is neither.
        """
        wanted = None if name is None else _within(named(name))

        def cleared(_: None) -> Deferred[int]:
            number = 0
            for table in (self._new, self._known):
                for each in [each for each in wanted or table if each in table]:
                    self._forget(table, each)
                    number += 1
            self.tell()

            def written(_: int) -> int:
                self.log.info(
                    "{event} {number} of {name} by {by}",
                    event="penalty.cleared",
                    number=number,
                    name="all" if wanted is None else wanted[0],
                    by=by,
                )
                return number

            return self.write().addCallback(written)

        return self.load().addCallback(cleared)

    # -- inside -----------------------------------------------------------------------

    def _set(self, section: Section, relays: Sequence[str]) -> None:
        self.section = section
        self._points: Mapping[Deed, float] = {
            deed: getattr(section, f"{deed.value}_points") for deed in Deed
        }
        self._is_exempt = has_client(tuple(map(parse_network, section.exempt_networks)))
        self._is_relay = has_client(tuple(map(parse_network, relays)))

    def _all(self, is_boxed: bool, before: int | None = None) -> Iterator[tuple[int, Penalty]]:
        now, section = self._now(), self.section
        found = [
            (tally.number, name)
            for table in (self._new, self._known)
            for name, tally in table.items()
            if (tally.is_boxed or not is_boxed) and (before is None or tally.number < before)
        ]
        for number, name in sorted(found, reverse=True):
            tally = self._known.get(name) or self._new[name]
            penalty = _of(name, tally).aged(now, section.half_life_hours)
            if not is_boxed or penalty.is_boxed(now, section):
                yield number, penalty

    def _add(self, name: str, good: float, bad: float) -> None:
        now = self._now()
        table = self._known if name in self._known else self._new
        tally = table.pop(name, None)
        if tally is None:
            tally = _Tally(next(self._numbers), good, bad, now)
        else:
            left = left_of(now - tally.at, self.section.half_life_hours)
            tally.good = tally.good * left + good
            tally.bad = tally.bad * left + bad
            tally.at = max(now, tally.at)
        if tally.good + tally.bad >= min(KNOWN_POINTS, self.section.from_points):
            table = self._known
        table[name] = tally
        if table is self._known:
            self._unwritten[name] = None
        if len(table) > self._most:
            self._forget(table, next(iter(table)))
        self._put(name, tally)

    def _put(self, name: str, tally: _Tally, has_changed: bool = True) -> None:
        """
        Put somebody into the box or take it out, as its points say.

        @param has_changed: whether there are other points, which are told as well.
        """
        before = tally.is_boxed
        if not before and tally.bad < self.section.from_points:
            return  # as nearly all
        tally.is_boxed = _of(name, tally).is_boxed(self._now(), self.section)
        if before is not tally.is_boxed or (before and has_changed):
            self._untold[name] = None
        if tally.is_boxed and not before:
            self.log.info(
                "{event} {name}: {bad} points against it and {good} for it",
                event="penalty.begun",
                name=name,
                bad=round(tally.bad, 1),
                good=round(tally.good, 1),
            )

    def _forget(self, table: OrderedDict[str, _Tally], name: str) -> None:
        tally = table.pop(name)
        if table is self._known:
            self._unwritten[name] = None
        if tally.is_boxed:
            self._untold[name] = None

    def _penalty(self, name: str) -> Penalty:
        tally = self._known.get(name) or self._new.get(name)
        if tally is None or not tally.is_boxed:
            return Penalty(name, 0.0, 0.0, self._now())
        return _of(name, tally)


def _of(name: str, tally: _Tally) -> Penalty:
    return Penalty(name, tally.good, tally.bad, tally.at)


def _within(name: str) -> Sequence[str]:
    """
    Give a name and, where it is that of an IPv4 network, those of all clients in it.
    """
    return (name,) if is_client(name) else (name, *map(str, ip_network(name)))


def _is_delivered(record: Record) -> bool:
    return record.size is not None and any(copy.has_come for copy in record.copies)


def _is_bad(verdict: Verdict) -> bool:
    """
    Tell whether a verdict says something bad of the client, beyond what was known of it.
    """
    action = verdict.would or verdict.action
    if action is Action.QUARANTINE:
        if verdict.kind not in _BAD_KINDS:
            return False
    elif action not in (Action.REJECT, Action.DISCARD):
        return False
    against = [finding for finding in verdict.findings if finding.score > 0]
    counted = sum(finding.score for finding in against if finding.check in _COUNTED)
    others = sum(finding.score for finding in against if finding.check not in _NO_EVIDENCE)
    return 0 < others >= counted
