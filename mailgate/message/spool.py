"""
Where messages are kept while they are received and judged: in memory, or in a spool file.

A message stays in memory up to 256 KiB, as long as all of them together stay below the
configured C{limits.memory_bytes}; a larger one goes to a file, written in a thread. The file
is not synced: until a message is held or queued, it still belongs to the sender.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.interfaces import IFiles, IMessage, IThreads, MaybeDeferred
from mailgate.message.message import HEAD_LIMIT, MemoryMessage

CHUNK = 1024 * 1024
"""Bytes that are read from a file at a time."""

BACKLOG = 1024 * 1024
"""Bytes that may wait for the disk before the sender is asked to pause."""


@define
class Spool:
    """
    The place of all messages that are being received or judged.
    """

    directory: Path
    files: IFiles
    threads: IThreads
    memory_limit: int
    """Bytes that all messages in memory may have together."""

    memory: int = field(init=False, default=0)
    """Bytes that they have now."""

    def begin(self) -> MessageWriter:
        """
        Begin a message.
        """
        return MessageWriter(self)


@implementer(IMessage)
@frozen
class FileMessage:
    """
    A message that lies in a file.
    """

    path: Path
    size: int
    beginning: bytes
    """The first 256 KiB, or the whole message where it is smaller."""

    threads: IThreads
    prepended: bytes = b""
    on_close: Callable[[], None] = lambda: None
    """Called by C{close}; must bear to be called twice."""

    def head(self, limit: int) -> bytes:
        """
        Give the first C{limit} bytes.
        """
        return self.beginning[:limit]

    def chunks(self) -> Iterator[MaybeDeferred[bytes]]:
        """
        Read the file, 1 MiB at a time, in a thread.

        @raise OSError: (in the Deferreds) the file cannot be read, or is shorter than it was.
        """
        for offset in range(0, self.size, CHUNK):
            yield self.threads.run(_read, self.path, offset, min(CHUNK, self.size - offset))

    def close(self) -> None:
        """
        Remove the spool file, or do nothing where the file is not ours to remove.
        """
        self.on_close()

    def prepend(self, headers: bytes) -> FileMessage:
        """
        Give the same message with header lines set before those prepended already.
        """
        return evolve(self, prepended=headers + self.prepended)


def _read(path: Path, offset: int, length: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
    if len(data) != length:
        raise OSError(f"{path} is shorter than it was: {offset + len(data)} bytes are left")
    return data


class MessageWriter:
    """
    Takes the bytes of one message as they arrive.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._pieces: list[bytes] = []
        self._size = 0
        self._charged = 0
        self._file: _SpoolFile | None = None

    @property
    def backlog(self) -> int:
        """
        Count the bytes that wait for the disk.
        """
        return self._file.backlog if self._file else 0

    def write(self, data: bytes) -> None:
        """
        Append C{data}. What goes wrong on the disk is told by L{finish}.
        """
        self._size += len(data)
        if self._file is not None:
            if self._size - len(data) < HEAD_LIMIT:
                self._pieces.append(data)
            self._file.write(data)
            return
        self._pieces.append(data)
        spool = self._spool
        if self._size <= HEAD_LIMIT and spool.memory + len(data) <= spool.memory_limit:
            self._charged += len(data)
            spool.memory += len(data)
            return
        self._file = _SpoolFile(spool)
        self._file.write(b"".join(self._pieces))

    def when_written(self) -> Deferred[None]:
        """
        Wait until the disk has taken all that was written so far, or has failed.
        """
        return self._file.when_idle() if self._file else succeed(None)

    def finish(self) -> MaybeDeferred[IMessage]:
        """
        Give the whole message.

        @raise OSError: (in the Deferred) the disk did not take it; nothing is left there.
        """
        if self._file is None:
            return MemoryMessage(tuple(self._pieces), on_close=self._release)
        file = self._file
        return file.finish().addCallback(lambda _: self._finished(file))

    def abandon(self) -> None:
        """
        Forget the message.
        """
        self._release()
        if self._file is not None:
            self._file.remove()

    def _finished(self, file: _SpoolFile) -> IMessage:
        if file.error is not None:
            self.abandon()
            file.error.raiseException()
        beginning = b"".join(self._pieces)[:HEAD_LIMIT]

        def close() -> None:
            self._release()
            file.remove()

        return FileMessage(file.path, self._size, beginning, self._spool.threads, on_close=close)

    def _release(self) -> None:
        self._spool.memory -= self._charged
        self._charged = 0


class _SpoolFile:
    """
    One file that is written in a thread, a batch of pieces at a time.
    """

    log = Logger()

    def __init__(self, spool: Spool) -> None:
        self.path = spool.directory / uuid4().hex
        self.backlog = 0
        self.error: Failure | None = None
        self._files = spool.files
        self._threads = spool.threads
        self._file: BinaryIO | None = None
        self._waiting: list[bytes] = []
        self._is_writing = False
        self._is_removed = False
        self._idle: list[Deferred[None]] = []

    def write(self, data: bytes) -> None:
        if self.error is not None or self._is_removed:
            return
        self.backlog += len(data)
        self._waiting.append(data)
        if not self._is_writing:
            self._write_waiting()

    def when_idle(self) -> Deferred[None]:
        if not self._is_writing:
            return succeed(None)
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        return idle

    def finish(self) -> Deferred[None]:
        return self.when_idle().addCallback(lambda _: self._threads.run(self._close))

    def remove(self) -> None:
        if self._is_removed:
            return
        self._is_removed = True
        self._waiting.clear()
        if not self._is_writing:
            self._remove_in_thread()

    def _write_waiting(self) -> None:
        batch, self._waiting = self._waiting, []
        self._is_writing = True
        done = self._threads.run(self._write, batch)
        done.addCallbacks(self._written, self._failed)

    def _write(self, batch: list[bytes]) -> int:
        if self._file is None:
            self._file = self._files.create(self.path)
        data = b"".join(batch)
        self._files.write(self._file, data)
        return len(data)

    def _written(self, count: int) -> None:
        self.backlog -= count
        if self._waiting:
            self._write_waiting()
        else:
            self._rest()

    def _failed(self, failure: Failure) -> None:
        self.error = failure
        self.backlog = 0
        self._waiting.clear()
        self._rest()

    def _rest(self) -> None:
        self._is_writing = False
        if self._is_removed:
            self._remove_in_thread()
        waiting, self._idle = self._idle, []
        for idle in waiting:
            idle.callback(None)

    def _remove_in_thread(self) -> None:
        self._threads.run(self._remove).addErrback(self._not_removed)

    def _remove(self) -> None:
        self._close()
        self._files.remove(self.path)

    def _not_removed(self, failure: Failure) -> None:
        self.log.failure(
            "{event} {path} stays until the next start",
            failure,
            event="spool.not_removed",
            path=str(self.path),
        )

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
