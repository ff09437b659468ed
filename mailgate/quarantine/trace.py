"""
What held messages tell of their transactions, for when a crash has lost the trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailgate.message.record import Copy, Record
from mailgate.message.stored import session_of
from mailgate.quarantine.rows import HeldMessage
from mailgate.verdict import Verdict

LOST = "the trace itself is not there; this is what was stored with the held message"


def records_of(messages: Iterable[HeldMessage]) -> Sequence[Record]:
    """
    Give a record for each transaction by which C{messages} came.
    """
    transactions: dict[str, list[HeldMessage]] = {}
    for held in messages:
        transactions.setdefault(held.message.trace, []).append(held)
    return [_record(copies) for copies in transactions.values()]


def _record(copies: Sequence[HeldMessage]) -> Record:
    message = copies[0].message
    return Record(
        trace=message.trace,
        session=session_of(message),
        started=message.received,
        seconds=0.0,
        reply="",
        sender=str(message.sender),
        size=message.size,
        message_id=message.message_id,
        subject=message.subject,
        copies=tuple(Copy(str(held.recipient), "held", held.reason, held.id) for held in copies),
        verdicts=tuple(
            Verdict(held.action, held.findings, held.total, (held.recipient,), kind=held.kind)
            for held in copies
        ),
        notes=(LOST,),
    )
