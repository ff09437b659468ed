"""
A Maildir as upstream: messages end in a folder.

The format is that of https://cr.yp.to/proto/maildir.html: a message is written below C{tmp},
synced, and moved to C{new} in one step, so that nobody ever sees half of one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.delivery.answer import NO_TIME, Answer, Untaken, is_full, lost
from mailgate.interfaces import (
    Capabilities,
    IDelivery,
    IFiles,
    IMessage,
    IThreads,
    Load,
    MaybeDeferred,
)
from mailgate.message.envelope import Envelope
from mailgate.reply import Reply
from mailgate.wire.address import Address

_counter = count(1)


@implementer(IDelivery)
class MaildirDelivery:
    """
    A folder that takes messages for any recipient, one file each.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        path: Path,
        files: IFiles,
        threads: IThreads,
        hostname: str,
        now: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        """
        @param path: the Maildir; it is made where it is not there.
        @param hostname: becomes part of the files' names.
        @param now: the time in seconds since the epoch.
        @param clock: bounds how long a disk is waited for.
        """
        self.name = name
        self.capabilities = Capabilities(frozenset(("8BITMIME", "SMTPUTF8")))
        self.failures = 0
        self.is_open = False
        self.load = Load()
        self._path = path
        self._files = files
        self._threads = threads
        self._hostname = hostname.replace("/", "\\057").replace(":", "\\072")
        self._now = now
        self._clock = clock
        self._is_made = False

    def probe(self) -> Deferred[None]:
        """
        Make the folders, so that a mistake in the path shows at the start.
        """
        return self._threads.run(self._make).addErrback(self._not_made)

    def verify(self, sender: Address, recipient: Address) -> Deferred[Reply]:
        """
        Every recipient of a domain that ends here exists.
        """
        return succeed(Reply(250, "2.1.5", "recipient ok"))

    def deliver(
        self,
        envelope: Envelope,
        recipients: Sequence[Address],
        message: IMessage,
        within: float | None = None,
    ) -> Deferred[Sequence[Reply]]:
        """
        Write a file for each recipient, with C{Return-Path} (RFC 5321 section 4.4) and
        C{Delivered-To} before the message, and LF as line end.

        A full disk is a 452 4.3.1, anything else that goes wrong there a 451 4.3.0.
        """
        if within is not None and within <= 0:
            return succeed([NO_TIME] * len(recipients))
        # What is written is written within moments, and stopping it half way saves nothing.
        answer: Answer[Sequence[Reply]] = Answer()
        answer.keep()
        is_late = False

        def be_late() -> None:
            nonlocal is_late
            is_late = True
            answer.callback([lost("the disk does not answer")] * len(recipients))

        call = self._clock.callLater(within, be_late) if within is not None else None

        def end(result: Sequence[Reply] | Failure) -> Sequence[Reply] | Failure | None:
            if is_late:
                return result if isinstance(result, Failure) else None
            if call is not None:
                call.cancel()
            answer.callback(result)
            return None

        working = Deferred.fromCoroutine(self._deliver(envelope, recipients, message))
        working.addBoth(end)
        return answer

    def close(self) -> Deferred[None]:
        """
        Nothing is open.
        """
        return succeed(None)

    async def _deliver(
        self, envelope: Envelope, recipients: Sequence[Address], message: IMessage
    ) -> Sequence[Reply]:
        replies = []
        for recipient in recipients:
            try:
                await self._write(envelope, recipient, message)
            except OSError as error:
                replies.append(self._failed(error, envelope))
            else:
                self.failures = 0
                replies.append(Reply(250, "2.0.0", f"delivered ({envelope.trace})"))
        if not any(reply.is_positive for reply in replies):
            return Untaken(replies)
        return replies

    async def _write(self, envelope: Envelope, recipient: Address, message: IMessage) -> None:
        copy = _Copy(self._files, self._path, self._unique_name())
        head = f"Return-Path: <{envelope.sender}>\r\nDelivered-To: {recipient}\r\n"
        first = head.encode("utf-8") + message.prepended
        pieces = [first]
        chunks = message.chunks()
        for chunk in chunks:
            if isinstance(chunk, Deferred):
                await self._write_as_read(copy, pieces, chain((chunk,), chunks))
                return
            pieces.append(chunk)
        await self._threads.run(self._write_at_once, copy, pieces)

    async def _write_as_read(
        self, copy: _Copy, pieces: Sequence[bytes], chunks: Iterator[MaybeDeferred[bytes]]
    ) -> None:
        """
        Write a message that has to be read from the disk, never more of it than a chunk.
        """
        is_begun = False
        try:
            for chunk in chunks:
                data = await chunk if isinstance(chunk, Deferred) else chunk
                if not is_begun:
                    is_begun = True
                    await self._threads.run(self._begin, copy, pieces)
                await self._threads.run(copy.write, data)
            await self._threads.run(copy.finish)
        except BaseException:
            await self._threads.run(copy.abandon)
            raise

    def _write_at_once(self, copy: _Copy, pieces: Sequence[bytes]) -> None:
        try:
            self._begin(copy, pieces)
            copy.finish()
        except BaseException:
            copy.abandon()
            raise

    def _begin(self, copy: _Copy, pieces: Sequence[bytes]) -> None:
        self._make()
        copy.create()
        copy.write(b"".join(pieces))

    def _make(self) -> None:
        """
        Make the folders where they are not there. Blocks.
        """
        if self._is_made:
            return
        for folder in self._folders():
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
                self._files.sync_directory(folder.parent)
        self._is_made = True

    def _folders(self) -> Iterator[Path]:
        yield from reversed(self._path.parents)
        yield self._path
        for name in ("tmp", "new", "cur"):
            yield self._path / name

    def _unique_name(self) -> str:
        now = self._now()
        microseconds = int(now % 1 * 1_000_000)
        return f"{int(now)}.M{microseconds}P{os.getpid()}Q{next(_counter)}.{self._hostname}"

    def _failed(self, error: OSError, envelope: Envelope) -> Reply:
        self.failures += 1
        # Whoever removes the folders while we run has them made anew.
        self._is_made = False
        self.log.error(
            "{event} to {path}: {error}",
            event="maildir.failed",
            path=str(self._path),
            error=str(error),
            trace=envelope.trace,
        )
        if is_full(error):
            return Reply(452, "4.3.1", f"no room at the moment ({envelope.trace})")
        return Reply(451, "4.3.0", f"local error, try again later ({envelope.trace})")

    def _not_made(self, failure: Failure) -> None:
        if isinstance(failure.value, CancelledError):
            return
        self.failures += 1
        self.log.failure("{event} {path}", failure, event="maildir.not_made", path=str(self._path))


class _Copy:
    """
    One file on its way from C{tmp} to C{new}. Every method blocks.
    """

    def __init__(self, files: IFiles, path: Path, name: str) -> None:
        self._files = files
        self._unfinished = path / "tmp" / name
        self._finished = path / "new" / name
        self._file: BinaryIO | None = None
        self._is_amid = False

    def create(self) -> None:
        """
        Create the file.
        """
        self._file = self._files.create(self._unfinished)

    def write(self, data: bytes) -> None:
        """
        Append bytes with CRLF as line end, wherever they are cut.
        """
        if self._is_amid:
            data = b"\r" + data
        self._is_amid = data.endswith(b"\r")
        if self._is_amid:
            data = data[:-1]
        if self._file is not None:
            self._files.write(self._file, data.replace(b"\r\n", b"\n"))

    def finish(self) -> None:
        """
        Make the message safe, then visible.
        """
        if self._file is None:
            return
        if self._is_amid:
            self._files.write(self._file, b"\r")
        self._files.sync(self._file)
        self._file.close()
        self._file = None
        self._files.rename(self._unfinished, self._finished)
        try:
            self._files.sync_directory(self._finished.parent)
        except OSError:
            # The sender will be told to come again.
            self._files.remove(self._finished)
            raise

    def abandon(self) -> None:
        """
        Leave nothing behind.
        """
        if self._file is not None:
            self._file.close()
            self._file = None
        self._files.remove(self._unfinished)
