"""
The rows of the outbox: copies that are still to be delivered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from attrs import frozen

from mailgate.finding import Finding
from mailgate.store import findings, history
from mailgate.store.database import count_rows, newest_rows, select
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

    suspended_by: str
    """Who has said so, or C{""} after a restore."""

    destination: str
    """The name of the upstream that it is for, or C{""} where none is known."""

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
            suspended_by=row["suspended_by"],
            destination=row["destination"],
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
    destination: str = "",
) -> None:
    """
    Queue a copy of the stored message C{message} for the one recipient of C{verdict}.

    @param wish: what was said of notices for the recipient.
    @param destination: the name of the upstream, or C{""} where it is still to be found out.
    """
    (recipient,) = verdict.recipients
    connection.execute(
        "INSERT INTO outbox (id, message, recipient_local, recipient_domain, owner, notify, orcpt,"
        " action, total, findings, released_from, reason, queued, next_try, destination)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            destination,
        ),
    )


def add_own(
    connection: sqlite3.Connection,
    identity: str,
    stored: str,
    recipient: Address,
    now: float,
    destination: str = "",
) -> None:
    """
    Queue a message of ours.
    """
    verdict = Verdict(Action.ACCEPT, (), 0.0, (recipient,))
    wish = RcptParameters()
    add(connection, identity, stored, verdict, wish, now, now, destination=destination)


def newest(
    connection: sqlite3.Connection, limit: int | None = None, before: int | None = None
) -> Sequence[OutboxRow]:
    """
    Give rows, the newest first, from below the number C{before} on.
    """
    found = newest_rows(connection, "outbox JOIN messages USING (message)", limit, before)
    return [OutboxRow.of(row) for row in found]


def count(connection: sqlite3.Connection) -> int:
    """
    Count all rows.
    """
    return count_rows(connection, "outbox")


@frozen
class Backlog:
    """
    All that waits in the outbox, but for a person.
    """

    copies: int
    oldest: float | None
    """Since when the oldest of them is there."""

    by_destination: Sequence[tuple[str, int]]
    """How many for which upstream; most first, and 20 names at most."""

    def age(self, now: float) -> float:
        """
        Give how long the oldest has waited, in seconds.
        """
        return 0.0 if self.oldest is None else max(0.0, now - self.oldest)

    def is_large(self, now: float, seconds: float, copies: int) -> bool:
        """
        Tell whether one has waited for so many seconds, or so many copies wait.
        """
        return self.copies >= copies or (self.oldest is not None and self.age(now) >= seconds)


def backlog(connection: sqlite3.Connection) -> Backlog:
    """
    Find out what waits.
    """
    waiting, trying, _, oldest = survey(connection)
    found = connection.execute(
        "SELECT destination, count(*) FROM outbox WHERE NOT is_suspended"
        " GROUP BY destination ORDER BY count(*) DESC, destination LIMIT 20"
    )
    return Backlog(waiting + trying, oldest, [(name, number) for name, number in found])


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


def count_stopped(connection: sqlite3.Connection) -> int:
    """
    Count the copies that somebody has stopped.
    """
    (number,) = connection.execute(
        "SELECT count(*) FROM outbox WHERE is_suspended AND suspended_by <> ''"
    ).fetchone()
    return int(number)


def suspend_all(connection: sqlite3.Connection) -> int:
    """
    Let all copies wait for a person, after a restore, and count them.
    """
    changed = connection.execute("UPDATE outbox SET is_suspended = 1, is_trying = 0")
    return changed.rowcount


def suspend(connection: sqlite3.Connection, row: OutboxRow, by: str, now: float) -> None:
    """
    Try a copy no more until a person says so, and write that down.

    @param by: who has stopped it, in words.
    """
    connection.execute(
        "UPDATE outbox SET is_suspended = 1, suspended_by = ? WHERE id = ?", (by, row.id)
    )
    note(connection, row, now, "outbox.stopped", f"stopped by {by}")


def note(connection: sqlite3.Connection, row: OutboxRow, now: float, event: str, what: str) -> None:
    """
    Write down what was done with a copy.
    """
    text = f"copy {row.id} for {row.recipient} {what}"
    history.note(connection, row.message.trace, now, event, text)


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


def begin(connection: sqlite3.Connection, identities: Iterable[str]) -> None:
    """
    Mark rows as being tried, so that a crash on the way leaves a sign.
    """
    connection.executemany(
        "UPDATE outbox SET is_trying = 1 WHERE id = ?", [(identity,) for identity in identities]
    )


def postpone(
    connection: sqlite3.Connection,
    row: OutboxRow,
    next_try: float,
    reason: str,
    tries: int,
    is_unreached: bool = False,
) -> None:
    """
    End a try that did not succeed.
    """
    connection.execute(
        "UPDATE outbox SET is_trying = 0, next_try = ?, reason = ?, tries = ?, is_unreached = ?"
        " WHERE id = ?",
        (next_try, reason, tries, is_unreached, row.id),
    )


def hasten(connection: sqlite3.Connection, now: float, identity: str | None = None) -> int:
    """
    Let a copy be tried now, also where it waits for a person; or all of them, but those that a
    person has stopped. What is being tried is left alone.

    @return: how many that are.
    """
    changed = connection.execute(
        "UPDATE outbox SET next_try = :now, is_suspended = 0, suspended_by = ''"
        " WHERE NOT is_trying AND (id = :id OR :id IS NULL AND suspended_by = '')",
        {"now": now, "id": identity},
    )
    return changed.rowcount


def delete(connection: sqlite3.Connection, row: OutboxRow, by: str, now: float) -> None:
    """
    Take a copy out of the outbox because a person says so, and write that down.

    @param by: who does, in words.
    """
    remove(connection, row.id)
    note(connection, row, now, "outbox.deleted", f"deleted from the outbox by {by}")


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
