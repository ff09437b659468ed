"""
What happened to a message after its transaction had ended.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import frozen


@frozen
class Note:
    """
    One thing that happened.
    """

    at: float
    """Seconds since the epoch."""

    event: str
    """Its stable name, C{part.thing}."""

    text: str
    """It in words; a sentence without its full stop."""


def note(
    connection: sqlite3.Connection, trace: str, at: float, event: str, text: str, held: str = ""
) -> None:
    """
    Write down that something happened to the message of a transaction.

    @param held: the id of the held message that it happened to, or C{""}.
    """
    connection.execute("INSERT INTO history VALUES (?, ?, ?, ?, ?)", (trace, at, event, text, held))


def trace_of(connection: sqlite3.Connection, held: str) -> str | None:
    """
    Give the trace of a held message to which something has happened, or C{None} where nothing is
    known of it. It need not be there any more.
    """
    found = connection.execute(
        "SELECT trace FROM history WHERE held = ? AND held <> '' LIMIT 1", (held,)
    ).fetchone()
    return None if found is None else str(found[0])


def notes(connection: sqlite3.Connection, trace: str) -> Sequence[Note]:
    """
    Give what happened after a transaction, oldest first.
    """
    rows = connection.execute(
        "SELECT at, event, text FROM history WHERE trace = ? ORDER BY rowid", (trace,)
    )
    return [Note(*row) for row in rows]


def purge(connection: sqlite3.Connection, before: float) -> int:
    """
    Forget what happened before C{before}, in seconds since the epoch.
    """
    return connection.execute("DELETE FROM history WHERE at < ?", (before,)).rowcount
