"""
What people see of the outbox, and what they do with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from enum import StrEnum

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.store import outbox
from mailgate.store.messages import Messages
from mailgate.store.outbox import Backlog, OutboxRow


class Outcome(StrEnum):
    """
    What came of doing something with a copy.
    """

    DONE = "done"
    TRYING = "trying"
    """Nothing: it is being delivered, or was when the gateway ended."""

    GONE = "gone"
    """Nothing: it was delivered, held, told to its sender or deleted."""

    @property
    def is_done(self) -> bool:
        """
        Tell whether it was done.
        """
        return self is Outcome.DONE


class Queue:
    """
    Shows what waits, tries it at once, stops it and deletes it.
    """

    log = Logger()

    def __init__(
        self,
        messages: Messages,
        now: Callable[[], float],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param changed: called when a copy has become due.
        """
        self._messages = messages
        self._database = messages.database
        self._now = now
        self._changed = changed

    def list(
        self, limit: int | None = None, before: int | None = None
    ) -> Deferred[Sequence[OutboxRow]]:
        """
        Give what waits, the newest first, from below the number C{before} on.
        """
        return self._database.read(lambda connection: outbox.newest(connection, limit, before))

    def show(self, identity: str) -> Deferred[OutboxRow | None]:
        """
        Give one copy, or C{None} where there is none of that id.
        """
        return self._database.read(lambda connection: outbox.get(connection, identity))

    def count(self) -> Deferred[int]:
        """
        Count what waits.
        """
        return self._database.read(outbox.count)

    def backlog(self) -> Deferred[Backlog]:
        """
        Find out how much waits, and since when.
        """
        return self._database.read(outbox.backlog)

    def retry_all(self) -> Deferred[int]:
        """
        Try everything at once, but what somebody has stopped, and count it.
        """
        now = self._now()

        def done(number: int) -> int:
            self._changed()
            return number

        return self._database.write(lambda connection: outbox.hasten(connection, now)).addCallback(
            done
        )

    def retry(self, identity: str, by: str) -> Deferred[Outcome]:
        """
        Try a copy at once, also one that waits for a person.

        @param by: who says so, in words; so in the others.
        """
        now = self._now()

        def work(connection: sqlite3.Connection, row: OutboxRow, _: set[str]) -> None:
            outbox.hasten(connection, now, row.id)
            if row.is_suspended:
                outbox.note(connection, row, now, "outbox.resumed", f"let go by {by}")

        def done(outcome: Outcome) -> Outcome:
            self._changed()
            return outcome

        return self._change(identity, "outbox.resumed", by, work, True).addCallback(done)

    def hold(self, identity: str, by: str) -> Deferred[Outcome]:
        """
        Try a copy no more until somebody has it tried.
        """
        now = self._now()

        def work(connection: sqlite3.Connection, row: OutboxRow, _: set[str]) -> None:
            outbox.suspend(connection, row, by, now)

        return self._change(identity, "outbox.stopped", by, work)

    def delete(self, identity: str, by: str) -> Deferred[Outcome]:
        """
        Take a copy out. Its recipient does not get it, and nobody is told.
        """
        now = self._now()

        def work(connection: sqlite3.Connection, row: OutboxRow, loose: set[str]) -> None:
            outbox.delete(connection, row, by, now)
            loose.add(row.message.id)

        return self._change(identity, "outbox.deleted", by, work)

    def _change(
        self,
        identity: str,
        event: str,
        by: str,
        change: Callable[[sqlite3.Connection, OutboxRow, set[str]], None],
        is_quiet: bool = False,
    ) -> Deferred[Outcome]:
        """
        @param is_quiet: whether it is an event only where the copy waited for a person.
        """

        def work(connection: sqlite3.Connection, loose: set[str]) -> OutboxRow | None:
            row = outbox.get(connection, identity)
            if row is not None and not row.is_trying:
                change(connection, row, loose)
            return row

        def done(row: OutboxRow | None) -> Outcome:
            if row is None:
                return Outcome.GONE
            if row.is_trying:
                return Outcome.TRYING
            if row.is_suspended or not is_quiet:
                self.log.info(
                    "{event} {id} by {by}", event=event, id=row.id, trace=row.message.trace, by=by
                )
            return Outcome.DONE

        return self._messages.change(work).addCallback(done)
