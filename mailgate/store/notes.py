"""
Notes of what a process is at, in a file that outlives it.

The file is mapped into memory, so that a note costs no system call; the kernel keeps what was
written there however the process dies. It is not for a machine that dies.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from pathlib import Path

from zope.interface import implementer

from mailgate.interfaces import INotes

SIZE = 32
"""Bytes of a note: a SHA-256."""

PLACES = 1024
"""How many there may be at a time."""

_NOTHING = bytes(SIZE)


@implementer(INotes)
class Notes:
    """
    The notes of one process.
    """

    def __init__(self, path: Path) -> None:
        """
        Begin a file of notes; one that is there is emptied.

        @raise OSError: it cannot be made.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            # Written and not only made longer: a disk that is full must be found out here.
            os.write(descriptor, bytes(SIZE * PLACES))
            self._map = mmap.mmap(descriptor, SIZE * PLACES)
        finally:
            os.close(descriptor)
        self._free = deque(range(PLACES))

    def add(self, digest: bytes) -> int | None:
        """
        Note that something begins.

        @return: its place, or C{None} where all are taken.
        """
        if not self._free:
            return None
        place = self._free.pop()
        self._map[place * SIZE : (place + 1) * SIZE] = digest
        return place

    def remove(self, note: int) -> None:
        """
        Note that it has ended.
        """
        self._map[note * SIZE : (note + 1) * SIZE] = _NOTHING
        self._free.append(note)

    def leave(self, note: int) -> None:
        """
        Note that nobody waits for its end any more: the note stays until all other places are
        taken.
        """
        self._free.appendleft(note)

    def close(self) -> None:
        """
        End with all notes. The file stays.
        """
        self._map.close()


def read_notes(path: Path) -> frozenset[bytes]:
    """
    Give what a process was at when it died. Blocks.

    @raise OSError: it cannot be read.
    """
    data = path.read_bytes()
    notes = (data[at : at + SIZE] for at in range(0, len(data) - SIZE + 1, SIZE))
    return frozenset(notes) - {_NOTHING}
