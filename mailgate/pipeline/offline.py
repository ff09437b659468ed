"""
Judging a message that nobody is sending: the whole way through the phases, at once.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from mailgate.interfaces import IMessage, MaybeDeferred, Phase
from mailgate.message.envelope import Envelope
from mailgate.pipeline.engine import Pipeline
from mailgate.verdict import Verdict
from mailgate.wire.address import Address

T = TypeVar("T")


def judge(
    pipeline: Pipeline, clock: Clock, envelope: Envelope, recipient: Address, message: IMessage
) -> Verdict:
    """
    Judge a message as if the session of C{envelope} sent it to C{recipient} alone.

    Checks that work in threads must do so at once
    (L{mailgate.store.threads.ImmediateThreads}); no deadline ends them then, as none ends a
    check that does not wait. What waits for anything else fails as if it had been too slow.

    @param clock: that of the pipeline.
    @return: the verdict on the message, or that by which it was refused before.
    """

    def result(answer: MaybeDeferred[T]) -> T:
        return result_of(answer, clock, pipeline.seconds)

    steps = _steps(pipeline, envelope, recipient, message)
    answer = next(steps)
    try:
        while True:
            answer = steps.send(result(answer))
    except StopIteration as end:
        return _verdict(end)


async def judge_waiting(
    pipeline: Pipeline, envelope: Envelope, recipient: Address, message: IMessage
) -> Verdict:
    """
    Judge a message as L{judge} does, and wait for what has to be waited for.
    """
    steps = _steps(pipeline, envelope, recipient, message)
    answer = next(steps)
    try:
        while True:
            answer = steps.send((await answer) if isinstance(answer, Deferred) else answer)
    except StopIteration as end:
        return _verdict(end)


def _steps(
    pipeline: Pipeline, envelope: Envelope, recipient: Address, message: IMessage
) -> Generator[MaybeDeferred[Any], Any, Verdict]:
    """
    Go through the phases; what is yielded is sent back once it is a value.
    """
    session = pipeline.open(envelope.session)
    verdict: Verdict = yield session.connected()
    if verdict.reply is None:
        verdict = yield session.greeted(envelope.session)
    if verdict.reply is not None:
        return verdict
    transaction = session.begin(envelope)
    verdict = yield transaction.mail()
    if verdict.reply is None:
        verdict = yield transaction.rcpt(recipient)
    if verdict.reply is None:
        (verdict,) = yield transaction.message(message)
    return verdict


def _verdict(end: StopIteration) -> Verdict:
    verdict: Verdict = end.value
    return verdict


def result_of(answer: MaybeDeferred[T], clock: Clock, seconds: float) -> T:
    """
    Give what an answer is, or becomes once all deadlines are over.

    @param clock: that of the deadlines.
    @param seconds: that of the longest.
    """
    if not isinstance(answer, Deferred):
        return answer
    results: list[T] = []
    failures: list[Failure] = []
    answer.addCallbacks(results.append, failures.append)
    for _ in Phase:
        if results or failures:
            break
        clock.advance(seconds)
    for failure in failures:
        failure.raiseException()
    (only,) = results
    return only
