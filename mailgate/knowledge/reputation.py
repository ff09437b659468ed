"""
What senders that were authenticated have sent before, and what people here made of it.

Nothing here is known of anybody who was not authenticated, so nobody can forge a good name, and
nobody can spoil that of somebody else. A day on which mail was kept counts and not each message, so
that nobody earns a name by sending much.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.checks import ReputationCheck as Section
from mailgate.interfaces import IRater, Reputation
from mailgate.knowledge import reputation_rows
from mailgate.knowledge.reputation_rows import DAY, Noted, Remembered, Rows
from mailgate.knowledge.senders import Names
from mailgate.store.database import Database, count_rows
from mailgate.verdict import Action
from mailgate.wire.address import Address

if TYPE_CHECKING:
    from mailgate.message.record import Record

MOST = 100_000
"""How many senders are known at most."""

MOST_WAITING = 10_000
"""How many senders may wait to be written; of more nothing is noted until then."""

MOST_RATED = 100_000
"""Of how many messages it is remembered what people have said."""

SLACK = 1_000
"""By how many there may be more than L{MOST}, so that not each one that comes pushes one out."""

_RATED_DAYS = 90.0


@implementer(IRater)
class Reputations:
    """
    Remembers senders, and forgets them when nothing is heard of them for long.
    """

    log = Logger()

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        section: Section,
        names: Names,
        ours: Collection[str],
        most: int = MOST,
        slack: int = SLACK,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """
        @param now: the time in seconds since the epoch. It may jump: put back, nothing grows by it.
        @param ours: our domains: nobody there is a correspondent.
        """
        self._database = database
        self._now = now
        self.section = section
        """How long what is known holds."""

        self.names = names
        self.ours = ours
        self._most = most
        self._slack = slack
        self._most_waiting = most_waiting
        self._noted: dict[str, Noted] = {}
        self._dropped = 0
        self.rated = {False: 0, True: 0}
        """How many messages people have called wanted, and how many spam, since the start."""

    # -- what happens ---------------------------------------------------------------------

    def record(self, record: Record) -> None:
        """
        Note from whom mail was delivered, and to whom ours was. Returns at once; L{flush} writes.
        """
        if record.session.is_trusted or record.session.account:
            self._note_outgoing(record)
            return
        if any(copy.has_come for copy in record.copies):
            # What was tagged may lie where nobody looks, so that nobody complains says nothing.
            passed = [
                verdict
                for verdict in record.verdicts
                if verdict.action is Action.ACCEPT and verdict.would is None
            ]
            for name in {name for v in passed for f in v.findings for name in f.names}:
                self._take(name, delivered=record.started)

    def _note_outgoing(self, record: Record) -> None:
        if not record.sender:
            return  # Notices and automatic answers are no correspondence (RFC 3834).
        for copy in record.copies:
            local, at, domain = copy.recipient.rpartition("@")
            if not at or not copy.has_come:
                continue
            address = Address(local, domain)
            if address.host not in self.ours and (name := self.names.of(address)) is not None:
                self._take(name, written=record.started)

    def _take(self, name: str, delivered: float = 0.0, written: float = 0.0) -> None:
        noted = self._noted.get(name)
        if noted is None:
            if len(self._noted) >= self._most_waiting:
                self._dropped += 1
                return
            noted = self._noted[name] = Noted()
        noted.delivered = max(noted.delivered, delivered)
        noted.written = max(noted.written, written)

    def flush(self) -> Deferred[int]:
        """
        Write what was noted, and count the senders. What cannot be written is noted still.

        @raise StoreError: it cannot.
        """
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self.log.error("{event} {number} senders", event="reputation.lost", number=dropped)
        if not self._noted:
            return succeed(0)
        noted, self._noted = self._noted, {}
        now = self._now()

        def work(connection: sqlite3.Connection) -> int:
            rows = self._rows(connection, now)
            for name, each in noted.items():
                rows.note(name, each)
            rows.make_room(self._most, self._slack)
            return len(noted)

        def failed(failure: Failure) -> Failure:
            for name, each in noted.items():
                self._take(name, each.delivered, each.written)
            return failure

        return self._database.write(work).addErrback(failed)

    def rate(self, names: Sequence[str], is_spam: bool, trace: str) -> Deferred[bool]:
        """
        Take note of what somebody has said of a message: the last word on it counts, once.

        @return: whether anything has changed.
        @raise StoreError: it could not be written.
        """
        if not names:
            return succeed(False)
        now = self._now()

        def work(connection: sqlite3.Connection) -> bool:
            rows = self._rows(connection, now)
            has_changed = rows.rate(names, is_spam, trace)
            rows.make_room(self._most, self._slack)
            return has_changed

        def committed(has_changed: bool) -> bool:
            if has_changed:
                self.rated[is_spam] += 1
                self.log.info(
                    "{event} {names} by what was said of {trace}: {verdict}",
                    event="reputation.rated",
                    names=", ".join(names),
                    trace=trace,
                    verdict="spam" if is_spam else "wanted",
                )
            return has_changed

        return self._database.write(work).addCallback(committed)

    # -- what is known --------------------------------------------------------------------

    def look_up(self, names: Sequence[str]) -> Deferred[Sequence[Reputation]]:
        """
        Tell what is known of senders, in the order of C{names}.

        @raise StoreError: the database cannot be read.
        """
        now = self._now()

        def work(connection: sqlite3.Connection) -> Sequence[Reputation]:
            rows = self._rows(connection, now)
            return tuple(rows.find(name) or Reputation(name) for name in names)

        return self._database.read(work)

    def newest(
        self, limit: int | None = None, before: int | None = None
    ) -> Deferred[Sequence[Remembered]]:
        """
        Give the senders that are known, the newest first.

        @param limit: at most so many; C{None} is all.
        @param before: the number of the last one seen, to go on from there.
        """
        now = self._now()

        return self._database.read(
            lambda connection: self._rows(connection, now).newest(limit, before)
        )

    def show(self, name: str) -> Deferred[Reputation | None]:
        """
        Give what is known of one sender, or C{None}.

        @param name: a domain or an address, however it is written.
        """
        now = self._now()
        known_as = self.names.meant(name)
        return self._database.read(lambda connection: self._rows(connection, now).find(known_as))

    def count(self) -> Deferred[int]:
        """
        Count the senders that are known.
        """
        return self._database.read(lambda connection: count_rows(connection, "reputation"))

    def clear(self, by: str, name: str | None = None) -> Deferred[int]:
        """
        Forget all senders or one, and count them.

        @param by: who wants it so, in words.
        @param name: a domain or an address, however it is written.
        """
        known_as = None if name is None else self.names.meant(name)
        if known_as is None:
            self._noted.clear()
        else:
            self._noted.pop(known_as, None)

        def work(connection: sqlite3.Connection) -> int:
            if known_as is None:
                connection.execute("DELETE FROM reputation_day")
                connection.execute("DELETE FROM reputation_rated")
                return connection.execute("DELETE FROM reputation").rowcount
            return reputation_rows.forget(connection, "name = ?", (known_as,))

        def committed(number: int) -> int:
            self.log.info(
                "{event} {number} of {name} by {by}",
                event="reputation.cleared",
                number=number,
                name=known_as or "all",
                by=by,
            )
            return number

        return self._database.write(work).addCallback(committed)

    def purge(self) -> Deferred[int]:
        """
        Let the days count on which nobody has complained, and forget senders that nothing was heard
        of for long. Count these.
        """
        now = self._now()
        oldest = now - self.section.forget_days * DAY
        ripe = int(now // DAY) - self.section.kept_days

        def work(connection: sqlite3.Connection) -> int:
            rows = self._rows(connection, now)
            rows.ripen(ripe)
            rows.forget_ratings(_RATED_DAYS * DAY, MOST_RATED)
            return reputation_rows.forget(connection, "touched <= ?", (oldest,))

        return self._database.write(work)

    def _rows(self, connection: sqlite3.Connection, now: float) -> Rows:
        return Rows(connection, now, self.section.half_life_days * DAY)
