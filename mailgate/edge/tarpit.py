"""
The tarpit: a stranger waits the longer for replies, the more speaks against it.

A wait is one timer. However many there are who deserve it, only a bounded number wait at the same
time, so that nobody can fill the gateway with sessions that it holds up itself.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailgate.config.model import Limits

TOLD_SECONDS = 60.0
"""How often it is told that the tarpit is full."""

SHARE = 4
"""Of all sessions that are possible, at most one in so many waits here."""


class Tarpit:
    """
    Holds sessions up, those of all listeners together.
    """

    log = Logger()

    def __init__(self, limits: Limits, tag: float, clock: IReactorTime, possible: int) -> None:
        """
        @param tag: the score above which each point counts.
        @param possible: how many sessions are possible at the same time.
        """
        self._seconds_a_point = limits.tarpit
        self._most_seconds = limits.tarpit_most
        self._tag = tag
        self._clock = clock
        self._room = min(limits.tarpit_sessions, possible // SHARE)
        self._inside = 0
        self._tell_again = clock.seconds()

    def hold_up(self, score: float, within: float) -> Deferred[float] | None:
        """
        Let somebody wait.

        @param score: what speaks against it.
        @param within: the seconds that are allowed now.
        @return: how many seconds it has waited, when it has: to cancel it ends the wait at once.
            C{None}: it need not wait.
        """
        due = min((score - self._tag) * self._seconds_a_point, self._most_seconds, within)
        if due <= 0:
            return None
        if self._inside >= self._room:
            self._tell()
            return None
        self._inside += 1
        began = self._clock.seconds()
        waited: Deferred[None] = Deferred(lambda cancelled: cancelled.callback(None))
        timer = self._clock.callLater(due, waited.callback, None)

        def leave(_: None) -> float:
            self._inside -= 1
            if timer.active():
                timer.cancel()
            return self._clock.seconds() - began

        return waited.addCallback(leave)

    def _tell(self) -> None:
        now = self._clock.seconds()
        if now >= self._tell_again:
            self._tell_again = now + TOLD_SECONDS
            self.log.warn("{event}: {sessions} wait", event="tarpit.full", sessions=self._inside)
