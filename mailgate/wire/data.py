"""
The body of DATA on the wire: dots added and taken away, and where the message ends.

RFC 5321 section 4.5.2 (transparency) and section 4.1.1.4 (only CRLF.CRLF ends a message). Both
directions work on whole buffers, never line by line, and give the same result however the
bytes are cut.
"""

from __future__ import annotations

import re

_END = b"\r\n.\r\n"
_LINE_END = re.compile(rb"\r\n|\r|\n")


class DataReader:
    """
    Turns the bytes after 354 into the message, until its end.

    Nothing but CRLF.CRLF is an end: a bare CR or LF is an ordinary, counted byte here, and it
    is for the caller to refuse such a message once it has been read to its end. Stopping
    earlier would run the rest of the message as commands.
    """

    def __init__(self) -> None:
        # What has been received but cannot be told apart yet from the beginning of an end.
        # The message stands at the start of a line, as if a CRLF went before it.
        self._tail = b"\r\n"
        self._virtual = 2
        self.size = 0
        """Bytes of the message so far, without the dots that were added for the wire."""
        self.bare_cr = 0
        self.bare_lf = 0
        self.nul = 0
        self.finished = False
        self.rest = b""
        """What came behind the end."""

    @property
    def is_clean(self) -> bool:
        """
        Tell whether there was neither a bare CR, nor a bare LF, nor a NUL so far.
        """
        return not (self.bare_cr or self.bare_lf or self.nul)

    def feed(self, data: bytes) -> bytes:
        """
        Take what was received, and give what is now known to belong to the message.

        @raise ValueError: the message has ended already.
        """
        if self.finished:
            raise ValueError("the message has ended")
        buffer = self._tail + data
        end = buffer.find(_END)
        if end >= 0:
            self.finished = True
            self.rest = buffer[end + 5 :]
            self._tail = b""
            block = buffer[: end + 2]
        else:
            kept = _ambiguous(buffer)
            self._tail = buffer[len(buffer) - kept :]
            block = buffer[: len(buffer) - kept]
        if not block:
            return block
        self._count(block)
        if b"\r\n." in block:
            block = block.replace(b"\r\n.", b"\r\n")
        if self._virtual:
            block = block[2:]
            self._virtual = 0
        self.size += len(block)
        return block

    def _count(self, block: bytes) -> None:
        line_ends = block.count(b"\r\n")
        self.bare_lf += block.count(b"\n") - line_ends
        self.bare_cr += block.count(b"\r") - line_ends
        if b"\0" in block:
            self.nul += block.count(b"\0")


class ChunkReader:
    """
    Takes the chunks of BDAT (RFC 3030), which are the message as it stands.

    It looks for the same stray bytes as L{DataReader}, across chunks, and it too reads to the
    end whatever the caller thinks of the content.
    """

    def __init__(self) -> None:
        self._left = 0
        self._is_last = False
        self._is_amid = False  # the last byte was a CR whose LF may come in the next chunk
        self.size = 0
        """Bytes of the message so far."""
        self.bare_cr = 0
        self.bare_lf = 0
        self.nul = 0
        self.finished = False
        """Whether the last chunk is complete."""
        self.rest = b""
        """What came behind the chunk."""

    @property
    def is_clean(self) -> bool:
        """
        Tell whether there was neither a bare CR, nor a bare LF, nor a NUL so far.
        """
        return not (self.bare_cr or self.bare_lf or self.nul)

    @property
    def is_between(self) -> bool:
        """
        Tell whether the chunk that was announced is complete.
        """
        return self._left == 0

    def announce(self, size: int, is_last: bool) -> None:
        """
        Expect a chunk of C{size} bytes, which may be 0.

        @raise ValueError: the one before it is not complete, or was the last.
        """
        if self._left or self.finished:
            raise ValueError("a chunk out of turn")
        self._left = size
        self._is_last = is_last
        if not size:
            self._complete()

    def feed(self, data: bytes) -> bytes:
        """
        Take what was received, and give what belongs to the chunk.
        """
        block, self.rest = data[: self._left], data[self._left :]
        if block:
            self._left -= len(block)
            self.size += len(block)
            self._count(block)
            if not self._left:
                self._complete()
        return block

    def _complete(self) -> None:
        if self._is_last:
            self.finished = True
            if self._is_amid:
                self._is_amid = False
                self.bare_cr += 1

    def _count(self, block: bytes) -> None:
        line_ends = block.count(b"\r\n")
        if self._is_amid:
            if block[0] == 0x0A:
                self.bare_lf -= 1
            else:
                self.bare_cr += 1
        self._is_amid = block[-1] == 0x0D
        self.bare_lf += block.count(b"\n") - line_ends
        self.bare_cr += block.count(b"\r") - line_ends - self._is_amid
        if b"\0" in block:
            self.nul += block.count(b"\0")


class LineEndMender:
    """
    Turns each bare CR and each bare LF into CRLF, for clients of ours that know no better.

    Nothing else is changed: a line of one dot that ends with a bare LF stays such a line.
    """

    def __init__(self) -> None:
        self._is_amid = False

    def feed(self, data: bytes) -> bytes:
        """
        Give the next bytes as they should be. A CR at their end waits for what follows.
        """
        if self._is_amid:
            data = b"\r" + data
        self._is_amid = data.endswith(b"\r")
        if self._is_amid:
            data = data[:-1]
        line_ends = data.count(b"\r\n")
        if data.count(b"\n") == line_ends == data.count(b"\r"):
            return data
        return _LINE_END.sub(b"\r\n", data)

    def finish(self) -> bytes:
        """
        Give what still waits.
        """
        return b"\r\n" if self._is_amid else b""


def _ambiguous(buffer: bytes) -> int:
    """
    Count the last bytes that may be the beginning of an end.
    """
    for length in (4, 3, 2, 1):
        if buffer.endswith(_END[:length]):
            return length
    return 0


class DotStuffer:
    """
    Turns a message into the bytes after 354, chunk by chunk.
    """

    def __init__(self) -> None:
        self._last = b"\r\n"

    def encode(self, chunk: bytes) -> bytes:
        """
        Give the wire form of the next chunk; one without a dot to add is given back as it is.
        """
        if not chunk:
            return chunk
        last = self._last
        self._last = chunk[-2:] if len(chunk) > 1 else last[-1:] + chunk
        if b"\r\n." in chunk:
            chunk = chunk.replace(b"\r\n.", b"\r\n..")
        if last == b"\r\n" and chunk[0] == 0x2E:
            return b"." + chunk
        if last[-1] == 0x0D and chunk.startswith(b"\n."):
            return b"\n." + chunk[1:]
        return chunk

    def finish(self) -> bytes:
        """
        Give what ends the message: its last CRLF where it lacks one, then the dot.
        """
        return b".\r\n" if self._last == b"\r\n" else _END
