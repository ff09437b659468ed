"""
A look at what is told to the log.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import TestCase

from twisted.logger import globalLogPublisher


@contextmanager
def events() -> Iterator[list[dict[str, Any]]]:
    """
    Collect the events of mailgate that are told meanwhile.
    """
    told: list[dict[str, Any]] = []

    def observe(event: dict[str, Any]) -> None:
        if "event" in event:
            told.append(event)

    globalLogPublisher.addObserver(observe)
    try:
        yield told
    finally:
        globalLogPublisher.removeObserver(observe)


def told(case: TestCase, name: str) -> list[dict[str, Any]]:
    """
    Collect the events with a name until a test has ended.
    """
    found: list[dict[str, Any]] = []

    def observe(event: dict[str, Any]) -> None:
        if event.get("event") == name:
            found.append(event)

    globalLogPublisher.addObserver(observe)
    case.addCleanup(globalLogPublisher.removeObserver, observe)
    return found
