"""
The bytes of a message as they come, in pieces that are never many.
"""

from __future__ import annotations

SMALL = 4096
"""Below this size two pieces that follow each other are joined."""


class Pieces:
    """
    Bytes in the order in which they came.

    A piece of ordinary size is kept as it is. Small ones are joined, since each would take
    about 40 bytes beside its own: a client that sends byte by byte would cost 40 times its
    message.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []

    def append(self, data: bytes) -> None:
        """
        Add a piece. It takes a time in proportion to C{data} only, on the whole.
        """
        pieces = self._pieces
        if len(data) >= SMALL or not pieces or len(pieces[-1]) >= SMALL:
            pieces.append(data)
            return
        last = pieces[-1]
        if isinstance(last, bytearray):
            last += data
        else:
            pieces[-1] = bytearray(last) + data

    def take(self) -> list[bytes]:
        """
        Give all pieces, and be empty.
        """
        pieces, self._pieces = self._pieces, []
        return [piece if isinstance(piece, bytes) else bytes(piece) for piece in pieces]
