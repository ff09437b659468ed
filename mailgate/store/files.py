"""
The real file system, as far as durability needs it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from zope.interface import implementer

from mailgate.interfaces import IFiles


@implementer(IFiles)
class Files:
    """
    Files on disk. Every call blocks: call it in a thread.
    """

    def create(self, path: Path) -> BinaryIO:
        """
        Create and open a new file for writing and reading, mode 0600.

        @raise FileExistsError: it is there already.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Unbuffered, so that what fails fails in write and not once more in close.
        return open(descriptor, "w+b", buffering=0)

    def open(self, path: Path) -> BinaryIO:
        """
        Open a file that is there for reading.
        """
        return open(path, "rb", buffering=0)

    def write(self, file: BinaryIO, data: bytes) -> None:
        """
        Append C{data}, all of it.
        """
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]

    def sync(self, file: BinaryIO) -> None:
        """
        Flush and fsync an open file.
        """
        file.flush()
        os.fsync(file.fileno())

    def link(self, source: Path, target: Path) -> None:
        """
        Give a file a second name within one file system.
        """
        os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """
        Move a file within one file system, in one step.
        """
        os.rename(source, target)

    def sync_directory(self, path: Path) -> None:
        """
        Fsync a directory, so that what was created or renamed in it stays.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """
        Remove a file; one that is not there is fine.
        """
        path.unlink(missing_ok=True)
