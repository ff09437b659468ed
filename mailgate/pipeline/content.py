"""
The content of a message, judged in another process: what goes there and what comes back.

What comes back was said by a process that a stranger's message may have taken over. It is a value
of the types below or nothing, and it counts only where the checks could have said it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from math import isfinite

from attrs import evolve, frozen
from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder

from mailgate.finding import Finding, Result
from mailgate.interfaces import Phase, Scope
from mailgate.message.envelope import Envelope
from mailgate.pipeline.plan import Plan
from mailgate.pipeline.round import FAILED
from mailgate.wire.address import Address

JOB = "content"
"""The name of the job."""

SCORE_LIMIT = 1000.0
DETAIL_LIMIT = 2000
PUBLIC_LIMIT = 200
FINDINGS_LIMIT = 50
"""Of one check."""


@frozen
class Question:
    """
    A message whose content is to be judged, in one phase.
    """

    phase: Phase
    now: float
    """Wall time in seconds since the epoch."""

    envelope: Envelope
    recipients: tuple[Address, ...]
    """Those accepted."""

    owners: tuple[Address, ...]
    """One recipient of each owner for whom it is judged."""

    said: tuple[Result, ...]
    """What the checks have said of the session and the transaction."""

    said_of: Mapping[str, tuple[Result, ...]]
    """What they have said of a recipient, by its owner."""

    settings: str = ""
    """The configuration, as JSON."""

    message: bytes = b""


@frozen
class Said:
    """
    What one check has said of the content.
    """

    owner: str
    """The owner of the recipient for whom it was judged, or C{""}: for all."""

    result: Result


class Unbelievable(ValueError):
    """
    Something came back that no check says.
    """


_encode = Encoder().encode
_questions = Decoder(Question)
_answers = Decoder(tuple[Said, ...])


def encode_question(question: Question) -> bytes:
    """
    Write what goes to the other process.
    """
    # What a notice shall hold concerns no check.
    return _encode(evolve(question, envelope=evolve(question.envelope, wishes={})))


def decode_question(data: bytes) -> Question:
    """
    Read it there.
    """
    return _questions.decode(data)


def encode_answer(answer: Sequence[Said]) -> bytes:
    """
    Write what comes back.
    """
    return _encode(tuple(answer))


def decode_answer(data: bytes, plan: Plan, question: Question) -> Sequence[Said]:
    """
    Read it, and believe nothing.

    @param plan: that of this process.
    @raise Unbelievable: no check could have said it.
    """
    try:
        answer = _answers.decode(data)
    except (MsgspecError, ValueError, RecursionError):
        # The words of the error would quote what nobody believes.
        raise Unbelievable("it is no answer") from None
    names = plan.content[question.phase]
    steps = {s.name: s for s in plan.steps[question.phase] if s.name in names}
    owners = {recipient.owner for recipient in question.owners}
    seen = set()
    for said in answer:
        result = said.result
        step = steps.get(result.check)
        if step is None or step.is_extractor:
            raise Unbelievable("it comes from no check that was asked")
        if said.owner not in (owners if step.scope is Scope.RECIPIENT else {""}):
            raise Unbelievable("it is about nobody who was asked about")
        if (said.owner, result.check) in seen:
            raise Unbelievable("a check has spoken twice")
        seen.add((said.owner, result.check))
        _believe(result, {FAILED} if result.has_failed else step.symbols)
    return [
        Said(said.owner, evolve(said.result, findings=_seen_by(said.result))) for said in answer
    ]


def _believe(result: Result, symbols: Collection[str]) -> None:
    if not 0 < len(result.findings) <= FINDINGS_LIMIT:
        raise Unbelievable("a check has found too much or nothing")
    for finding in result.findings:
        if finding.symbol not in symbols:
            raise Unbelievable("a check has found what it does not look for")
        if not (isfinite(finding.score) and abs(finding.score) <= SCORE_LIMIT):
            raise Unbelievable("a score is out of bounds")
        if not (len(finding.detail) <= DETAIL_LIMIT and finding.detail.isprintable()):
            raise Unbelievable("the evidence is too long, or cannot be shown")
        if not _PUBLIC.fullmatch(finding.public):
            raise Unbelievable("what a client shall be told cannot be told")
        if finding.authentication or finding.fact is not None:
            raise Unbelievable("nothing is authenticated in the sandbox")


_PUBLIC = re.compile(rf"[ -~]{{0,{PUBLIC_LIMIT}}}")


def _seen_by(result: Result) -> tuple[Finding, ...]:
    return tuple(finding.seen_by(result.check) for finding in result.findings)
