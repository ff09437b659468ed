"""
The names inside a tar file, of whatever kind (POSIX ustar and pax, GNU, older ones).
"""

from __future__ import annotations

from attrs import frozen

from mailgate.message.parameters import NAME_LIMIT
from mailgate.message.text import characters

_BLOCK = 512
_LONG_LIMIT = 64 * 1024
_FILES = b"0\x007"
_EMPTY = b"\0" * _BLOCK


@frozen
class TarEntry:
    """
    A file in a tar file.
    """

    names: tuple[str, ...]
    begin: int
    """Where its data begin."""

    size: int


@frozen
class Tar:
    """
    What a tar file holds.
    """

    entries: tuple[TarEntry, ...]
    flaws: tuple[str, ...]
    """What is broken or more than is read, each a sentence."""


def read_tar(data: bytes, limit: int) -> Tar:
    """
    Read the names of at most C{limit} files. Never raises; linear in the size of C{data}.
    """
    entries: list[TarEntry] = []
    long: list[str] = []
    at = 0
    for _ in range(3 * limit):
        header = data[at : at + _BLOCK]
        if len(header) < _BLOCK or header == _EMPTY:
            return Tar(tuple(entries), ())
        size = _number(header[124:136])
        if not _is_header(header) or size is None:
            return Tar(tuple(entries), ("It is broken behind its beginning.",))
        begin, kind = at + _BLOCK, header[156:157]
        at = begin + (size + _BLOCK - 1) // _BLOCK * _BLOCK
        content = data[begin : begin + min(size, _LONG_LIMIT)]
        if kind == b"L":
            long.append(_text(content))
        elif kind in (b"x", b"g"):
            long.extend(_pax_paths(content))
        else:
            if kind in _FILES:
                names = dict.fromkeys(filter(None, (*long, _own_name(header))))
                entries.append(TarEntry(tuple(names), begin, size))
            long = []
        if len(entries) >= limit:
            break
    return Tar(tuple(entries), ("It holds more files than are read.",))


def _is_header(header: bytes) -> bool:
    said = _number(header[148:156])
    return said == sum(header) - sum(header[148:156]) + 8 * 32


def _number(field: bytes) -> int | None:
    """
    Read a number in octal digits or, with the first bit set, in bytes.
    """
    if field[0] & 0x80:
        number = int.from_bytes(field[1:])
        return number if number < 1 << 60 else None
    digits = field.strip(b" \0").partition(b"\0")[0]
    try:
        return int(digits or b"0", 8)
    except ValueError:
        return None


def _own_name(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500])
    return f"{prefix}/{name}" if prefix and header.startswith(b"ustar\0", 257) else name


def _text(raw: bytes) -> str:
    return characters(raw.partition(b"\0")[0][-4 * NAME_LIMIT :])[-NAME_LIMIT:]


def _pax_paths(content: bytes) -> list[str]:
    """
    Give the names in records such as C{20 path=a/long/name\\n}.
    """
    return [
        _text(line.partition(b" path=")[2])
        for line in content.split(b"\n")
        if b" path=" in line[:20]
    ]
