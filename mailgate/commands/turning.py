"""
A reactor of a command's own, which runs only while something is waited for.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.python.failure import Failure

T = TypeVar("T")

_SECONDS = 1.0
"""How long nothing may happen until it is looked whether all is done."""


class Turning:
    """
    Waits for Deferreds as if they were calls that block.
    """

    def __init__(self) -> None:
        # Not the one of Twisted, which runs once in a process, and whose descriptors processes that
        # were forked would share.
        self.reactor: Any = EPollReactor()

    def wait(self, deferred: Deferred[T]) -> T:
        """
        Run the reactor until a Deferred has fired, and give its result, or raise its failure.
        """
        done: list[T | Failure] = []
        deferred.addBoth(done.append)
        while not done:
            self.reactor.runUntilCurrent()
            if done:
                break
            seconds = self.reactor.timeout()
            self.reactor.doIteration(_SECONDS if seconds is None else min(seconds, _SECONDS))
        (result,) = done
        if isinstance(result, Failure):
            result.raiseException()
        return result
