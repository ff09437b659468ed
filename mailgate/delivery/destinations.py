"""
How many deliveries from the outbox each destination may have at a time.

So that a destination that is dead, or has very much to take, holds up no other: each has a limited
number of deliveries, one that cannot be reached has a single one, and that one takes nobody's
place. One that begins to work gets more with each delivery.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from math import inf

from attrs import define

from mailgate.reply import Reply

_AT_FIRST = 2
"""How many deliveries there are to somebody of whom nothing is known yet."""


class Change(Enum):
    """
    What a delivery has shown of its destination.
    """

    NONE = 0
    NOT_REACHED = 1
    REACHED_AGAIN = 2
    """Or for the first time."""


@define
class _Destination:
    most: int
    """How many deliveries there may be now."""

    busy: int = 0
    is_proven: bool = False
    """Whether the last delivery has reached it."""

    trouble: Reply | None = None
    """Why it cannot be reached."""

    since: float = -inf
    """When that was seen last."""


class Destinations:
    """
    Counts deliveries, by the name of the upstream.
    """

    def __init__(self, total: int, each: int) -> None:
        """
        @param total: how many deliveries there may be to those that can be reached.
        @param each: how many to one of them.
        """
        self.total = total
        self.each = each
        self._known: dict[str, _Destination] = {}

    def places(self, names: Sequence[str]) -> Sequence[str]:
        """
        Give the names of those for which a delivery may begin, once for each that may, fairly: one
        for each name in their order, then a second one for each.
        """
        left = self.total - sum(each.busy for each in self._known.values() if each.trouble is None)
        places = []
        rooms = {name: self._room(name) for name in names}
        while rooms:
            for name, room in list(rooms.items()):
                is_free = name in self._known and self._known[name].trouble is not None
                if room <= 0 or (left <= 0 and not is_free):
                    del rooms[name]
                    continue
                rooms[name] -= 1
                left -= not is_free
                places.append(name)
        return places

    def begins(self, name: str) -> None:
        """
        A delivery begins.
        """
        self._get(name).busy += 1

    def ends(self, name: str) -> None:
        """
        A delivery has ended, whatever came of it.
        """
        self._get(name).busy -= 1

    def reached(self, name: str) -> Change:
        """
        A delivery has come to an answer of the destination itself.
        """
        known = self._get(name)
        is_new = not known.is_proven
        known.is_proven, known.trouble = True, None
        known.most = min(self.each, _AT_FIRST if is_new else known.most + 1)
        return Change.REACHED_AGAIN if is_new else Change.NONE

    def not_reached(self, name: str, reply: Reply, now: float) -> Change:
        """
        A delivery has not come so far.

        @param now: any clock that does not jump.
        """
        known = self._get(name)
        known.is_proven, known.most = False, 1
        known.trouble, known.since = reply, now
        return Change.NOT_REACHED

    def is_proven(self, name: str) -> bool:
        """
        Tell whether the last delivery has reached a destination.
        """
        return name in self._known and self._known[name].is_proven

    def is_in_doubt(self, name: str) -> bool:
        """
        Tell whether the last delivery has not, and none is on its way.
        """
        known = self._known.get(name)
        return known is None or not (known.is_proven or known.busy)

    def trouble(self, name: str, since: float) -> Reply | None:
        """
        Say why a destination cannot be reached, if that was seen after C{since}.
        """
        known = self._known.get(name)
        return known.trouble if known is not None and known.since > since else None

    def _room(self, name: str) -> int:
        known = self._known.get(name)
        if known is None:
            return min(self.each, _AT_FIRST)
        return min(self.each, known.most) - known.busy

    def _get(self, name: str) -> _Destination:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = _Destination(min(self.each, _AT_FIRST))
        return known
