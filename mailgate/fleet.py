"""
The workers, generation after generation: a reload is a new one beside the old.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from socket import socket
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.model import Settings
from mailgate.delivery.deadline import ends_within
from mailgate.edge.binding import bind
from mailgate.hub.counting import Counting
from mailgate.hub.generation import Generation
from mailgate.hub.link import Method
from mailgate.hub.orders import SUSPECTS, Beginning
from mailgate.hub.poison import Poison
from mailgate.reporting.status import WorkerSeen

PATIENCE = 5.0
"""How long it is waited for the answer of a worker that may be busy, in seconds."""


class Fleet:
    """
    All workers of the gateway.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        served: Mapping[Method, Callable[[Any], Any]],
        beginning: Callable[[Settings, Path], Beginning],
        poison: Poison,
        died: Callable[[], None] = lambda: None,
        bind: Callable[[str], socket] = bind,
    ) -> None:
        """
        @param served: what a worker may ask of the hub.
        @param beginning: gives what a worker of a configuration, with a file for its notes, is
            told at its start.
        @param poison: learns of which messages workers die.
        @param died: called for each worker that dies without having been told to end.
        @param bind: gives a socket that listens at an address, as L{bind} does.
        """
        self._bind = bind
        self._reactor = reactor
        self._served = served
        self._beginning = beginning
        self._counting = Counting()
        self._poison = poison
        poison.changed = lambda known: self.tell(SUSPECTS, known)
        self._died = died
        self._number = 0
        self._sockets: dict[str, socket] = {}
        self._addresses: Sequence[str] = ()
        self._current: Generation | None = None
        self._retiring: dict[Generation, Deferred[None]] = {}
        self._turn = DeferredLock()

    def bind(self, settings: Settings) -> None:
        """
        Bind the addresses of a configuration. Nobody is let in yet.

        @raise SystemExit: it is not possible; the message says why, and none is bound.
        """
        bound: dict[str, socket] = {}
        try:
            for listener in settings.listener:
                if listener.address not in self._sockets:
                    bound[listener.address] = self._bind(listener.address)
        except SystemExit:
            for each in bound.values():
                each.close()
            raise
        self._sockets.update(bound)

    def start(self, settings: Settings) -> Deferred[None]:
        """
        Start the workers of a configuration and, once they are ready, let those of the one before
        retire. If they do not become ready, those go on.

        @raise SystemExit: an address cannot be bound.
        @raise WorkerFailed: they did not become ready.
        """
        return self._turn.run(lambda: Deferred.fromCoroutine(self._start(settings)))

    def tell(self, method: Method, value: Any) -> None:
        """
        Tell all workers something.
        """
        for generation in self._all():
            generation.tell(method, value)

    def ask(self, method: Method, value: Any) -> Deferred[Any]:
        """
        Ask all workers for something; fires when all have answered, are gone, or are too slow.
        """
        asking = DeferredList([each.ask(method, value) for each in self._all()])
        return ends_within(self._reactor, asking, PATIENCE)

    async def look(self, seconds: float) -> Sequence[WorkerSeen]:
        """
        Look how the workers are, those that let clients in first.

        @param seconds: how long an answer is waited for.
        """
        looking = [Deferred.fromCoroutine(each.look(seconds)) for each in self._all()]
        return [seen for each in looking for seen in await each]

    def is_there(self) -> Deferred[bool]:
        """
        Ask all workers whether they let clients in; fires as soon as one does, or when none is
        left that might.
        """
        found: Deferred[bool] = Deferred()
        asked = [call for each in self._all() for call in each.ping()]
        waiting = len(asked)

        def answered(result: Any) -> None:
            nonlocal waiting
            waiting -= 1
            if not found.called and (result is True or not waiting):
                found.callback(result is True)

        for call in asked:
            call.addBoth(answered)
        if not asked:
            found.callback(False)
        return found

    def stop(self, seconds: float) -> Deferred[Any]:
        """
        End all workers: let nobody in any more, and end the sessions within C{seconds}.
        """
        ending = [Deferred.fromCoroutine(each.stop(seconds)) for each in self._all()]
        ending += self._retiring.values()
        self._unbind(())
        return DeferredList(ending)

    def clients(self) -> tuple[str, ...]:
        """
        Give the clients of all workers, once for each connection.
        """
        return self._counting.clients()

    @property
    def generations(self) -> Sequence[Sequence[int]]:
        """
        Give the numbers of the processes of each generation, those that let clients in first.
        """
        return [generation.pids for generation in self._all()]

    def _all(self) -> Sequence[Generation]:
        current = [] if self._current is None else [self._current]
        return [*current, *self._retiring]

    async def _start(self, settings: Settings) -> None:
        self.bind(settings)
        addresses = [listener.address for listener in settings.listener]
        self._number += 1
        generation = Generation(
            self._reactor,
            settings.workers,
            [self._sockets[address] for address in addresses],
            lambda notes: self._beginning(settings, notes),
            self._served,
            self._counting,
            self._poison,
            self._number,
            self._died,
        )
        old = self._current
        self._current = generation
        if old is not None:
            # It hears of changes of the lists while the new one starts, and perhaps goes on.
            self._retiring[old] = Deferred()
        try:
            await generation.start()
        except BaseException:
            self._current = old
            if old is not None:
                # Whoever ends the gateway at this moment waits for it.
                self._retiring.pop(old).callback(None)
                self._unbind(self._addresses)
            raise
        self._addresses = addresses
        self._unbind(addresses)
        if old is not None:
            self._retire(old, settings)

    def _unbind(self, kept: Sequence[str]) -> None:
        for address in [each for each in self._sockets if each not in kept]:
            self._sockets.pop(address).close()

    def _retire(self, old: Generation, settings: Settings) -> None:
        gone = self._retiring[old]
        limits = settings.limits

        def ended(result: Any) -> None:
            del self._retiring[old]
            if isinstance(result, Failure):
                self.log.failure("{event}", result, event="worker.not_retired")
            gone.callback(None)

        retiring = Deferred.fromCoroutine(old.retire(limits.drain_seconds, limits.drain_seconds))
        retiring.addBoth(ended)
