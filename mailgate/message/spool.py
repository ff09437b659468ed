"""
Where messages are kept while they are received and judged: in memory, or in a spool file.

A message stays in memory up to 256 KiB, as long as there is memory for it; else it goes to a
file, written in a thread, and only its header section stays in memory. The file is not synced:
until a message is held or queued, it still belongs to the sender.

All that is in memory is bounded by the configured C{limits.memory_bytes}, which has a share for
each of three things, so that none of them, however many clients send it, can take the others'
place.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.interfaces import (
    BeginReading,
    IBodyReader,
    IFiles,
    IMessage,
    IThreads,
    MaybeDeferred,
)
from mailgate.message.arrival import Arrival, read_aside
from mailgate.message.header import Headers
from mailgate.message.message import HEAD_LIMIT, MemoryMessage
from mailgate.message.pieces import Pieces
from mailgate.message.section import cut, header_section

CHUNK = 1024 * 1024
"""Bytes that are read from a file at a time."""

BACKLOG = 1024 * 1024
"""Bytes that may wait for the disk before the sender is asked to pause."""

WHOLE_SHARE = 0.75
"""Up to which share of the memory whole messages are kept in it."""

KEPT_SHARE = 0.875
"""Up to which share the header sections of those in files are kept too."""

WAITING_SHARE = 1 - KEPT_SHARE
"""Which share is for what waits for the disk."""


@define
class Spool:
    """
    The place of all messages that are being received or judged.
    """

    directory: Path
    files: IFiles
    threads: IThreads
    memory_limit: int
    """Bytes of memory for all messages together."""

    memory: int = field(init=False, default=0)
    """Bytes that are kept now: whole messages, and the header sections of those in files."""

    waiting: int = field(init=False, default=0)
    """Bytes that wait for the disk now."""

    def begin(self, reading: BeginReading | None = None) -> MessageWriter:
        """
        Begin a message.

        @param reading: what begins to read its body as it arrives, if anything.
        """
        return MessageWriter(self, None if reading is None else Arrival(reading))

    def has_room_for_whole(self, size: int) -> bool:
        """
        Tell whether C{size} bytes more may stay in memory rather than go to the disk.
        """
        return self.memory + size <= self.memory_limit * WHOLE_SHARE

    def has_room_for_header(self, size: int) -> bool:
        """
        Tell whether a header section of C{size} bytes may stay in memory. Alone it always may.
        """
        return not self.memory or self.memory + size <= self.memory_limit * KEPT_SHARE

    @property
    def is_behind(self) -> bool:
        """
        Tell whether too much waits for the disk.
        """
        return self.waiting > self.memory_limit * WAITING_SHARE


@implementer(IMessage)
@frozen
class FileMessage:
    """
    A message that lies in a file.
    """

    path: Path
    size: int
    beginning: bytes
    """What C{head} can give: at least the header section, or the first 256 KiB of it."""

    threads: IThreads
    prepended: bytes = b""
    on_close: Callable[[], None] = lambda: None
    """Called by C{close}; must bear to be called twice."""

    reading: IBodyReader | None = None

    @cached_property
    def headers(self) -> Headers:
        """
        Give the header fields.
        """
        return Headers.parse(header_section(self))

    def head(self, limit: int) -> bytes:
        """
        Give the first C{limit} bytes, or fewer: the header section.
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

    def __init__(self, spool: Spool, arrival: Arrival | None) -> None:
        self._spool = spool
        self._arrival = arrival
        self._pieces = Pieces()
        self._size = 0
        self._charged = 0
        self._file: _SpoolFile | None = None

    @property
    def backlog(self) -> int:
        """
        Count the bytes that wait for the disk.
        """
        return self._file.backlog if self._file else 0

    @property
    def must_pause(self) -> bool:
        """
        Tell whether the sender has to wait until the disk has taken what waits: of this message,
        or of all of them, is too much.
        """
        return self.backlog > (0 if self._spool.is_behind else BACKLOG)

    def write(self, data: bytes) -> None:
        """
        Append C{data}. What goes wrong on the disk is told by L{finish}.
        """
        self._size += len(data)
        if self._file is not None:
            self._file.write(data)
            return
        self._pieces.append(data)
        if self._size <= HEAD_LIMIT and self._spool.has_room_for_whole(len(data)):
            self._charge(len(data))
            if self._arrival is not None:
                self._arrival.feed(data)
            return
        self._release()
        self._file = _SpoolFile(self._spool, self._arrival, self._size - len(data))
        self._file.write(b"".join(self._pieces.take()))

    def when_written(self) -> Deferred[None]:
        """
        Wait until the disk has taken all that was written so far, or has failed.
        """
        return self._file.when_idle() if self._file else succeed(None)

    def finish(self) -> MaybeDeferred[IMessage]:
        """
        Give the whole message.

        @raise OSError: (in the Deferred) the disk did not take it, or there is no memory for
            its header section; nothing is left there.
        """
        if self._file is None:
            return MemoryMessage(
                tuple(self._pieces.take()), on_close=self._release, reading=self._reading()
            )
        finished = self._file.finish()
        return finished.addCallback(self._finished, self._file).addErrback(self._failed)

    def abandon(self) -> None:
        """
        Forget the message.
        """
        self._release()
        if self._file is not None:
            self._file.remove()

    def _finished(self, header: bytes, file: _SpoolFile) -> IMessage:
        spool = self._spool
        if not spool.has_room_for_header(len(header)):
            raise OSError(errno.ENOMEM, "the messages under way use up limits.memory_bytes")
        self._charge(len(header))
        return FileMessage(
            file.path,
            self._size,
            header,
            spool.threads,
            on_close=self.abandon,
            reading=self._reading(),
        )

    def _reading(self) -> IBodyReader | None:
        return None if self._arrival is None else self._arrival.finish()

    def _failed(self, failure: Failure) -> Failure:
        self.abandon()
        return failure

    def _charge(self, size: int) -> None:
        self._charged += size
        self._spool.memory += size

    def _release(self) -> None:
        self._spool.memory -= self._charged
        self._charged = 0


class _SpoolFile:
    """
    One file that is written in a thread, a batch of pieces at a time.
    """

    log = Logger()

    def __init__(self, spool: Spool, arrival: Arrival | None, known: int) -> None:
        """
        @param arrival: what is told of the bytes, in the thread that writes them, since there may
            be many at a time.
        @param known: how many of the first ones it has been told of already.
        """
        self.path = spool.directory / uuid4().hex
        self.backlog = 0
        self.error: Failure | None = None
        self._spool = spool
        self._files = spool.files
        self._threads = spool.threads
        self._arrival = arrival
        self._known = known
        self._file: BinaryIO | None = None
        self._waiting = Pieces()
        self._is_busy = False
        self._is_removed = False
        self._idle: list[Deferred[None]] = []

    def write(self, data: bytes) -> None:
        if self.error is not None or self._is_removed:
            return
        self._count(len(data))
        self._waiting.append(data)
        if not self._is_busy:
            self._write_waiting()

    def when_idle(self) -> Deferred[None]:
        if not self._is_busy:
            return succeed(None)
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        return idle

    def finish(self) -> Deferred[bytes]:
        """
        Close the file, and give the header section of the message.
        """
        return self.when_idle().addCallback(lambda _: self._finish())

    def _finish(self) -> Deferred[bytes]:
        self._is_busy = True
        finished: Deferred[bytes] = Deferred()

        def end(result: bytes | Failure) -> None:
            self._rest()
            finished.callback(result)

        # Also where nobody waits for it any more, the file is removed only after its end.
        self._threads.run(self._end).addBoth(end)
        return finished

    def remove(self) -> None:
        if self._is_removed:
            return
        self._is_removed = True
        self._count(-sum(map(len, self._waiting.take())))
        if not self._is_busy:
            self._remove_in_thread()

    def _write_waiting(self) -> None:
        self._is_busy = True
        done = self._threads.run(self._write, self._waiting.take())
        done.addCallbacks(self._written, self._failed)

    def _write(self, batch: list[bytes]) -> int:
        if self._file is None:
            self._file = self._files.create(self.path)
        data = b"".join(batch)
        self._files.write(self._file, data)
        if self._arrival is not None:
            known, self._known = self._known, 0
            read_aside(self._arrival.feed, data[known:] if known else data)
        return len(data)

    def _end(self) -> bytes:
        if self.error is not None:
            self.error.raiseException()
        assert self._file is not None
        with self._file as file:
            file.seek(0)
            return cut(file.read(HEAD_LIMIT))

    def _written(self, count: int) -> None:
        self._count(-count)
        if self.backlog:
            self._write_waiting()
        else:
            self._rest()

    def _failed(self, failure: Failure) -> None:
        self.error = failure
        self._waiting.take()
        self._count(-self.backlog)
        self._rest()

    def _count(self, size: int) -> None:
        self.backlog += size
        self._spool.waiting += size

    def _rest(self) -> None:
        self._is_busy = False
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
