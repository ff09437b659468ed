"""
What weighed how much, drawn: findings as bars, the total on a rail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from attrs import frozen

from mailgate.config.model import Policy
from mailgate.finding import Finding
from mailgate.reporting.why import Group, Side, Way, weigh
from mailgate.web.pages import words


@frozen
class Bar:
    """
    One finding, and the bar that shows its weight; the numbers are per cent of the width.
    """

    sentence: str
    symbol: str
    score: str
    zero: float
    """Where nothing lies: against goes to the right of it, in favour to the left."""

    left: float
    width: float
    is_against: bool


@frozen
class DrawnGroup:
    """
    The findings about one thing.
    """

    title: str
    total: str
    bars: Sequence[Bar]


@frozen
class DrawnSide:
    """
    The findings of one side.
    """

    title: str
    total: str
    groups: Sequence[DrawnGroup]


def draw(findings: Sequence[Finding]) -> Sequence[DrawnSide]:
    """
    Draw findings, all to the same scale.
    """
    most = max([3.0, *(finding.score for finding in findings)])
    least = max([most / 3, *(-finding.score for finding in findings)])
    unit = 100 / (most + least)
    zero = round(least * unit, 2)

    def bar(finding: Finding) -> Bar:
        width = round(abs(finding.score) * unit, 2)
        is_against = finding.score > 0
        return Bar(
            words.sentence(finding.detail),
            finding.symbol,
            words.score(finding.score),
            zero,
            zero if is_against else round(zero - width, 2),
            width,
            is_against,
        )

    def group(of: Group) -> DrawnGroup:
        return DrawnGroup(of.title, words.score(of.total), [bar(each) for each in of.findings])

    def side(of: Side) -> DrawnSide:
        return DrawnSide(of.title, words.score(of.total), [group(each) for each in of.groups])

    return [side(each) for each in weigh(findings)]


def in_words(way: Way, total: float) -> str:
    """
    Say what would have been without some findings: a sum.
    """
    weight = words.total(sum(finding.score for finding in way.without))
    return f"{words.total(total)} \N{MINUS SIGN} {weight} = {words.total(way.total)}, {way.outcome}"


@frozen
class Rail:
    """
    Where the total lies between delivered and refused; the numbers are per cent of the width.
    """

    LABEL: ClassVar[float] = 12.0
    """How wide a part must be to have its label below it."""

    tag: float
    quarantine: float
    reject: float
    total: float
    thresholds: tuple[str, ...]
    words: str
    """The total."""

    @classmethod
    def of(cls, total: float, policy: Policy) -> Rail:
        """
        Draw a total on a scale from 0 to 16, or further where refusing begins beyond 15.
        """
        scale = max(16.0, policy.reject * 16 / 15)

        def place(number: float) -> float:
            return round(min(max(number / scale, 0.0), 1.0) * 100, 2)

        thresholds = (policy.tag, policy.quarantine, policy.reject)
        return cls(
            tag=place(policy.tag),
            quarantine=place(policy.quarantine),
            reject=place(policy.reject),
            total=place(total),
            thresholds=tuple(f"{number:g}" for number in thresholds),
            words=words.total(total),
        )

    @property
    def tag_width(self) -> float:
        """
        Give how wide the part is in which messages are tagged.
        """
        return max(0.0, self.quarantine - self.tag)

    @property
    def quarantine_width(self) -> float:
        """
        Give how wide the part is in which they are held.
        """
        return max(0.0, self.reject - self.quarantine)

    @property
    def reject_width(self) -> float:
        """
        Give how wide the part is in which they are refused.
        """
        return 100 - self.reject

    @property
    def anchor(self) -> str:
        """
        Say how the total stands at its place, so that it stays within the picture.
        """
        if self.total < 3:
            return "start"
        return "end" if self.total > 97 else "middle"
