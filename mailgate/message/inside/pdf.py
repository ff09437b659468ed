"""
What a PDF does when it is opened, and where its links lead: by the names in it (ISO 32000-1), also
those in compressed object streams (7.5.7). It is not taken apart; linear, never raising.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from mailgate.message.inside.signs import Look, SignKind

PDF_LIMIT = 32 * 1024 * 1024
"""Bytes of a PDF that are looked at."""

_INFLATED = 8 * 1024 * 1024
_STREAMS = 2000
"""How many object streams are looked at, and how many bytes of them all."""

_DICTIONARY = 600
"""Bytes before a stream in which its dictionary stands."""

_STREAM = re.compile(rb"\bstream\r?\n")
_HEX_IN_NAME = re.compile(rb"#([0-9a-fA-F]{2})")
_URI = re.compile(
    rb"/URI\s{0,10}"
    rb"(?:\(((?:[^()\\]|\\.|\([^()]{0,200}\)){1,2000})\)"
    rb"|<([0-9A-Fa-f\s]{2,4000})>)",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r?\n|.)", re.DOTALL)
_NAMES = {
    name: re.compile(rb"/" + name.encode("ascii") + rb"(?![A-Za-z0-9])")
    for name in (
        "JavaScript", "JS", "OpenAction", "AA", "Launch", "EmbeddedFile", "EmbeddedFiles", "GoToE",
        "Encrypt",
    )
}  # fmt: skip
_LAUNCHED = re.compile(rb"/(?:F|Win)\s{0,10}(?:<<[^>]{0,200}?/F\s{0,10})?\(([^)]{1,200})\)")


def look_at_pdf(data: bytes, look: Look, path: tuple[str, ...]) -> bool:
    """
    Look at a PDF.

    @return: whether something in it could not be read here: it is encrypted, or its objects are
        compressed in another way.
    """
    data = data[:PDF_LIMIT]
    found: set[str] = set()
    launched = ""
    pieces = _Pieces(data)
    for piece in pieces:
        plain = _HEX_IN_NAME.sub(_byte, piece) if b"#" in piece else piece
        found.update(name for name, pattern in _NAMES.items() if pattern.search(plain))
        if not launched and "Launch" in found:
            match = _LAUNCHED.search(plain)
            launched = match[1].decode("latin-1") if match else ""
        if "Encrypt" not in found:
            for match in _URI.finditer(plain):
                look.lead(_string(match))
    tell(found, launched, look, path)
    return "Encrypt" in found or pieces.is_unread


def tell(found: set[str], launched: str, look: Look, path: tuple[str, ...]) -> None:
    """
    Tell what the names in a PDF mean.

    @param launched: what it starts, as written there, or C{""}.
    """
    opens = " when it is opened" if found & {"OpenAction", "AA"} else ""
    if found & {"JavaScript", "JS"}:
        look.see(SignKind.PDF_SCRIPT, f"runs JavaScript{opens}", path)
    if "Launch" in found:
        what = f" ({launched})" if launched else ""
        look.see(SignKind.PDF_LAUNCH, f"starts another program{opens}{what}", path)
    if found & {"EmbeddedFile", "EmbeddedFiles", "GoToE"}:
        look.see(SignKind.PDF_FILES, "has files in it", path)


class _Pieces:
    """
    A PDF, and each of its object streams inflated.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.is_unread = False

    def __iter__(self) -> Iterator[bytes]:
        data, left, count = self._data, _INFLATED, 0
        yield data
        if b"#" not in data and b"/ObjStm" not in data:
            return
        for match in _STREAM.finditer(data):
            head = data[max(0, match.start() - _DICTIONARY) : match.start()]
            head = _HEX_IN_NAME.sub(_byte, head[head.rfind(b" obj") :])
            if b"/ObjStm" not in head:
                continue
            count += 1
            if count > _STREAMS or left <= 0 or not _is_flate(head):
                self.is_unread = True
                continue
            try:
                piece = zlib.decompressobj().decompress(
                    data[match.end() : match.end() + left], left
                )
            except zlib.error:
                self.is_unread = True
                continue
            left -= len(piece)
            yield piece


def _is_flate(head: bytes) -> bool:
    filters = head.count(b"Decode") - head.count(b"/DecodeParms")
    return filters == 1 and b"/FlateDecode" in head


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)])


def _string(match: re.Match[bytes]) -> str:
    """
    Read a string of a PDF (7.3.4).
    """
    if match[2] is not None:
        digits = b"".join(match[2].split())
        raw = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    else:
        raw = _ESCAPE.sub(_escaped, match[1])
    if raw.startswith(b"\xfe\xff"):
        return raw[2:].decode("utf-16-be", "replace")
    return raw.decode("utf-8", "replace")


def _escaped(match: re.Match[bytes]) -> bytes:
    what = match[1]
    if what[:1].isdigit():
        return bytes([int(what, 8) & 255])
    if what.endswith(b"\n"):
        return b""
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}.get(what, what)
