"""
What traces are found by beside their ids: the words of a day's records, in an index of their own.

It is filled when there is time, and before somebody searches; what the gateway does costs nothing
for it. A record is found by its sender and recipients (the address, its local part, its domain and
those above it), the client, the words of the subject, the Message-ID, the account, what was decided
and what became of the copies.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from mailgate.reporting.record import from_json
from mailgate.reporting.trace_query import TraceQuery, token

COLUMNS = ("sender", "recipient", "client", "subject", "id", "account", "verdict")

_TABLE = f"""
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    {", ".join(COLUMNS)}, content='', columnsize=0, detail=column,
    tokenize="unicode61 remove_diacritics 2 tokenchars '@.:_-+='"
);
CREATE TABLE IF NOT EXISTS indexed (last INTEGER NOT NULL) STRICT;
INSERT INTO indexed SELECT 0 WHERE NOT EXISTS (SELECT * FROM indexed);
"""
_PORTION = 1_000
_WORD = re.compile(r"\w+")
_WORDS = 50
"""Words of a subject by which a record is found."""

_PARTIES = 100
"""Recipients by which a record is found."""


@frozen
class Cursor:
    """
    Where a search goes on.
    """

    day: str
    row: int


def fill(connection: sqlite3.Connection, most: int) -> int:
    """
    Index the records of a day that are not yet, oldest first.

    @param most: how many at most.
    @return: how many are left.
    @raise sqlite3.Error: the file cannot be read or written.
    """
    if _is_done(connection):
        return 0
    connection.executescript(_TABLE)
    places = ", ".join("?" * (1 + len(COLUMNS)))
    while most > 0:
        # Before it is read how far the index goes: somebody else may be filling it.
        connection.execute("BEGIN IMMEDIATE")
        rows = connection.execute(
            "SELECT rowid, record FROM traces WHERE rowid > (SELECT last FROM indexed) "
            "ORDER BY rowid LIMIT ?",
            (min(_PORTION, most),),
        ).fetchall()
        connection.executemany(
            f"INSERT INTO words (rowid, {', '.join(COLUMNS)}) VALUES ({places})",
            [(row, *_columns(from_json(line))) for row, line in rows],
        )
        if rows:
            connection.execute("UPDATE indexed SET last = ?", (rows[-1][0],))
        connection.execute("COMMIT")
        if not rows:
            return 0
        most -= len(rows)
    left = "SELECT count(*) FROM traces WHERE rowid > (SELECT last FROM indexed)"
    return int(connection.execute(left).fetchone()[0])


def _is_done(connection: sqlite3.Connection) -> bool:
    """
    Tell whether a day is indexed as far as it goes; of most it is, and nothing is written then.
    """
    if not connection.execute("SELECT * FROM sqlite_master WHERE name = 'indexed'").fetchone():
        return False
    query = "SELECT last >= ifnull((SELECT max(rowid) FROM traces), 0) FROM indexed"
    return bool(connection.execute(query).fetchone()[0])


def find(
    connection: sqlite3.Connection, query: TraceQuery, before: int | None, limit: int
) -> Sequence[tuple[int, str]]:
    """
    Give the records of a day that are looked for, with their numbers, the newest first.

    @param before: only those with a lower number.
    @raise sqlite3.Error: the file cannot be read.
    """
    match = query.match()
    below = (1 << 63) - 1 if before is None else before
    if not match:
        return connection.execute(
            "SELECT rowid, record FROM traces WHERE rowid < ? ORDER BY rowid DESC LIMIT ?",
            (below, limit),
        ).fetchall()
    return connection.execute(
        "SELECT traces.rowid, record FROM words JOIN traces ON traces.rowid = words.rowid "
        "WHERE words MATCH ? AND words.rowid < ? ORDER BY words.rowid DESC LIMIT ?",
        (match, below, limit),
    ).fetchall()


def _columns(record: Mapping[str, Any]) -> Iterator[str]:
    copies = record["copies"]
    recipients = [copy["recipient"] for copy in copies]
    recipients += [each for verdict in record["verdicts"] for each in verdict["recipients"]]
    yield " ".join(_address(record["sender"] or ""))
    yield " ".join(word for each in _some(recipients) for word in _address(each))
    yield record["client"]
    yield " ".join(_WORD.findall(record["subject"])[:_WORDS])
    yield token(record["message_id"].strip("<> "))
    yield token(record["account"])
    verdicts = [verdict["action"] for verdict in record["verdicts"]]
    yield " ".join({*verdicts, *(copy["outcome"] for copy in copies)})


def _some(recipients: Iterable[str]) -> Sequence[str]:
    return list(dict.fromkeys(recipients))[:_PARTIES]


def _address(address: str) -> Iterator[str]:
    """
    Give what an address is found by.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        return
    yield token(address)
    yield token(local)
    labels = domain.split(".")
    yield from (token(".".join(labels[at:])) for at in range(max(1, len(labels) - 1)))
