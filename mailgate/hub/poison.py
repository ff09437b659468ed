"""
The messages that have killed a worker, known to all workers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import count
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.interfaces import IThreads
from mailgate.store.notes import read_notes

MOST = 1000
"""How many are remembered, the newest."""


class Poison:
    """
    Reads what a worker was at when it died.
    """

    log = Logger()

    def __init__(self, folder: Path, threads: IThreads) -> None:
        """
        @param folder: where the workers keep their notes; what lies there means nothing after a
            restart.
        """
        self._folder = folder
        self._threads = threads
        self.changed: Callable[[Sequence[bytes]], None] = lambda known: None
        """Called with all of them when there are more; set by whoever has the workers."""

        self._numbers = count(1)
        self._known: dict[bytes, None] = {}

    @property
    def known(self) -> tuple[bytes, ...]:
        """
        Give their SHA-256.
        """
        return tuple(self._known)

    def notes(self) -> Path:
        """
        Give a file for the notes of one more worker.
        """
        return self._folder / f"notes-{next(self._numbers)}"

    def died(self, notes: Path) -> Deferred[None]:
        """
        Learn from the notes of a worker that has died, and remove them. Never fails.
        """
        reading = self._threads.run(_read_last, notes)
        return reading.addCallbacks(self._learn, self._not_read)

    def gone(self, notes: Path) -> Deferred[None]:
        """
        Remove the notes of a worker that is gone. Never fails.
        """
        removing = self._threads.run(notes.unlink, True)
        return removing.addErrback(self._not_read)

    def _learn(self, found: Collection[bytes]) -> None:
        for digest in found:
            self._known[digest] = None
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        if found:
            self.log.warn(
                "{event} {number} messages were worked on when a worker died; they are judged in "
                "the sandbox from now on",
                event="worker.suspects",
                number=len(found),
            )
            self.changed(self.known)

    def _not_read(self, failure: Failure) -> None:
        failure.trap(OSError)
        self.log.error(
            "{event} {error}", event="worker.notes_not_read", error=failure.getErrorMessage()
        )


def _read_last(notes: Path) -> Collection[bytes]:
    try:
        return read_notes(notes)
    finally:
        notes.unlink(missing_ok=True)
