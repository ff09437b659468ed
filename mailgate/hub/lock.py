"""
The lock on the data folder: one process at a time.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class InUse(Exception):
    """
    Another process uses the data folder; its message says so in words.
    """


class DataLock:
    """
    An exclusive lock that ends with the process, however that ends.
    """

    def __init__(self, data: Path) -> None:
        self._path = data / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """
        Take the lock, without waiting.

        @raise InUse: another process has it.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _read(descriptor)
            os.close(descriptor)
            raise InUse(
                f"{self._path.parent} is used by another mailgate, process {owner}"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """
        Give the lock back. The file stays, as removing it would let two processes in.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def owner_of(data: Path) -> str | None:
    """
    Name the process that has the lock, or give C{None} where none has.
    """
    try:
        descriptor = os.open(data / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)
    finally:
        os.close(descriptor)
    return None


def _read(descriptor: int) -> str:
    return os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
