"""
What people have looked at and done, written down for good.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from enum import StrEnum

from attrs import frozen
from twisted.internet.defer import Deferred

from mailgate.store.database import LAST_NUMBER, Database, select

_DAY = 86400
_AT_A_TIME = 1000


class Act(StrEnum):
    """
    What can be done, by its stable name.
    """

    READ = "message.read"
    DOWNLOADED = "message.downloaded"
    RELEASED = "message.released"
    DELETED = "message.deleted"
    REQUESTED = "release.requested"
    ALLOWED = "release.allowed"
    REFUSED = "release.refused"
    LISTED = "list.changed"
    UNLISTED = "list.removed"
    SETTING = "setting.changed"
    PERSON = "person.changed"
    OUTBOX = "outbox.changed"
    SIGNED_IN = "log_in.begun"
    SIGNED_OUT = "log_in.ended"


@frozen
class Actor:
    """
    Who does something.
    """

    name: str
    client: str = ""
    """From where, or C{""} for the command line."""


@frozen
class Noted:
    """
    One thing that somebody has done.
    """

    number: int
    """Rises with each; the cursor of listings."""

    at: float
    """Seconds since the epoch."""

    by: str
    client: str
    act: str
    held: str
    """The id of the held message it was about, or C{""}; that need not be there any more."""

    trace: str
    text: str
    """It in words."""


def note(
    connection: sqlite3.Connection,
    at: float,
    actor: Actor,
    act: Act,
    text: str,
    held: str = "",
    trace: str = "",
) -> None:
    """
    Write down what somebody does, within the transaction in which it is done.
    """
    connection.execute(
        "INSERT INTO audit (at, by, client, act, held, trace, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (at, actor.name, actor.client, act, held, trace, text),
    )


class Audit:
    """
    Adds to what was noted, and shows it.
    """

    def __init__(self, database: Database, now: Callable[[], float], keep_days: int) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param keep_days: for how many days it is kept what was done.
        """
        self._keep_days = keep_days
        self._database = database
        self._now = now

    def note(
        self, actor: Actor, act: Act, text: str, held: str = "", trace: str = ""
    ) -> Deferred[None]:
        """
        Write down what somebody does; it is on the disk when this ends.

        What must not happen unseen is done only afterwards.
        """
        return self._database.write(
            lambda connection: note(connection, self._now(), actor, act, text, held, trace)
        )

    def newest(
        self, limit: int, before: int | None = None, by: str = "", held: str = ""
    ) -> Deferred[Sequence[Noted]]:
        """
        Give what was noted, the newest first.

        @param before: the number of the last one seen, to go on from there.
        @param by: only what somebody of that name did.
        @param held: only what was done with that held message.
        """

        def work(connection: sqlite3.Connection) -> Sequence[Noted]:
            where = ["number < :before"]
            asked: dict[str, int | str] = {
                "before": LAST_NUMBER if before is None else before,
                "limit": limit,
            }
            for name, value in (("by", by), ("held", held)):
                if value:
                    where.append(f"{name} = :{name}")
                    asked[name] = value
            found = select(
                connection,
                f"SELECT * FROM audit WHERE {' AND '.join(where)}"
                " ORDER BY number DESC LIMIT :limit",
                asked,
            )
            return [Noted(**dict(row)) for row in found]

        return self._database.read(work)

    def purge(self) -> Deferred[int]:
        """
        Let go what is older than it is kept, from the beginning on, and count it.
        """
        before = self._now() - self._keep_days * _DAY

        def work(connection: sqlite3.Connection) -> int:
            # A clock that was put back leaves later rows with earlier times; they wait for theirs.
            (first_kept,) = connection.execute(
                "SELECT min(number) FROM audit WHERE at >= ?", (before,)
            ).fetchone()
            last = LAST_NUMBER if first_kept is None else first_kept
            numbers = connection.execute(
                "SELECT number FROM audit WHERE number < ? ORDER BY number LIMIT ?",
                (last, _AT_A_TIME),
            ).fetchall()
            connection.executemany("DELETE FROM audit WHERE number = ?", numbers)
            return len(numbers)

        return Deferred.fromCoroutine(self._purge(work))

    async def _purge(self, work: Callable[[sqlite3.Connection], int]) -> int:
        total = number = await self._database.write(work)
        while number == _AT_A_TIME:
            number = await self._database.write(work)
            total += number
        return total
