"""
Content-Transfer-Encodings (RFC 2045 section 6): how long a body is, and what is in it.

Both are lenient as mail programs are, linear, and never raise.
"""

from __future__ import annotations

from binascii import a2b_base64
from quopri import decodestring

from mailgate.message.embedded import uuencoded

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(c for c in range(256) if c not in _BASE64)
_UUENCODED = frozenset(("x-uuencode", "uuencode", "x-uue", "uue"))
_PIECES = 10_000
"""How many pieces of base64 with padding of their own are read."""

_SLICE = 256 * 1024
"""Bytes that are worked on at a time, so that other threads get their turn."""


UNTIL_PADDING = "base64 until its padding"
IN_PIECES = "base64 in pieces"
"""
As what other programs read base64 that has padding within: as ended, or as several pieces.
"""


def measure(raw: bytes, encoding: str) -> tuple[int, bool]:
    """
    Count the bytes that C{raw} encodes, and tell whether base64 is as RFC 2045 section 6.8 has it:
    letters, line ends, and padding at the very end. Any other encoding is.
    """
    if encoding == "base64":
        slices = range(0, len(raw), _SLICE)
        rest = b"".join(raw[at : at + _SLICE].translate(None, _BASE64) for at in slices)
        letters = len(raw) - len(rest)
        padding = rest.strip(b"\r\n")
        is_strict = padding in (b"", b"=", b"==") and (letters + len(padding)) % 4 == 0
        is_strict = is_strict and raw.rstrip(b"\r\n").endswith(padding)
        return letters * 3 // 4, is_strict
    if encoding == "quoted-printable":
        lines = raw.count(b"=\r\n")
        return max(0, len(raw) - 3 * lines - 2 * (raw.count(b"=") - lines)), True
    if encoding in _UUENCODED or encoding in (UNTIL_PADDING, IN_PIECES):
        return len(raw) * 3 // 4, False
    return len(raw), True


def decode_body(raw: bytes, encoding: str, limit: int) -> bytes:
    """
    Decode the beginning of C{raw}, to at most C{limit} bytes.

    @param encoding: in lower case; one that is not known is none.
    """
    if encoding == "base64":
        letters = _letters(raw, (limit + 2) // 3 * 4)
        return a2b_base64(letters + b"=" * (-len(letters) % 4))[:limit]
    if encoding == "quoted-printable":
        decoded = decodestring(raw[: limit * 3])
        if len(decoded) < limit and len(raw) > limit * 3:
            decoded = decodestring(raw)
        return decoded[:limit]
    if encoding == UNTIL_PADDING:
        return decode_body(raw.partition(b"=")[0], "base64", limit)
    if encoding == IN_PIECES:
        return _decode_pieces(raw, limit)
    if encoding in _UUENCODED:
        return b"".join(file.content(limit) for file in uuencoded(raw).found[:1])
    return raw[:limit]


def _decode_pieces(raw: bytes, limit: int) -> bytes:
    decoded: list[bytes] = []
    left = limit
    for piece in raw.split(b"=", _PIECES):
        if left <= 0:
            break
        decoded.append(decode_body(piece, "base64", left))
        left -= len(decoded[-1])
    return b"".join(decoded)


def _letters(raw: bytes, count: int) -> bytes:
    """
    Give the first C{count} letters of base64, however much lies between them, in a number
    that can be decoded.
    """
    pieces = []
    left = count
    step = min(_SLICE, max(4096, count * 2))
    for at in range(0, len(raw), step):
        piece = raw[at : at + step].translate(None, _NOT_BASE64)
        pieces.append(piece)
        left -= len(piece)
        if left <= 0:
            break
    letters = b"".join(pieces)[:count]
    return letters[: len(letters) - (len(letters) % 4 == 1)]
