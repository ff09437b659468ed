"""
A worker as a process of its own: C{python -m mailgate.child}, started by the hub alone.

Its standard input is nothing, what it writes to its output is told by the hub, descriptor 3 is
the link to the hub, and those from 4 on are the listening sockets. Everything else comes over the
link. Without the hub it ends at once: what it has not kept, its clients still have.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Mapping
from socket import AF_UNIX, socket
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import Factory
from twisted.logger import ILogObserver, Logger, globalLogBeginner
from twisted.python.threadpool import ThreadPool
from zope.interface import provider

from mailgate import sandboxed
from mailgate.checks.known import Known
from mailgate.delivery.deadline import ends_within
from mailgate.delivery.routes import make_deliveries
from mailgate.edge.files import raise_file_limit
from mailgate.hub.border import RemoteHub
from mailgate.hub.link import Link
from mailgate.hub.orders import (
    COUNTED,
    DNS_LIST_FAILED,
    DNS_LISTS,
    EXCEEDED,
    FIRST_SOCKET,
    LINK,
    MEASURED,
    PENALIZED,
    PING,
    RELISTED,
    RETIRE,
    ROOM,
    SAID,
    START,
    STATUS,
    STOP,
    SUSPECTS,
    TRAPPED,
    TRAPS,
    Beginning,
    Count,
    Relisted,
    said,
)
from mailgate.interfaces import IDelivery
from mailgate.knowledge.dnslists import ListState
from mailgate.net.sandbox import Sandbox
from mailgate.parts import FILE_THREADS, Parts, keep_steady, share_time, spare_collector
from mailgate.pipeline.suspects import Suspects
from mailgate.reporting.status import SandboxStatus, WorkerStatus
from mailgate.store.notes import Notes
from mailgate.store.threads import Threads
from mailgate.worker import Worker


class Child:
    """
    The worker of this process, and how the hub leads it.
    """

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, FILE_THREADS, "mailgate files")
        self._hub = RemoteHub()
        self._known = Known()
        self._deliveries: Mapping[str, IDelivery] = {}
        self._worker: Worker | None = None
        self._sandbox = Sandbox(reactor, sandboxed.PROGRAM, jobs=1)
        self._documents = Sandbox(reactor, sandboxed.PROGRAM, size=2, jobs=sandboxed.DOCUMENTS)
        self._suspects: Suspects | None = None
        self._is_open = False

    def run(self) -> None:
        """
        Do what the hub says until it is gone.
        """
        link = Link(
            {
                START: lambda order: Deferred.fromCoroutine(self._start(pickle.loads(order))),
                ROOM: self._room,
                RELISTED: self._relisted,
                COUNTED: self._counted,
                DNS_LISTS: self._dns_lists,
                EXCEEDED: self._known.excesses.add,
                PENALIZED: self._known.penalties.take,
                TRAPPED: self._known.trapped.take,
                TRAPS: self._known.traps.take,
                SUSPECTS: self._suspected,
                PING: lambda _: self._is_open,
                RETIRE: lambda seconds: Deferred.fromCoroutine(self._retire(seconds)),
                STOP: lambda seconds: Deferred.fromCoroutine(self._stop(seconds)),
                STATUS: lambda _: self._status(),
            }
        )
        self._hub.link = link
        link.lost.addCallback(lambda _: self._end())
        factory = Factory.forProtocol(lambda: link)
        factory.noisy = False
        self._reactor.adoptStreamConnection(LINK, AF_UNIX, factory)
        os.close(LINK)

        @provider(ILogObserver)
        def tell(event: Mapping[str, Any]) -> None:
            # A thread may log as well, and only the reactor's may write.
            self._reactor.callFromThread(link.tell, SAID, said(event))

        globalLogBeginner.beginLoggingTo([tell], redirectStandardIO=False)
        self._pool.start()
        # The reactor has to hear of the ends of the sandbox's processes. It takes SIGTERM as well.
        self._reactor.callWhenRunning(self._reactor.callLater, 0, _heed_no_signals)
        self._reactor.run()

    def _end(self) -> None:
        # Whatever still runs in threads is of no use to anybody any more.
        os._exit(0)

    async def _start(self, beginning: Beginning) -> None:
        settings, parts = beginning.settings, Parts()
        threads = Threads(self._reactor, self._pool)
        self._hub.room = beginning.has_room
        known = self._known
        known.lists.index = known.lists.index.changed(added=beginning.entries)
        known.excesses.keep(beginning.excesses)
        known.penalties.take(beginning.penalties)
        known.traps.take(beginning.traps)
        known.trapped.take(beginning.trapped)
        self._deliveries = make_deliveries(
            settings, self._reactor, parts.files, threads, parts.wall_clock
        )
        suspects = self._suspects = Suspects(
            self._sandbox, settings.model_dump_json(), Notes(beginning.notes)
        )
        suspects.hashes = frozenset(beginning.suspects)
        worker = self._worker = Worker(
            settings,
            self._reactor,
            parts,
            threads,
            self._hub,
            known,
            self._deliveries,
            raise_file_limit(),
            lambda what, client, name: self._hub.link.tell(COUNTED, Count(what, client, name)),
            suspects,
            lambda state: self._hub.link.tell(DNS_LIST_FAILED, state),
            sandbox=self._documents,
        )
        worker.open_elsewhere(beginning.clients)
        worker.take_up_lists(beginning.dns_lists)
        worker.certificates.load()
        await worker.start()
        sockets = [socket(fileno=FIRST_SOCKET + at) for at in range(len(settings.listener))]
        worker.listen(sockets)
        self._is_open = True
        spare_collector()

    def _room(self, has_room: bool) -> None:
        self._hub.room = has_room

    def _counted(self, count: Count) -> None:
        if self._worker is not None:
            self._worker.counted_elsewhere(count.what, count.client, count.name)

    def _dns_lists(self, states: tuple[ListState, ...]) -> None:
        if self._worker is not None:
            self._worker.take_up_lists(states)

    def _suspected(self, hashes: tuple[bytes, ...]) -> None:
        if self._suspects is not None:
            self._suspects.hashes = frozenset(hashes)

    def _relisted(self, change: Relisted) -> None:
        lists = self._known.lists
        lists.index = lists.index.changed(change.added, change.removed)

    async def _retire(self, seconds: float) -> None:
        """
        Let nobody in any more, and wait until everybody has gone.
        """
        assert self._worker is not None
        self._is_open = False
        await self._worker.stop_listening()
        await ends_within(self._reactor, self._worker.when_empty(), seconds)

    async def _stop(self, seconds: float) -> None:
        """
        Let nobody in any more, and end the sessions.
        """
        worker = self._worker
        if worker is None:
            return
        self._is_open = False
        await worker.stop_listening()
        await worker.finish(seconds)
        await DeferredList([delivery.close() for delivery in self._deliveries.values()])
        await worker.stop()
        await self._sandbox.close()
        await self._documents.close()
        self._hub.link.tell(MEASURED, worker.take_measured())

    def _status(self) -> WorkerStatus:
        """
        Tell how it is.
        """
        worker = self._worker
        if worker is None:
            raise RuntimeError("the worker has not begun")
        self._hub.link.tell(MEASURED, worker.take_measured())
        return evolve(worker.status(), sandbox=SandboxStatus.of(self._sandbox))


def _heed_no_signals() -> None:
    """
    What ends the hub ends the workers in their order; a terminal and systemd tell all at once.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)


def main() -> None:
    """
    Be a worker.
    """
    _heed_no_signals()
    from twisted.internet import reactor

    keep_steady(reactor)
    share_time()
    Child(reactor).run()


if __name__ == "__main__":
    main()
