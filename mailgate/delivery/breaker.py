"""
What keeps mail from waiting for an upstream that is down.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

FIRST_PAUSE = 1.0
"""Seconds until an upstream is tried again for the first time. Most restarts take no longer."""

_FORGOTTEN = 10
"""After how many of the longest pauses another message is let through where the outcome of the one
before never came."""


class Breaker:
    """
    Opens when an upstream has failed so many times in a row, and closes when it works again.

    While it is open nobody is sent there. It is half open from time to time, after pauses that
    grow. Where no connection could be had, one is tried then, with no message of anybody at stake.
    Where connections could be had but nothing came on them in time, the next message is let
    through: only that shows whether it works.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        clock: IReactorTime,
        failures: int,
        seconds: float,
        attempt: Callable[[], object],
    ) -> None:
        """
        @param name: the upstream's, for events.
        @param failures: how many in a row open it.
        @param seconds: the longest pause.
        @param attempt: tries to connect; L{connected} or L{failed} is called for it.
        """
        self.is_open = False
        """Whether nobody is to be sent there."""

        self._name = name
        self._clock = clock
        self._most = failures
        self._seconds = seconds
        self._attempt = attempt
        self._failures = 0
        self._hangs = 0
        self._is_tripped = False
        self._needs_message = False
        self._pause = 0.0
        self._timer: IDelayedCall | None = None

    def failed(self, why: str) -> None:
        """
        Learn that there was no connection to be had.
        """
        self._failures += 1
        self._note(self._failures, why)

    def hung(self, why: str) -> None:
        """
        Learn that nothing came in time on a connection that could be had.
        """
        self._hangs += 1
        if not self._is_tripped:
            self._needs_message = self._hangs >= self._most
        self._note(self._hangs, why)

    def connected(self) -> None:
        """
        Learn that a connection could be had.
        """
        self._failures = 0
        if not self._needs_message:
            self._close()

    def answered(self) -> None:
        """
        Learn that a transaction has ended as it should.
        """
        if self._hangs or self._is_tripped:
            self._failures = self._hangs = 0
            self._close()

    def admit(self) -> None:
        """
        Let a message through. While the breaker is half open it is the only one.
        """
        if self._is_tripped:
            self.is_open = True
            self._wait(self._seconds * _FORGOTTEN)

    def stop(self) -> None:
        """
        Try nothing any more.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _note(self, number: int, why: str) -> None:
        if self._is_tripped:
            if self._needs_message or self._timer is None:
                self._pause = min(self._pause * 2, self._seconds)
                self._wait(self._pause)
        elif number >= self._most:
            self._is_tripped = self.is_open = True
            self._pause = min(FIRST_PAUSE, self._seconds)
            self._wait(self._pause)
            self.log.error(
                "{event} for {upstream} after {failures} failures in a row: {why}",
                event="breaker.opened",
                upstream=self._name,
                failures=number,
                why=why,
            )

    def _close(self) -> None:
        if self._is_tripped:
            self._is_tripped = self.is_open = self._needs_message = False
            self.stop()
            self.log.info("{event} for {upstream}", event="breaker.closed", upstream=self._name)

    def _wait(self, seconds: float) -> None:
        self.stop()
        self._timer = self._clock.callLater(seconds, self._try)

    def _try(self) -> None:
        self._timer = None
        if self._needs_message:
            self.is_open = False
        else:
            self._attempt()
