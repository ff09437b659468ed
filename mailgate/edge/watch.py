"""
One timer for the deadlines of many connections.

A timer of its own costs a connection 400 bytes, a fifth of all that one needs that stands idle,
and more time than a command. So each only says when it is to be looked at, and one timer looks
at all of them, once a second at most: 10,000 are looked through in less than a millisecond.
"""

from __future__ import annotations

from collections.abc import Collection
from math import inf
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

GRAIN = 1.0
"""Seconds between two looks at least, so much later may a connection be looked at."""


class Watched(Protocol):
    """
    What is looked at.
    """

    look_at: float
    """When to look, by the clock; C{inf} for never."""

    def look(self) -> None:
        """
        Do what is due, and set C{look_at} anew.
        """


class Watch:
    """
    Looks at each of some connections when its time has come.
    """

    def __init__(self, clock: IReactorTime, watched: Collection[Watched]) -> None:
        """
        @param watched: those that there are at the moment, whenever that is.
        """
        self._clock = clock
        self._watched = watched
        self._timer: IDelayedCall | None = None
        self._next = inf

    def expect(self, at: float) -> None:
        """
        Be told that one of them is to be looked at when it is C{at} by the clock.
        """
        if at >= self._next:
            return
        now = self._clock.seconds()
        at = max(at, now + GRAIN)
        if at < self._next:
            self._next = at
            if self._timer is None:
                self._timer = self._clock.callLater(at - now, self._look)
            else:
                self._timer.reset(at - now)

    def stop(self) -> None:
        """
        Look no more until something is expected.
        """
        self._next = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._next, self._timer = inf, None
        now = self._clock.seconds()
        soonest = inf
        for each in self._watched:
            at = each.look_at
            if at <= now:
                # In a turn of its own: what fails there must not keep the others waiting.
                self._clock.callLater(0, each.look)
            elif at < soonest:
                soonest = at
        self.expect(soonest)
