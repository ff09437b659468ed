"""
Sources of recipients that are asked for each address: databases and directories.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.interfaces import EXISTS, NOBODY, IRecipientSource, Listed, MaybeDeferred
from mailgate.knowledge.recipients import NOT_KNOWN_NOW
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address

Found = tuple[Address, ...] | None
"""What an address stands for, as in L{Listed}, or C{None} for an address that nobody has."""

Look = Callable[[Address], "Deferred[Found]"]
"""
Looks an address up that is in the form of L{normal_address}; fails with L{SourceFailed}.
"""

QUEUE = 100
"""Questions that wait for their turn; above it the answer is at once that nobody knows."""

WHY_LENGTH = 300


class SourceFailed(Exception):
    """
    A source cannot be asked; the message says why.
    """


@implementer(IRecipientSource)
class AskedRecipients:
    """
    Asks a source: so many questions at a time, and none for longer than its answer is of use.
    """

    log = Logger()
    is_upstream = False

    def __init__(
        self, name: str, look: Look, at_a_time: int, seconds: float, clock: IReactorTime
    ) -> None:
        """
        @param seconds: how long an answer is waited for.
        """
        self.name = name
        self._look = look
        self._turns = DeferredSemaphore(at_a_time)
        self._seconds = seconds
        self._clock = clock
        self._trouble = ""

    def find(self, address: Address, sender: Address) -> MaybeDeferred[Listed]:
        """
        Look an address up. Nobody gets past the others by going away: cancelling only forgets the
        answer.
        """
        if len(self._turns.waiting) >= QUEUE:
            return self._not_asked("too many questions wait")
        local, _, domain = normal_address(address).rpartition("@")
        if not f"{local}{domain}".isprintable():
            return NOBODY
        question = Address(local, domain)
        done: Deferred[Found] = Deferred()

        def look() -> Deferred[Found] | None:
            # Whoever did not get an answer in time needs none any more.
            return None if done.called else self._look(question)

        self._turns.run(look).addCallbacks(done.callback, done.errback)
        done.addTimeout(self._seconds, self._clock)
        answer: Deferred[Listed] = done.addCallbacks(self._found, self._failed)
        return answer

    def _found(self, found: Found) -> Listed:
        if self._trouble:
            self._trouble = ""
            self.log.info("{event} {source}", event="recipients.asked", source=self.name)
        return NOBODY if found is None else Listed(EXISTS, found)

    def _failed(self, failure: Failure) -> Listed | Failure:
        error = failure.value
        if isinstance(error, CancelledError):
            return failure
        if isinstance(error, TimeoutError):
            return self._not_asked("no answer in time")
        if isinstance(error, SourceFailed):
            return self._not_asked(str(error)[:WHY_LENGTH])
        self.log.failure("{event} {source}", failure, event="recipients.broken", source=self.name)
        return NOT_KNOWN_NOW

    def _not_asked(self, why: str) -> Listed:
        if why != self._trouble:
            self._trouble = why
            self.log.error(
                "{event} {source}: {why}",
                event="recipients.not_asked",
                source=self.name,
                why=why,
            )
        return NOT_KNOWN_NOW
