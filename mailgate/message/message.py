"""
A message that is held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from attrs import evolve, field, frozen
from zope.interface import implementer

from mailgate.interfaces import IBodyReader, IMessage, MaybeDeferred
from mailgate.message.header import Headers
from mailgate.message.section import HEAD_LIMIT as HEAD_LIMIT
from mailgate.message.section import header_section


def _nothing() -> None:
    """
    Give nothing back, as nothing was borrowed.
    """


@implementer(IMessage)
@frozen
class MemoryMessage:
    """
    The bytes of one message, in the pieces in which they came.
    """

    pieces: tuple[bytes, ...]
    prepended: bytes = b""
    size: int = field(init=False)
    path: Path | None = field(init=False, default=None)
    on_close: Callable[[], None] = _nothing
    """Called by C{close}; must bear to be called twice."""

    reading: IBodyReader | None = None

    @size.default
    def _measure(self) -> int:
        return sum(map(len, self.pieces))

    @cached_property
    def headers(self) -> Headers:
        """
        Give the header fields.
        """
        return Headers.parse(header_section(self))

    def head(self, limit: int) -> bytes:
        """
        Give the first C{limit} bytes.
        """
        first = self.pieces[0] if self.pieces else b""
        if len(first) < limit and len(self.pieces) > 1:
            first = b"".join(self.pieces)
        return first[:limit]

    def chunks(self) -> Iterator[MaybeDeferred[bytes]]:
        """
        Give the pieces as they came.
        """
        return iter(self.pieces)

    def close(self) -> None:
        """
        Give the memory back to the spool's account.
        """
        self.on_close()

    def prepend(self, headers: bytes) -> MemoryMessage:
        """
        Give the same message with header lines set before those prepended already.
        """
        return evolve(self, prepended=headers + self.prepended)
