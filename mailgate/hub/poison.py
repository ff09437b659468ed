"""
The messages that have killed a worker, known to all workers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from twisted.logger import Logger

from mailgate.store.notes import read_notes

MOST = 1000
"""How many are remembered, the newest."""


class Poison:
    """
    Reads what a worker was at when it died.
    """

    log = Logger()

    def __init__(self, folder: Path, changed: Callable[[Sequence[bytes]], None]) -> None:
        """
        @param folder: where the workers keep their notes; what lies there means nothing after a
            restart.
        @param changed: called with all of them when there are more.
        """
        self._folder = folder
        self._changed = changed
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

    def died(self, notes: Path) -> None:
        """
        Learn from the notes of a worker that has died. They are 32 KiB, and the kernel still has
        them, so that no thread is worth it.
        """
        try:
            found = read_notes(notes)
        except OSError as error:
            self.log.error("{event} {error}", event="worker.notes_not_read", error=str(error))
            return
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
            self._changed(self.known)

    def gone(self, notes: Path) -> None:
        """
        Remove the notes of a worker that is gone.
        """
        notes.unlink(missing_ok=True)
