"""
What a worker remembers of the senders that it has asked the hub of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from mailgate.interfaces import IHub, MaybeDeferred, Reputation

SECONDS = 60.0
"""How long it is remembered."""

MOST = 5_000
"""Of how many senders."""


class Standings:
    """
    Gives reputations: at once where they were asked for in the last minute.
    """

    def __init__(self, hub: IHub, seconds: Callable[[], float], most: int = MOST) -> None:
        """
        @param seconds: tells the reactor's time.
        """
        self._hub = hub
        self._seconds = seconds
        self._most = most
        self._known: OrderedDict[str, tuple[float, Reputation]] = OrderedDict()

    def of(self, name: str) -> MaybeDeferred[Reputation]:
        """
        Tell what is known of a sender.

        @raise OSError: the hub's disk failed; nothing is remembered then.
        """
        until, known = self._known.get(name, (0.0, None))
        if known is not None and self._seconds() < until:
            self._known.move_to_end(name)
            return known
        asking = self._hub.reputations([name])
        return asking.addCallback(partial(self._remember, name))

    def _remember(self, name: str, found: list[Reputation]) -> Reputation:
        (known,) = found
        self._known[name] = self._seconds() + SECONDS, known
        self._known.move_to_end(name)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return known
