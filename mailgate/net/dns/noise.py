"""
Random bytes, as cheap as they can be without being any less random.
"""

from __future__ import annotations

from collections.abc import Callable

AHEAD = 4096
"""How many bytes are fetched at once."""


class Noise:
    """
    Gives random bytes that nobody can foretell.
    """

    def __init__(self, fetch: Callable[[int], bytes]) -> None:
        """
        @param fetch: gives so many random bytes, as L{os.urandom} does.
        """
        self._fetch = fetch
        self._bytes = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """
        Give C{size} bytes, at most L{AHEAD}.
        """
        at = self._at
        if at + size > len(self._bytes):
            self._bytes, at = self._fetch(AHEAD), 0
        self._at = at + size
        return self._bytes[at : at + size]

    def below(self, limit: int) -> int:
        """
        Give a number from 0 on below C{limit}, which is far below 2**32.
        """
        return int.from_bytes(self.take(4), "big") % limit
