"""
The logs: lines in a file that others rotate.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Condition, Thread

LINES = 20_000
"""How many lines may wait for a file that does not take them."""


class LineLog:
    """
    Appends lines in a thread of its own, so that a blocked file stops nothing but itself.

    What does not fit into the queue or onto the disk is dropped and counted. A file that was
    renamed or deleted is opened anew at the next lines.
    """

    def __init__(self, target: Path | int, limit: int = LINES) -> None:
        """
        @param target: the file, or a descriptor that is written to as it is.
        """
        self._path = None if isinstance(target, int) else target
        self._limit = limit
        self._condition = Condition()
        self._waiting: list[str] = []
        self._lost = 0
        self._is_stopping = False
        self._descriptor: int | None = target if isinstance(target, int) else None
        self._is_torn = False
        # A daemon, as a write that never returns must not keep the program from ending.
        self._thread = Thread(target=self._run, name="mailgate log", daemon=True)

    def start(self) -> None:
        """
        Begin to write.
        """
        self._thread.start()

    def write(self, lines: Sequence[str]) -> None:
        """
        Append lines, given without their line feeds. Returns at once, in any thread.
        """
        with self._condition:
            room = max(self._limit - len(self._waiting), 0)
            self._waiting += lines[:room]
            self._lost += max(len(lines) - room, 0)
            self._condition.notify()

    def append(self, lines: Sequence[str]) -> None:
        """
        Append lines at once. Blocks; for the thread, and where that does not run.
        """
        data = b"".join(line.encode("utf-8", "backslashreplace") + b"\n" for line in lines)
        lost = self._append(data)
        if lost:
            with self._condition:
                self._lost += lost

    @property
    def is_full(self) -> bool:
        """
        Tell whether nothing more can wait.
        """
        return len(self._waiting) >= self._limit

    def take_lost(self) -> int:
        """
        Count the lines dropped since this was last asked.
        """
        with self._condition:
            lost, self._lost = self._lost, 0
        return lost

    def stop(self, seconds: float) -> bool:
        """
        Write what waits and end. Blocks, for at most C{seconds}.

        @return: whether all was written in time.
        """
        with self._condition:
            self._is_stopping = True
            self._condition.notify()
        if self._thread.ident is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # -- in the thread ----------------------------------------------------------------

    def _run(self) -> None:
        while lines := self._take():
            self.append(lines)
        if self._descriptor is not None and self._path is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _take(self) -> Sequence[str]:
        with self._condition:
            while not self._waiting and not self._is_stopping:
                self._condition.wait()
            lines, self._waiting = self._waiting, []
        return lines

    def _append(self, data: bytes) -> int:
        """
        Append to the file and count the lines that it did not take.
        """
        rest = data
        try:
            descriptor = self._open()
            if self._is_torn:
                os.write(descriptor, b"\n")
                self._is_torn = False
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            # The caller counts it, and an event tells; mail does not wait for a log.
            taken = len(data) - len(rest)
            if taken:
                self._is_torn = data[taken - 1 : taken] != b"\n"
            return rest.count(b"\n")
        return 0

    def _open(self) -> int:
        if self._descriptor is not None:
            if self._path is None or self._is_current(self._path, self._descriptor):
                return self._descriptor
            os.close(self._descriptor)
            self._descriptor = None
        assert self._path is not None
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o640)
        self._is_torn = False
        return self._descriptor

    def _is_current(self, path: Path, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.stat(path), os.fstat(descriptor))
        except FileNotFoundError:
            return False


class TransactionLog(LineLog):
    """
    The transaction log: one line of JSON for each transaction.
    """
