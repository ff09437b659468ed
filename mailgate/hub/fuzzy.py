"""
Writes what was learned of texts, structures and files where the workers find it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from mailgate.classify.alike import Index, alike_file_of, encode_index
from mailgate.interfaces import IFiles, IThreads, Remembered
from mailgate.knowledge.fuzzy import FuzzyStore


class FuzzyFile:
    """
    The file that workers map into memory. It has nothing that is not in the database, from which it
    is made anew at each start and whenever something was learned.
    """

    log = Logger()

    def __init__(self, store: FuzzyStore, folder: Path, files: IFiles, threads: IThreads) -> None:
        """
        @param folder: of the classifier.
        """
        self._store = store
        self._path = alike_file_of(folder)
        self._files = files
        self._threads = threads
        self._written = 0
        self._turn = DeferredLock()

    def write(self) -> Deferred[bool]:
        """
        Write it if anything has changed; to be called every minute.

        @return: whether it was written.
        @raise StoreError: the database cannot be read.
        @raise OSError: the disk failed; it is tried again the next time.
        """
        return self._turn.run(lambda: Deferred.fromCoroutine(self._write(self._written)))

    def write_at_start(self) -> Deferred[None]:
        """
        Write it, whatever is there. It is only told if that fails.
        """
        return self._turn.run(lambda: Deferred.fromCoroutine(self._write_at_start()))

    async def _write_at_start(self) -> None:
        try:
            await self._write(None)
        except OSError as error:
            self.log.error("{event} {error}", event="fuzzy.not_written", error=str(error))

    async def _write(self, written: int | None) -> bool:
        changes = self._store.changes
        if changes == written:
            return False
        rows = await self._store.all()
        await self._threads.run(self._replace, rows)
        self._written = changes
        return True

    def _replace(self, rows: Sequence[Remembered]) -> None:
        folder = self._path.parent
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
            self._files.sync_directory(folder.parent)
        temporary = self._path.with_suffix(".next")
        self._files.remove(temporary)
        with self._files.create(temporary) as file:
            self._files.write(file, encode_index(Index.of(rows)))
            self._files.sync(file)
        self._files.rename(temporary, self._path)
        self._files.sync_directory(folder)
