"""
Domain names, as text and as they stand in a message.

The text of a name is ASCII in small letters without a dot at its end; the root is C{"."}. A label
may hold any byte (RFC 2181 section 11): a dot or a backslash within one is written behind a
backslash, and what is no visible character as a backslash and three digits (RFC 1035 section 5.1,
RFC 4343 section 2.1). So a text can be shown as it is, and read back to the same name.
"""

from __future__ import annotations

import re

ROOT = "."

LABEL_LIMIT = 63
NAME_LIMIT = 255
"""Bytes of a name in a message, with the length of each label and that of the root (RFC 1035
section 2.3.4)."""

_PLAIN = re.compile(rb"[!-\[\]-~]+")
_TEXT_LIMIT = 4 * NAME_LIMIT
_PIECE = re.compile(r"\\([0-9]{3})|\\([!-/:-~])|(\.)|([!-\[\]-~])")
_ESCAPES = {byte: chr(byte) if 0x21 <= byte <= 0x7E else f"\\{byte:03d}" for byte in range(256)} | {
    ord("."): "\\.",
    ord("\\"): "\\\\",
}


class NoName(ValueError):
    """
    A text that is no name: no server can be asked for it, and nothing can be there.
    """


def pack_name(text: str) -> bytes:
    """
    Give the name of a text as it stands in a message, in small letters and uncompressed.

    @param text: in any case, with or without a dot at its end.
    @raise NoName: a label is empty or longer than 63 bytes, the name is longer than 255, or a
        character is not ASCII or not visible.
    """
    if text == ROOT:
        return b"\0"
    if "\\" in text:
        return _packed(_labels(text))
    try:
        labels = text.encode("ascii").lower().split(b".")
    except UnicodeEncodeError:
        raise NoName("a character of the name is not ASCII") from None
    if not labels[-1]:
        labels.pop()
    if not all(map(_PLAIN.fullmatch, labels)):
        raise NoName("a label of the name is empty, or a character is not visible")
    return _packed(labels)


def normal_text(text: str) -> str:
    """
    Give the one text of a name.

    @param text: what L{pack_name} takes.
    """
    if "\\" in text:
        return unpack_name(pack_name(text))
    return text if text == ROOT else text.lower().removesuffix(".")


def text_of(labels: list[bytes]) -> str:
    """
    Give the text of the name with these labels.
    """
    if all(map(_PLAIN.fullmatch, labels)) and b"." not in b"".join(labels):
        return b".".join(labels).decode("ascii").lower() or ROOT
    return ".".join("".join(map(_ESCAPES.__getitem__, label.lower())) for label in labels)


def unpack_name(packed: bytes) -> str:
    """
    Give the text of what L{pack_name} gave.
    """
    labels = []
    at = 0
    while packed[at]:
        labels.append(packed[at + 1 : at + 1 + packed[at]])
        at += 1 + packed[at]
    return text_of(labels)


def _packed(labels: list[bytes]) -> bytes:
    if not labels or not all(labels):
        raise NoName("a label of the name is empty")
    if max(map(len, labels)) > LABEL_LIMIT:
        raise NoName(f"a label of the name is longer than {LABEL_LIMIT} bytes")
    packed = b"".join([bytes((len(label),)) + label for label in labels]) + b"\0"
    if len(packed) > NAME_LIMIT:
        raise NoName(f"the name is longer than {NAME_LIMIT} bytes")
    return packed


def _labels(text: str) -> list[bytes]:
    """
    Read a text that has escapes.
    """
    if len(text) > _TEXT_LIMIT:
        raise NoName(f"the name is longer than {NAME_LIMIT} bytes")
    labels = [bytearray()]
    at = 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            raise NoName("a character of the name is not visible, not ASCII, or a lone backslash")
        digits, escaped, dot, plain = match.groups()
        if digits is not None:
            if int(digits) > 255:
                raise NoName("the name has an escape above \\255")
            labels[-1].append(int(digits))
        elif dot is not None:
            labels.append(bytearray())
        else:
            labels[-1] += (escaped or plain).encode("ascii")
        at = match.end()
    if not labels[-1]:
        labels.pop()
    return [bytes(label).lower() for label in labels]
