"""
Which copies in the outbox are due, for whom, and when they are tried next.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from attrs import frozen

from mailgate.store import findings, outbox
from mailgate.store.database import select
from mailgate.store.outbox import OutboxRow
from mailgate.wire.address import Address


def destinations(connection: sqlite3.Connection) -> Sequence[str]:
    """
    Give the destinations for which something waits, that with the longest due copy first.
    """
    found = connection.execute(
        # Each name is one step in the index, however many copies there are for it.
        "WITH RECURSIVE names (name) AS ("
        " SELECT min(destination) FROM outbox WHERE NOT is_trying AND NOT is_suspended"
        " UNION ALL SELECT (SELECT min(destination) FROM outbox"
        " WHERE NOT is_trying AND NOT is_suspended AND destination > name)"
        " FROM names WHERE name IS NOT NULL)"
        " SELECT name, (SELECT min(next_try) FROM outbox WHERE destination = name"
        " AND NOT is_trying AND NOT is_suspended) AS first FROM names"
        " WHERE name IS NOT NULL ORDER BY first"
    )
    return [name for name, _ in found]


def begin_next(
    connection: sqlite3.Connection, destination: str, now: float, limit: int
) -> Sequence[OutboxRow]:
    """
    Give the longest due copy for a destination, and with it others of the same message that can go
    the same way at the same time; mark them as being tried, so that a crash on the way leaves a
    sign.

    @param limit: how many copies they are at most.
    """
    found = select(
        connection,
        "SELECT * FROM outbox JOIN messages USING (message) WHERE destination = ?"
        " AND next_try <= ? AND NOT is_trying AND NOT is_suspended ORDER BY next_try LIMIT 1",
        (destination, now),
    )
    batch = [OutboxRow.of(row) for row in found]
    if batch:
        (first,) = batch
        also = select(
            connection,
            # By the index of the message: for the destination there may be very many others.
            "SELECT * FROM outbox JOIN messages USING (message) WHERE message = ?"
            " AND +destination = ? AND +next_try <= ? AND NOT is_trying AND NOT is_suspended"
            " AND action = ? AND total = ? AND findings = ? AND id <> ? ORDER BY number LIMIT ?",
            (
                first.message.id,
                destination,
                now,
                first.action,
                first.total,
                findings.encode(first.findings),
                first.id,
                limit - 1,
            ),
        )
        # One who is named twice gets two copies, as somebody has released one of them.
        named = {first.recipient.key}
        for row in map(OutboxRow.of, also):
            if row.recipient.key not in named:
                named.add(row.recipient.key)
                batch.append(row)
    outbox.begin(connection, [row.id for row in batch])
    return batch


def mend_times(connection: sqlite3.Connection, now: float, latest: float) -> bool:
    """
    Let rows be tried now whose next try is beyond C{latest}: no try is set so far ahead, so the
    clock has been put back.

    @return: whether there were any.
    """
    (last,) = connection.execute("SELECT max(next_try) FROM outbox").fetchone()
    if last is None or last <= latest:
        return False
    connection.execute("UPDATE outbox SET next_try = ? WHERE next_try > ?", (now, latest))
    return True


def next_due(connection: sqlite3.Connection, now: float) -> float | None:
    """
    Give the time of the next try after C{now}, or C{None} where none is set.
    """
    (time,) = connection.execute(
        "SELECT min(next_try) FROM outbox WHERE next_try > ? AND NOT is_trying"
        " AND NOT is_suspended",
        (now,),
    ).fetchone()
    return None if time is None else float(time)


def postpone_all(
    connection: sqlite3.Connection,
    destination: str,
    now: float,
    reason: str,
    waits: Sequence[float],
    last: float,
) -> int:
    """
    Let everything that is due for a destination wait, as if it had been tried: another copy has
    just found out that it cannot be reached. Those whose time is over are left.

    @param waits: seconds before each further try; the last one repeats.
    @param last: how many seconds after it was queued a copy is tried for the last time.
    @return: how many that are.
    """
    cases = " ".join(f"WHEN {number} THEN {wait:f}" for number, wait in enumerate(waits))
    changed = connection.execute(
        "UPDATE outbox SET is_unreached = 1, reason = :reason, tries = tries + 1, next_try ="
        f" min(queued + :last, :now + CASE tries {cases} ELSE {waits[-1]:f} END)"
        " WHERE destination = :name AND next_try <= :now AND NOT is_trying AND NOT is_suspended"
        " AND queued + :last > :now",
        {"reason": reason, "now": now, "name": destination, "last": last},
    )
    return changed.rowcount


def release_unreached(connection: sqlite3.Connection, destination: str, now: float) -> int:
    """
    Let everything be tried now that has waited for a destination to be reached again, and count it.
    """
    changed = connection.execute(
        "UPDATE outbox SET next_try = :now WHERE destination = :name AND is_unreached"
        " AND next_try > :now AND NOT is_trying AND NOT is_suspended",
        {"now": now, "name": destination},
    )
    return changed.rowcount


@frozen
class Unreached:
    """
    A copy that waits for a destination to be reached again.
    """

    id: str
    destination: str
    recipient: Address


def unreached(
    connection: sqlite3.Connection, names: Iterable[str], now: float
) -> Sequence[Unreached]:
    """
    Give the next copy for each of some destinations that has not reached it, where there is one
    that is not due anyway.
    """
    found = []
    for name in names:
        copies = connection.execute(
            "SELECT id, recipient_local, recipient_domain FROM outbox WHERE destination = ?"
            " AND is_unreached AND next_try > ? AND NOT is_trying AND NOT is_suspended"
            " ORDER BY next_try LIMIT 1",
            (name, now),
        )
        found += [
            Unreached(identity, name, Address(local, domain)) for identity, local, domain in copies
        ]
    return found


def hasten(connection: sqlite3.Connection, identity: str, now: float) -> bool:
    """
    Let a copy be tried now that waits for a destination to be reached again, and with it those of
    the same message that do so too; tell whether there are any.
    """
    changed = connection.execute(
        "UPDATE outbox SET next_try = :now WHERE is_unreached AND next_try > :now"
        " AND NOT is_trying AND NOT is_suspended AND (message, destination) ="
        " (SELECT message, destination FROM outbox WHERE id = :id)",
        {"now": now, "id": identity},
    )
    return changed.rowcount > 0


def late(
    connection: sqlite3.Connection, before: float, now: float, limit: int
) -> Sequence[OutboxRow]:
    """
    Give copies that were queued before C{before}, have failed at least once, wait for a later try,
    and of which nobody was told that they are late.
    """
    found = select(
        connection,
        "SELECT * FROM outbox JOIN messages USING (message) WHERE NOT is_delay_told"
        " AND queued <= ? AND tries > 0 AND next_try > ? AND NOT is_trying AND NOT is_suspended"
        " ORDER BY queued LIMIT ?",
        (before, now, limit),
    )
    return [OutboxRow.of(row) for row in found]


def delay_is_told(connection: sqlite3.Connection, identities: Iterable[str]) -> None:
    """
    Note that nobody need be told any more that copies are late.
    """
    connection.executemany(
        "UPDATE outbox SET is_delay_told = 1 WHERE id = ?",
        [(identity,) for identity in identities],
    )


def recipients(
    connection: sqlite3.Connection, after: Address | None, limit: int
) -> Sequence[tuple[Address, str]]:
    """
    Give those for whom a copy waits, each with the destination that is noted there, in an order of
    their own: at most C{limit}, from behind C{after} on.
    """
    found = connection.execute(
        "SELECT DISTINCT recipient_local, recipient_domain, destination FROM outbox"
        " WHERE (recipient_local, recipient_domain) > (?, ?)"
        " ORDER BY recipient_local, recipient_domain LIMIT ?",
        ("", "", limit) if after is None else (after.local, after.domain, limit),
    )
    return [(Address(local, domain), destination) for local, domain, destination in found]


def unrouted(connection: sqlite3.Connection, now: float, limit: int) -> Sequence[Address]:
    """
    Give recipients of copies that are due and have no destination.
    """
    found = connection.execute(
        "SELECT DISTINCT recipient_local, recipient_domain FROM outbox WHERE destination = ''"
        " AND next_try <= ? AND NOT is_trying AND NOT is_suspended LIMIT ?",
        (now, limit),
    )
    return [Address(local, domain) for local, domain in found]


def redirect(connection: sqlite3.Connection, recipient: Address, destination: str) -> None:
    """
    Note another destination for the copies of a recipient.
    """
    connection.execute(
        "UPDATE outbox SET destination = ? WHERE recipient_local = ? AND recipient_domain = ?",
        (destination, recipient.local, recipient.domain),
    )
