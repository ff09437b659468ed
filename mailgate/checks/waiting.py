"""
Coroutines of checks, most of which have nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred

from mailgate.interfaces import MaybeDeferred

T = TypeVar("T")


def at_once(coroutine: Coroutine[Any, Any, T]) -> MaybeDeferred[T]:
    """
    Run a coroutine: give what it returns, or raise what it raises, where it has waited for nothing,
    else a Deferred of it.
    """
    try:
        coroutine.send(None)
    except StopIteration as returned:
        return cast(T, returned.value)
    # A Deferred that is awaited says again that it is waited for, as long as it has no result.
    return Deferred.fromCoroutine(coroutine)
