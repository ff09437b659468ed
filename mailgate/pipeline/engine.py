"""
The judges: they run the plan's steps phase by phase and ask the policy what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailgate.finding import RELAY, SANDBOX, Result
from mailgate.interfaces import (
    BeginReading,
    IBodyReader,
    IMessage,
    IPipeline,
    IPolicy,
    ISessionJudge,
    ITransactionJudge,
    MaybeDeferred,
    Phase,
    Scope,
)
from mailgate.message.envelope import Envelope, Session
from mailgate.pipeline.content import Question, Said
from mailgate.pipeline.plan import Plan
from mailgate.pipeline.relays import NO_RELAYS, Relays
from mailgate.pipeline.round import Job, Measure, Round, Subject
from mailgate.pipeline.suspects import Suspects, Watch, digest_of
from mailgate.pipeline.view import View
from mailgate.verdict import Action, Verdict
from mailgate.wire.address import Address

T = TypeVar("T")
Steps = Generator["Deferred[None]", None, T]
"""Work that yields whatever has to be waited for, and yields nothing where all is ready."""

Results = dict[str, Result]
"""What the checks have said of one subject, by the check's name and in the order of the plan."""

BeginSignedReading = Callable[[Session, bool, bytes], "IBodyReader | None"]
"""
L{BeginReading} for a session, and whether its client is a relay of ours: then whose the message is
is not known yet.
"""

_NONE: Mapping[str, Result] = MappingProxyType({})


@implementer(IPipeline)
@frozen
class Pipeline:
    """
    The ordered checks, and the policy that turns what they find into verdicts.
    """

    plan: Plan
    policy: IPolicy
    clock: IReactorTime
    now: Callable[[], float]
    """Wall time in seconds since the epoch."""

    seconds: float
    """What all checks of a message may take together, and those of each phase before it."""

    measure: Measure | None = None
    """Told how long each check and extractor took."""
    suspects: Suspects | None = None
    """The messages that are judged in the sandbox, where a message may kill this process."""
    relays: Relays = NO_RELAYS
    """Servers of ours that bring the mail of strangers."""
    reading: BeginSignedReading | None = None
    """Begins to read a body for what its signatures are verified with, as it arrives."""

    def open(self, session: Session) -> SessionJudge:
        """
        Begin to judge a connection.
        """
        return SessionJudge(self, session, self.relays.has(session))

    def run(self, jobs: Sequence[Job], limit: float, trace: str) -> Steps[None]:
        """
        Run the jobs of one phase.
        """
        waiting = Round(jobs, self.clock, limit, trace, self.measure).run()
        if waiting is not None:
            yield waiting

    def limit(self) -> float:
        """
        Give the time, by the clock, at which checks that begin now must have ended.
        """
        return self.clock.seconds() + self.seconds


class _Judge:
    """
    What judges share: they are at one thing at a time at most.
    """

    # Without dictionaries: thousands of sessions may stand idle.
    __slots__ = ("_running",)

    def __init__(self) -> None:
        self._running: Deferred[Any] | None = None

    def close(self) -> None:
        """
        Cancel what still runs: its Deferred fails with L{twisted.internet.defer.CancelledError}.
        """
        if self._running is not None:
            self._running.cancel()

    def _do(self, steps: Steps[T]) -> MaybeDeferred[T]:
        """
        Do the steps at once, or from the first one on that has to be waited for, later.
        """
        try:
            waiting = next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        self._running = Deferred.fromCoroutine(_go_on(steps, waiting))
        return self._running.addBoth(self._ended)

    def _ended(self, result: T) -> T:
        self._running = None
        return result


@implementer(ISessionJudge)
class SessionJudge(_Judge):
    """
    The judge of one connection.
    """

    __slots__ = ("_is_relay", "_of_connection", "_of_greeting", "_pipeline", "_session")

    def __init__(self, pipeline: Pipeline, session: Session, is_relay: bool = False) -> None:
        """
        @param is_relay: whether the client is a relay of ours; then strangers are judged once its
            words on them are there, and nothing before.
        """
        super().__init__()
        self._pipeline = pipeline
        self._session = session
        self._is_relay = is_relay
        self._of_connection = self._of_greeting = _NONE

    def connected(self) -> MaybeDeferred[Verdict]:
        """
        Judge the connection before the greeting.
        """
        return self._do(self._judge(Phase.CONNECT))

    def greeted(self, session: Session) -> MaybeDeferred[Verdict]:
        """
        Judge what the client calls itself; what was found at an earlier greeting is forgotten.
        """
        self._session = session
        self._of_greeting = _NONE
        return self._do(self._judge(Phase.HELO))

    def begin(self, envelope: Envelope) -> TransactionJudge:
        """
        Begin to judge a transaction.
        """
        return TransactionJudge(
            self._pipeline, envelope, (self._of_connection, self._of_greeting), self._is_relay
        )

    def catch_up(self) -> Steps[tuple[Mapping[str, Result], ...]]:
        """
        Do what was left out as long as the client was not known, and give what was found.
        """
        yield from self._judge(Phase.CONNECT)
        yield from self._judge(Phase.HELO)
        return self._of_connection, self._of_greeting

    def _judge(self, phase: Phase) -> Steps[Verdict]:
        pipeline, trace = self._pipeline, self._session.id
        steps = pipeline.plan.steps[phase]
        if steps and not self._is_relay:
            results: Results = {}
            if phase is Phase.CONNECT:
                self._of_connection = results
            else:
                self._of_greeting = results
            inherited = (self._of_connection, self._of_greeting)
            view = View(self._session, pipeline.now(), inherited, {})
            subject = Subject(view, results, {})
            yield from pipeline.run([Job(step, subject) for step in steps], pipeline.limit(), trace)
        said = [*self._of_connection.values(), *self._of_greeting.values()]
        return pipeline.policy.judge(phase, said, trace, None)


@implementer(ITransactionJudge)
class TransactionJudge(_Judge):
    """
    The judge of one transaction.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        envelope: Envelope,
        inherited: tuple[Mapping[str, Result], ...],
        is_relay: bool = False,
    ) -> None:
        """
        @param inherited: what was found about the session.
        @param is_relay: whether the client is a relay of ours.
        """
        super().__init__()
        self._pipeline = pipeline
        self._envelope = envelope
        self._inherited = inherited
        self._results: Results = {}
        self._of_owners: dict[str, Results] = {}
        self._facts: dict[str, Any] = {}
        self._recipients: dict[Address, None] = {}
        self._spared: set[Address] = set()  # refused but for watching
        self._watch: Watch | None = None
        self._is_relay = is_relay
        self._has_client = not is_relay

    @property
    def origin(self) -> str:
        """
        Give the IP address of the stranger from whom a relay of ours has brought the message.
        """
        return self._envelope.session.client if self._is_relay and self._has_client else ""

    @property
    def reading(self) -> BeginReading | None:
        """
        Give what begins to read the body of the message.
        """
        begin = self._pipeline.reading
        return None if begin is None else partial(begin, self._envelope.session, self._is_relay)

    def mail(self) -> MaybeDeferred[Verdict]:
        """
        Judge the sender.
        """
        return self._do(self._judge_sender())

    def rcpt(self, recipient: Address) -> MaybeDeferred[Verdict]:
        """
        Judge whether C{recipient} may be sent to. A refused one takes no further part.
        """
        return self._do(self._judge_recipient(recipient))

    def message(self, message: IMessage) -> MaybeDeferred[Sequence[Verdict]]:
        """
        Judge the message: a verdict for each group of recipients accepted before.
        """
        return self._do(self._judge_message(message))

    def _judge_sender(self) -> Steps[Verdict]:
        if self._has_client:
            yield from self._run(Phase.MAIL, (), None, self._pipeline.limit())
        return self._decide(Phase.MAIL, None)

    def _judge_recipient(self, recipient: Address) -> Steps[Verdict]:
        if self._has_client and recipient.owner not in self._of_owners:
            yield from self._run(Phase.RCPT, (recipient,), None, self._pipeline.limit())
        verdict = self._decide(Phase.RCPT, recipient)
        if verdict.reply is None:
            self._recipients[recipient] = None
        return verdict

    def _judge_message(self, message: IMessage) -> Steps[Sequence[Verdict]]:
        is_done = False
        try:
            verdicts = yield from self._judge_phases(message)
            is_done = self._watch is None or not any(r.has_failed for r in self._said())
            return verdicts
        finally:
            if self._watch is not None:
                self._watch.end(is_done)

    def _judge_phases(self, message: IMessage) -> Steps[Sequence[Verdict]]:
        limit = self._pipeline.limit()
        undecided = list(self._recipients)
        if self._is_relay:
            yield from self._catch_up(message, undecided, limit)
        verdicts: dict[Address, Verdict] = {}
        for phase, counts_as in self._pipeline.plan.message:
            if self._pipeline.plan.content[phase]:
                yield from self._begin_content(message)
            yield from self._run(phase, undecided, message, limit)
            for recipient in undecided:
                verdict = self._decide(counts_as, recipient)
                if verdict.action is Action.REJECT or counts_as is Phase.END:
                    verdicts[recipient] = verdict
            undecided = [each for each in undecided if each not in verdicts]
            if not undecided:
                break
        # Facts may be as large as the message, and the delivery needs none of them.
        self._facts.clear()
        return _group([verdicts[recipient] for recipient in self._recipients])

    def _catch_up(
        self, message: IMessage, recipients: Sequence[Address], limit: float
    ) -> Steps[None]:
        """
        Judge the stranger from whom a relay of ours has the message, as if it had come here itself.
        """
        pipeline, relay = self._pipeline, self._envelope.session
        result, session = pipeline.relays.origin(relay, message)
        self._results[RELAY] = result
        if session is None:
            return
        self._has_client = True
        self._envelope = evolve(self._envelope, session=session)
        self._inherited = yield from SessionJudge(pipeline, session).catch_up()
        yield from self._run(Phase.MAIL, (), None, limit)
        for recipient in _one_of_each_owner(recipients):
            yield from self._run(Phase.RCPT, (recipient,), None, limit)

    def _begin_content(self, message: IMessage) -> Steps[None]:
        suspects = self._pipeline.suspects
        if suspects is None or self._watch is not None:
            return
        digest = digest_of(message)
        if isinstance(digest, Deferred):
            read: list[bytes] = []
            yield digest.addCallback(read.append)
            (digest,) = read
        self._watch = suspects.begin(digest)

    def _decide(self, phase: Phase, recipient: Address | None) -> Verdict:
        results = self._said()
        if recipient is not None:
            results.extend(self._of_owners.get(recipient.owner, {}).values())
        policy, trace = self._pipeline.policy, self._envelope.trace
        may_refuse = not self._is_relay or self._pipeline.relays.may_refuse
        verdict = policy.judge(phase, results, trace, recipient, may_refuse)
        if recipient is not None:
            # What was refused once stays refused, whatever speaks for it later; so where
            # watching spares a recipient, the last verdict must still say it would have been.
            if verdict.would is Action.REJECT:
                self._spared.add(recipient)
            elif recipient in self._spared:
                verdict = evolve(verdict, would=Action.REJECT)
        return verdict

    def _run(
        self,
        phase: Phase,
        recipients: Sequence[Address],
        message: IMessage | None,
        limit: float,
    ) -> Steps[None]:
        pipeline = self._pipeline
        steps = pipeline.plan.steps[phase]
        if not steps:
            return
        view = View(
            self._envelope.session,
            pipeline.now(),
            # Last, for checks of the whole message: what was found for the first of the owners.
            (*self._inherited, self._results, *self._of_owners.values()),
            self._facts,
            self._envelope,
            message,
            tuple(self._recipients),
        )
        whole = [Subject(view, self._results, self._facts)]
        each = []
        if pipeline.plan.has_each[phase]:
            each = [self._subject(view, recipient) for recipient in _one_of_each_owner(recipients)]
        jobs = [
            Job(step, subject)
            for step in steps
            for subject in (each if step.scope is Scope.RECIPIENT else whole)
        ]
        if message is None or self._watch is None or not self._watch.is_suspect:
            yield from pipeline.run(jobs, limit, self._envelope.trace)
            return
        inside = pipeline.plan.content[phase]
        here = [job for job in jobs if job.step.name not in inside]
        yield from pipeline.run(here, limit, self._envelope.trace)
        if inside and SANDBOX not in self._results:
            yield from self._ask_sandbox(phase, view, recipients, message, limit)

    def _ask_sandbox(
        self,
        phase: Phase,
        view: View,
        recipients: Sequence[Address],
        message: IMessage,
        limit: float,
    ) -> Steps[None]:
        """
        Have the content judged in the sandbox, as far as it is in C{phase}.
        """
        pipeline = self._pipeline
        assert pipeline.suspects is not None
        question = Question(
            phase,
            view.now,
            self._envelope,
            view.recipients,
            tuple(_one_of_each_owner(recipients)),
            tuple(result.without_facts() for result in self._said()),
            {
                owner: tuple(result.without_facts() for result in results.values())
                for owner, results in self._of_owners.items()
            },
        )
        seconds = max(0.0, limit - pipeline.clock.seconds())
        asking = pipeline.suspects.judge(pipeline.plan, question, message, seconds)
        yield Deferred.fromCoroutine(asking).addCallback(self._write)

    def _write(self, answer: Sequence[Said]) -> None:
        for said in answer:
            results = self._of_owners[said.owner] if said.owner else self._results
            results[said.result.check] = said.result

    def _said(self) -> list[Result]:
        """
        Give what was said of the session and the transaction.
        """
        results = [result for each in self._inherited for result in each.values()]
        results.extend(self._results.values())
        return results

    def _subject(self, view: View, recipient: Address) -> Subject:
        owner = recipient.owner
        results = self._of_owners.setdefault(owner, {})
        seen = (*self._inherited, self._results, results)
        return Subject(view.of(recipient, seen), results, self._facts, owner)


async def _go_on(steps: Steps[T], waiting: Deferred[None]) -> T:
    try:
        while True:
            await waiting
            waiting = next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


def _one_of_each_owner(recipients: Iterable[Address]) -> Iterable[Address]:
    first: dict[str, Address] = {}
    for recipient in recipients:
        first.setdefault(recipient.owner, recipient)
    return first.values()


def _group(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """
    Join the verdicts on single recipients that differ in nothing else.
    """
    if len(verdicts) < 2:
        return tuple(verdicts)
    groups: dict[Verdict, list[Address]] = {}
    for verdict in verdicts:
        anonymous = evolve(verdict, recipients=())
        groups.setdefault(anonymous, []).extend(verdict.recipients)
    return tuple(
        evolve(verdict, recipients=tuple(recipients)) for verdict, recipients in groups.items()
    )
