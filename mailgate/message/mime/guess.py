"""
A reading that believes no boundary: whatever looks like the header section of a file is one.
"""

from __future__ import annotations

import re

from mailgate.message.encoding import IN_PIECES, measure
from mailgate.message.header import Headers
from mailgate.message.mime.manner import any_of
from mailgate.message.mime.parts import Limits, Part

_FIELD = re.compile(
    rb"(?:^|\n)[ \t]*+(content-(?:type|disposition|transfer-encoding)[^:\r\n]{0,20}:)",
    re.IGNORECASE,
)
_EMPTY = re.compile(rb"\r\n[ \t]*+\r\n")
_LETTERS = re.compile(rb"\s*+(?:[A-Za-z0-9+/]{40,}+={0,2}\s*+)++")
_SNIFFED = 200
_SLICE = 64 * 1024
_LONGEST = 16 * 1024
"""Bytes of white space and a name, which may begin at the end of a slice."""

_HEADERS = 16 * 1024
_LEAST = 256
"""Bytes that a header section counts beside those that it has."""


def guess(data: bytes, limits: Limits) -> tuple[tuple[Part, ...], bool]:
    """
    Find what may be an attached file, wherever it stands, and tell whether that is all there is.

    Each that is not stated to be base64 but looks like it is given twice.
    """
    parts: list[Part] = []
    border = 0
    at, left = 0, 4 * limits.header_bytes
    while True:
        field = _field(data, at, len(data))
        if field is None or len(parts) >= limits.parts or left <= 0:
            return tuple(parts), field is None
        begin = field.start(1)
        window = min(len(data), begin + _HEADERS)
        empty = _EMPTY.search(data, begin, window)
        body = window if empty is None else empty.end()
        at = body - 1
        left -= body - begin + _LEAST
        described = any_of(Headers.parse(data[begin:body]), "text/plain")
        kind, names = described.type, described.names[: limits.names]
        if kind.startswith(("multipart/", "message/")):
            continue
        if kind.startswith("text/") and not names and described.disposition != "attachment":
            continue
        if 0 <= border < body:
            border = data.find(b"\n--", body)
        following = _field(data, body, len(data) if border < 0 else border)
        end = len(data) if border < 0 else max(body, border - 1)
        end = end if following is None else following.start()
        at = max(at, end - 1)
        encodings = {described.encoding: None}
        if _LETTERS.match(data[body : min(end, body + _SNIFFED)]):
            encodings["base64"] = None
        for encoding in encodings:
            if encoding == "base64" and not measure(data[body:end], encoding)[1]:
                encoding = IN_PIECES
            parts.append(
                Part(
                    1,
                    kind,
                    described.disposition,
                    names,
                    end - body,
                    True,
                    encoding=encoding,
                    begin=body,
                    end=max(body, end),
                )
            )


def _field(data: bytes, at: int, stop: int) -> re.Match[bytes] | None:
    """
    Find the next field, some bytes at a time, so that other threads get their turn.
    """
    for begin in range(at, stop, _SLICE):
        end = begin + _SLICE
        found = _FIELD.search(data, begin, min(stop, end + _LONGEST))
        if found is not None:
            return found
    return None
