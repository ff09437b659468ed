"""
Looking for words in what is held.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import frozen

from mailgate.people.reach import EVERYTHING, Reach
from mailgate.quarantine.rows import HeldMessage, folded
from mailgate.store.database import LAST_NUMBER, select
from mailgate.verdict import Kind

LOOKED_AT = 20_000
"""Messages that one search looks at, so that it costs little however many are held."""

_WORDS = 8
_WORD_LENGTH = 100


@frozen
class Found:
    """
    What a search has found.
    """

    held: Sequence[HeldMessage]
    """The newest first."""

    older: int | None
    """The cursor with which to go on, or C{None} where all was looked at."""

    is_cut: bool
    """Whether it ended because it had looked at as many as it may, and not at a full page."""


def split(text: str) -> Sequence[str]:
    """
    Give the words that are looked for, each as it is compared.
    """
    return [word[:_WORD_LENGTH] for word in folded(text).split()[:_WORDS]]


def find(
    connection: sqlite3.Connection,
    words: Sequence[str],
    limit: int,
    before: int | None = None,
    kind: Kind | None = None,
    reach: Reach = EVERYTHING,
) -> Found:
    """
    Give what is held that has all of C{words} in its subject, its senders or its recipient, from
    below the number C{before} on.

    @param words: as L{split} gives them; each may be a part of a longer one.
    @param limit: give at most so many.
    @param reach: only mail within it, and no other is looked at.
    """
    chosen = f"state = 'held' AND number < :before{reach.where}"
    values: dict[str, int | str] = {
        **reach.values,
        "before": LAST_NUMBER if before is None else before,
        "limit": limit + 1,
    }
    if kind is not None:
        chosen += " AND kind = :kind"
        values["kind"] = kind
    # In the index alone, so that it takes a moment.
    last = connection.execute(
        f"SELECT number FROM held WHERE {chosen} ORDER BY number DESC LIMIT 1 OFFSET :skipped",
        {**values, "skipped": LOOKED_AT - 1},
    ).fetchone()
    values["last"] = last[0] if last else 0
    fits = "".join(f" AND instr(words, :word{at})" for at in range(len(words)))
    rows = select(
        connection,
        f"SELECT * FROM held JOIN messages USING (message) WHERE {chosen} AND number >= :last"
        f"{fits} ORDER BY number DESC LIMIT :limit",
        {**values, **{f"word{at}": word for at, word in enumerate(words)}},
    )
    found = [HeldMessage.of(row) for row in rows]
    if len(found) > limit:
        return Found(found[:limit], found[limit - 1].number, is_cut=False)
    return Found(found, last[0] if last else None, is_cut=last is not None)
