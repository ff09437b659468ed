"""
What waits for an upstream that could not be reached need not wait for its next time: here it is
looked whether the upstream is back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.delivery.destinations import Destinations
from mailgate.interfaces import IDelivery
from mailgate.store import due
from mailgate.store.database import Database
from mailgate.store.due import Unreached
from mailgate.wire.address import Address

SECONDS = 60.0
"""How often it is looked."""

LONGEST_PAUSE = 3600.0
"""How long one is left alone at most that can be connected to and takes nothing all the same."""


@define
class _Vain:
    """
    That a copy was tried at one that seemed to be back.
    """

    pause: float = SECONDS
    until: float = 0.0


class Lookout:
    """
    Connects to upstreams that could not be reached, and where one can be, has the copy tried that
    is next there. If that gets through, the outbox lets all others follow.

    So nothing but a connection is lost on an upstream that is still down, and one that has come
    back is not stormed. Where a copy is tried in vain, the next one is after a longer pause.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        database: Database,
        destinations: Destinations,
        route_for: Callable[[Address], IDelivery | None],
        woken: Callable[[], None],
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param destinations: knows what was reached last.
        @param woken: called when a copy has become due.
        """
        self._clock = clock
        self._now = now
        self._database = database
        self._destinations = destinations
        self._route_for = route_for
        self._woken = woken
        self._looking: Deferred[Any] | None = None
        self._next = 0.0
        self._vain: dict[str, _Vain] = {}

    def look(self) -> None:
        """
        Look for all of them, if it is time for it. Never fails; what goes wrong is an event.
        """
        if self._looking is None and self._clock.seconds() >= self._next:
            self._next = self._clock.seconds() + SECONDS
            self._looking = looking = Deferred.fromCoroutine(self._look())
            looking.addErrback(self._not_looked).addBoth(self._looked)

    def stop(self) -> None:
        """
        Look no more.
        """
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        names = await self._database.read(due.destinations)
        self._vain = {
            name: vain
            for name, vain in self._vain.items()
            if not self._destinations.is_proven(name)
        }
        asked = [name for name in names if name and self._destinations.is_in_doubt(name)]
        waiting = await self._database.read(
            lambda connection: due.unreached(connection, asked, self._now())
        )
        # Each takes its own time.
        looking = [Deferred.fromCoroutine(self._look_for(each)) for each in waiting]
        for _, result in await DeferredList(looking, consumeErrors=True):
            if isinstance(result, Failure):
                result.raiseException()

    async def _look_for(self, copy: Unreached) -> None:
        name = copy.destination
        upstream = self._route_for(copy.recipient)
        # While its breaker is open, that looks whether it is back.
        if upstream is None or upstream.name != name or upstream.is_open:
            return
        await upstream.probe()
        if upstream.failures:
            self._vain.pop(name, None)
            return
        vain = self._vain.setdefault(name, _Vain())
        seconds = self._clock.seconds()
        if seconds < vain.until:
            return
        vain.until = seconds + vain.pause
        vain.pause = min(vain.pause * 2, LONGEST_PAUSE)
        now = self._now()
        if await self._database.write(lambda connection: due.hasten(connection, copy.id, now)):
            self.log.info("{event} {upstream}", event="outbox.woken", upstream=name, id=copy.id)
            self._woken()

    def _not_looked(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("{event} trying again in a minute", failure, event="outbox.not_read")

    def _looked(self, _: None) -> None:
        self._looking = None
