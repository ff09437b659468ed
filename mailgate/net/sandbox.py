"""
A pool of processes that are trusted with nothing, for work on what strangers have made.

They are started when there is something to do, and end when there has been nothing for a while.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import implementer

from mailgate.interfaces import (
    ISandbox,
    Protection,
    SandboxDied,
    SandboxError,
    SandboxFailed,
    SandboxTimeout,
    SandboxUnavailable,
)
from mailgate.net.confinement import Limits
from mailgate.net.sandboxed import Handlers, SandboxedProcess, shown
from mailgate.net.serving import WORDS_LIMIT, What

START_SECONDS = 30.0
"""How long a process may take to be ready."""

PAUSES = (0.5, 2.0, 10.0, 60.0)
"""
Seconds until another process is started, when the last one was never ready: the first time, the
second, and so on.
"""

IDLE_SECONDS = 60.0
"""How long a process waits for another job."""

LINE = 20
"""How many jobs may wait."""


@define(eq=False)
class _Job:
    name: str
    value: bytes
    answer: Deferred[bytes]
    due: float
    timer: IDelayedCall
    """Until it begins, the end of its wait; then the end of its time."""


@define(eq=False)
class _Place:
    """
    What is known of a process that can work.
    """

    timer: IDelayedCall
    """The end of its start, of its job, or of its idleness."""

    is_ready: bool = False
    job: _Job | None = None
    done: int = 0


@implementer(ISandbox)
class Sandbox:
    """
    The pool.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        program: str,
        limits: Limits | None = None,
        size: int = 1,
        jobs: int = 100,
    ) -> None:
        """
        @param program: the name of the module that the processes run; its C{main} calls
            L{mailgate.net.serving.serve}.
        @param size: how many processes there may be.
        @param jobs: how many a process does one after the other. One that a job has taken over can
            say of all later ones what it likes; where that matters, let it be 1.
        """
        self._reactor = reactor
        self._program = program
        self._size = size
        self._jobs = jobs
        self._limits = limits or Limits()
        self._waiting: deque[_Job] = deque()
        self._places: dict[SandboxedProcess, _Place] = {}
        self._killed: set[SandboxedProcess] = set()
        self._failures = 0
        self._pause: IDelayedCall | None = None
        self._probes: list[Deferred[frozenset[Protection]]] = []
        self._closed: Deferred[None] | None = None
        self._handlers = Handlers(self._ready, self._answered, self._broken, self._ended)
        self.protections: frozenset[Protection] | None = None
        """What holds the processes, or C{None} before the first of them has begun."""

        self.problem = ""
        """Why the last one that was to begin did not."""

    def run(self, job: str, value: bytes, seconds: float) -> Deferred[bytes]:
        """
        Do a job. Cancelling it kills its process.

        @raise SandboxError: there is no result.
        """
        if self._closed is not None:
            return fail(SandboxUnavailable("the sandbox is closed"))
        if len(self._waiting) >= LINE:
            return fail(SandboxUnavailable(f"{LINE} jobs wait already"))
        answer: Deferred[bytes] = Deferred(lambda _: self._cancel(asked))
        timer = self._reactor.callLater(seconds / 2, self._not_begun, answer)
        asked = _Job(job, value, answer, self._reactor.seconds() + seconds, timer)
        self._waiting.append(asked)
        self._advance()
        return answer

    def probe(self) -> Deferred[frozenset[Protection]]:
        """
        Find out what holds the processes: start one, unless the last one that was started is known,
        and end it where there is nothing to do.

        @raise SandboxUnavailable: none can be started.
        """
        if self.protections is not None and not self.problem:
            return succeed(self.protections)
        if self._closed is not None:
            return fail(SandboxUnavailable("the sandbox is closed"))
        probe: Deferred[frozenset[Protection]] = Deferred()
        self._probes.append(probe)
        self._advance()
        return probe

    def close(self) -> Deferred[None]:
        """
        End all processes, whatever they are at; fires when they are gone.
        """
        if self._closed is None:
            self._closed = Deferred()
            if self._pause is not None:
                self._pause.cancel()
            for process in list(self._places):
                self._fail(self._kill(process), SandboxUnavailable("the sandbox is closed"))
            self._give_up("the sandbox is closed")
            self._look_whether_empty()
        return self._closed

    # -- jobs ---------------------------------------------------------------------------

    def _advance(self) -> None:
        """
        Give what waits to who is free, and start processes where there are too few.
        """
        if self._closed is not None:
            return
        for process, place in list(self._places.items()):
            if place.is_ready and place.job is None and self._waiting:
                self._begin(self._waiting.popleft(), process, place)
        wanted = max(len(self._waiting), 1 if self._probes else 0)
        starting = sum(not place.is_ready for place in self._places.values())
        while self._pause is None and starting < wanted and len(self._places) < self._size:
            self._start()
            starting += 1

    def _begin(self, job: _Job, process: SandboxedProcess, place: _Place) -> None:
        job.timer.cancel()
        place.timer.cancel()
        place.job = job
        seconds = max(0.0, job.due - self._reactor.seconds())
        place.timer = self._reactor.callLater(seconds, self._too_late, process)
        process.send(job.name, job.value)

    def _answered(self, process: SandboxedProcess, what: What, value: bytes) -> None:
        place = self._places[process]
        job = place.job
        if job is None:
            self._broken(process, "it answered where nothing was asked")
            return
        place.job = None
        place.done += 1
        if what is not What.DONE or place.done >= self._jobs:
            self._kill(process)
        else:
            place.timer.cancel()
            place.timer = self._reactor.callLater(IDLE_SECONDS, self._kill, process)
        if what is What.FAILED:
            words = shown(value[:WORDS_LIMIT])
            self.log.error(
                "{event} {job}: {error}", event="sandbox.failed", job=job.name, error=words
            )
            job.answer.errback(SandboxFailed(words))
        else:
            job.answer.callback(value)
        self._advance()

    def _too_late(self, process: SandboxedProcess) -> None:
        job = self._kill(process)
        if job is not None:
            self.log.warn("{event} {job}", event="sandbox.late", job=job.name)
        self._fail(job, SandboxTimeout("it took too long"))
        self._advance()

    def _not_begun(self, answer: Deferred[bytes]) -> None:
        job = self._forget(answer)
        job.answer.errback(SandboxUnavailable("no process was free in time"))

    def _cancel(self, job: _Job) -> None:
        if job in self._waiting:
            self._forget(job.answer).timer.cancel()
            return
        for process, place in self._places.items():
            if place.job is job:
                self._kill(process)
                self._advance()
                return

    def _forget(self, answer: Deferred[bytes]) -> _Job:
        (job,) = (each for each in self._waiting if each.answer is answer)
        self._waiting.remove(job)
        return job

    def _fail(self, job: _Job | None, error: SandboxError) -> None:
        if job is not None:
            job.answer.errback(error)

    def _give_up(self, why: str) -> None:
        """
        Fail all that waits.
        """
        waiting, self._waiting = self._waiting, deque()
        for job in waiting:
            job.timer.cancel()
            self._fail(job, SandboxUnavailable(why))
        probes, self._probes = self._probes, []
        for probe in probes:
            probe.errback(SandboxUnavailable(why))

    # -- processes ----------------------------------------------------------------------

    def _start(self) -> None:
        try:
            process = SandboxedProcess.start(
                self._reactor, self._program, self._limits, self._handlers
            )
        except OSError as error:
            self._not_started(f"no process can be started: {error}")
            return
        timer = self._reactor.callLater(START_SECONDS, self._not_ready, process)
        self._places[process] = _Place(timer)

    def _ready(self, process: SandboxedProcess, active: frozenset[Protection]) -> None:
        self._failures = 0
        self.problem = ""
        if self.protections != active:
            self.protections = active
            missing = [each.value for each in Protection if each not in active]
            if missing:
                self.log.warn(
                    "{event} without {missing}", event="sandbox.weak", missing=", ".join(missing)
                )
        place = self._places[process]
        place.is_ready = True
        place.timer.cancel()
        place.timer = self._reactor.callLater(IDLE_SECONDS, self._kill, process)
        probes, self._probes = self._probes, []
        for probe in probes:
            probe.callback(active)
        self._advance()
        if probes and place.job is None and process in self._places:
            # Nobody needs its memory, perhaps for days.
            self._kill(process)

    def _not_ready(self, process: SandboxedProcess) -> None:
        self._kill(process)
        self._not_started(f"it was not ready after {START_SECONDS:g} seconds")

    def _broken(self, process: SandboxedProcess, why: str) -> None:
        was_ready = self._places[process].is_ready
        job = self._kill(process)
        self._died(job, why, was_ready)

    def _ended(self, process: SandboxedProcess, way: str) -> None:
        if process in self._killed:
            self._killed.discard(process)
            self._look_whether_empty()
            return
        place = self._places.pop(process)
        place.timer.cancel()
        self._died(place.job, way, place.is_ready)

    def _died(self, job: _Job | None, way: str, was_ready: bool) -> None:
        if not was_ready:
            self._not_started(way)
            return
        self.log.warn(
            "{event} {way}, at the job {job}",
            event="sandbox.died",
            way=way,
            job="" if job is None else job.name,
        )
        self._fail(job, SandboxDied(way))
        self._advance()

    def _not_started(self, way: str) -> None:
        pause = PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        self.problem = way
        self.log.error(
            "{event} {way}; another one starts in {seconds} seconds",
            event="sandbox.not_started",
            way=way,
            seconds=pause,
        )
        probes, self._probes = self._probes, []
        for probe in probes:
            probe.errback(SandboxUnavailable(way))
        if self._pause is None and self._closed is None:
            self._pause = self._reactor.callLater(pause, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._advance()

    def _kill(self, process: SandboxedProcess) -> _Job | None:
        """
        End a process, which counts no more from now on.

        @return: what it was at.
        """
        place = self._places.pop(process)
        if place.timer.active():
            place.timer.cancel()
        self._killed.add(process)
        process.kill()
        return place.job

    def _look_whether_empty(self) -> None:
        if self._closed is not None and not self._closed.called and not self._killed:
            self._closed.callback(None)
