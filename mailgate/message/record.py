"""
The record of one transaction or refused session: what the trace keeps.
"""

from __future__ import annotations

from attrs import Factory, field, frozen

from mailgate.message.envelope import Session
from mailgate.verdict import Verdict


@frozen
class Copy:
    """
    What became of the copy for one recipient.
    """

    recipient: str
    outcome: str
    """
    One of C{delivered}, C{held}, C{queued} (lies in the outbox), C{refused}, C{deferred},
    C{discarded}, C{unknown} (the upstream was gone before its reply).
    """

    reply: str = ""
    """What the upstream said or, where none was asked, what the client was told."""

    reference: str = ""
    """The upstream's name, or the id of the held message."""

    @property
    def has_come(self) -> bool:
        """
        Tell whether its recipient has got it, or will.
        """
        return self.outcome in ("delivered", "queued")

    @property
    def was_kept_out(self) -> bool:
        """
        Tell whether the client has it still.
        """
        return self.outcome in ("refused", "deferred")

    @property
    def names_nobody(self) -> bool:
        """
        Tell whether it was refused since there is no such recipient (RFC 3463 section 3.2).
        """
        return self.reply.startswith("550 5.1.1")


@frozen
class Record:
    """
    All that is known of one transaction when it ends, refused ones too.
    """

    trace: str
    """The transaction's id, or the session's where the client was turned away outside of one."""

    session: Session
    started: float
    """Seconds since the epoch."""

    seconds: float
    """How long it took, from MAIL (or the connection) to the last reply."""

    reply: str
    """The last reply to the client, or C{""} when it was gone before it."""

    origin: str = ""
    """The IP address of the stranger from whom a relay of ours has brought it, or C{""}."""

    sender: str | None = None
    """The envelope sender; C{None} for a session without MAIL."""

    size: int | None = None
    """Bytes of the message as received, or C{None} where DATA was not reached."""

    author: str = ""
    """The address in From, where there is one and no more, as it is compared."""

    message_id: str = ""
    subject: str = ""
    copies: tuple[Copy, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    durations: dict[str, float] = field(default=Factory(dict))
    """Seconds spent in each part: C{checks}, C{delivery}, C{data} and so on."""

    named: tuple[str, ...] = ()
    """Addresses that were named and led to other ones, which have got the copies."""

    notes: tuple[str, ...] = ()
    """Whatever else happened: C{client gone, outcome delivered}, C{duplicate possible}."""
