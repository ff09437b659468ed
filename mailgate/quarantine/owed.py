"""
Whom held messages are still to be told to by mail, and when somebody was last sent a notice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from mailgate.quarantine.rows import HeldMessage
from mailgate.store.database import select


def for_postmaster(connection: sqlite3.Connection, limit: int) -> tuple[int, Sequence[HeldMessage]]:
    """
    Count what the postmaster is to be told of, and give the newest of it.
    """
    (number,) = connection.execute(
        "SELECT count(*) FROM held WHERE owes_postmaster AND state = 'held'"
    ).fetchone()
    found = select(
        connection,
        "SELECT * FROM held JOIN messages USING (message) WHERE owes_postmaster"
        " AND state = 'held' ORDER BY number DESC LIMIT ?",
        (limit,),
    )
    return number, [HeldMessage.of(row) for row in found]


def owners(connection: sqlite3.Connection, before: float, now: float, limit: int) -> Sequence[str]:
    """
    Give those who are to be told of something and were sent nothing since C{before}; who waits
    longest is the first.
    """
    found = connection.execute(
        "SELECT owner FROM held WHERE owes_recipient AND state = 'held' AND NOT EXISTS"
        " (SELECT 1 FROM notified WHERE address = owner AND at > ? AND at <= ?)"
        " GROUP BY owner ORDER BY min(number) LIMIT ?",
        (before, now, limit),
    )
    return [owner for (owner,) in found]


def of_owner(
    connection: sqlite3.Connection, owner: str, limit: int
) -> tuple[int, Sequence[HeldMessage]]:
    """
    Count what a recipient is to be told of, and give the newest of it.
    """
    (number,) = connection.execute(
        "SELECT count(*) FROM held WHERE owes_recipient AND state = 'held' AND owner = ?",
        (owner,),
    ).fetchone()
    found = select(
        connection,
        "SELECT * FROM held JOIN messages USING (message) WHERE owes_recipient"
        " AND state = 'held' AND owner = ? ORDER BY number DESC LIMIT ?",
        (owner, limit),
    )
    return number, [HeldMessage.of(row) for row in found]


def postmaster_is_told(connection: sqlite3.Connection, last: int) -> None:
    """
    Note that the postmaster has been told of all up to the number C{last}.
    """
    connection.execute(
        "UPDATE held SET owes_postmaster = 0 WHERE owes_postmaster AND number <= ?", (last,)
    )


def owner_is_told(connection: sqlite3.Connection, owner: str, last: int) -> None:
    """
    Note that a recipient has been told of all up to the number C{last}.
    """
    connection.execute(
        "UPDATE held SET owes_recipient = 0 WHERE owes_recipient AND owner = ? AND number <= ?",
        (owner, last),
    )


def nobody_is_owed(connection: sqlite3.Connection) -> None:
    """
    Forget that recipients are to be told of anything.
    """
    connection.execute("UPDATE held SET owes_recipient = 0 WHERE owes_recipient")


def was_notified(connection: sqlite3.Connection, address: str, before: float, now: float) -> bool:
    """
    Tell whether somebody was sent something since C{before}. What is noted for later than C{now}
    does not count: the clock has been put back.
    """
    found = connection.execute(
        "SELECT 1 FROM notified WHERE address = ? AND at > ? AND at <= ?", (address, before, now)
    )
    return found.fetchone() is not None


def notified_since(connection: sqlite3.Connection, before: float, now: float) -> int:
    """
    Count those who were sent something since C{before}.
    """
    (number,) = connection.execute(
        "SELECT count(*) FROM notified WHERE at > ? AND at <= ?", (before, now)
    ).fetchone()
    return int(number)


def note_notified(connection: sqlite3.Connection, address: str, now: float) -> None:
    """
    Note that somebody is sent something.
    """
    connection.execute("INSERT OR REPLACE INTO notified VALUES (?, ?)", (address, now))


def purge_notified(connection: sqlite3.Connection, before: float) -> None:
    """
    Forget who was sent something before C{before}.
    """
    connection.execute("DELETE FROM notified WHERE at <= ?", (before,))
