"""
Content-Transfer-Encodings (RFC 2045 section 6): how long a body is, and what is in it.

Both are lenient as mail programs are, linear, and never raise.
"""

from __future__ import annotations

from binascii import a2b_base64
from quopri import decodestring

_NOT_BASE64 = bytes(
    c
    for c in range(256)
    if c not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)
_SLICE = 256 * 1024
"""Bytes that are worked on at a time, so that other threads get their turn."""


def decoded_size(raw: bytes, encoding: str) -> int:
    """
    Count the bytes that C{raw} encodes.
    """
    if encoding == "base64":
        slices = range(0, len(raw), _SLICE)
        letters = sum(len(raw[at : at + _SLICE].translate(None, _NOT_BASE64)) for at in slices)
        return letters * 3 // 4
    if encoding == "quoted-printable":
        lines = raw.count(b"=\r\n")
        return max(0, len(raw) - 3 * lines - 2 * (raw.count(b"=") - lines))
    return len(raw)


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
    return raw[:limit]


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
