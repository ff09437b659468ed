"""
The forms of headers and bodies that signatures are made over (RFC 6376 section 3.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from attrs import frozen

BLOCK = 65_536
"""Bytes that are worked on at a time."""

_LINE_ENDS = re.compile(rb"(?:\n\r)*")
"""Backwards."""

_SIGNATURE = re.compile(rb"((?:\A|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")


class Field(NamedTuple):
    """
    A header field as it stands in the message. There may be tens of thousands of them.
    """

    name: bytes
    """In small letters."""

    raw: bytes
    """With its name and folded lines, without the line end behind it."""

    @property
    def value(self) -> bytes:
        """
        Give what stands behind the colon.
        """
        return self.raw.partition(b":")[2]

    def canonical(self, is_relaxed: bool) -> bytes:
        """
        Give the form that is signed (sections 3.4.1 and 3.4.2), without a line end behind it.
        """
        if not is_relaxed:
            return self.raw
        value = _squeezed(self.value.replace(b"\r\n", b"")).strip(b" ")
        return self.name + b":" + value

    @property
    def unsigned(self) -> Field:
        """
        Give the field with an empty C{b=} (section 3.7).
        """
        name, colon, value = self.raw.partition(b":")
        return Field(self.name, name + colon + _SIGNATURE.sub(rb"\1", value))


def fields_of(section: bytes) -> list[Field]:
    """
    Cut a header section, up to its empty line, into its fields. A line that is neither a field nor
    the continuation of one is left out.
    """
    raws: list[bytes] = []
    folded: list[bytes] = []
    is_field = False
    for line in section.split(b"\r\n"):
        if not line:
            break
        if line[0] in b" \t":
            if is_field:
                folded.append(line)
            continue
        if folded:
            # Joined at once: line by line it would take quadratic time.
            raws[-1] = b"\r\n".join((raws[-1], *folded))
            folded = []
        is_field = b":" in line
        if is_field:
            raws.append(line)
    if folded:
        raws[-1] = b"\r\n".join((raws[-1], *folded))
    return [Field(raw[: raw.index(b":")].rstrip(b" \t").lower(), raw) for raw in raws]


def _squeezed(data: bytes) -> bytes:
    """
    Put one space in the place of all white space within lines.
    """
    # Halving runs until there are none takes one pass for each power of two; an expression takes
    # seven times as long where there are many, and nobody else can do anything meanwhile.
    if b"\t" in data:
        data = data.replace(b"\t", b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data


@frozen
class Form:
    """
    A form of a body that is signed.
    """

    is_relaxed: bool
    length: int | None = None
    """How many bytes of it are signed; C{None}: all."""


@frozen
class BodyHash:
    """
    The hash of a form of a body.
    """

    digest: bytes
    size: int
    """How many bytes the form has, signed or not."""


class BodyHasher:
    """
    Makes the hashes of several forms of a body as its bytes arrive, in memory that does not grow.
    """

    def __init__(self, forms: Iterable[Form]) -> None:
        self._sums = {form: _Sum(form.length) for form in forms}
        self._readers: list[tuple[_Simple, list[_Sum]]] = []
        for is_relaxed, reader in ((False, _Simple), (True, _Relaxed)):
            sums = [each for form, each in self._sums.items() if form.is_relaxed is is_relaxed]
            if sums:
                self._readers.append((reader(), sums))

    def update(self, data: bytes) -> None:
        """
        Take more of the body, cut anywhere.
        """
        for at in range(0, len(data), BLOCK):
            block = data[at : at + BLOCK]
            for reader, sums in self._readers:
                reader.feed(block, sums)

    def finish(self) -> dict[Form, BodyHash]:
        """
        Give the hash of each form, once, when the body is at its end.
        """
        for reader, sums in self._readers:
            reader.finish(sums)
        return {form: BodyHash(each.digest(), each.size) for form, each in self._sums.items()}


class _Sum:
    """
    The hash of the first bytes of something.
    """

    __slots__ = ("_hash", "_left", "size")

    def __init__(self, length: int | None) -> None:
        self._hash = sha256()
        self._left = length
        self.size = 0

    def update(self, data: bytes) -> None:
        self.size += len(data)
        if self._left is None:
            self._hash.update(data)
        elif self._left:
            self._hash.update(data[: self._left])
            self._left = max(0, self._left - len(data))

    def digest(self) -> bytes:
        return self._hash.digest()


class _Simple:
    """
    The form C{simple} (section 3.4.3): empty lines at the end are one line end.
    """

    def __init__(self) -> None:
        self._has_cr = False
        self._lines = 0
        """Line ends that are held back, since nothing may follow them."""

        self._is_empty = True

    def feed(self, data: bytes, sums: list[_Sum]) -> None:
        if self._has_cr:
            data = b"\r" + data
        self._has_cr = data.endswith(b"\r")
        if self._has_cr:
            data = data[:-1]
        self._take(data, sums)

    def _take(self, data: bytes, sums: list[_Sum]) -> None:
        """
        Pass on what stands before line ends at the end.
        """
        ends = _LINE_ENDS.match(data[len(data.rstrip(b"\r\n")) :][::-1])
        end = len(data) - (ends.end() if ends else 0)
        if end:
            self._release(sums)
            self._emit(data[:end], sums)
        self._lines += (len(data) - end) // 2

    def _release(self, sums: list[_Sum]) -> None:
        while self._lines:
            lines = min(self._lines, BLOCK // 2)
            self._emit(b"\r\n" * lines, sums)
            self._lines -= lines

    def _emit(self, data: bytes, sums: list[_Sum]) -> None:
        self._is_empty = False
        for each in sums:
            each.update(data)

    def finish(self, sums: list[_Sum]) -> None:
        if self._has_cr:
            self._has_cr = False
            self._take(b"\r", sums)
        self._emit(b"\r\n", sums)


class _Relaxed(_Simple):
    """
    The form C{relaxed} (section 3.4.4): beside that no white space at the end of lines, and else
    one space for any.
    """

    def __init__(self) -> None:
        super().__init__()
        self._has_space = False

    def _take(self, data: bytes, sums: list[_Sum]) -> None:
        if not data:
            return
        data = _squeezed(data)
        if self._has_space and not data.startswith((b" ", b"\r\n")):
            data = b" " + data
        data = data.replace(b" \r\n", b"\r\n")
        self._has_space = data.endswith(b" ")
        super()._take(data[:-1] if self._has_space else data, sums)

    def finish(self, sums: list[_Sum]) -> None:
        if self._has_cr:
            self._has_cr = False
            self._take(b"\r", sums)
        if not self._is_empty:
            self._emit(b"\r\n", sums)
