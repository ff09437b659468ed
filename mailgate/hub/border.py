"""
What a worker asks of the hub, across the border between their processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.hub.hub import Hub
from mailgate.hub.link import Link, Method
from mailgate.hub.orders import MEASURED
from mailgate.interfaces import (
    Attempt,
    Contact,
    Hold,
    IHub,
    IMessage,
    IThreads,
    Outgoing,
    Question,
    Reputation,
    Standing,
)
from mailgate.message.envelope import Envelope
from mailgate.message.message import HEAD_LIMIT, MemoryMessage
from mailgate.message.record import Record
from mailgate.message.spool import FileMessage
from mailgate.store.threads import undone_when_cancelled

Ids = tuple[str, ...]


@frozen
class Carried:
    """
    A message on its way: a small one as it is, a large one as the name of its spool file.
    """

    prepended: bytes
    content: bytes
    """All of it, or of a file what L{FileMessage} keeps in memory."""

    file: str = ""
    """The name of the file in the spool."""

    size: int = 0
    """Of the file."""


@frozen
class Holding:
    """
    What L{IHub.hold} takes.
    """

    envelope: Envelope
    message: Carried
    holds: tuple[Hold, ...]
    provisional: bool


@frozen
class Queueing:
    """
    What L{IHub.enqueue} takes.
    """

    envelope: Envelope
    message: Carried
    copies: tuple[Outgoing, ...]


HOLD = Method("hold", Holding, Ids)
CONFIRM = Method("confirm", Ids)
WITHDRAW = Method("withdraw", Ids)
RELINQUISH = Method("relinquish", Ids)
"""Holds whose asker has gone away meanwhile."""

ENQUEUE = Method("enqueue", Queueing, Ids)
DEQUEUE = Method("dequeue", Ids)
"""Copies in the outbox whose asker has gone away meanwhile."""

LOOK_UP = Method("look up", tuple[Attempt, ...], tuple[Standing, ...])
REPUTATIONS = Method("reputations", tuple[str, ...], tuple[Reputation, ...])
CONTACT = Method("contact", Question, Contact)
RECORD = Method("record", Record, is_expendable=True)


@implementer(IHub)
class RemoteHub:
    """
    The hub as a worker knows it.
    """

    def __init__(self) -> None:
        self.link: Link
        """Set once there is one."""

        self.room = True
        """What the hub has said last of the room on the disk."""

    def hold(
        self, envelope: Envelope, message: IMessage, holds: Sequence[Hold], provisional: bool
    ) -> Deferred[Sequence[str]]:
        """
        Store a message and a row for each hold. Cancelling it takes them back.
        """
        asking = Holding(envelope, _carry(message), tuple(holds), provisional)
        return self._ask(HOLD, asking, RELINQUISH)

    def confirm(self, ids: Sequence[str]) -> Deferred[None]:
        """
        Turn provisional holds into ordinary ones.
        """
        return self.link.call(CONFIRM, tuple(ids))

    def withdraw(self, ids: Sequence[str]) -> Deferred[None]:
        """
        Forget provisional holds.
        """
        return self.link.call(WITHDRAW, tuple(ids))

    def enqueue(
        self, envelope: Envelope, message: IMessage, copies: Sequence[Outgoing]
    ) -> Deferred[Sequence[str]]:
        """
        Put copies into the outbox. Cancelling it takes them back.
        """
        return self._ask(ENQUEUE, Queueing(envelope, _carry(message), tuple(copies)), DEQUEUE)

    def record(self, record: Record) -> None:
        """
        Note how a transaction ended.
        """
        self.link.tell(RECORD, record)

    def look_up(self, attempts: Sequence[Attempt]) -> Deferred[Sequence[Standing]]:
        """
        Tell whether those are known who attempt this, and remember that they have.
        """
        return self.link.call(LOOK_UP, tuple(attempts))

    def reputations(self, names: Sequence[str]) -> Deferred[Sequence[Reputation]]:
        """
        Tell what is known of senders, in the order of C{names}.
        """
        return self.link.call(REPUTATIONS, tuple(names))

    def contact(self, question: Question) -> Deferred[Contact]:
        """
        Tell what is known of an author as a correspondent.
        """
        return self.link.call(CONTACT, question)

    def has_room(self) -> bool:
        """
        Tell whether the disk had room for another message when the hub last looked.
        """
        return self.room

    def _ask(self, method: Method, value: Any, undo: Method) -> Deferred[Sequence[str]]:
        asking: Deferred[Sequence[str]] = self.link.call(method, value).addCallback(list)
        return undone_when_cancelled(asking, lambda ids: self.link.call(undo, tuple(ids)))


def served(hub: Hub, spool: Path, threads: IThreads) -> Mapping[Method, Callable[[Any], Any]]:
    """
    Give what a worker may ask of the hub, and who does it.

    @param spool: the folder where the workers' spool files lie.
    """

    def opened(carried: Carried) -> IMessage:
        if not carried.file:
            return MemoryMessage((carried.content,), carried.prepended)
        # A worker may name no file but those in the spool.
        path = spool / Path(carried.file).name
        return FileMessage(path, carried.size, carried.content, threads, carried.prepended)

    return {
        HOLD: lambda asked: hub.hold(
            asked.envelope, opened(asked.message), asked.holds, asked.provisional
        ),
        CONFIRM: hub.confirm,
        WITHDRAW: hub.withdraw,
        RELINQUISH: hub.quarantine.relinquish,
        ENQUEUE: lambda asked: hub.enqueue(asked.envelope, opened(asked.message), asked.copies),
        DEQUEUE: hub.outbox.take_back,
        LOOK_UP: hub.look_up,
        REPUTATIONS: hub.reputations,
        CONTACT: hub.contact,
        RECORD: hub.record,
        MEASURED: hub.sums.add,
    }


def _carry(message: IMessage) -> Carried:
    if message.path is not None:
        return Carried(message.prepended, message.head(HEAD_LIMIT), message.path.name, message.size)
    chunks = [chunk for chunk in message.chunks() if isinstance(chunk, bytes)]
    return Carried(message.prepended, b"".join(chunks))
