"""
How much each teacher may teach in a day.

Whoever takes over an account, or has one and wants mail of a kind to pass, can teach the classifier
by it. A limit for each teacher keeps what one of them does small beside what all others do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

_DAY = 86400


class Teachers:
    """
    What each teacher has taught today, in UTC. It is not kept over a restart.

    There are only as many as people with an account and traps, so all of today are remembered.
    """

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        """
        @param most: how many messages a day each may teach.
        @param now: the time in seconds since the epoch.
        """
        self.most = most
        self._now = now
        self._day = 0
        self._taught: Counter[str] = Counter()

    def take(self, teacher: str) -> int | None:
        """
        Count a lesson before it is taught, so that several at once do not pass together.

        @return: the day to which it belongs, for L{give_back}; C{None} where the teacher has no
            lesson left today.
        """
        self._begin_day()
        if self._taught[teacher] >= self.most:
            return None
        self._taught[teacher] += 1
        return self._day

    def give_back(self, teacher: str, day: int) -> None:
        """
        Count a lesson no more that has taught nothing.
        """
        self._begin_day()
        if day == self._day:
            self._taught[teacher] -= 1

    def today(self) -> Mapping[str, int]:
        """
        Tell how many messages each has taught today.
        """
        self._begin_day()
        return {name: number for name, number in self._taught.items() if number}

    def _begin_day(self) -> None:
        day = int(self._now() // _DAY)
        if day != self._day:
            self._day = day
            self._taught.clear()
