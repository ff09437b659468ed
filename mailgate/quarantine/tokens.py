"""
The tokens of links in digests: what whoever has one may do without a log-in.

A token stands for one held copy, and so for one recipient, for one purpose, until one time. It is
signed and nowhere stored, so what it allows is bound by what is still held: a second use finds
nothing left to do.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum

from attrs import frozen
from twisted.internet.defer import Deferred

from mailgate.store.database import Database

_VERSION = b"\x01"
_MAC_BYTES = 16
_TIME_BYTES = 5
_LONGEST = 120
"""Characters of a text that may be a token."""

_SECRET = "digest"
_SECRET_BYTES = 32


class Purpose(StrEnum):
    """
    What a link is for.
    """

    RELEASE = "release"
    """To release the message, and to allow its sender with that."""

    DELETE = "delete"
    """To delete it, and to block its sender with that."""


_PURPOSES = {Purpose.RELEASE: b"r", Purpose.DELETE: b"d"}


@frozen
class Token:
    """
    What a link allows.
    """

    purpose: Purpose
    held: str
    """The id of the one held message."""

    until: int
    """When it ends, in seconds since the epoch."""


@frozen
class Signer:
    """
    Makes tokens and reads them.
    """

    key: bytes

    def write(self, token: Token) -> str:
        """
        Give a token as it stands in a link.
        """
        until = token.until.to_bytes(_TIME_BYTES, "big")
        said = _VERSION + _PURPOSES[token.purpose] + until + token.held.encode()
        return urlsafe_b64encode(self._mac(said) + said).rstrip(b"=").decode("ascii")

    def read(self, text: str) -> Token | None:
        """
        Give what a link says, also where its time is over, or C{None} where we have not made it.
        """
        if len(text) > _LONGEST or not text.isascii():
            return None
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        mac, said = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(said)):
            return None
        # From here on it is what write has made.
        purpose = next(each for each, letter in _PURPOSES.items() if letter == said[1:2])
        until = int.from_bytes(said[2 : 2 + _TIME_BYTES], "big")
        return Token(purpose, said[2 + _TIME_BYTES :].decode(), until)

    def _mac(self, said: bytes) -> bytes:
        return hmac.new(self.key, said, hashlib.sha256).digest()[:_MAC_BYTES]


class Tokens:
    """
    Keeps the key with which tokens are signed; whoever removes it makes all links worthless.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def signer(self) -> Deferred[Signer]:
        """
        Give what makes and reads tokens. The key is made when it is first asked for.
        """
        return Deferred.fromCoroutine(self._signer())

    async def _signer(self) -> Signer:
        def read(connection: sqlite3.Connection) -> bytes | None:
            found = connection.execute("SELECT value FROM secret WHERE name = ?", (_SECRET,))
            return next((bytes(value) for (value,) in found), None)

        def make(connection: sqlite3.Connection) -> bytes:
            connection.execute(
                "INSERT OR IGNORE INTO secret VALUES (?, ?)",
                (_SECRET, secrets.token_bytes(_SECRET_BYTES)),
            )
            key = read(connection)
            assert key is not None
            return key

        key = await self._database.read(read)
        return Signer(key if key is not None else await self._database.write(make))
