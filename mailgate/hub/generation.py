"""
The workers of one configuration: processes that are started together and end together.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from socket import AF_UNIX, socket, socketpair
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.delivery.deadline import ends_within
from mailgate.hub.counting import Counting
from mailgate.hub.link import Link, LinkLost, Method
from mailgate.hub.orders import (
    COUNTED,
    FIRST_SOCKET,
    LINK,
    PING,
    RETIRE,
    SAID,
    START,
    STATUS,
    STOP,
    Beginning,
    Said,
    repeat,
)
from mailgate.hub.poison import Poison
from mailgate.reporting.status import WorkerSeen, WorkerStatus

START_SECONDS = 60.0
"""How long a worker may take to be ready."""

PAUSES = (0.1, 1.0, 5.0, 15.0, 30.0)
"""
Seconds until a worker that has died is started again: the first time, the second, and so on, until
one has lived for a minute.
"""

PROVEN_SECONDS = 60.0
ENDING_SECONDS = 5.0
"""How long a worker may take beyond the time it was given to end."""

_LINE_LIMIT = 8192


class WorkerFailed(Exception):
    """
    A worker did not become ready; the message says why.
    """


class WorkerNotRun(WorkerFailed):
    """
    Its process could not even be run.
    """


class Process(ProcessProtocol):
    """
    One worker.
    """

    log = Logger()

    def __init__(self, link: Link, notes: Path) -> None:
        self.link = link
        self.notes = notes
        self.ended: Deferred[str] = Deferred()
        """Fires with the way it ended, in words, when the process is gone."""

        self.since = 0.0
        """When it was started, by the reactor's clock."""

        self.is_ready = False
        """Whether it has begun to work."""

        self._said = b""

    @property
    def pid(self) -> int:
        """
        Give its number, or 0 when it is gone.
        """
        return 0 if self.transport is None else self.transport.pid or 0

    def kill(self) -> None:
        """
        End it at once.
        """
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    def outReceived(self, data: bytes) -> None:
        """
        Tell what it wrote beside its log: whatever makes a process die writes there.
        """
        *lines, self._said = (self._said + data)[-_LINE_LIMIT:].split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace")
            self.log.warn("{event} {pid}: {text}", event="worker.wrote", pid=self.pid, text=text)

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        """
        Tell that it is gone.
        """
        if self._said:
            self.outReceived(b"\n")
        self.link.lose()
        self.ended.callback(_way(reason))


def _way(reason: Failure) -> str:
    error = reason.value
    if not isinstance(error, ProcessTerminated):
        return "ended"
    if error.signal is not None:
        return f"killed by {signal.Signals(error.signal).name}"
    return f"status {error.exitCode}"


class Generation:
    """
    The workers of one configuration.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        number: int,
        sockets: Sequence[socket],
        beginning: Callable[[Path], Beginning],
        served: Mapping[Method, Callable[[Any], Any]],
        counting: Counting,
        poison: Poison,
        ordinal: int = 1,
        died: Callable[[], None] = lambda: None,
    ) -> None:
        """
        @param number: how many workers.
        @param sockets: one for each listener; they stay open here.
        @param beginning: gives what a worker with such a file for its notes is told at its start,
            as it is then.
        @param served: what a worker may ask of the hub.
        @param counting: makes known to all what each of them counts.
        @param poison: learns of which messages workers die.
        @param ordinal: which generation it is, counted from 1.
        @param died: called for each worker that dies without having been told to end.
        """
        self._counting = counting
        self._poison = poison
        self._reactor = reactor
        self._number = number
        self._sockets = sockets
        self._beginning = beginning
        self._served = served
        self._ordinal = ordinal
        self._died = died
        self._processes: set[Process] = set()
        self._is_ending = False
        self._deaths = 0
        self._empty: list[Deferred[None]] = []

    @property
    def pids(self) -> Sequence[int]:
        """
        Give the numbers of the processes.
        """
        return sorted(process.pid for process in self._processes)

    async def start(self) -> None:
        """
        Start all workers, and wait until they are ready.

        @raise WorkerFailed: one did not become ready; all have been ended.
        """
        starting = [Deferred.fromCoroutine(self._start_one()) for _ in range(self._number)]
        results = await DeferredList(starting, consumeErrors=True)
        failures = [result for is_ready, result in results if not is_ready]
        if failures:
            await self.stop(0)
            cast(Failure, failures[0]).raiseException()

    def tell(self, method: Method, value: Any) -> None:
        """
        Tell all workers something.
        """
        for process in self._processes:
            process.link.tell(method, value)

    def ask(self, method: Method, value: Any) -> Deferred[Any]:
        """
        Ask all workers for something; fires when all have answered, or are gone.
        """
        asked = [process.link.call(method, value) for process in self._processes]
        return DeferredList(asked, consumeErrors=True)

    async def look(self, seconds: float) -> Sequence[WorkerSeen]:
        """
        Look how the workers are.

        @param seconds: how long an answer is waited for.
        """
        now = self._reactor.seconds()
        answers: dict[Process, WorkerStatus] = {}
        processes = sorted(self._processes, key=lambda process: process.pid)
        asked = [
            process.link.call(STATUS).addCallback(partial(answers.__setitem__, process))
            for process in processes
            if process.is_ready
        ]
        await ends_within(self._reactor, DeferredList(asked, consumeErrors=True), seconds)
        return [
            WorkerSeen(
                process.pid,
                self._ordinal,
                not self._is_ending,
                process.is_ready,
                now - process.since,
                answers.get(process),
            )
            for process in processes
        ]

    def ping(self) -> Sequence[Deferred[bool]]:
        """
        Ask each worker whether it lets clients in.
        """
        return [process.link.call(PING) for process in self._processes]

    async def retire(self, seconds: float, drain_seconds: float) -> None:
        """
        Let nobody in any more, and wait until all clients have gone by themselves.

        @param seconds: for how long; who is left then is sent away.
        @param drain_seconds: for how long messages under way may then take.
        """
        self._is_ending = True
        leaving = [process.link.call(RETIRE, seconds) for process in self._processes]
        await DeferredList(leaving, consumeErrors=True)
        await self.stop(drain_seconds)

    async def stop(self, seconds: float) -> None:
        """
        Let nobody in any more, end all sessions within C{seconds}, and the processes.
        """
        self._is_ending = True
        gone = self._when_empty()
        ending = [process.link.call(STOP, seconds) for process in self._processes]
        await ends_within(
            self._reactor, DeferredList(ending, consumeErrors=True), seconds + ENDING_SECONDS
        )
        for process in list(self._processes):
            process.link.lose()
        if not await ends_within(self._reactor, gone, ENDING_SECONDS):
            for process in list(self._processes):
                self.log.error("{event} {pid}", event="worker.killed", pid=process.pid)
                process.kill()
            await self._when_empty()

    # -- one worker -------------------------------------------------------------------

    async def _start_one(self) -> None:
        try:
            process = self._spawn()
        except OSError as error:
            raise WorkerNotRun(f"a worker cannot be run: {error}") from error
        process.since = self._reactor.seconds()
        process.ended.addCallback(self._ended, process)
        starting = process.link.call(START, pickle.dumps(self._beginning(process.notes)))
        failures: list[Failure] = []
        starting.addErrback(failures.append)
        if not await ends_within(self._reactor, starting, START_SECONDS):
            process.kill()
            raise WorkerFailed(f"a worker was not ready after {START_SECONDS:g} seconds")
        if failures:
            process.kill()
            why = failures[0].getErrorMessage()
            if failures[0].check(LinkLost):
                why = "it has died; the log tells what it wrote (worker.wrote)"
            raise WorkerFailed(f"a worker cannot start: {why}")
        process.is_ready = True

    def _spawn(self) -> Process:
        ours, theirs = socketpair(AF_UNIX)
        ours.setblocking(False)
        theirs.setblocking(False)
        link = Link(
            {
                **self._served,
                SAID: lambda told: self._said(told, process),
                COUNTED: lambda count: self._counting.counted(link, count),
            }
        )
        process = Process(link, self._poison.notes())
        self._counting.begin(link)
        link.lost.addCallback(lambda _: self._counting.end(link))
        self._processes.add(process)
        factory = Factory.forProtocol(lambda: link)
        factory.noisy = False
        self._reactor.adoptStreamConnection(ours.fileno(), AF_UNIX, factory)
        ours.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        descriptors: dict[int, int | str] = {0: nothing, 1: "r", 2: "r", LINK: theirs.fileno()}
        for number, each in enumerate(self._sockets, FIRST_SOCKET):
            descriptors[number] = each.fileno()
        try:
            self._reactor.spawnProcess(
                process,
                sys.executable,
                [sys.executable, "-m", "mailgate.child"],
                env=None,
                childFDs=descriptors,
            )
        except OSError:
            self._processes.discard(process)
            self._poison.gone(process.notes)
            link.lose()
            raise
        finally:
            theirs.close()
            os.close(nothing)
        return process

    def _said(self, told: Said, process: Process) -> None:
        repeat(told, process.pid)

    def _ended(self, way: str, process: Process) -> None:
        self._processes.discard(process)
        if self._is_ending:
            self._poison.gone(process.notes)
            if not self._processes:
                empty, self._empty = self._empty, []
                for waiting in empty:
                    waiting.callback(None)
            return
        # Whoever takes its place hears of what is found there, now or later.
        self._poison.died(process.notes)
        self._died()
        if self._reactor.seconds() - process.since >= PROVEN_SECONDS:
            self._deaths = 0
        self.log.error(
            "{event} a worker has died ({way}); another one starts in {seconds} seconds",
            event="worker.died",
            way=way,
            seconds=self._replace_later(),
        )

    def _replace_later(self) -> float:
        """
        Start another worker after a pause, and tell how long that is.
        """
        pause = PAUSES[min(self._deaths, len(PAUSES) - 1)]
        self._deaths += 1
        self._reactor.callLater(pause, self._replace)
        return pause

    def _replace(self) -> None:
        if not self._is_ending:
            Deferred.fromCoroutine(self._start_one()).addErrback(self._not_replaced)

    def _not_replaced(self, failure: Failure) -> None:
        self.log.error(
            "{event} {error}", event="worker.not_started", error=failure.getErrorMessage()
        )
        # One that was run dies then, and another one is started for that.
        if failure.check(WorkerNotRun):
            self._replace_later()

    def _when_empty(self) -> Deferred[None]:
        empty: Deferred[None] = Deferred()
        if self._processes:
            self._empty.append(empty)
        else:
            empty.callback(None)
        return empty
