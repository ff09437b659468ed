"""
What lies in C{winmail.dat}, in which Outlook wraps attachments (MS-OXTNEF). Linear, never raising.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import error, unpack_from

from attrs import frozen

from mailgate.message.parameters import NAME_LIMIT
from mailgate.message.text import characters

_SIGNATURE = b"\x78\x9f\x3e\x22"
_ATTRIBUTES = 10_000
_PROPERTIES = 1000
_VALUES = 1000

_RENDER_DATA = 0x9002
_TITLE = 0x8010
_DATA = 0x800F
_PROPERTIES_OF_ATTACHMENT = 0x9005

# Properties of MAPI (MS-OXPROPS): their ids.
_NAMES = (0x3707, 0x3704, 0x3001)
"""PidTagAttachLongFilename, PidTagAttachFilename, PidTagDisplayName: the best first."""

_CONTENT = 0x3701
"""PidTagAttachDataBinary or PidTagAttachDataObject."""

_SIZES = {
    0x0002: 4, 0x0003: 4, 0x0004: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x000A: 4, 0x000B: 4,
    0x0014: 8, 0x0040: 8, 0x0048: 16,
}  # fmt: skip
"""Types of a fixed size, with the bytes that they take."""

_STRING, _UNICODE, _OBJECT, _BINARY = 0x001E, 0x001F, 0x000D, 0x0102
_MULTIPLE = 0x1000


@frozen
class Wrapped:
    """
    A file in it.
    """

    names: tuple[str, ...]
    content: bytes


@frozen
class Tnef:
    """
    What was found.
    """

    files: tuple[Wrapped, ...]
    flaws: tuple[str, ...]
    """Why not everything is seen, each a sentence."""


def read_tnef(data: bytes, limit: int) -> Tnef:
    """
    Find the attached files, at most C{limit} of them.
    """
    files: list[Wrapped] = []
    flaws: list[str] = []
    names: dict[str, None] = {}
    content: bytes | None = None

    def finish() -> None:
        nonlocal content
        if content is not None:
            files.append(Wrapped(tuple(names), content))
        names.clear()
        content = None

    try:
        for tag, value in _attributes(data):
            if len(files) >= limit:
                flaws.append("It holds more files than are read.")
                break
            if tag == _RENDER_DATA:
                finish()
            elif tag == _TITLE:
                names[_name(value)] = None
            elif tag == _DATA:
                content = value
            elif tag == _PROPERTIES_OF_ATTACHMENT:
                said, inner = _of_attachment(value)
                names = dict.fromkeys((*said, *names))
                content = inner if inner else content
    except (error, ValueError):
        flaws.append("It is not built as it must be.")
    finish()
    return Tnef(tuple(files), tuple(flaws))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """
    @raise ValueError: it ends in the middle of one.
    """
    if not data.startswith(_SIGNATURE):
        raise ValueError("no TNEF")
    at = 6
    for _ in range(_ATTRIBUTES):
        if at + 9 > len(data):
            return
        tag, _kind, size = unpack_from("<HHI", data, at + 1)
        value = data[at + 9 : at + 9 + size]
        yield tag, value
        if len(value) < size:
            raise ValueError("it ends too early")
        at += 9 + size + 2  # a checksum, which no program needs
    raise ValueError("too many attributes")


def _of_attachment(value: bytes) -> tuple[list[str], bytes]:
    """
    Take the names and the content out of the properties of an attachment.

    @raise ValueError: they are not built as they must be.
    """
    names: dict[int, str] = {}
    content = b""
    for identity, each, is_unicode in _properties(value):
        if identity in _NAMES:
            names[identity] = _name(each, is_unicode)
        elif identity == _CONTENT:
            content = each
    return [names[identity] for identity in _NAMES if names.get(identity)], content


def _properties(data: bytes) -> Iterator[tuple[int, bytes, bool]]:
    (count,) = unpack_from("<I", data)
    at = 4
    for _ in range(min(count, _PROPERTIES)):
        kind, identity = unpack_from("<HH", data, at)
        at += 4
        if identity >= 0x8000:  # it has a name: a GUID, and a number or a text
            (is_text,) = unpack_from("<I", data, at + 16)
            at += 24
            if is_text:
                (size,) = unpack_from("<I", data, at - 4)
                at += size + -size % 4
        single = kind & ~_MULTIPLE
        values = 1
        if kind & _MULTIPLE or single in (_STRING, _UNICODE, _OBJECT, _BINARY):
            (values,) = unpack_from("<I", data, at)
            at += 4
        if values > _VALUES:
            raise ValueError("too many values")
        for _ in range(values):
            if single in _SIZES:
                at += _SIZES[single]
                continue
            if single not in (_STRING, _UNICODE, _OBJECT, _BINARY):
                raise ValueError("a type that is not known")
            (size,) = unpack_from("<I", data, at)
            each = data[at + 4 : at + 4 + size]
            if len(each) < size:
                raise ValueError("it ends too early")
            at += 4 + size + -size % 4
            # An object begins with the id of its interface.
            yield identity, each[16:] if single == _OBJECT else each, single == _UNICODE


def _name(raw: bytes, is_unicode: bool = False) -> str:
    raw = raw[: NAME_LIMIT * 2]
    text = raw.decode("utf-16-le", "replace") if is_unicode else characters(raw)
    return text.partition("\0")[0][:NAME_LIMIT]
