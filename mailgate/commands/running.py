"""
The reactor of a command that asks something of the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailgate.hub.commands import CommandError

T = TypeVar("T")


def until_done(work: Callable[[Any], Deferred[T]]) -> T:
    """
    Run the reactor until something is done.

    @raise CommandError: it was broken off.
    """
    # It cannot run twice in a process, and must not be made by an import.
    from twisted.internet import reactor

    running: Any = reactor
    results: list[T] = []
    failures: list[Failure] = []

    def begin() -> None:
        def ended(_: object) -> None:
            running.stop()

        try:
            doing = work(running)
        except BaseException:
            failures.append(Failure())
            running.stop()
            return
        doing.addCallbacks(results.append, failures.append).addBoth(ended)

    running.callWhenRunning(begin)
    running.run()
    for failure in failures:
        failure.raiseException()
    if not results:
        raise CommandError("broken off")
    return results[0]
