"""
What a stranger's file name amounts to on a computer that opens the file.
"""

from __future__ import annotations

import re
from unicodedata import category, normalize

from mailgate.message.parameters import NAME_LIMIT

_TURNED = re.compile("[\u202d\u202e]")
_SEPARATORS = re.compile(r"[/\\:]")
_FELL_OFF = ". \t\"'<>\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}"
"""
What a system or a program takes away from the end of a name, so that something shows that was
not its extension before.
"""
_CLASS = re.compile(r"\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}", re.ASCII)

CLASS = "{class}"
"""The extension of a name that ends with the id of a class of Windows, whichever it is."""


def forms(name: str) -> tuple[str, ...]:
    """
    Give the names, in lower case and without folders, that programs make of one name.

    What is not seen is taken out (control characters, marks of direction, zero-width letters);
    a name ends before a NUL for some and goes on for others; wide letters are plain ones for
    some. Dots and spaces at the end fall off.
    """
    name = name[-NAME_LIMIT:]
    if name.isascii() and name.isprintable():
        readings = [name]
    else:
        readings = [name, name.partition("\0")[0], normalize("NFKC", name)]
        readings = ["".join(filter(_is_seen, reading)) for reading in readings]
    found: dict[str, None] = {}
    for reading in readings:
        # What stands behind a colon is another stream of the same file, or a file.
        for piece in reading.replace("\\", "/").rstrip("/").rpartition("/")[2].split(":"):
            plain = piece.rstrip(_FELL_OFF).lower()
            if plain:
                found[plain] = None
    return tuple(found)


def extensions(form: str) -> tuple[str, ...]:
    """
    Give what stands behind the dots of one of L{forms}, without white space; the last decides
    what the file is opened with.
    """
    pieces = [piece.strip(_FELL_OFF) for piece in form.split(".")[1:]]
    if pieces and _CLASS.fullmatch(pieces[-1]):
        pieces[-1] = CLASS
    return tuple(pieces)


def is_turned(name: str) -> bool:
    """
    Tell whether a name is written so that its letters are shown in another order.
    """
    return _TURNED.search(name) is not None


def _is_seen(character: str) -> bool:
    return category(character) not in ("Cc", "Cf")
