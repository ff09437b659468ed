"""
What is counted from the start of the gateway on: by a worker, until the hub asks for it, and by the
hub, over all workers there ever were.

A worker hands its counts over and begins anew, so that nothing that is shown ever goes back,
however workers come and go. One that crashes takes along what it counted since it was last asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from attrs import define, field, frozen

from mailgate.config.model import Role
from mailgate.interfaces import Asked, Deed
from mailgate.message.record import Record
from mailgate.verdict import Action

BOUNDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Upper bounds, in seconds, of the buckets into which durations are sorted."""

STEPS_LIMIT = 500
"""How many checks and extractors are told apart: more than there are."""

ROLES = frozenset(Role)
OUTCOMES = ("delivered", "held", "queued", "refused", "deferred", "discarded", "unknown")
"""What becomes of a copy; see L{Copy.outcome <mailgate.message.record.Copy>}."""

PARTS = ("data", "checks", "delivery", "tarpit")
"""What of a transaction is timed; see L{Record.durations}."""


@define
class Durations:
    """
    Durations, sorted into buckets.
    """

    counts: list[int] = field(factory=lambda: [0] * (len(BOUNDS) + 1))
    """How many were at most as long as each of L{BOUNDS} and longer than the one before it; at the
    end how many were longer than all."""

    seconds: float = 0.0
    """Of all together."""

    def add(self, seconds: float) -> None:
        """
        Sort one in. One that is below zero, as the clock was set meanwhile, counts as nothing.
        """
        seconds = max(0.0, seconds)
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


@frozen
class StepDurations:
    """
    How long a check or an extractor took, each time that it ran.
    """

    name: str
    is_extractor: bool
    counts: tuple[int, ...]
    seconds: float


@frozen
class Measured:
    """
    What a worker has counted since it was last asked.
    """

    steps: tuple[StepDurations, ...] = ()
    admitted: int = 0
    """Sessions."""

    turned_away: int = 0
    """Connections that met a limit."""

    dns: dict[str, int] = field(factory=dict)
    """Of look-ups, by L{Asked}."""


class Stopwatch:
    """
    Times the checks and extractors of one worker.
    """

    def __init__(self) -> None:
        self._steps: dict[tuple[str, bool], Durations] = {}

    def __call__(self, name: str, is_extractor: bool, seconds: float) -> None:
        """
        Take note of how long one took.
        """
        known = self._steps.get((name, is_extractor))
        if known is None:
            known = self._steps[name, is_extractor] = Durations()
        known.add(seconds)

    def take(self) -> tuple[StepDurations, ...]:
        """
        Give what was noted since this was last asked.
        """
        steps, self._steps = self._steps, {}
        return tuple(
            StepDurations(name, is_extractor, tuple(each.counts), each.seconds)
            for (name, is_extractor), each in steps.items()
        )


class Sums:
    """
    What the hub has counted since its start. Each of its keys comes from a list that is known
    beforehand: never a domain or an address.
    """

    def __init__(self) -> None:
        self.verdicts: Counter[tuple[str, ...]] = Counter()
        """By action and, of what is held, kind."""

        self.copies = Counter(dict.fromkeys(OUTCOMES, 0))
        """By what became of them."""

        self.replies: Counter[tuple[str, ...]] = Counter()
        """Transactions by the role of the listener and the class of the last reply."""

        self.bytes = 0
        """Of messages, as they were received."""

        self.parts = {name: Durations() for name in PARTS}
        """How long each part of a transaction took."""

        self.steps: dict[tuple[str, bool], Durations] = {}
        """How long each check and extractor took."""

        self.admitted = 0
        self.turned_away = 0
        self.dns = Counter(dict.fromkeys(Asked, 0))
        self.excesses: Counter[tuple[str, ...]] = Counter()
        """Limits that were reached, by of whom and of what."""

        self.deeds = Counter(dict.fromkeys(Deed, 0))
        """What was counted for the penalty box."""

        self.trapped = 0
        """Messages to traps whose sender was marked."""

        self.died = 0
        """Workers that have died."""

        self.rated = {False: 0, True: 0}
        """Messages by which a sender gets its name, by whether somebody called them spam."""

        self.reloads: Counter[bool] = Counter({True: 0, False: 0})
        """By whether they have succeeded."""

    def count(self, record: Record) -> None:
        """
        Count a transaction that has ended, or a session that was turned away.
        """
        reply = f"{record.reply[0]}xx" if record.reply[:1] in ("2", "4", "5") else "none"
        role = record.session.role
        self.replies[role if role in ROLES else "", reply] += 1
        for copy in record.copies:
            if copy.outcome in self.copies:
                self.copies[copy.outcome] += 1
        if record.size is None:
            return
        self.bytes += record.size
        for verdict in record.verdicts:
            kind = verdict.kind.value if verdict.action is Action.QUARANTINE else ""
            self.verdicts[verdict.action.value, kind] += 1
        for name, seconds in record.durations.items():
            if name in self.parts:
                self.parts[name].add(seconds)

    def exceeded(self, of: str, amount: str) -> None:
        """
        Count that somebody has reached a limit.
        """
        self.excesses[of, amount] += 1

    def done(self, deed: Deed, times: int) -> None:
        """
        Count what was counted for the penalty box.
        """
        self.deeds[deed] += times

    def marked(self, client: str, reason: str) -> None:
        """
        Count that somebody has written to a trap (a L{mailgate.interfaces.Mark}).
        """
        self.trapped += 1

    def add(self, measured: Measured) -> None:
        """
        Add what a worker has counted.
        """
        self.admitted += max(0, measured.admitted)
        self.turned_away += max(0, measured.turned_away)
        for asked in Asked:
            self.dns[asked] += max(0, measured.dns.get(asked.value, 0))
        for step in measured.steps:
            self._add_step(step)

    def _add_step(self, step: StepDurations) -> None:
        key = step.name, step.is_extractor
        known = self.steps.get(key)
        if known is None:
            # A worker that a message has taken over may say anything.
            if len(self.steps) >= STEPS_LIMIT:
                return
            known = self.steps[key] = Durations()
        known.counts = _sum(known.counts, step.counts)
        known.seconds += max(0.0, step.seconds)


def _sum(ours: Sequence[int], theirs: Sequence[int]) -> list[int]:
    if len(theirs) != len(ours):
        return list(ours)
    return [one + max(0, other) for one, other in zip(ours, theirs, strict=True)]
