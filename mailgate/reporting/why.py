"""
Why a message was judged as it was: what weighed how much, and what it would have taken to be judged
in another way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import ceil, floor, fsum
from typing import Any

from attrs import frozen

from mailgate.config.model import Policy
from mailgate.finding import Finding
from mailgate.verdict import Action
from mailgate.wording import from_plain

TITLES: Mapping[str, str] = {
    "arc": "Seals of forwarders",
    "attachments": "Attachments",
    "author": "Lists of the author's domain",
    "bayes": "Wording and make",
    "correspondents": "Who writes here, and to whom ours write",
    "dkim": "Signatures",
    "dmarc": "Domain of the author",
    "dnslists": "Lists in the DNS",
    "fuzzy": "What was spam before",
    "geo": "Where the client is",
    "documents": "What attachments would do",
    "greylist": "Who comes again",
    "headers": "Headers",
    "helo": "Name of the client",
    "html": "What pages hide",
    "links": "Links",
    "lists": "Allowed and blocked",
    "mime": "Parts of the message",
    "names": "Names in the DNS",
    "penalty": "What came from there lately",
    "phishing": "Whom it pretends to be from",
    "rates": "How much was sent",
    "reputation": "Name of the sender here",
    "rules": "What it says",
    "spf": "SPF of the sender",
    "subjects": "The same subject again",
    "traps": "Traps",
}
"""What each check looks at, as people read it."""

_DONE = {
    Action.ACCEPT: "delivered",
    Action.TAG: "delivered with a tag",
    Action.QUARANTINE: "held",
    Action.REJECT: "refused",
}
_WAYS = 3
"""How many single findings are named of which one less would have been enough."""


@frozen
class Group:
    """
    Findings about the same thing, the weightiest first.
    """

    title: str
    findings: Sequence[Finding]

    @property
    def total(self) -> float:
        """
        Add the scores up.
        """
        return _sum(self.findings)


@frozen
class Side:
    """
    All findings that speak against a message, or for it, or that have no weight.
    """

    title: str
    groups: Sequence[Group]
    """What weighs most comes first."""

    @property
    def total(self) -> float:
        """
        Add the scores up.
        """
        return round(fsum(group.total for group in self.groups), 6)


@frozen
class Way:
    """
    What would have led to another action.
    """

    without: Sequence[Finding]
    total: float
    """What would have been left of the total."""

    action: Action

    @property
    def outcome(self) -> str:
        """
        Say what would have been done: C{delivered with a tag}.
        """
        return _DONE[self.action]


@frozen
class Nearness:
    """
    How near a total is to another action.
    """

    sentences: Sequence[str]
    """The nearest threshold, and how far it is."""

    ways: Sequence[Way] = ()
    """Each of them alone would have been enough for less; empty where the total decides nothing."""


def read_finding(fields: Mapping[str, Any]) -> Finding:
    """
    Read a finding that came as JSON, from a trace or from the gateway.
    """
    words = from_plain(fields.get("words", fields["detail"]))
    return Finding(fields["symbol"], fields["score"], words, check=fields.get("check", ""))


def weigh(findings: Iterable[Finding]) -> Sequence[Side]:
    """
    Sort findings by side, by what they are about, and by weight. A side without any is left out.
    """
    known = sorted(findings, key=lambda finding: -abs(finding.score))
    sides = (
        ("Against it", [finding for finding in known if finding.score > 0]),
        ("In its favour", [finding for finding in known if finding.score < 0]),
        ("Without weight", [finding for finding in known if not finding.score]),
    )
    return [Side(title, _groups(chosen)) for title, chosen in sides if chosen]


def by_total(total: float, thresholds: Policy) -> Action:
    """
    Give the action that a total asks for by itself.
    """
    return next(action for start, action in reversed(_steps(thresholds)) if start <= total)


def nearness(
    total: float, action: Action, findings: Sequence[Finding], thresholds: Policy
) -> Nearness:
    """
    Say how near a total is to another action, and what would have been enough.

    @param action: what was decided, or would have been but for watching.
    """
    asked = by_total(total, thresholds)
    if action is Action.DEFER:
        words = f"By its total alone it would have been {_DONE[asked]}."
        return Nearness(
            (f"{words} A check that is enforced, or has failed, wants it to come again later.",)
        )
    if asked is not action:
        return Nearness(
            (
                f"By its total alone it would have been {_DONE[asked]}. Something else has decided:"
                " a check that is enforced or has failed, a recipient that is never refused, or"
                " thresholds that have changed since.",
            )
        )
    steps = _steps(thresholds)
    at = [action for _, action in steps].index(asked)
    near = []
    if at > 0:
        start = steps[at][0]
        near.append((total - start, start, _less(total - start, steps[at - 1][1])))
    if at + 1 < len(steps):
        start, above = steps[at + 1]
        near.append((start - total, start, _more(start - total, above)))
    (_, nearest, first), *others = sorted(near)
    return Nearness(
        (f"The nearest threshold is {nearest:g}: {first}", *(words for _, _, words in others)),
        _ways(total, asked, findings, thresholds),
    )


def _groups(findings: Sequence[Finding]) -> Sequence[Group]:
    by_check: dict[str, list[Finding]] = {}
    for finding in findings:
        by_check.setdefault(finding.check, []).append(finding)
    groups = [Group(_title(check), found) for check, found in by_check.items()]
    return sorted(groups, key=lambda group: -abs(group.total))


def _title(check: str) -> str:
    return TITLES.get(check) or check.replace("_", " ").capitalize() or "Other"


def _sum(findings: Iterable[Finding]) -> float:
    return round(fsum(finding.score for finding in findings), 6)


def _steps(thresholds: Policy) -> Sequence[tuple[float, Action]]:
    return (
        (float("-inf"), Action.ACCEPT),
        (thresholds.tag, Action.TAG),
        (thresholds.quarantine, Action.QUARANTINE),
        (thresholds.reject, Action.REJECT),
    )


def _less(distance: float, action: Action) -> str:
    # A total that reaches the threshold counts, so it takes more than the distance.
    tenths = floor(distance * 10 + 1e-6) + 1
    return f"{_points(tenths)} less and it would have been {_DONE[action]}."


def _more(distance: float, action: Action) -> str:
    return f"{_points(ceil(distance * 10 - 1e-6))} more and it would have been {_DONE[action]}."


def _points(tenths: int) -> str:
    return f"{tenths / 10:g} {'point' if tenths == 10 else 'points'}"


def _ways(
    total: float, asked: Action, findings: Sequence[Finding], thresholds: Policy
) -> Sequence[Way]:
    """
    Name the findings without which less would have been done: single ones or, where no single one
    is enough, the fewest together.
    """
    against = sorted((f for f in findings if f.score > 0), key=lambda finding: -finding.score)
    single = [_way(total, (finding,), thresholds) for finding in against]
    enough = [way for way in single if way.action is not asked]
    if enough or asked is Action.ACCEPT:
        return enough[:_WAYS]
    together = accumulate(((finding,) for finding in against), lambda some, one: some + one)
    ways = (_way(total, some, thresholds) for some in together)
    return [way for way in ways if way.action is not asked][:1]


def _way(total: float, without: tuple[Finding, ...], thresholds: Policy) -> Way:
    left = round(total - _sum(without), 6)
    return Way(without, left, by_total(left, thresholds))
