"""
How programs differ in what they make of the header section of a part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from attrs import frozen

from mailgate.message.encoding import IN_PIECES, UNTIL_PADDING
from mailgate.message.header import Headers
from mailgate.message.mime.regular import FIELDS
from mailgate.message.parameters import NAME_LIMIT, VALUE_LIMIT, Value, file_names, readings
from mailgate.message.text import characters

VALUES_READ = 10
"""How many fields of a kind are searched for file names where one is allowed."""

_BOUNDARY_LIMIT = 256
_BOUNDARIES = 20
_COMMENT = re.compile(rb"\([^()]*\)")
_ANY_BOUNDARY = re.compile(
    rb"boundary[*0-9]*+\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^;\s]++))", re.IGNORECASE
)
_ANY_NAME = re.compile(
    rb"name(\*[*0-9]*+)?+\s*+=\s*+(?:\"([^\"]*+)\"?|([^;\r\n]++))", re.IGNORECASE
)
_ANY_KIND = re.compile(r"([a-z]+)\s*/\s*([a-z0-9.+_-]+)", re.ASCII)
_NOT_NAME = re.compile("[^a-z-]")


class Described(NamedTuple):
    """
    What a part says of itself. (A tuple, since each part needs one, and it is made in no time.)
    """

    type: str
    """As in L{Part}."""

    disposition: str
    encoding: str
    charset: str
    boundaries: tuple[bytes, ...]
    """Each of which separates its parts; none where it has no parts."""

    names: tuple[str, ...]
    values: tuple[Value, Value, Value]
    """Content-Type, Content-Disposition and Content-Transfer-Encoding."""


Describe = Callable[[Headers, str], Described]
"""Takes the fields and the type of a part that states none."""


@frozen
class Manner:
    """
    One way in which programs read a message.
    """

    words: str
    """What such programs do, as it stands behind "one that"."""

    describe: Describe
    is_loose: bool = False
    """Whether a line that begins with a boundary is one, at any time and in any letters."""

    is_outermost_first: bool = False
    """Whether a line that is a boundary of two containers belongs to the outer one."""

    ends_early: bool = False
    """Whether a line that is no header field ends the header section."""

    base64: str = "base64"
    """How it decodes base64."""


def first_of(headers: Headers, default: str) -> Described:
    """
    Read the fields as most programs do: the first of several, by the grammar.
    """
    described = headers.once(_first_of)
    return described if described.type else described._replace(type=default)


def last_of(headers: Headers, default: str) -> Described:
    """
    Read the last of several fields, and the last of several parameters.
    """
    return _described(headers, default, _last)


def _first_of(headers: Headers) -> Described:
    return _described(headers, "", _first)


def _described(headers: Headers, default: str, take: Callable[[Headers, str], Value]) -> Described:
    content_type, disposition, encoding = values = (
        take(headers, "content-type"),
        take(headers, "content-disposition"),
        take(headers, "content-transfer-encoding"),
    )
    kind = content_type.word if "/" in content_type.word else default
    boundary = content_type.get("boundary")[:_BOUNDARY_LIMIT].rstrip()
    return Described(
        kind,
        disposition.word,
        encoding.word,
        characters(content_type.get("charset")),
        (boundary,) if boundary and kind.startswith("multipart/") else (),
        _all_names(headers, disposition, content_type),
        values,
    )


def _first(headers: Headers, name: str) -> Value:
    values = headers.fields.get(name)
    return Value.parse(values[0].strip(b" \t")) if values else _NOTHING


def _last(headers: Headers, name: str) -> Value:
    values = headers.fields.get(name)
    if not values:
        return _NOTHING
    value = Value.parse(values[-1].strip(b" \t"))
    return Value(value.word, value.parameters[::-1], value.is_regular)


_NOTHING = Value.parse(b"")


def _all_names(headers: Headers, disposition: Value, content_type: Value) -> tuple[str, ...]:
    """
    Read the file name, also where a field is there more than once.
    """
    names = file_names(disposition, content_type)
    fields = headers.fields
    for name in ("content-type", "content-disposition"):
        if name in fields and len(fields[name]) > 1:
            for more in fields[name][1:VALUES_READ]:
                value = Value.parse(more.strip(b" \t"))
                names = tuple(dict.fromkeys((*names, *file_names(value, value))))
    return names


# -- loose ----------------------------------------------------------------------------------


def any_of(headers: Headers, default: str) -> Described:
    """
    Read whatever looks like a type, a boundary, an encoding or a name, in whichever field and
    however it is written.
    """
    types, dispositions, encodings = (_values(headers, name) for name in FIELDS)
    said = b";".join(types)
    kinds = [
        f"{match[1]}/{match[2]}"
        for value in types
        for match in _ANY_KIND.finditer(characters(_COMMENT.sub(b"", value)).lower(), 0, 200)
    ]
    kind = next((kind for kind in kinds if kind.startswith("multipart/")), None)
    kind = kind or next(iter(kinds), default)
    described = first_of(headers, default)
    names = dict.fromkeys(described.names)
    for value in (*dispositions, *types):
        names.update(dict.fromkeys(names_anywhere(value)))
    disposition = "attachment" if b"attachment" in b";".join(dispositions).lower() else ""
    return Described(
        kind,
        disposition or described.disposition,
        _encoding(encodings),
        described.charset,
        _boundaries(types, said) if kind.startswith("multipart/") else (),
        tuple(names),
        described.values,
    )


def names_anywhere(value: bytes) -> tuple[str, ...]:
    """
    Find whatever looks like a parameter that names a file, and read it in all ways: each by
    itself, and all pieces joined as they stand there.
    """
    value = value[:VALUE_LIMIT]
    found: dict[str, None] = {}
    pieces: list[bytes] = []
    for match in _ANY_NAME.finditer(value):
        is_piece, quoted, plain = match.groups()
        content = (plain if quoted is None else quoted).strip()
        forms = [content]
        if quoted is None:
            forms += [_COMMENT.sub(b"", content), content.partition(b" ")[0]]
        if is_piece:
            pieces.append(content)
            continue
        stem, dot, extension = content.rpartition(b".")
        forms.append(stem + dot + b"".join(extension.split()))
        for each in forms:
            found.update(dict.fromkeys(_decoded(each)))
    found.update(dict.fromkeys(_decoded(b"".join(pieces))))
    return tuple(name for name in found if name)


def _decoded(name: bytes) -> Iterable[str]:
    """
    Read a name in all ways in which one may be encoded.
    """
    return (each[:NAME_LIMIT] for each in readings(Value("", (("x", name), ("x*", name))), "x"))


def _values(headers: Headers, name: str) -> list[bytes]:
    """
    Give the values of all fields that may be taken for one: with anything else in their names.
    """
    return [
        value[:VALUE_LIMIT].strip(b" \t")
        for key, values in headers.fields.items()
        if name in key and _NOT_NAME.sub("", key).endswith(name)
        for value in values[:VALUES_READ]
    ]


def _encoding(encodings: list[bytes]) -> str:
    said = b" ".join(encodings).lower()
    for known in (b"base64", b"quoted-printable", b"uue", b"uuencode"):
        if known in said:
            return known.decode("ascii")
    if b"64" in said:
        return "base64"
    return "quoted-printable" if b"quoted" in said else ""


def _boundaries(types: list[bytes], said: bytes) -> tuple[bytes, ...]:
    found: dict[bytes, None] = {}
    for value in types:
        read = Value.parse(value)
        for name, content in read.parameters:
            if name == "boundary":
                found[content] = None
        for reading in readings(read, "boundary"):
            found[reading.encode("utf-8", "replace")] = None
    for text in (said, _COMMENT.sub(b"", said)):
        for match in _ANY_BOUNDARY.finditer(text):
            content = next(group for group in match.groups() if group is not None)
            found.update(dict.fromkeys((content, content.strip(b"\"' \t"), content[:70])))
    for content in list(found):
        found[_COMMENT.sub(b"", content).strip()] = None
        found[re.sub(rb"[ \t]+", b"", content)] = None
    cut = [content[:_BOUNDARY_LIMIT].strip().lower() for content in found]
    kept = sorted(filter(None, dict.fromkeys(cut)), key=len, reverse=True)
    return tuple(kept[:_BOUNDARIES])


USUAL = Manner("reads as most do", first_of)
CLEAN = Manner("takes every CR and LF for the end of a line, and no NUL", first_of)
LAST = Manner(
    "takes the last of several fields",
    last_of,
    is_outermost_first=True,
    base64=UNTIL_PADDING,
)
LOOSE = Manner(
    "takes whatever looks like a boundary, an encoding or a name",
    any_of,
    is_loose=True,
    base64=IN_PIECES,
)
EARLY = Manner("ends the header section at a line that is no field", first_of, ends_early=True)
