"""
How many queries are under way at the same time, and whose turn it is.

A check may have as many under way as places are left free. So one that asks for a lot of slow names
gets half of the places at most, the next one half of the rest, and so on: for a check that asks
little there is always a place. Those who wait take turns by check.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Protocol

WAITING_LIMIT = 1000
"""Queries of one check that wait for a place."""


class Starts(Protocol):
    """
    What waits for a place.
    """

    def start(self, check: str) -> None:
        """
        Begin; it is told to the gate when it has ended.

        @param check: on whose account.
        """


class Gate:
    """
    Lets queries begin.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._free = places
        self._busy: Counter[str] = Counter()
        self._waiting: OrderedDict[str, dict[Starts, None]] = OrderedDict()
        self._is_letting = False

    def is_full(self, check: str) -> bool:
        """
        Tell whether too many of a check wait already.
        """
        waiting = self._waiting.get(check)
        return waiting is not None and len(waiting) >= WAITING_LIMIT

    def enter(self, check: str, query: Starts) -> None:
        """
        Let a query begin, now or when it is its turn.
        """
        if self._may_begin(check):
            self._begin(check, query)
        else:
            self._waiting.setdefault(check, {})[query] = None

    def leave(self, check: str) -> None:
        """
        Be told that one has ended that had begun on account of C{check}.
        """
        self._free += 1
        self._busy[check] -= 1
        if not self._busy[check]:
            del self._busy[check]
        # What begins may end at once, and then it is here again.
        if not self._is_letting:
            self._is_letting = True
            try:
                while self._let_one():
                    pass
            finally:
                self._is_letting = False

    def empty(self) -> None:
        """
        Let all begin who wait, as they will end at once.
        """
        was_letting, self._is_letting = self._is_letting, True
        try:
            while self._waiting:
                name, waiting = next(iter(self._waiting.items()))
                query = next(iter(waiting))
                self.forget(query)
                self._begin(name, query)
        finally:
            self._is_letting = was_letting

    def forget(self, query: Starts) -> None:
        """
        Let a query wait no longer, for whichever checks it does.
        """
        for name, waiting in list(self._waiting.items()):
            waiting.pop(query, None)
            if not waiting:
                del self._waiting[name]

    def _let_one(self) -> bool:
        for name, waiting in self._waiting.items():
            if self._may_begin(name):
                query = next(iter(waiting))
                self._waiting.move_to_end(name)
                self.forget(query)
                self._begin(name, query)
                return True
        return False

    def _may_begin(self, check: str) -> bool:
        return self._busy[check] < self._free

    def _begin(self, check: str, query: Starts) -> None:
        self._free -= 1
        self._busy[check] += 1
        query.start(check)
