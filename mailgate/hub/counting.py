"""
What workers count of their clients, made known to all of them.

Each worker decides by itself and at once, by all that it knows: what it has counted, and what the
others have, which comes a moment later. Who connects to two workers in the same instant may be let
in once too often; nobody waits for it.
"""

from __future__ import annotations

from collections import Counter

from mailgate.hub.link import Link
from mailgate.hub.orders import COUNTED, Count
from mailgate.interfaces import Counted


class Counting:
    """
    Hands on to all workers what one of them says.
    """

    def __init__(self) -> None:
        self._open: dict[Link, Counter[str]] = {}

    def begin(self, link: Link) -> None:
        """
        Take in a worker.
        """
        self._open[link] = Counter()

    def counted(self, link: Link, count: Count) -> None:
        """
        Hand on what a worker has counted.
        """
        clients = self._open[link]
        if count.what is Counted.ADMITTED:
            clients[count.client] += 1
        elif count.what is Counted.RELEASED:
            if not clients[count.client]:
                return  # no worker can give back what is another one's
            clients[count.client] -= 1
            if not clients[count.client]:
                del clients[count.client]
        self._tell_others(link, count)

    def end(self, link: Link) -> None:
        """
        Forget a worker that is gone, and with it its connections.
        """
        for client in self._open.pop(link).elements():
            self._tell_others(link, Count(Counted.RELEASED, client))

    def clients(self) -> tuple[str, ...]:
        """
        Give the clients of all workers, once for each connection.
        """
        return tuple(client for each in self._open.values() for client in each.elements())

    def _tell_others(self, link: Link, count: Count) -> None:
        for other in self._open:
            if other is not link:
                other.tell(COUNTED, count)
