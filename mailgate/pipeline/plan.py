"""
The order in which checks and extractors run. It is fixed at start.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from attrs import field, frozen

from mailgate.config.problem import ConfigurationError, Problem, nearest
from mailgate.interfaces import ICheck, IExtractor, MaybeDeferred, Phase, Scope
from mailgate.pipeline.view import View

FIELDS = "fields"
"""The extractor of the header fields."""

_SCOPES = {
    Phase.CONNECT: {Scope.SESSION},
    Phase.HELO: {Scope.SESSION},
    Phase.MAIL: {Scope.TRANSACTION},
    Phase.RCPT: {Scope.RECIPIENT},
    Phase.HEADERS: {Scope.TRANSACTION, Scope.RECIPIENT},
    Phase.BODY: {Scope.TRANSACTION, Scope.RECIPIENT},
    Phase.END: {Scope.TRANSACTION, Scope.RECIPIENT},
}


@frozen(eq=False)
class Step:
    """
    A check or an extractor in its place.
    """

    name: str
    phase: Phase
    scope: Scope
    run: Callable[[View], MaybeDeferred[Any]]
    deadline: float
    """Seconds it may take."""

    before: frozenset[str]
    """The steps of the same phase that must have ended before it begins."""

    facts: tuple[str, ...]
    """The extractors without whose facts it cannot run."""

    is_extractor: bool
    symbols: frozenset[str] = frozenset()
    """All symbols that the findings of a check can have."""


@frozen(eq=False)
class Plan:
    """
    All steps, by phase and in order.
    """

    steps: tuple[tuple[Step, ...], ...]
    """Indexed by L{Phase}."""

    content: tuple[frozenset[str], ...] = field(init=False)
    """
    By phase, the names of the steps that work on the content of the message: the extractors, but
    for that of the header fields, which are read long before; who reads their facts; and who comes
    after one of these.
    """

    has_each: tuple[bool, ...] = field(init=False)
    """By phase, whether some of its steps run once for each owner among the recipients."""

    message: tuple[tuple[Phase, Phase], ...] = field(init=False)
    """
    The phases of a message that have steps, each with the phase as which its end counts:
    the last one's is C{END}, since nothing follows it.
    """

    @content.default
    def _content_steps(self) -> tuple[frozenset[str], ...]:
        facts: set[str] = set()
        phases = []
        for steps in self.steps:
            found: set[str] = set()
            for step in steps:
                is_first = step.is_extractor and step.name != FIELDS
                if (
                    is_first
                    or not facts.isdisjoint(step.facts)
                    or not found.isdisjoint(step.before)
                ):
                    found.add(step.name)
                    if step.is_extractor:
                        facts.add(step.name)
            phases.append(frozenset(found))
        return tuple(phases)

    @has_each.default
    def _steps_of_each(self) -> tuple[bool, ...]:
        return tuple(any(step.scope is Scope.RECIPIENT for step in each) for each in self.steps)

    @message.default
    def _message_phases(self) -> tuple[tuple[Phase, Phase], ...]:
        phases = [
            phase for phase in (Phase.HEADERS, Phase.BODY, Phase.END) if self.steps[phase]
        ] or [Phase.END]
        return (*((phase, phase) for phase in phases[:-1]), (phases[-1], Phase.END))


def make_plan(
    checks: Sequence[ICheck], extractors: Sequence[IExtractor], off: Collection[str] = ()
) -> Plan:
    """
    Bring checks into an order in which each comes after what it names in C{needs} and C{after}.

    An extractor runs in the phase of the first check that needs it; one that nobody needs
    does not run.

    @param off: names of checks that are known but switched off.
    @raise ConfigurationError: a name is unknown or stands for two, something is needed that
        is switched off or comes too late, or some wait for each other.
    """
    problems = list(_mistakes(checks, extractors, off))
    if problems:
        raise ConfigurationError(problems)
    facts = {extractor.name for extractor in extractors}
    graph = {extractor.name: tuple(extractor.needs) for extractor in extractors}
    for check in checks:
        graph[check.name] = (*check.needs, *(name for name in check.after if name not in off))
    order = _in_order(graph)
    phases = {check.name: check.phase for check in checks}
    for name in reversed(order):
        if name in phases:
            for needed in facts.intersection(graph[name]):
                phases[needed] = min(phases[name], phases.get(needed, Phase.END))

    def before(name: str) -> frozenset[str]:
        return frozenset(each for each in graph[name] if phases[each] == phases[name])

    steps = {
        extractor.name: Step(
            name=extractor.name,
            phase=phases[extractor.name],
            scope=Scope.TRANSACTION,
            run=extractor.extract,
            deadline=extractor.deadline,
            before=before(extractor.name),
            facts=tuple(extractor.needs),
            is_extractor=True,
        )
        for extractor in extractors
        if extractor.name in phases
    }
    for check in checks:
        steps[check.name] = Step(
            name=check.name,
            phase=check.phase,
            scope=check.scope,
            run=check.check,
            deadline=check.deadline,
            before=before(check.name),
            facts=tuple(name for name in check.needs if name in facts),
            is_extractor=False,
            symbols=check.symbols,
        )
    ordered = [steps[name] for name in order if name in steps]
    return Plan(tuple(tuple(s for s in ordered if s.phase == phase) for phase in Phase))


def _in_order(graph: dict[str, tuple[str, ...]]) -> list[str]:
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle: list[str] = error.args[1]
        why = f"they wait for each other: {' -> '.join(reversed(circle))}"
        raise ConfigurationError([_problem(circle[0], why)]) from None


def _mistakes(
    checks: Sequence[ICheck], extractors: Sequence[IExtractor], off: Collection[str]
) -> Iterator[Problem]:
    known = {check.name: check for check in checks}
    facts = {extractor.name for extractor in extractors}
    names = [*(check.name for check in checks), *(extractor.name for extractor in extractors)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _problem(name, "the name stands for two")
    for extractor in extractors:
        for name in extractor.needs:
            if name not in facts:
                yield _problem(extractor.name, f'needs the extractor "{name}"', name, facts)
    for check in checks:
        if check.scope not in _SCOPES[check.phase]:
            yield _problem(
                check.name, f"cannot have scope {check.scope.name} in phase {check.phase.name}"
            )
        for name in check.needs:
            if name in off:
                yield _problem(check.name, f'needs the check "{name}", which is off')
            elif name in facts and check.phase < Phase.HEADERS:
                yield _problem(check.name, f'needs "{name}", but there is no message yet')
            elif name not in known and name not in facts:
                yield _problem(check.name, f'needs "{name}"', name, {*known, *facts})
        for name in check.after:
            if name not in known and name not in off:
                yield _problem(check.name, f'runs after "{name}"', name, known)
        for other in (known[name] for name in (*check.needs, *check.after) if name in known):
            if other.phase > check.phase:
                why = f"which runs later, in phase {other.phase.name}"
                yield _problem(check.name, f'cannot wait for "{other.name}", {why}')
            elif other.scope > check.scope and other.phase == check.phase:
                why = "which runs once for each recipient"
                yield _problem(check.name, f'cannot wait for "{other.name}", {why}')


def _problem(name: str, why: str, unknown: str = "", known: Collection[str] = ()) -> Problem:
    if unknown:
        why = f"{why}, which is not known"
    return Problem(
        file=Path("configuration"),
        table=f"[checks.{name}]",
        key="",
        value="",
        why=why,
        nearest=nearest(unknown, known) if unknown else "",
    )
