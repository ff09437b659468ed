"""
What a worker remembers of the correspondents that it has asked the hub of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from mailgate.interfaces import Contact, IHub, MaybeDeferred, Question

SECONDS = 60.0
"""How long it is remembered."""

MOST = 5_000
"""Of how many questions."""


class Contacts:
    """
    Gives what is known of correspondents: at once where it was asked for in the last minute.
    """

    def __init__(self, hub: IHub, seconds: Callable[[], float], most: int = MOST) -> None:
        """
        @param seconds: tells the reactor's time.
        """
        self._hub = hub
        self._seconds = seconds
        self._most = most
        self._known: OrderedDict[Question, tuple[float, Contact]] = OrderedDict()

    def of(self, question: Question) -> MaybeDeferred[Contact]:
        """
        Tell what is known.

        @raise OSError: the hub's disk failed; nothing is remembered then.
        """
        until, known = self._known.get(question, (0.0, None))
        if known is not None and self._seconds() < until:
            self._known.move_to_end(question)
            return known
        return self._hub.contact(question).addCallback(partial(self._remember, question))

    def _remember(self, question: Question, found: Contact) -> Contact:
        self._known[question] = self._seconds() + SECONDS, found
        self._known.move_to_end(question)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return found
