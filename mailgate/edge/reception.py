"""
One message while it arrives, by DATA or by BDAT: its bytes, their limits, what is wrong.
"""

from __future__ import annotations

from mailgate.interfaces import IMessage, MaybeDeferred
from mailgate.message.spool import MessageWriter
from mailgate.reply import Reply
from mailgate.wire.data import ChunkReader, DataReader, LineEndMender


class Reception:
    """
    Takes what a client sends of a message, to its end, whatever is found on the way: what
    follows would be run as commands otherwise.
    """

    def __init__(
        self, reader: DataReader | ChunkReader, writer: MessageWriter, limit: int, mends: bool
    ) -> None:
        """
        @param limit: bytes that the message may have.
        @param mends: whether bare CR and LF are turned into CRLF instead of being refused.
        """
        self.reader = reader
        self._writer: MessageWriter | None = writer
        self._limit = limit
        self._mender = LineEndMender() if mends else None

    @property
    def size(self) -> int:
        """
        Count the bytes so far.
        """
        return self.reader.size

    @property
    def is_between(self) -> bool:
        """
        Tell whether the message, or the chunk that was announced, is complete.
        """
        reader = self.reader
        return reader.finished if isinstance(reader, DataReader) else reader.is_between

    @property
    def is_finished(self) -> bool:
        """
        Tell whether the message is complete.
        """
        return self.reader.finished

    def announce(self, size: int, is_last: bool) -> None:
        """
        Expect a chunk.

        @raise RuntimeError: the message does not come in chunks.
        """
        if not isinstance(self.reader, ChunkReader):
            raise RuntimeError("the message does not come in chunks")
        self.reader.announce(size, is_last)

    @property
    def backlog(self) -> MessageWriter | None:
        """
        Give what to wait for where the disk does not keep up, else C{None}.
        """
        writer = self._writer
        return writer if writer is not None and writer.must_pause else None

    def feed(self, data: bytes) -> bytes:
        """
        Take bytes.

        @return: those that do not belong to the message, or to the chunk.
        """
        block = self.reader.feed(data)
        writer = self._writer
        if writer is not None:
            if self.reader.size > self._limit:
                self.abandon()
            elif block:
                writer.write(block if self._mender is None else self._mender.feed(block))
        return self.reader.rest

    def problem(self) -> Reply | None:
        """
        Say what is wrong with what has come so far, or C{None}.
        """
        reader = self.reader
        if reader.size > self._limit:
            return Reply(552, "5.3.4", f"larger than {self._limit} bytes")
        counts = [(reader.nul, "a NUL")]
        if self._mender is None:
            # RFC 5321 section 2.3.8
            stray = [(reader.bare_cr, "a CR without LF"), (reader.bare_lf, "an LF without CR")]
            counts = stray + counts
        found = [words for count, words in counts if count]
        if not found:
            return None
        return Reply(550, "5.5.2", f"the message contains {' and '.join(found)}")

    def finish(self) -> MaybeDeferred[IMessage]:
        """
        Give the message, which must have ended and have no problem.

        @raise OSError: (in the Deferred) the disk did not take it.
        """
        writer, self._writer = self._writer, None
        if writer is None:
            raise RuntimeError("the message was given up")
        if self._mender is not None:
            writer.write(self._mender.finish())
        return writer.finish()

    def abandon(self) -> None:
        """
        Keep nothing of it.
        """
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()
