"""
The names inside a zip file, as every kind of program reads them.

A zip file says twice what it holds: in a directory at its end and before each file. Programs
read the one or the other, so both are read here, and where they differ that is told.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import pairwise
from struct import error as struct_error
from struct import pack, unpack_from

from attrs import define, field, frozen

from mailgate.message.parameters import NAME_LIMIT
from mailgate.message.text import characters

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_LOCATOR_64 = b"PK\x06\x07"
_CENTRAL = b"PK\x01\x02"
_LOCAL = b"PK\x03\x04"
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_STORED, _DEFLATED = 0, 8
_METHODS = frozenset((*range(20), *range(92, 100)))
_ENCRYPTED = 1
_SIZES_BEHIND = 8
_ZIP_64 = 0x0001
_UNICODE_PATH = 0x7075
_SLASHES = bytes.maketrans(b"\\", b"/")
_NOT_ASCII = bytes(range(128, 256))
_FEED = 64 * 1024
_ENDS = 100
"""How many ends of a directory are looked at."""

_TRIES = 10_000
"""How many places that look like a file are looked at where no file should be."""


@frozen
class Entry:
    """
    A file in a zip file.
    """

    names: tuple[str, ...]
    """As the directory names it, then as it is named where it lies."""

    is_encrypted: bool
    is_folder: bool
    method: int
    local: int
    """Where its own header begins."""

    begin: int
    """Where its data begin."""

    packed: int
    """Bytes that they are said to take."""

    size: int
    """Bytes that they are said to be when unpacked."""

    @property
    def end(self) -> int:
        """
        Say where its data end.
        """
        return self.begin + self.packed

    @property
    def can_be_unpacked(self) -> bool:
        """
        Tell whether L{unpack} can unpack it.
        """
        return self.method in (_STORED, _DEFLATED) and not self.is_encrypted


@define
class Directory:
    """
    What a zip file holds.
    """

    entries: list[Entry] = field(factory=list)
    flaws: dict[str, None] = field(factory=dict)
    """What is broken or hidden, or more than is read, each a sentence."""

    overlaps: bool = False
    """Whether files share their bytes, as only in a bomb."""


def read_directory(data: bytes, limit: int) -> Directory:
    """
    Read the names of at most C{limit} files. Never raises; linear in the size of C{data}.
    """
    reader = _Reader(data, limit)
    reader.read()
    return reader.found


def unpack(data: bytes, entry: Entry, limit: int) -> bytes:
    """
    Unpack the beginning of a file, to at most C{limit} bytes. What is broken gives less.
    """
    if not entry.can_be_unpacked:
        return b""
    if entry.method == _STORED:
        return data[entry.begin : min(entry.end, entry.begin + limit)]
    return inflate(data, entry.begin, entry.end, -zlib.MAX_WBITS, limit)


def inflate(data: bytes, begin: int, end: int, bits: int, limit: int) -> bytes:
    """
    Inflate the beginning of what lies from C{begin} to C{end}. What is broken gives less.

    @param bits: which header is before it, as L{zlib.decompressobj} says.
    """
    machine = zlib.decompressobj(bits)
    pieces = []
    left = limit
    end = min(end, len(data))
    step = min(_FEED, max(512, limit))
    at = begin
    try:
        while at < end and left > 0 and not machine.eof:
            piece = machine.decompress(data[at : min(at + step, end)], left)
            at += step
            while piece:
                pieces.append(piece)
                left -= len(piece)
                if left <= 0 or not machine.unconsumed_tail:
                    break
                piece = machine.decompress(machine.unconsumed_tail, left)
    except zlib.error:
        pass  # What came before the broken place is all that any program gets out of it.
    return b"".join(pieces)


class _Reader:
    """
    One reading of one zip file.
    """

    def __init__(self, data: bytes, limit: int) -> None:
        self._data = data
        self._limit = limit
        self._seen: set[tuple[int, bytes]] = set()
        self.found = Directory()

    def read(self) -> None:
        behind = 0
        for start, offset, count in self._directories():
            behind = max(behind, self._central(start, offset, count))
        if not behind:
            self._flaw("It has no directory that can be read.")
        spans = sorted((entry.local, entry.end) for entry in self.found.entries)
        for (_, end), (local, _) in pairwise(spans):
            if end > local:
                self.found.overlaps = True
        if any(end > len(self._data) for _, end in spans):
            self._flaw("It ends in the middle of a file.")
        self._hidden(spans)

    def _flaw(self, sentence: str) -> None:
        self.found.flaws[sentence] = None

    def _numbers(self, layout: str, at: int) -> tuple[int, ...]:
        return unpack_from(layout, self._data, at)

    # -- the directory

    def _directories(self) -> Iterator[tuple[int, int, int]]:
        """
        Give the places at which programs look for the directory: where it begins, what it must
        be moved by for its offsets to be right, and how many files are said to be in it.
        """
        data = self._data
        last = data.rfind(_END)
        ends = [last]
        tries = _ENDS
        while last >= 0 and tries:
            tries -= 1
            # Some programs take only the one whose comment ends where the file does.
            if data[last + 20 : last + 22] == pack("<H", (len(data) - last - 22) % 65536):
                ends.append(last)
                break
            last = data.rfind(_END, max(0, len(data) - 22 - _FULL_16), last)
        for end in dict.fromkeys(ends):
            if 0 <= end <= len(data) - 22:
                yield from self._directory(end)

    def _directory(self, end: int) -> Iterator[tuple[int, int, int]]:
        data = self._data
        count, size, offset = unpack_from("<10xH2L", data, end)
        before = end
        if count == _FULL_16 or _FULL_32 in (size, offset):
            at = data.rfind(_END_64, 0, end)
            if data.startswith(_LOCATOR_64, end - 20) and 0 <= at <= end - 56:
                count, size, offset = unpack_from("<32x3Q", data, at)
                before = at
        if count == 0 == size:
            # Nothing is in it, or a directory is hidden.
            yield before, 0, 0
            return
        for start in dict.fromkeys((before - size, offset)):
            if 0 <= start < before and data.startswith(_CENTRAL, start):
                yield start, start - offset, count

    def _central(self, at: int, moved: int, count: int) -> int:
        """
        Read a directory.

        @return: where it ends.
        """
        data, entries = self._data, self.found.entries
        number = 0
        while data.startswith(_CENTRAL, at):
            if len(entries) >= self._limit:
                self._flaw("It holds more files than are read.")
                return len(data)
            try:
                at = self._entry(at, moved)
            except struct_error:
                self._flaw("Its directory is broken.")
                return len(data)
            number += 1
        # A count of 16 bits goes round.
        if number < count and (count - number) % 65536:
            self._flaw("Its directory is broken.")
        return max(at, 1)

    def _entry(self, at: int, moved: int) -> int:
        """
        Read one entry of a directory.

        @return: where the next one begins.
        @raise struct.error: the directory ends within it.
        """
        data = self._data
        flags, method, packed, size, names, extras, comments, offset = self._numbers(
            "<8x2H8x2L3H8xL", at
        )
        name = data[at + 46 : at + 46 + names]
        following = at + 46 + names + extras + comments
        more = b""
        if extras:
            extra = data[at + 46 + names : at + 46 + names + extras]
            size, packed, offset, more = _extended(extra, size, packed, offset)
        local = offset + moved
        if local < 0 or not data.startswith(_LOCAL, local):
            local = offset
        if (local, name) in self._seen:
            return following
        self._seen.add((local, name))
        readings = [_name(name)]
        if more:
            readings.append(characters(more, "utf-8"))
        begin = local
        if data.startswith(_LOCAL, local) and local + 30 <= len(data):
            inner_flags, inner_method, inner_names, inner_extras = self._numbers(
                "<6x2H16x2H", local
            )
            begin = local + 30 + inner_names + inner_extras
            inner = data[local + 30 : local + 30 + inner_names]
            if _plain(inner) != _plain(name):
                readings.append(_name(inner))
                self._flaw("Its directory names a file otherwise than the file itself.")
            elif (inner_flags ^ flags) & _ENCRYPTED or inner_method != method:
                self._flaw("Its directory says otherwise of a file than the file itself.")
            flags |= inner_flags & _ENCRYPTED
        else:
            self._flaw("A file is not where its directory says.")
        self.found.entries.append(
            Entry(
                tuple(dict.fromkeys(reading for reading in readings if reading)),
                bool(flags & _ENCRYPTED),
                name.endswith((b"/", b"\\")) and size == 0,
                method,
                local,
                begin,
                packed,
                size,
            )
        )
        return following

    # -- what the directory does not name

    def _hidden(self, spans: list[tuple[int, int]]) -> None:
        """
        Look for files between those that the directory names.
        """
        at = 0
        tries = _TRIES
        for local, end in (*spans, (len(self._data), 0)):
            while at < local:
                at = self._data.find(_LOCAL, at, local)
                if at < 0:
                    break
                tries -= 1
                if tries < 0:
                    self._flaw("Too many places look like a file; not all are looked at.")
                    return
                at = self._unnamed(at, local)
            at = max(at, end) if at >= 0 else max(local, end)

    def _unnamed(self, at: int, stop: int) -> int:
        """
        Take up what may be a file that the directory does not name.

        @return: where to look on.
        """
        data = self._data
        if at + 30 > len(data):
            return at + 4
        version, flags, method, packed, size, names, extras = self._numbers("<4x3H8x2L2H", at)
        begin = at + 30 + names + extras
        is_likely = version < 100 and method in _METHODS and names and begin <= stop
        if not is_likely:
            return at + 4
        if len(self.found.entries) >= self._limit:
            self._flaw("It holds more files than are read.")
            return stop
        if flags & _SIZES_BEHIND or _FULL_32 in (packed, size):
            following = data.find(_LOCAL, begin, stop)
            packed = (stop if following < 0 else following) - begin
        name = data[at + 30 : at + 30 + names]
        is_folder = name.endswith((b"/", b"\\")) and size == 0
        if not is_folder:
            self._flaw("A file is in it that its directory does not name.")
        self.found.entries.append(
            Entry(
                (_name(name),),
                bool(flags & _ENCRYPTED),
                is_folder,
                method,
                at,
                begin,
                packed,
                size,
            )
        )
        return min(begin + packed, stop)


def _extended(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int, bytes]:
    """
    Read the extra fields of an entry: large numbers (4.5.3) and a name in UTF-8 (4.6.9).
    """
    name = b""
    at = 0
    while at + 4 <= len(extra):
        kind, length = unpack_from("<2H", extra, at)
        content = extra[at + 4 : at + 4 + length]
        if kind == _ZIP_64:
            numbers = iter(unpack_from(f"<{len(content) // 8}Q", content))
            size = next(numbers, size) if size == _FULL_32 else size
            packed = next(numbers, packed) if packed == _FULL_32 else packed
            offset = next(numbers, offset) if offset == _FULL_32 else offset
        elif kind == _UNICODE_PATH:
            name = content[5:]
        at += 4 + length
    return size, packed, offset, name


def _name(raw: bytes) -> str:
    return characters(raw[-4 * NAME_LIMIT :])[-NAME_LIMIT:]


def _plain(name: bytes) -> bytes:
    """
    Give what of a name is the same whatever it is encoded in.
    """
    return name.translate(_SLASHES, _NOT_ASCII)
