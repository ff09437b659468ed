"""
The rows of the outbox: copies that are still to be delivered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from attrs import frozen

from mailgate.finding import Finding
from mailgate.store import findings, history
from mailgate.store.database import LAST_NUMBER, select
from mailgate.store.messages import StoredMessage
from mailgate.verdict import Action, Verdict
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters


@frozen
class OutboxRow:
    """
    A copy for one recipient.
    """

    id: str
    number: int
    """Rises with each row; the newest has the highest."""

    message: StoredMessage
    recipient: Address
    wish: RcptParameters
    """What was said of notices for the recipient (RFC 3461)."""

    action: Action
    total: float
    findings: tuple[Finding, ...]
    released_from: str
    """The id of the held message that it was, or C{""}."""

    reason: str
    """The last reply of the upstream, or why it could not be delivered at once, or C{""}."""

    queued: float
    """Seconds since the epoch, as all times here."""

    tries: int
    next_try: float
    is_trying: bool
    is_suspended: bool
    """Whether it waits for a person, and is tried at no time."""

    @property
    def verdict(self) -> Verdict:
        """
        Give the verdict for the rewriting.
        """
        return Verdict(self.action, self.findings, self.total, (self.recipient,))

    @classmethod
    def of(cls, row: sqlite3.Row) -> OutboxRow:
        """
        Read a row of C{outbox} joined to C{messages}.
        """
        return cls(
            id=row["id"],
            number=row["number"],
            message=StoredMessage.of(row),
            recipient=Address.owned(row["recipient_local"], row["recipient_domain"], row["owner"]),
            wish=RcptParameters(row["notify"], row["orcpt"]),
            action=Action(row["action"]),
            total=row["total"],
            findings=findings.decode(row["findings"]),
            released_from=row["released_from"],
            reason=row["reason"],
            queued=row["queued"],
            tries=row["tries"],
            next_try=row["next_try"],
            is_trying=bool(row["is_trying"]),
            is_suspended=bool(row["is_suspended"]),
        )


def add(
    connection: sqlite3.Connection,
    identity: str,
    message: str,
    verdict: Verdict,
    wish: RcptParameters,
    now: float,
    first_try: float,
    released_from: str = "",
    reason: str = "",
) -> None:
    """
    Queue a copy of the stored message C{message} for the one recipient of C{verdict}.

    @param wish: what was said of notices for the recipient.
    """
    (recipient,) = verdict.recipients
    connection.execute(
        "INSERT INTO outbox (id, message, recipient_local, recipient_domain, owner, notify, orcpt,"
        " action, total, findings, released_from, reason, queued, next_try)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            identity,
            message,
            recipient.local,
            recipient.domain,
            recipient.owner,
            wish.notify,
            wish.orcpt,
            verdict.action,
            verdict.total,
            findings.encode(verdict.findings),
            released_from,
            reason,
            now,
            first_try,
        ),
    )


def newest(
    connection: sqlite3.Connection, limit: int | None = None, before: int | None = None
) -> Sequence[OutboxRow]:
    """
    Give rows, the newest first, from below the number C{before} on.
    """
    found = select(
        connection,
        "SELECT * FROM outbox JOIN messages USING (message)"
        " WHERE number < ? ORDER BY number DESC LIMIT ?",
        (LAST_NUMBER if before is None else before, -1 if limit is None else limit),
    )
    return [OutboxRow.of(row) for row in found]


def count(connection: sqlite3.Connection) -> int:
    """
    Count all rows.
    """
    (number,) = connection.execute("SELECT count(*) FROM outbox").fetchone()
    return int(number)


def survey(connection: sqlite3.Connection) -> tuple[int, int, int, float | None]:
    """
    Count the copies that wait for their next try, those that are being tried, and those that wait
    for a person; and tell since when the oldest of the first two lies there.
    """
    waiting, trying, suspended, oldest = connection.execute(
        "SELECT count(*) FILTER (WHERE NOT is_trying AND NOT is_suspended),"
        " count(*) FILTER (WHERE is_trying), count(*) FILTER (WHERE is_suspended),"
        " min(queued) FILTER (WHERE NOT is_suspended) FROM outbox"
    ).fetchone()
    return waiting, trying, suspended, oldest


def suspend(connection: sqlite3.Connection) -> int:
    """
    Let all copies wait for a person, and count them.
    """
    changed = connection.execute("UPDATE outbox SET is_suspended = 1, is_trying = 0")
    return changed.rowcount


def get(connection: sqlite3.Connection, identity: str) -> OutboxRow | None:
    """
    Give one row, or C{None} where there is none of that id.
    """
    found = select(
        connection,
        "SELECT * FROM outbox JOIN messages USING (message) WHERE id = ?",
        (identity,),
    )
    return next(map(OutboxRow.of, found), None)


def due(connection: sqlite3.Connection, now: float, limit: int) -> Sequence[OutboxRow]:
    """
    Give rows that nobody is trying and whose time has come, the longest due first.
    """
    found = select(
        connection,
        "SELECT * FROM outbox JOIN messages USING (message)"
        " WHERE next_try <= ? AND NOT is_trying AND NOT is_suspended ORDER BY next_try LIMIT ?",
        (now, limit),
    )
    return [OutboxRow.of(row) for row in found]


def mend_times(connection: sqlite3.Connection, now: float, latest: float) -> None:
    """
    Let rows be tried now whose next try is beyond C{latest}: no try is set so far ahead, so the
    clock has been put back.
    """
    (last,) = connection.execute("SELECT max(next_try) FROM outbox").fetchone()
    if last is not None and last > latest:
        connection.execute("UPDATE outbox SET next_try = ? WHERE next_try > ?", (now, latest))


def next_due(connection: sqlite3.Connection) -> float | None:
    """
    Give the time of the next try, or C{None} where nothing waits.
    """
    (time,) = connection.execute(
        "SELECT min(next_try) FROM outbox WHERE NOT is_trying AND NOT is_suspended"
    ).fetchone()
    return None if time is None else float(time)


def begin(connection: sqlite3.Connection, identities: Iterable[str]) -> None:
    """
    Mark rows as being tried, so that a crash on the way leaves a sign.
    """
    connection.executemany(
        "UPDATE outbox SET is_trying = 1 WHERE id = ?", [(identity,) for identity in identities]
    )


def postpone(
    connection: sqlite3.Connection, row: OutboxRow, next_try: float, reason: str, tries: int
) -> None:
    """
    End a try that did not succeed.
    """
    connection.execute(
        "UPDATE outbox SET is_trying = 0, next_try = ?, reason = ?, tries = ? WHERE id = ?",
        (next_try, reason, tries, row.id),
    )


def hasten(connection: sqlite3.Connection, now: float, identity: str | None = None) -> int:
    """
    Let a copy be tried now, or all of them, as far as they are not being tried; those that wait for
    a person too.

    @return: how many that are.
    """
    changed = connection.execute(
        "UPDATE outbox SET next_try = :now, is_suspended = 0"
        " WHERE NOT is_trying AND (:id IS NULL OR id = :id)",
        {"now": now, "id": identity},
    )
    return changed.rowcount


def delete(connection: sqlite3.Connection, row: OutboxRow, by: str, now: float) -> None:
    """
    Take a copy out of the outbox because a person says so, and write that down.

    @param by: who does, in words.
    """
    remove(connection, row.id)
    text = f"copy {row.id} for {row.recipient} deleted from the outbox by {by}"
    history.note(connection, row.message.trace, now, "outbox.deleted", text)


def remove(connection: sqlite3.Connection, identity: str) -> None:
    """
    Take a row out of the outbox.
    """
    connection.execute("DELETE FROM outbox WHERE id = ?", (identity,))


def interrupted(connection: sqlite3.Connection) -> Sequence[OutboxRow]:
    """
    Give the rows whose try was never ended, and let them be tried again.
    """
    found = select(connection, "SELECT * FROM outbox JOIN messages USING (message) WHERE is_trying")
    interrupted_rows = [OutboxRow.of(row) for row in found]
    connection.execute("UPDATE outbox SET is_trying = 0 WHERE is_trying")
    return interrupted_rows
