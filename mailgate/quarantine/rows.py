"""
The rows of held messages, and the values they are read into.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from enum import StrEnum
from unicodedata import normalize

from attrs import frozen

from mailgate.finding import SANDBOX, Finding
from mailgate.interfaces import Hold
from mailgate.message.envelope import TRUSTED_ROLES, new_id
from mailgate.message.writing import OURS
from mailgate.people.reach import EVERYTHING, Reach, note_scopes
from mailgate.store import findings
from mailgate.store.database import LAST_NUMBER, select
from mailgate.store.messages import StoredMessage
from mailgate.store.outbox import OutboxRow
from mailgate.verdict import Action, Kind
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters

_NOBODY = re.compile(r"\d{3} 5\.(1\.[0-9]+|2\.1)\b", re.ASCII)
"""Replies by which there is no such recipient, or no more (RFC 3463 sections 3.2 and 3.3)."""


UNTOLD = frozenset((Kind.UNDELIVERABLE, Kind.REFUSED))
"""Kinds that no digest tells of: of the first there are notices, the second was refused."""


class State(StrEnum):
    """
    How far a held message has come.
    """

    PROVISIONAL = "provisional"
    HELD = "held"
    RELEASED = "released"


@frozen
class HeldMessage:
    """
    A copy for one recipient that is held, or was until its release.
    """

    id: str
    number: int
    """Rises with each held message; the newest has the highest. The cursor of listings."""

    message: StoredMessage
    """Copies for several recipients share one."""

    state: State
    kind: Kind
    recipient: Address
    wish: RcptParameters
    """What was said of notices for the recipient (RFC 3461)."""

    owner: str
    """Whom the recipient's address belongs to."""

    action: Action
    """What the policy decided; C{quarantine}, or what else led here."""

    total: float
    findings: tuple[Finding, ...]
    reason: str
    """The upstream's words where C{kind} is C{undeliverable}, else C{""}."""

    held: float
    """When it was held, in seconds since the epoch, as all times here."""

    acted: float | None
    """When it was released, or C{None}."""

    acted_by: str
    """Who released it, or C{""}."""

    @property
    def is_deadly(self) -> bool:
        """
        Tell whether it is held for having killed the processes that looked into it.
        """
        return any(found.check == SANDBOX for found in self.findings)

    @classmethod
    def of(cls, row: sqlite3.Row) -> HeldMessage:
        """
        Read a row of C{held} joined to C{messages}.
        """
        return cls(
            id=row["id"],
            number=row["number"],
            message=StoredMessage.of(row),
            state=State(row["state"]),
            kind=Kind(row["kind"]),
            recipient=Address.owned(row["recipient_local"], row["recipient_domain"], row["owner"]),
            wish=RcptParameters(row["notify"], row["orcpt"]),
            owner=row["owner"],
            action=Action(row["action"]),
            total=row["total"],
            findings=findings.decode(row["findings"]),
            reason=row["reason"],
            held=row["held"],
            acted=row["acted"],
            acted_by=row["acted_by"],
        )


def add(
    connection: sqlite3.Connection,
    message: str,
    hold: Hold,
    wish: RcptParameters,
    state: State,
    now: float,
) -> str:
    """
    Hold a copy of the stored message C{message}.

    @param wish: what was said of notices for the recipient.
    @return: the id of the held message.
    """
    return _insert(
        connection,
        message,
        state,
        hold.kind,
        hold.recipient,
        wish,
        hold.verdict.action,
        hold.verdict.total,
        hold.verdict.findings,
        hold.reason,
        now,
    )


def add_undeliverable(
    connection: sqlite3.Connection, row: OutboxRow, reason: str, now: float
) -> str:
    """
    Hold a copy that the outbox has given up.

    @param reason: the last reply of the upstream.
    @return: the id of the held message.
    """
    return _insert(
        connection,
        row.message.id,
        State.HELD,
        Kind.UNDELIVERABLE,
        row.recipient,
        row.wish,
        row.action,
        row.total,
        row.findings,
        reason,
        now,
    )


def _insert(
    connection: sqlite3.Connection,
    message: str,
    state: State,
    kind: Kind,
    recipient: Address,
    wish: RcptParameters,
    action: Action,
    total: float,
    evidence: Sequence[Finding],
    reason: str,
    now: float,
) -> str:
    identity = new_id()
    words, role = _words(connection, message, recipient)
    is_failure = kind is Kind.UNDELIVERABLE
    added = connection.execute(
        "INSERT INTO held (id, message, state, kind, owner, recipient_local, recipient_domain,"
        " notify, orcpt, action, total, findings, reason, held, words, owes_recipient,"
        " owes_postmaster, owes_digest)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            identity,
            message,
            state,
            kind,
            recipient.owner,
            recipient.local,
            recipient.domain,
            wish.notify,
            wish.orcpt,
            action,
            total,
            findings.encode(evidence),
            reason,
            now,
            words,
            is_failure and owes_recipient(role, reason),
            is_failure,
            kind not in UNTOLD,
        ),
    )
    assert added.lastrowid is not None
    note_scopes(connection, added.lastrowid, recipient)
    return identity


def owes_recipient(role: str, reason: str) -> bool:
    """
    Tell whether a recipient is to be told of a message that could not be delivered: not where there
    is none, and not of what was sent from here, whose senders are told.

    @param role: of the listener through which it came.
    @param reason: what the upstream has said.
    """
    return role not in TRUSTED_ROLES and role not in OURS and not _NOBODY.match(reason)


def _words(connection: sqlite3.Connection, message: str, recipient: Address) -> tuple[str, str]:
    """
    Give what can be looked for in a held message, and the role of where it came in.
    """
    ((*found, role),) = connection.execute(
        "SELECT subject, from_header, sender_local || '@' || sender_domain, role FROM messages"
        " WHERE message = ?",
        (message,),
    )
    return folded("\n".join((*found, str(recipient)))), role


def folded(text: str) -> str:
    """
    Give a text as it is compared in a search: without regard to case and width.
    """
    return normalize("NFKC", text).casefold()


def confirm(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    """
    Turn provisional rows into held ones.
    """
    connection.executemany(
        "UPDATE held SET state = 'held' WHERE id = ? AND state = 'provisional'",
        [(identity,) for identity in ids],
    )


def remove(connection: sqlite3.Connection, ids: Sequence[str], states: Sequence[State]) -> set[str]:
    """
    Remove rows that are in one of C{states}.

    @return: the ids of the stored messages that they named.
    """
    named: set[str] = set()
    for identity in ids:
        gone = connection.execute(
            f"DELETE FROM held WHERE id = ? AND state IN ({', '.join('?' * len(states))})"
            " RETURNING message",
            (identity, *states),
        )
        named.update(message for (message,) in gone.fetchall())
    return named


def release(
    connection: sqlite3.Connection, identity: str, by: str, now: float
) -> HeldMessage | None:
    """
    Turn a held row into a released one, or give C{None} where none is held of that id.
    """
    changed = connection.execute(
        "UPDATE held SET state = 'released', acted = ?, acted_by = ?"
        " WHERE id = ? AND state = 'held'",
        (now, by, identity),
    )
    return get(connection, identity) if changed.rowcount else None


def purge(connection: sqlite3.Connection, before: float, limit: int) -> Sequence[HeldMessage]:
    """
    Remove at most C{limit} messages that have been held since before C{before}, and give them.
    """
    found = select(
        connection,
        "SELECT * FROM held JOIN messages USING (message)"
        " WHERE held < ? AND state <> 'provisional' LIMIT ?",
        (before, limit),
    )
    gone = [HeldMessage.of(row) for row in found]
    connection.executemany("DELETE FROM held WHERE id = ?", [(held.id,) for held in gone])
    return gone


def provisional(connection: sqlite3.Connection) -> Sequence[HeldMessage]:
    """
    Give the provisional rows.
    """
    found = select(
        connection,
        "SELECT * FROM held JOIN messages USING (message) WHERE state = 'provisional'",
    )
    return [HeldMessage.of(row) for row in found]


def newest(
    connection: sqlite3.Connection,
    limit: int | None = None,
    before: int | None = None,
    kind: Kind | None = None,
    reach: Reach = EVERYTHING,
) -> Sequence[HeldMessage]:
    """
    Give what is held, the newest first, from below the number C{before} on.

    @param reach: only mail within it; so in the others.
    """
    found = select(
        connection,
        "SELECT * FROM held JOIN messages USING (message) WHERE state = 'held'"
        f" AND number < :before AND (:kind IS NULL OR kind = :kind){reach.where}"
        " ORDER BY number DESC LIMIT :limit",
        {
            **reach.values,
            "before": LAST_NUMBER if before is None else before,
            "kind": kind,
            "limit": -1 if limit is None else limit,
        },
    )
    return [HeldMessage.of(row) for row in found]


def count(connection: sqlite3.Connection, reach: Reach = EVERYTHING) -> dict[Kind, int]:
    """
    Count what is held, by kind; kinds of which there is none are left out.
    """
    found = connection.execute(
        f"SELECT kind, count(*) FROM held WHERE state = 'held'{reach.where} GROUP BY kind",
        reach.values,
    )
    return {Kind(kind): number for kind, number in found}


def get(
    connection: sqlite3.Connection, identity: str, reach: Reach = EVERYTHING
) -> HeldMessage | None:
    """
    Give one held or released message, or C{None} where there is none of that id.
    """
    found = select(
        connection,
        "SELECT * FROM held JOIN messages USING (message) WHERE id = :id"
        f" AND state <> 'provisional'{reach.where_one}",
        {**reach.values, "id": identity},
    )
    return next(map(HeldMessage.of, found), None)


def of_transaction(
    connection: sqlite3.Connection, identity: str, reach: Reach = EVERYTHING
) -> Sequence[HeldMessage]:
    """
    Give what is or was held of a transaction or of all those of a session, oldest first.
    """
    found = select(
        connection,
        "SELECT * FROM held JOIN messages USING (message)"
        f" WHERE (trace = :id OR session = :id){reach.where_one} ORDER BY number",
        {**reach.values, "id": identity},
    )
    return [HeldMessage.of(row) for row in found]
