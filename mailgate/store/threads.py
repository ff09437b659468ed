"""
Where blocking work is done, and what becomes of it when nobody wants its result any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from mailgate.interfaces import IThreads

T = TypeVar("T")


@implementer(IThreads)
class Threads:
    """
    The threads of a pool. A pool of one thread does its work in the order of the calls.
    """

    def __init__(self, reactor: IReactorFromThreads, pool: ThreadPool) -> None:
        self._reactor = reactor
        self._pool = pool

    def run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        """
        Call C{function} in a thread.

        The work cannot be cancelled: cancelling the Deferred only forgets the result.
        """
        return deferToThreadPool(self._reactor, self._pool, function, *args)


@implementer(IThreads)
class ImmediateThreads:
    """
    No threads: the work is done at once, for commands and tests, where nothing else waits.
    """

    def run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        """
        Call C{function} now.
        """
        return execute(function, *args)


def immediate_result(done: Deferred[T]) -> T:
    """
    Give the result of work that L{ImmediateThreads} has done, or raise what it failed with.
    """
    results: list[T] = []
    failures: list[Failure] = []
    done.addCallbacks(results.append, failures.append)
    for failure in failures:
        failure.raiseException()
    (result,) = results
    return result


def undone_when_cancelled(working: Deferred[T], undo: Callable[[T], Deferred[Any]]) -> Deferred[T]:
    """
    Give the result of C{working}, which nothing stops; cancelling gives up waiting for it.

    Then C{undo} is called with the result once it is there.
    """
    is_cancelled = False

    def cancel(_: Deferred[T]) -> None:
        nonlocal is_cancelled
        is_cancelled = True

    outer: Deferred[T] = Deferred(cancel)

    def done(result: T) -> None:
        if is_cancelled:
            undo(result).addErrback(_not_undone)
        else:
            outer.callback(result)

    def failed(failure: Failure) -> None:
        if not is_cancelled:
            outer.errback(failure)

    working.addCallbacks(done, failed)
    return outer


_log = Logger()


def _not_undone(failure: Failure) -> None:
    _log.failure("{event} a cancelled change stays", failure, event="store.not_undone")
