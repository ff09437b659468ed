"""
Who has sent bad mail lately and who good one, as the checks know it: those alone that are in the
penalty box.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import log2

from attrs import frozen

from mailgate.config.checks import PenaltyCheck as Section

HOUR = 3600.0


@frozen
class Penalty:
    """
    What speaks for and against an address or a network.
    """

    name: str
    """
    C{192.0.2.7}, C{192.0.2.0/24}, C{2001:db8::/64}: an IPv6 client is all of its network, since
    whoever has one address there has them all.
    """

    good: float
    bad: float
    """Points, which become fewer as time goes by."""

    at: float
    """When they were so many, in seconds since the epoch."""

    @property
    def is_client(self) -> bool:
        """
        Tell whether it is a single client rather than an IPv4 network.
        """
        return is_client(self.name)

    @property
    def share(self) -> float:
        """
        Tell which part of the points is bad; it stays the same as time goes by.
        """
        return self.bad / (self.good + self.bad) if self.bad else 0.0

    def aged(self, now: float, hours: float) -> Penalty:
        """
        Give it as it is now.

        @param hours: the time after which half of the points is left.
        """
        left = left_of(now - self.at, hours)
        return Penalty(self.name, self.good * left, self.bad * left, max(now, self.at))

    def is_boxed(self, now: float, section: Section) -> bool:
        """
        Tell whether it is in the penalty box.
        """
        return (
            self.bad * left_of(now - self.at, section.half_life_hours) >= section.from_points
            and self.share >= section.from_share
        )

    def ends(self, points: float, hours: float) -> float:
        """
        Tell when fewer bad points than C{points} will be left, in seconds since the epoch.
        """
        return self.at + hours * HOUR * log2(self.bad / points) if self.bad > points else self.at


def is_client(name: str) -> bool:
    """
    Tell whether a name is that of a single client rather than of an IPv4 network.
    """
    return "/" not in name or ":" in name


def left_of(seconds: float, hours: float) -> float:
    """
    Tell which part of the points is left after some seconds.

    @param hours: the time after which it is half of them.
    """
    return float(0.5 ** (max(0.0, seconds) / (hours * HOUR)))


class Penalties:
    """
    Those in the box, by their names.
    """

    def __init__(self, penalties: Iterable[Penalty] = ()) -> None:
        self._known: dict[str, Penalty] = {}
        self.take(penalties)

    def __len__(self) -> int:
        """
        Count them.
        """
        return len(self._known)

    def __iter__(self) -> Iterator[Penalty]:
        """
        Give them.
        """
        return iter(self._known.values())

    def take(self, penalties: Iterable[Penalty]) -> None:
        """
        Take note of changes; whoever has no bad points is forgotten.
        """
        for penalty in penalties:
            if penalty.bad:
                self._known[penalty.name] = penalty
            else:
                self._known.pop(penalty.name, None)

    def find(self, name: str) -> Penalty | None:
        """
        Give what speaks against somebody.
        """
        return self._known.get(name)
