"""
One transaction as the edge sees it: from MAIL to the last reply, and its record.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from mailgate.interfaces import IMessage, ITransactionJudge
from mailgate.message.envelope import Envelope
from mailgate.message.header import Headers
from mailgate.message.mailbox import only_mailbox
from mailgate.message.record import Copy, Record
from mailgate.reply import Reply
from mailgate.verdict import Verdict
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters

REFUSED_LIMIT = 1000
"""How many recipients that were turned away are named in a record."""

_BEGINNING = 16 * 1024
"""Bytes in which the fields for the record are looked for, where there are more than are read."""


@define
class Transaction:
    """
    What is known of a transaction so far.
    """

    envelope: Envelope
    judge: ITransactionJudge
    started: float
    """When MAIL came, by the reactor's clock."""

    recipients: list[Address] = field(factory=list)
    """Those who were accepted, each once, in RCPT order."""

    named: list[Address] = field(factory=list)
    """The same, repetitions included."""

    led: list[str] = field(factory=list)
    """What was named and has led to others of these."""

    wishes: dict[str, RcptParameters] = field(factory=dict)
    """What was said of notices for single recipients, by their L{Address.key}."""

    refused: list[Copy] = field(factory=list)
    refused_more: int = 0
    """How many were turned away beyond those that are named."""

    verdicts: list[Verdict] = field(factory=list)
    """Those that refused something, then those on the message."""

    settled: Sequence[Verdict] = ()
    """Those on the message."""

    score: float = 0.0
    """What speaks against it so far; where recipients differ, the least."""

    durations: dict[str, float] = field(factory=dict)
    notes: list[str] = field(factory=list)
    message: IMessage | None = None
    is_unread: bool = False
    """Whether its header section is more than is read."""

    def was_held_up(self, seconds: float) -> None:
        """
        Count what the client has waited in the tarpit.
        """
        if seconds:
            self.durations["tarpit"] = self.durations.get("tarpit", 0.0) + seconds

    def note_that_gone(self) -> None:
        """
        Note, once, that the client has left before the last reply.
        """
        if "client gone" not in self.notes:
            self.notes.append("client gone")

    def knows(self, recipient: Address) -> bool:
        """
        Tell whether somebody was accepted already, however the domain is written.
        """
        return any(recipient.key == known.key for known in self.recipients)

    @property
    def accepted(self) -> int:
        """
        Count the RCPT that were accepted, repetitions included.
        """
        return len(self.named)

    def accept(self, recipient: Address, wish: RcptParameters | None = None) -> None:
        """
        Take a recipient in; one that is in already is kept once.
        """
        self.named.append(recipient)
        if not self.knows(recipient):
            self.recipients.append(recipient)
            if wish:
                self.wishes[recipient.key] = wish

    def refuse(self, recipient: str, reply: Reply, verdict: Verdict | None = None) -> None:
        """
        Note that a recipient was turned away.

        @param recipient: the address or, where it is none, what was said in its place.
        @param verdict: what refused it, unless it was syntax or its upstream.
        """
        if len(self.refused) >= REFUSED_LIMIT:
            self.refused_more += 1
            return
        outcome = "deferred" if reply.is_transient else "refused"
        self.refused.append(Copy(recipient, outcome, str(reply)))
        if verdict is not None:
            self.verdicts.append(verdict)

    def record(
        self, now: float, reply: Reply | None, copies: tuple[Copy, ...] | None = None
    ) -> Record:
        """
        Make the record of how it ended.

        @param now: the reactor's clock.
        @param reply: the last reply, or C{None} when the client was gone before it.
        @param copies: what became of those who were accepted; where it is left out, what the
            last reply told them all.
        """
        if copies is None:
            copies = tuple(self._undecided(reply))
        notes = tuple(self.notes)
        if self.refused_more:
            notes += (f"{self.refused_more} more recipients were turned away",)
        headers = self._headers()
        return Record(
            trace=self.envelope.trace,
            session=self.envelope.session,
            started=self.envelope.received,
            seconds=now - self.started,
            reply=str(reply) if reply else "",
            origin=self.judge.origin,
            sender=str(self.envelope.sender),
            size=self.message.size if self.message else None,
            author=only_mailbox(headers, "From") if headers else "",
            message_id=headers.text("message-id") if headers else "",
            subject=headers.text("subject") if headers else "",
            copies=(*self.refused, *copies),
            verdicts=tuple(self.verdicts),
            durations=self.durations,
            named=tuple(self.led),
            notes=notes,
        )

    def _headers(self) -> Headers | None:
        if self.message is None:
            return None
        if self.is_unread:
            return Headers.parse(self.message.head(_BEGINNING))
        return self.message.headers

    def _undecided(self, reply: Reply | None) -> list[Copy]:
        outcome = "refused" if reply is not None and reply.is_permanent else "deferred"
        said = str(reply) if reply else ""
        return [Copy(str(recipient), outcome, said) for recipient in self.recipients]
