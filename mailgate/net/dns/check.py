"""
The resolver of one run of a check, with a budget of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer

from mailgate.interfaces import Asked, IResolver, MaybeDeferred
from mailgate.wire.dns.answer import Answer, Nothing, Records, RecordType, Trouble, Unknown

if TYPE_CHECKING:
    from mailgate.net.dns.flight import Flight
    from mailgate.net.dns.resolver import Resolver

T = TypeVar("T")

PART = 0.9
"""How much of the time of a check may pass in look-ups."""

_TOO_LATE = Unknown(Trouble.BUDGET, "the time for the look-ups of this check is over")
_TOO_MANY = Unknown(Trouble.BUDGET, "the check has asked the DNS too often")


@implementer(IResolver)
class CheckResolver:
    """
    Looks up names until the budget is spent.
    """

    __slots__ = ("_check", "_left", "_resolver", "_timer", "_until", "_waiting")

    def __init__(self, resolver: Resolver, check: str, seconds: float, queries: int) -> None:
        """
        @param seconds: the deadline of the check.
        @param queries: how many look-ups may go to a server.
        """
        self._resolver = resolver
        self._check = check
        self._left = queries
        self._until = resolver.reactor.seconds() + PART * seconds
        self._waiting: dict[Deferred[Any], Flight] = {}
        self._timer: IDelayedCall | None = None

    def look_up(self, name: str, type: RecordType[T]) -> MaybeDeferred[Answer[T]]:
        """
        Give the records of that type that C{name} has.
        """
        # Some letters that are not ASCII have small letters that are.
        answer = self._resolver.recall(name.lower(), type) if name.isascii() else None
        if answer is not None:
            return answer
        if self._left <= 0:
            return self._over(_TOO_MANY)
        if self._resolver.reactor.seconds() >= self._until:
            return self._over(_TOO_LATE)
        asked = self._resolver.ask(self._check, name, type)
        if isinstance(asked, (Records, Nothing, Unknown)):
            return asked
        self._left -= 1
        waiter = asked.wait()
        self._waiting[waiter] = asked
        if self._timer is None:
            clock = self._resolver.reactor
            self._timer = clock.callLater(self._until - clock.seconds(), self._late)
        return waiter.addBoth(self._answered, waiter)

    def _over(self, answer: Unknown) -> Unknown:
        self._resolver.counts[Asked.UNKNOWN_BUDGET] += 1
        return answer

    def _answered(self, result: T, waiter: Deferred[Any]) -> T:
        self._waiting.pop(waiter, None)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return result

    def _late(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, {}
        for waiter, flight in waiting.items():
            flight.leave(waiter)
            waiter.callback(self._over(_TOO_LATE))
