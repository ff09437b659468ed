"""
Time that passes: a timer that is moved for every message without a call of the reactor for every
message, and a wait that does not last for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """
    A moment at which something is called, unless it is moved or cleared before.

    Moving it to a later moment or clearing it costs nothing: when the reactor calls, the
    moment is looked at again.
    """

    def __init__(self, clock: IReactorTime, passed: Callable[[], None]) -> None:
        """
        @param passed: called when the moment has come; it is cleared then.
        """
        self._clock = clock
        self._passed = passed
        self._at = inf
        self._call: IDelayedCall | None = None
        self._call_at = inf

    def set(self, at: float) -> None:
        """
        Move it to C{at}, on the clock of the reactor.
        """
        self._at = at
        if self._call is None or at < self._call_at:
            self._schedule()

    def advance(self, at: float) -> None:
        """
        Move it to C{at} where that is earlier.
        """
        if at < self._at:
            self.set(at)

    def clear(self) -> None:
        """
        Let nothing be called.
        """
        self._at = inf

    def stop(self) -> None:
        """
        Clear it, and leave nothing with the reactor.
        """
        self._at = inf
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _schedule(self) -> None:
        if self._call is not None:
            self._call.cancel()
        self._call_at = self._at
        delay = max(0.0, self._at - self._clock.seconds())
        self._call = self._clock.callLater(delay, self._look)

    def _look(self) -> None:
        self._call = None
        if self._at == inf:
            return
        if self._clock.seconds() < self._at:
            self._schedule()
        else:
            self._at = inf
            self._passed()


def ends_within(clock: IReactorTime, ending: Deferred[Any], seconds: float) -> Deferred[bool]:
    """
    Wait for something to end, well or badly, but no longer than C{seconds}. It is not cancelled.

    @return: whether it has ended.
    """
    ended: Deferred[bool] = Deferred()
    patience = clock.callLater(max(0.0, seconds), ended.callback, False)

    def end(result: Any) -> Any:
        if patience.active():
            patience.cancel()
            ended.callback(True)
        return result

    ending.addBoth(end)
    return ended
