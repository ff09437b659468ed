"""
What users ask for: that a message be released which they may not release themselves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import frozen

from mailgate.people.reach import Reach
from mailgate.quarantine.rows import HeldMessage
from mailgate.store.database import select

NOTE_LENGTH = 300
"""How many characters somebody may give as the reason."""


@frozen
class Request:
    """
    Somebody has asked for a release.
    """

    held: str
    asked: float
    """Seconds since the epoch, as all times here."""

    asked_by: str
    note: str
    """Why, in the words of whoever asked, or C{""}."""

    answered: float | None
    answered_by: str
    answer: str
    """C{allowed}, C{refused}, or C{""} as long as nobody has answered."""


def ask(connection: sqlite3.Connection, held: str, by: str, note: str, now: float) -> bool:
    """
    Write down a request, and tell whether it is a new one.
    """
    added = connection.execute(
        "INSERT OR IGNORE INTO release_request (held, asked, asked_by, note) VALUES (?, ?, ?, ?)",
        (held, now, by, note),
    )
    return bool(added.rowcount)


def answer(
    connection: sqlite3.Connection, held: str, by: str, is_allowed: bool, now: float
) -> bool:
    """
    Answer a request, and tell whether it was open.
    """
    changed = connection.execute(
        "UPDATE release_request SET answered = ?, answered_by = ?, answer = ?"
        " WHERE held = ? AND answer = ''",
        (now, by, "allowed" if is_allowed else "refused", held),
    )
    return bool(changed.rowcount)


def get(connection: sqlite3.Connection, held: str) -> Request | None:
    """
    Give the request for a held message.
    """
    found = select(connection, "SELECT * FROM release_request WHERE held = ?", (held,))
    return next((Request(**dict(row)) for row in found), None)


def waiting(
    connection: sqlite3.Connection, reach: Reach, limit: int
) -> Sequence[tuple[HeldMessage, Request]]:
    """
    Give the open requests for mail within C{reach}, the oldest first.
    """
    found = select(
        connection,
        "SELECT * FROM release_request JOIN held ON held.id = release_request.held"
        f" JOIN messages USING (message) WHERE answer = '' AND state = 'held'{reach.where}"
        " ORDER BY asked LIMIT :limit",
        {**reach.values, "limit": limit},
    )
    pairs = []
    for row in found:
        request = get(connection, row["id"])
        assert request is not None
        pairs.append((HeldMessage.of(row), request))
    return pairs


def count(connection: sqlite3.Connection, reach: Reach) -> int:
    """
    Count the open requests for mail within C{reach}.
    """
    (number,) = connection.execute(
        "SELECT count(*) FROM release_request JOIN held ON held.id = release_request.held"
        f" WHERE answer = '' AND state = 'held'{reach.where}",
        reach.values,
    ).fetchone()
    return int(number)
