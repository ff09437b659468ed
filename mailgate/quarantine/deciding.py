"""
What people decide about held messages, carried out, and what is learned from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.interfaces import ILearner, IRater
from mailgate.quarantine.held import HeldMessage, Quarantine
from mailgate.verdict import Kind

AT_ONCE = 200
"""How many messages may be decided about at once."""


@frozen
class Done:
    """
    What came of a decision.
    """

    number: int
    """With how many messages it was done."""

    missed: int
    """How many were dealt with already."""

    refused: int = 0
    """With how many whoever decides may not do it."""


class Decisions:
    """
    Releases and deletes, a transaction for each message.

    What has been released is learned as good mail, what has been deleted as spam as spam; what has
    been deleted, and nothing else said of it, teaches nothing. A copy that could not be delivered
    was not held for what it is, so its release teaches nothing either, and a message that kills
    whoever looks into it teaches nothing at all. Learning begins when the decision is on the disk,
    one message after the other, and nobody waits for it. So it is with the name of whoever was
    authenticated as the sender, which needs no look into the message.
    """

    log = Logger()

    def __init__(
        self, quarantine: Quarantine, learner: ILearner | None, rater: IRater | None = None
    ) -> None:
        """
        @param learner: what learns; C{None} where nothing does.
        @param rater: what learns of senders; C{None} where nothing does.
        """
        self._quarantine = quarantine
        self._learner = learner
        self._rater = rater
        self._turns = DeferredSemaphore(1)

    @property
    def teaches(self) -> bool:
        """
        Tell whether anything is learned from what is decided.
        """
        return self._learner is not None

    async def release(self, ids: Sequence[str], by: str) -> Done:
        """
        Release held messages.

        @param by: who does it, in words; so in the others.
        """
        return await self._each(ids, lambda identity: self._release(identity, by))

    async def delete(self, ids: Sequence[str], by: str) -> Done:
        """
        Delete messages.
        """
        return await self._each(ids, lambda identity: self._quarantine.delete(identity, by))

    async def delete_as_spam(self, ids: Sequence[str], by: str) -> Done:
        """
        Delete messages and learn that they are spam.
        """
        return await self._each(ids, lambda identity: self._delete_as_spam(identity, by))

    # -- inside -----------------------------------------------------------------------

    async def _each(self, ids: Sequence[str], do: Callable[[str], Awaitable[bool]]) -> Done:
        async def one(identity: str) -> bool:
            return await do(identity)

        working = [Deferred.fromCoroutine(one(identity)) for identity in ids]
        number = 0
        for _, outcome in await DeferredList(working, consumeErrors=True):
            if isinstance(outcome, Failure):
                outcome.raiseException()
            number += outcome is True
        return Done(number, len(ids) - number)

    async def _release(self, identity: str, by: str) -> bool:
        held = await self._quarantine.get(identity)
        is_released = await self._quarantine.release(identity, by)
        if is_released:
            self._begin(lambda learner: self._learn_released(learner, identity, by), identity)
            self._rate(held, False)
        return is_released

    async def _delete_as_spam(self, identity: str, by: str) -> bool:
        # Afterwards there may be nothing left to read.
        held = await self._quarantine.get(identity)
        text = await self._beginning(held)
        is_deleted = await self._quarantine.delete(identity, by)
        if is_deleted:
            if text:
                self._begin(lambda learner: learner.learn(text, True, by), identity)
            self._rate(held, True)
        return is_deleted

    async def _learn_released(self, learner: ILearner, identity: str, by: str) -> None:
        held = await self._quarantine.get(identity)
        if held is None or held.kind is Kind.UNDELIVERABLE or held.is_deadly:
            return
        message = await self._quarantine.open(identity)
        # Its file is kept as long as the held message, which is still there after its release.
        if message is not None and message.path is not None:
            await learner.learn(message.path, False, by)

    async def _beginning(self, held: HeldMessage | None) -> bytes:
        """
        Read what is learned of a message that will be gone: its first mebibyte.
        """
        if self._learner is None or held is None or held.is_deadly:
            return b""
        try:
            message = await self._quarantine.open(held.id)
            chunk = b"" if message is None else next(message.chunks(), b"")
            return chunk if isinstance(chunk, bytes) else await chunk
        except OSError:
            # It can be deleted all the same.
            self._tell_not_learned(Failure(), held.id)
            return b""

    def _rate(self, held: HeldMessage | None, is_spam: bool) -> None:
        """
        Let a decision count for the sender; a failure is told and harms nothing.
        """
        if self._rater is None or held is None or held.kind is Kind.UNDELIVERABLE:
            return
        names = tuple(dict.fromkeys(name for each in held.findings for name in each.names))
        if names:
            rating = self._rater.rate(names, is_spam, held.message.trace)
            rating.addErrback(self._tell_not_rated, held.id)

    def _begin(self, learn: Callable[[ILearner], Awaitable[Any]], identity: str) -> None:
        """
        Learn when it is the turn of this message; a failure is told and harms nothing.
        """
        learner = self._learner
        if learner is None:
            return

        async def learning() -> None:
            await learn(learner)

        working = self._turns.run(lambda: Deferred.fromCoroutine(learning()))
        working.addErrback(self._tell_not_learned, identity)

    def _tell_not_learned(self, failure: Failure, identity: str) -> None:
        self.log.failure("{event} {id}", failure, event="quarantine.not_learned", id=identity)

    def _tell_not_rated(self, failure: Failure, identity: str) -> None:
        self.log.failure("{event} {id}", failure, event="quarantine.not_rated", id=identity)
