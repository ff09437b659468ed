"""
What reads the body of a message while it arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from time import sleep

from twisted.logger import Logger

from mailgate.interfaces import BeginReading, IBodyReader
from mailgate.message.section import HEAD_LIMIT

SLICE = 64 * 1024
"""Bytes that are read in one go in a thread."""

_PAUSE = 0.00005
"""Seconds between two slices, in which the reactor can get on."""


class Arrival:
    """
    Finds the end of the header section of one message, and hands what follows it to a reader.

    Of a reader that fails the message learns nothing: there is none then.
    """

    log = Logger()

    __slots__ = ("_begin", "_head", "_is_over", "_reader")

    def __init__(self, begin: BeginReading) -> None:
        """
        @param begin: asked once for a reader, as soon as the header section is there.
        """
        self._begin = begin
        self._head = bytearray()
        self._reader: IBodyReader | None = None
        self._is_over = False
        """Whether nobody wants more of it."""

    def feed(self, data: bytes) -> None:
        """
        Take the next bytes of the message, in one place at a time: in the reactor, or in a thread.
        """
        if self._is_over:
            return
        try:
            if self._reader is not None:
                self._reader.update(data)
            else:
                self._look(data)
        except Exception:
            self._give_up()

    def finish(self) -> IBodyReader | None:
        """
        Give what has read the body, now that the message is at its end; C{None} where nobody
        wanted to, or the header section never ended.
        """
        if self._reader is None or self._is_over:
            return None
        try:
            self._reader.finish()
        except Exception:
            self._give_up()
            return None
        return self._reader

    def _look(self, data: bytes) -> None:
        """
        Look for the end of the header section, in time that grows with the bytes only.
        """
        head = self._head
        if head:
            seen = max(0, len(head) - 3)
            head += data
            end = _end(head, seen)
            data = bytes(head) if end else b""
        else:
            # Most come in one piece, which need not be kept.
            end = _end(data, 0)
            if not end:
                head += data
        if not end:
            self._is_over = len(head) > HEAD_LIMIT
            return
        self._head = bytearray()
        self._reader = self._begin(data[:end])
        if self._reader is None:
            self._is_over = True
        else:
            self._reader.update(data[end:])

    def _give_up(self) -> None:
        self._is_over = True
        self._reader = None
        self.log.failure("{event} while it arrived", event="body.unread")


def read_aside(update: Callable[[bytes], None], data: bytes) -> None:
    """
    Give a reader bytes in a thread.

    Of Python's threads one runs at a time. Without a pause the reactor would wait for its turn up
    to L{sys.getswitchinterval} each time that it has looked at a socket.
    """
    for at in range(0, len(data), SLICE):
        update(data[at : at + SLICE])
        sleep(_PAUSE)


def _end(head: bytes | bytearray, start: int) -> int:
    """
    Say where the header section ends, or 0 where it has not ended yet.

    @param start: where to look first; it does not end before.
    """
    if head.startswith(b"\r\n"):
        return 2
    at = head.find(b"\r\n\r\n", start)
    return 0 if at < 0 else at + 4
