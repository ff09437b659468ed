"""
The groups of the configuration: who is in them, now and after their files have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.config.delivery import Group
from mailgate.config.membership import read_members
from mailgate.config.stamp import Stamp, stamp_of
from mailgate.interfaces import IThreads


class Groups:
    """
    Reads the files of groups. One that cannot be read any more changes nothing.
    """

    log = Logger()

    def __init__(self, groups: Mapping[str, Group], threads: IThreads) -> None:
        """
        Read all files, which blocks.

        @param threads: where they are read again.
        @raise ValueError: one cannot be used; the message names it.
        """
        self._groups = groups
        self._threads = threads
        self._seen: dict[Path, Stamp] = {}
        self._members: dict[Path, tuple[str, ...]] = {}
        self._trouble: dict[Path, str] = {}
        self.changed: Callable[[], None] = lambda: None
        """Called when the members of a group are others than before."""

        for file in self._files:
            try:
                self._seen[file], self._members[file] = _read(file)
            except (OSError, ValueError) as error:
                raise ValueError(f"{file}: {_why(error)}") from error

    @property
    def _files(self) -> list[Path]:
        return [group.file for group in self._groups.values() if group.file is not None]

    def members(self, name: str) -> tuple[str, ...]:
        """
        Give the addresses of a group, in the form in which they are compared.
        """
        group = self._groups[name]
        return group.members + (self._members[group.file] if group.file is not None else ())

    def refresh(self) -> Deferred[None]:
        """
        Read the files that have changed.
        """
        return Deferred.fromCoroutine(self._refresh())

    async def _refresh(self) -> None:
        has_changed = False
        for file in self._files:
            try:
                if await self._threads.run(_stamp, file) == self._seen[file]:
                    self._trouble.pop(file, None)
                    continue
                self._seen[file], members = await self._threads.run(_read, file)
            except (OSError, ValueError) as error:
                self._failed(file, _why(error))
                continue
            self._trouble.pop(file, None)
            if members != self._members[file]:
                self._members[file] = members
                has_changed = True
                self.log.info(
                    "{event} {file}: {members} addresses",
                    event="group.read",
                    file=str(file),
                    members=len(members),
                )
        if has_changed:
            self.changed()

    def _failed(self, file: Path, why: str) -> None:
        """
        Tell what is wrong with a file, once.
        """
        if self._trouble.get(file) != why:
            self._trouble[file] = why
            self.log.error(
                "{event} {file}: {why}; its addresses are those of before",
                event="group.not_read",
                file=str(file),
                why=why,
            )


def _stamp(file: Path) -> Stamp:
    return stamp_of(file.stat())


def _read(file: Path) -> tuple[Stamp, tuple[str, ...]]:
    # What changes while it is read is read again the next time.
    return _stamp(file), read_members(file)


def _why(error: Exception) -> str:
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
