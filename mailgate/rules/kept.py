"""
Databases of patterns, kept in files, so that each process need not make them anew.

A file is what Hyperscan writes of a database, behind a hash of it; it is no code. It lies in the
data folder, where nobody but the gateway writes, and one of another version or processor, or one
that is damaged, is made anew.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import hyperscan
from attrs import frozen
from twisted.logger import Logger

_HASH_BYTES = 32
_FILES = 200
"""How many files are kept; the oldest are removed."""


@frozen
class Kept:
    """
    The file of one database.
    """

    log = Logger()

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """
        Give where it is.
        """
        return self.folder / f"{self.name}.hs"

    def load(self) -> hyperscan.Database | None:
        """
        Give the database, if there is one that can be used.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._tell(error)
            return None
        written = data[_HASH_BYTES:]
        try:
            if sha256(written).digest() != data[:_HASH_BYTES]:
                raise ValueError("the file is damaged")
            database = hyperscan.loadb(written, hyperscan.HS_MODE_BLOCK)
            database.scratch = hyperscan.Scratch(database)
        except (ValueError, hyperscan.error) as error:
            self._tell(error)
            return None
        return database

    def save(self, database: hyperscan.Database) -> None:
        """
        Write the database, whole or not at all. Where there is no folder there is no file.
        """
        if not self.folder.parent.is_dir():
            return
        part = self.path.with_suffix(f".{os.getpid()}")
        data = hyperscan.dumpb(database)
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(sha256(data).digest() + data)
            part.replace(self.path)
            self._remove_oldest()
        except OSError as error:
            self._tell(error)

    def _remove_oldest(self) -> None:
        files = sorted(self.folder.glob("*.hs"), key=lambda path: path.stat().st_mtime)
        for path in files[:-_FILES]:
            path.unlink(missing_ok=True)

    def _tell(self, error: Exception) -> None:
        self.log.warn(
            "{event} {path}: {error}",
            event="rules.not_kept",
            path=str(self.path),
            error=str(error),
        )
