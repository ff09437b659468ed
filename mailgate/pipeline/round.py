"""
The steps of one phase at work: in order, those that wait side by side, none past its deadline, and
never many in one turn of the reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from mailgate.finding import Finding, Result
from mailgate.interfaces import CheckFailed
from mailgate.pipeline.plan import Step
from mailgate.pipeline.view import View

FAILED = "CHECK_FAILED"
"""The symbol of the finding that a check could not be made."""

Measure = Callable[[str, bool, float], None]
"""Takes the name of a check or an extractor, whether it is an extractor, and how many seconds it
took."""

SLICE_SECONDS = 0.002
"""How long jobs run in one go before the reactor gets to something else."""

_TICK = 0.001
"""Seconds by which a timer may come too early, since sums of floats are not exact."""


@define(eq=False)
class Subject:
    """
    What steps run on, and where that is written which they say about it.
    """

    view: View
    results: dict[str, Result]
    facts: dict[str, Any]
    owner: str = ""
    """The owner of the recipient it is, or C{""} where it is none."""


@define(eq=False)
class Job:
    """
    One step, to be run on one subject.
    """

    step: Step
    subject: Subject

    def write(self, answer: Any) -> None:
        """
        Keep what the step has said.
        """
        if self.step.is_extractor:
            self.subject.facts[self.step.name] = answer
            return
        if answer:
            name = self.step.name
            findings = tuple([finding.seen_by(name) for finding in answer])
            self.subject.results[name] = Result(name, findings)

    def write_failure(self, why: str, findings: Sequence[Finding] = ()) -> None:
        """
        Keep that the step has failed. A failed extractor fails those who need its facts.

        @param findings: what a check has seen nevertheless.
        """
        name = self.step.name
        if not self.step.is_extractor:
            words = f"The check {name} could not be made: {why}."
            seen = [finding.seen_by(name) for finding in findings]
            finding = Finding(FAILED, 0.0, words, check=name)
            self.subject.results[name] = Result(name, (*seen, finding), has_failed=True)

    @property
    def kind(self) -> str:
        """
        Name what it is, for events.
        """
        return "extractor" if self.step.is_extractor else "check"

    @property
    def key(self) -> tuple[str, str]:
        """
        Name it within its round.
        """
        return self.step.name, self.subject.owner

    def is_ready(self, unended: Container[tuple[str, str]]) -> bool:
        """
        Tell whether all that must come before it has ended.
        """
        owners = {"", self.subject.owner}
        return not any((name, owner) in unended for name in self.step.before for owner in owners)

    def put_last(self) -> None:
        """
        Move what it has written behind all else, so that going through the jobs in order
        brings the results into that order, whoever was first.
        """
        results = self.subject.results
        if self.step.name in results:
            results[self.step.name] = results.pop(self.step.name)

    def missing_fact(self) -> str | None:
        """
        Name a fact that should be there by now and is not, since its extractor failed.
        """
        for name in self.step.facts:
            if name not in self.subject.facts:
                return name
        return None


class Round:
    """
    The jobs of one phase. One timer serves all their deadlines.
    """

    log = Logger()

    def __init__(
        self,
        jobs: Sequence[Job],
        clock: IReactorTime,
        limit: float,
        trace: str,
        measure: Measure | None = None,
    ) -> None:
        """
        @param jobs: in the order of the plan.
        @param limit: when all must have ended, by the clock.
        @param trace: the id for the events.
        @param measure: told how long each job took.
        """
        self._jobs = jobs
        self._clock = clock
        self._limit = limit
        self._trace = trace
        self._measure = measure

    def run(self) -> Deferred[None] | None:
        """
        Run all jobs.

        @return: C{None} when all have ended, as most do that need not wait; else a Deferred
            that fires when they have. Cancelling it cancels them.
        """
        began = first = self._clock.seconds()
        for position, job in enumerate(self._jobs):
            if began - first >= SLICE_SECONDS:
                return self._wait(self._jobs[position:])
            answer = self._begin(job)
            if answer is not None:
                return self._wait(self._jobs[position + 1 :], (job, answer, began))
            began = self._ran(job, began)
        return None

    def _begin(self, job: Job) -> Deferred[Any] | None:
        """
        Begin a job, and give what has to be waited for, if anything.
        """
        missing = job.missing_fact() if job.step.facts else None
        if missing is not None:
            job.write_failure(f"it needs the {missing} of the message, which failed")
            return None
        try:
            answer = job.step.run(job.subject.view)
            # Most find nothing, and the class of Deferreds asks in Python who is one of them.
            if answer and isinstance(answer, Deferred):
                return answer
            job.write(answer)
        except Exception as error:
            self._has_failed(job, _failure(error))
        return None

    def _ran(self, job: Job, began: float) -> float:
        """
        Tell how long a job took; give the time that it is.
        """
        now = self._clock.seconds()
        if self._measure is not None:
            self._measure(job.step.name, job.step.is_extractor, now - began)
        return now

    # -- once something has to be waited for --------------------------------------------

    def _wait(
        self, others: Sequence[Job], running: tuple[Job, Deferred[Any], float] | None = None
    ) -> Deferred[None]:
        """
        Wait for the job that runs or, where none does, for the next turn of the reactor.
        """
        self._finished: Deferred[None] = Deferred(self._cancel)
        self._others = list(others)
        self._running: dict[Job, _Running] = {}
        self._unended = {other.key for other in others}
        self._timer: IDelayedCall | None = None
        self._pause: IDelayedCall | None = None
        self._is_advancing = True
        if running is None:
            self._rest()
            return self._finished
        job, answer, began = running
        self._unended.add(job.key)
        self._watch(job, answer, began)
        self._advance()
        return self._finished

    def _watch(self, job: Job, answer: Deferred[Any], began: float) -> None:
        due = min(self._clock.seconds() + job.step.deadline, self._limit)
        self._running[job] = _Running(due, answer, began)
        answer.addCallbacks(self._answered, self._broke, callbackArgs=(job,), errbackArgs=(job,))

    def _answered(self, answer: Any, job: Job) -> None:
        if job not in self._running:
            return
        try:
            job.write(answer)
        except Exception as error:
            self._has_failed(job, _failure(error))
        self._ended(job)

    def _broke(self, failure: Failure, job: Job) -> None:
        if job in self._running:
            self._has_failed(job, failure)
            self._ended(job)
        elif not isinstance(failure.value, CancelledError):
            # It was cancelled and broke on its way out: nothing waits for it, but it is told.
            self._tell_failure(job, failure)

    def _ended(self, job: Job) -> None:
        self._ran(job, self._running.pop(job).began)
        self._unended.discard(job.key)
        if not self._is_advancing:
            self._advance()

    def _advance(self) -> None:
        """
        Begin all that can begin, until everything has ended or waits, or others have their turn.
        """
        self._is_advancing = True
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        now = first = self._clock.seconds()
        while ready := {job for job in self._others if job.is_ready(self._unended)}:
            others, self._others = self._others, []
            for position, job in enumerate(others):
                if job not in ready:
                    self._others.append(job)
                    continue
                if now - first >= SLICE_SECONDS:
                    self._others += others[position:]
                    self._rest()
                    return
                answer = self._begin(job)
                if answer is None:
                    self._unended.discard(job.key)
                    now = self._ran(job, now)
                else:
                    self._watch(job, answer, now)
                    now = self._clock.seconds()
        self._is_advancing = False
        if self._running:
            self._set_timer()
        else:
            self._finish()

    def _rest(self) -> None:
        """
        Go on once the reactor has got to something else.
        """
        self._is_advancing = False
        self._pause = self._clock.callLater(0, self._go_on)
        if self._running:
            self._set_timer()

    def _go_on(self) -> None:
        self._pause = None
        self._advance()

    def _set_timer(self) -> None:
        due = min(running.due for running in self._running.values())
        seconds = max(0.0, due - self._clock.seconds())
        if self._timer is None:
            self._timer = self._clock.callLater(seconds, self._look_at_clock)
        elif due < self._timer.getTime():
            self._timer.reset(seconds)

    def _look_at_clock(self) -> None:
        self._timer = None
        now = self._clock.seconds() + _TICK
        self._is_advancing = True
        for job in [job for job, running in self._running.items() if running.due <= now]:
            self._expire(job)
        self._advance()

    def _expire(self, job: Job) -> None:
        running = self._running.get(job)
        if running is not None:
            self._ended(job)
            job.write_failure("it took too long")
            self._tell_lateness(job)
            running.answer.cancel()

    def _finish(self) -> None:
        self._stop_timer()
        for job in self._jobs:
            job.put_last()
        self._finished.callback(None)

    def _cancel(self, _: Deferred[None]) -> None:
        self._stop_timer()
        running, self._running = self._running, {}
        for each in running.values():
            each.answer.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    # -- failures ------------------------------------------------------------------------

    def _has_failed(self, job: Job, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, CheckFailed):
            # Whoever is to blame has told it as an event.
            job.write_failure(str(error), error.findings)
            return
        job.write_failure(f"it failed ({type(error).__name__})")
        self._tell_failure(job, failure)

    def _tell_failure(self, job: Job, failure: Failure) -> None:
        event, fields = f"{job.kind}.failed", self._fields(job)
        self.log.failure("{event} in {trace}", failure, event=event, **fields)

    def _tell_lateness(self, job: Job) -> None:
        event, fields = f"{job.kind}.deadline", self._fields(job)
        self.log.emit(LogLevel.warn, "{event} in {trace}", event=event, **fields)

    def _fields(self, job: Job) -> dict[str, Any]:
        return {job.kind: job.step.name, "trace": self._trace}


@define(eq=False)
class _Running:
    due: float
    answer: Deferred[Any]
    began: float


def _failure(error: Exception) -> Failure:
    return Failure(error)
