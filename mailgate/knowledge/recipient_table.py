"""
Recipients that are written down: in the configuration, or in a file that is read again when it has
changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.stamp import Stamp, stamp_of
from mailgate.interfaces import EXISTS, NOBODY, IRecipientSource, IThreads, Listed
from mailgate.knowledge.recipients import NOT_KNOWN_NOW
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address
from mailgate.wire.virtual import BadLine, Table, parse_table


@implementer(IRecipientSource)
class ListedRecipients:
    """
    A table in memory.
    """

    is_upstream = False

    def __init__(self, name: str, lines: Iterable[str]) -> None:
        """
        @raise BadLine: a line is none.
        """
        self.name = name
        self._table: Table = parse_table(lines)

    def find(self, address: Address, sender: Address) -> Listed:
        """
        Look an address up, at once.
        """
        return _look(self._table, address)


@frozen
class _Loaded:
    stamp: Stamp
    table: Table


@implementer(IRecipientSource)
class RecipientFile:
    """
    A table in a file. While that cannot be read, or a line of it is wrong, what was read before
    counts; where nothing was, nobody is told yes or no.
    """

    log = Logger()
    is_upstream = False

    def __init__(self, name: str, path: Path, threads: IThreads) -> None:
        """
        Read the file. Blocks.

        @param threads: where it is read later.
        """
        self.name = name
        self._path = path
        self._threads = threads
        self._trouble = ""
        self._stamp: Stamp | None = None
        self._table: Table | None = None
        try:
            loaded = _read(path, None)
        except (OSError, ValueError):
            self._not_read(Failure())
        else:
            self._take(loaded)

    def find(self, address: Address, sender: Address) -> Listed:
        """
        Look an address up, at once.
        """
        if self._table is None:
            return NOT_KNOWN_NOW
        return _look(self._table, address)

    def refresh(self) -> Deferred[None]:
        """
        Read the file if it has changed. It never fails: an event tells.
        """
        reading = self._threads.run(_read, self._path, self._stamp)
        return reading.addCallbacks(self._take, self._not_read)

    def _take(self, loaded: _Loaded | None) -> None:
        if loaded is None:
            return
        self._stamp, self._table, self._trouble = loaded.stamp, loaded.table, ""
        self.log.info(
            "{event} {number} of {source} from {path}",
            event="recipients.read",
            number=len(loaded.table),
            source=self.name,
            path=str(self._path),
        )

    def _not_read(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, BadLine):
            why = f"line {error.number}: {error}"
        elif isinstance(error, OSError):
            why = str(error.strerror)
        elif isinstance(error, UnicodeDecodeError):
            why = "it is not UTF-8 text"
        else:
            self.log.failure(
                "{event} {source}", failure, event="recipients.broken", source=self.name
            )
            return
        if why == self._trouble:
            return
        self._trouble = why
        self.log.error(
            "{event} {path}: {why}",
            event="recipients.not_read",
            path=str(self._path),
            source=self.name,
            why=why,
        )


def _look(table: Table, address: Address) -> Listed:
    stands_for = table.get(normal_address(address))
    return NOBODY if stands_for is None else Listed(EXISTS, stands_for)


def _read(path: Path, known: Stamp | None) -> _Loaded | None:
    """
    Read the file, unless it is as it was.

    @raise OSError: it cannot be read.
    @raise BadLine: a line is none.
    @raise UnicodeDecodeError: it is no text.
    """
    with path.open(encoding="utf-8") as lines:
        stamp = stamp_of(os.fstat(lines.fileno()))
        return None if stamp == known else _Loaded(stamp, parse_table(lines))
