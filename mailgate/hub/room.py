"""
Whether the disk has room for another message.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.interfaces import IThreads


class Room:
    """
    Remembers what the last look at the disk has shown, so that asking costs nothing.
    """

    log = Logger()

    def __init__(self, path: Path, minimum: int, threads: IThreads) -> None:
        """
        @param path: a folder on the file system in question.
        """
        self._path = path
        self.minimum = minimum
        """How many bytes must be free."""

        self._threads = threads
        self.is_enough = True
        """Whether there was room when last looked."""

        self.changed: Callable[[bool], None] = lambda is_enough: None
        """Called when that has changed."""

    def look(self) -> Deferred[None]:
        """
        Look at the disk.
        """
        return self._threads.run(self._free).addCallback(self._seen)

    def _free(self) -> int:
        status = os.statvfs(self._path)
        return status.f_bavail * status.f_frsize

    def _seen(self, free: int) -> None:
        is_enough = free >= self.minimum
        if is_enough == self.is_enough:
            return
        self.is_enough = is_enough
        self.changed(is_enough)
        if is_enough:
            self.log.info("{event} {free} bytes are free again", event="disk.room", free=free)
        else:
            self.log.error(
                "{event} {free} bytes are free, {minimum} are wanted: no new mail is taken",
                event="disk.full",
                free=free,
                minimum=self.minimum,
            )
