"""
Judging the content of a message inside the sandbox, where everything is done at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock

from mailgate.finding import Result
from mailgate.interfaces import Scope
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.content import Question, Said
from mailgate.pipeline.offline import result_of
from mailgate.pipeline.plan import Plan
from mailgate.pipeline.round import Job, Round, Subject
from mailgate.pipeline.view import View


def judge_content(plan: Plan, question: Question, seconds: float) -> Sequence[Said]:
    """
    Run the extractors, and the checks on the content in the phase that is asked for.

    What waits for anything (there is no network) fails as if it had been too slow.

    @param seconds: when what waits is too slow.
    """
    results: dict[str, Result] = {}
    facts: dict[str, Any] = {}
    before = {result.check: result for result in question.said}
    view = View(
        question.envelope.session,
        question.now,
        (before, results),
        facts,
        question.envelope,
        MemoryMessage((question.message,)),
        question.recipients,
    )
    whole = [Subject(view, results, facts)]
    each = []
    for recipient in question.owners:
        its: dict[str, Result] = {}
        known = {result.check: result for result in question.said_of.get(recipient.owner, ())}
        seen = view.of(recipient, (before, results, known, its))
        each.append(Subject(seen, its, facts, recipient.owner))
    names = plan.content[question.phase]
    extractors = [
        step for steps in plan.steps[: question.phase + 1] for step in steps if step.is_extractor
    ]
    checks = [
        step for step in plan.steps[question.phase] if step.name in names and not step.is_extractor
    ]
    clock = Clock()
    jobs = [
        Job(step, subject)
        for step in (*extractors, *checks)
        for subject in (each if step.scope is Scope.RECIPIENT else whole)
    ]
    result_of(Round(jobs, clock, seconds, question.envelope.trace).run(), clock, seconds)
    return [
        Said(subject.owner, result)
        for subject in (*whole, *each)
        for result in subject.results.values()
    ]
