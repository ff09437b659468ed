"""
Coroutines of checks, most of which have nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailgate.interfaces import MaybeDeferred

T = TypeVar("T")


def at_once(coroutine: Coroutine[Any, Any, T]) -> MaybeDeferred[T]:
    """
    Run a coroutine: give what it returns where it has waited for nothing, else a Deferred of it.
    """
    deferred = Deferred.fromCoroutine(coroutine)
    if not deferred.called or isinstance(deferred.result, Failure):
        return deferred
    return cast(T, deferred.result)
