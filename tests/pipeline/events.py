"""
A look at what is told to the log.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
