"""
Work that is done again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure


@frozen
class Job:
    """
    One kind of periodic work.
    """

    name: str
    seconds: float
    """From the start of one run to that of the next."""

    work: Callable[[], Deferred[Any]]


class Jobs:
    """
    Runs jobs, first at the start; one that fails is an event and runs again at its next time.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, jobs: Sequence[Job]) -> None:
        self._clock = clock
        self._jobs = jobs
        self._loops: list[tuple[LoopingCall, Deferred[LoopingCall]]] = []

    def start(self) -> None:
        """
        Run all jobs now, and again at their times.
        """
        for job in self._jobs:
            loop = LoopingCall(self._run, job)
            loop.clock = self._clock
            self._loops.append((loop, loop.start(job.seconds)))

    def stop(self) -> Deferred[Any]:
        """
        Begin no job any more, and wait for those that run.
        """
        loops, self._loops = self._loops, []
        for loop, _ in loops:
            loop.stop()
        return DeferredList([done for _, done in loops], consumeErrors=True)

    def _run(self, job: Job) -> Deferred[Any]:
        return job.work().addErrback(self._failed, job)

    def _failed(self, failure: Failure, job: Job) -> None:
        self.log.failure("{event} {job}", failure, event="job.failed", job=job.name)
