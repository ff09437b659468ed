"""
The messages that must survive, a file for each.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.interfaces import IFiles, IMessage, IThreads

T = TypeVar("T")

BEGINNING = 256 * 1024
"""How much of each message can be looked at without waiting, in bytes."""

_FOLDERS = [f"{number:02x}" for number in range(256)]
_STEP = 256 * 1024
_TEMPORARY = ".new"


@frozen
class Sweep:
    """
    What was found at a sweep.
    """

    removed: int
    """Files without a row, and files that were never finished."""

    missing: tuple[str, ...]
    """Ids whose file is not there."""


class Blobs:
    """
    Files under C{DIRECTORY/xx/ID}, where xx are the first two letters of the id.

    A file gets its name once its bytes are on the disk, and is never written to again.
    """

    log = Logger()

    def __init__(self, directory: Path, files: IFiles, threads: IThreads) -> None:
        self._directory = directory
        self._files = files
        self._threads = threads
        self._folders: set[Path] = set()
        self._watchers = 0
        self._postponed: list[str] = []

    def path(self, identity: str) -> Path:
        """
        Name the file of a message.
        """
        return self._directory / identity[:2] / identity

    async def save(self, message: IMessage) -> str:
        """
        Store what was received of C{message}, without what is prepended.

        @return: its id, once the file and its folder are synced.
        @raise OSError: no room, or the disk failed; nothing is left there.
        """
        identity = token_hex(16)
        if message.path is not None:
            await self._threads.run(self._adopt, identity, message.path, message.size)
        else:
            chunks = [c if isinstance(c, bytes) else await c for c in message.chunks()]
            await self._threads.run(self._write, identity, chunks)
        return identity

    def beginning(self, identity: str) -> Deferred[bytes]:
        """
        Read what can be looked at without waiting: the first 256 KiB of a message.

        @raise OSError: the file cannot be read.
        """
        return self._threads.run(self._read_beginning, identity)

    def remove(self, identities: Sequence[str]) -> Deferred[None]:
        """
        Remove files whose rows are gone. Never fails: what cannot be removed is an event, and
        the next sweep tries again.
        """
        if self._watchers:
            self._postponed += identities
            return succeed(None)
        return self._threads.run(self._remove, identities).addErrback(self._not_removed)

    async def undisturbed(self, work: Callable[[], Awaitable[T]]) -> T:
        """
        Do some work while no file is removed; what is to be removed meanwhile goes after it.
        """
        self._watchers += 1
        try:
            return await work()
        finally:
            self._watchers -= 1
            if not self._watchers:
                postponed, self._postponed = self._postponed, []
                self.remove(postponed)

    def sweep(self, known: Callable[[str, str], set[str]]) -> Sweep:
        """
        Remove what no row names. Blocks; nothing may be stored meanwhile.

        @param known: gives the ids that have rows, from the first up to before the second.
        """
        removed = 0
        missing: list[str] = []
        for name in _FOLDERS:
            expected = known(name, f"{name}~")
            found = self._names(self._directory / name)
            for orphan in found - expected:
                self._files.remove(self._directory / name / orphan)
            removed += len(found - expected)
            missing += sorted(expected - found)
        return Sweep(removed, tuple(missing))

    # -- in a thread ------------------------------------------------------------------

    def _names(self, folder: Path) -> set[str]:
        return set(os.listdir(folder)) if folder.is_dir() else set()

    def _write(self, identity: str, chunks: Sequence[bytes]) -> None:
        def fill(temporary: Path) -> BinaryIO:
            file = self._files.create(temporary)
            try:
                for chunk in chunks:
                    self._files.write(file, chunk)
            except BaseException:
                file.close()
                raise
            return file

        self._finish(identity, fill)

    def _adopt(self, identity: str, source: Path, size: int) -> None:
        """
        Take over a spool file by a second name, or copy it where that is not possible.
        """

        def fill(temporary: Path) -> BinaryIO:
            try:
                self._files.link(source, temporary)
            except FileNotFoundError:
                raise
            except OSError:
                return self._copy(source, temporary)
            return self._files.open(temporary)

        self._finish(identity, fill, size)

    def _copy(self, source: Path, temporary: Path) -> BinaryIO:
        target = self._files.create(temporary)
        try:
            with self._files.open(source) as file:
                while data := file.read(_STEP):
                    self._files.write(target, data)
        except BaseException:
            target.close()
            raise
        return target

    def _finish(
        self, identity: str, fill: Callable[[Path], BinaryIO], size: int | None = None
    ) -> None:
        path = self.path(identity)
        temporary = path.with_suffix(_TEMPORARY)
        self._make_folder(path.parent)
        try:
            with fill(temporary) as file:
                if size is not None and os.fstat(file.fileno()).st_size != size:
                    raise OSError(f"the spool file is not the {size} bytes that were received")
                self._files.sync(file)
            self._files.rename(temporary, path)
            self._files.sync_directory(path.parent)
        except BaseException:
            self._files.remove(temporary)
            self._files.remove(path)
            raise

    def _make_folder(self, folder: Path) -> None:
        # Known only once it is synced: a folder that is there may be another thread's, which
        # has not come so far yet.
        if folder not in self._folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._files.sync_directory(self._directory)
            self._folders.add(folder)

    def _read_beginning(self, identity: str) -> bytes:
        with self._files.open(self.path(identity)) as file:
            return file.read(BEGINNING)

    def _remove(self, identities: Sequence[str]) -> None:
        for identity in identities:
            self._files.remove(self.path(identity))

    def _not_removed(self, failure: Failure) -> None:
        self.log.failure(
            "{event} files stay until the next start", failure, event="store.not_removed"
        )
