"""
How often something happened within the last minutes, for a bounded number of keys.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime


class SlidingWindow:
    """
    Counts events by a key over the last seconds, exactly, up to a limit.

    A key is forgotten when its last event is over, or as the one without events for the longest
    time when there are too many.
    """

    def __init__(self, clock: IReactorTime, most: int, seconds: float, keys: int) -> None:
        """
        @param most: from how many events on a key is full; no more of them are remembered.
        @param keys: how many keys are remembered.
        """
        self._clock = clock
        self._most = most
        self._seconds = seconds
        self._keys = keys
        self._times: OrderedDict[Hashable, list[float]] = OrderedDict()

    def __len__(self) -> int:
        """
        Count the keys that are remembered.
        """
        return len(self._times)

    def is_full(self, key: Hashable) -> bool:
        """
        Tell whether there were as many events as there may be.
        """
        times = self._times.get(key)
        return times is not None and len(times) >= self._most and times[0] > self._over()

    def add(self, key: Hashable) -> None:
        """
        Count an event; of a key that is full, the oldest one is forgotten.
        """
        over = self._over()
        times = self._times.pop(key, None)
        if times is None:
            times = []
        else:
            while times and times[0] <= over:
                del times[0]
            if len(times) >= self._most:
                del times[0]
        times.append(over + self._seconds)
        self._times[key] = times
        oldest = next(iter(self._times))
        while len(self._times) > self._keys or self._times[oldest][-1] <= over:
            del self._times[oldest]
            oldest = next(iter(self._times))

    def take_back(self, key: Hashable) -> None:
        """
        Count one event less.
        """
        times = self._times.get(key)
        if times:
            times.pop()
            if not times:
                del self._times[key]

    def _over(self) -> float:
        """
        Give the time up to which events count no more.
        """
        return self._clock.seconds() - self._seconds
