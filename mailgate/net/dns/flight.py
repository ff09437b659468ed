"""
One look-up for all who want to know the same at the same time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from mailgate.wire.dns.answer import Answer, RecordType, Trouble, Unknown

if TYPE_CHECKING:
    from mailgate.net.dns.cache import Key
    from mailgate.net.dns.query import Query
    from mailgate.net.dns.resolver import Resolver

UNREACHABLE = Unknown(Trouble.UNREACHABLE, "no DNS server answers at the moment")
CLOSED = Unknown(Trouble.UNREACHABLE, "the gateway is being stopped")


class Flight:
    """
    A query for a name and a type, and all who wait for it.
    """

    __slots__ = (
        "_query",
        "_resolver",
        "_waiters",
        "answer",
        "check",
        "has_begun",
        "key",
        "name",
        "type",
    )

    def __init__(self, resolver: Resolver, key: Key, name: bytes, type: RecordType[Any]) -> None:
        self._resolver = resolver
        self._query: Query | None = None
        self._waiters: dict[Deferred[Any], None] = {}
        self.key = key
        self.name = name
        self.type = type
        self.check = ""
        """On whose account it has begun."""

        self.has_begun = False
        self.answer: Answer[Any] | None = None

    def wait(self) -> Deferred[Any]:
        """
        Give a Deferred of the answer.
        """
        waiter: Deferred[Any] = Deferred(self.leave)
        self._waiters[waiter] = None
        return waiter

    def leave(self, waiter: Deferred[Any]) -> None:
        """
        Keep one no longer waiting; the others still do.
        """
        self._waiters.pop(waiter, None)
        if not self._waiters:
            self._resolver.has_no_waiter(self)

    def is_wanted(self) -> bool:
        """
        Tell whether anybody waits.
        """
        return bool(self._waiters)

    def start(self, check: str) -> None:
        """
        Ask the servers.
        """
        self.check = check
        self.has_begun = True
        self._query = self._resolver.query(self)
        if self._query is None:
            self.ended(UNREACHABLE, 0)
        else:
            self._query.start()

    def stop(self) -> None:
        """
        Ask nobody any more, and tell those who wait.
        """
        if self._query is not None:
            self._query.stop()
        self._tell(CLOSED)

    def ended(self, answer: Answer[Any], seconds: int) -> None:
        """
        Tell those who wait.
        """
        self._resolver.has_ended(self, answer, seconds)
        self._tell(answer)

    def _tell(self, answer: Answer[Any]) -> None:
        self.answer = answer
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters:
            waiter.callback(answer)
