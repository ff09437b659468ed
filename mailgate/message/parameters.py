"""
Header fields with parameters (RFC 2045 section 5.1, RFC 2231), and the file names in them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from mailgate.message.header import decode
from mailgate.message.text import characters

VALUE_LIMIT = 8192
"""How many bytes of a value are looked at."""

NAME_LIMIT = 1000
"""How many characters of a file name are kept."""

_PARAMETER = re.compile(
    rb';\s*([^\s=;"]+)\s*=\s*(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"?|([^;]*))', re.DOTALL
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT = re.compile(rb"\([^()]*\)")
_TOKEN = rb"[!#-'*+\-.0-9A-Z^-~]++"
_REGULAR = re.compile(
    rb"[ \t]*+%(token)s(?:/%(token)s)?+"
    rb"(?:[ \t]*+;[ \t]*+%(token)s=(?:%(token)s|\"(?:[^\0\r\n\"\\]++|\\[\"\\])*+\"))*+"
    rb"[ \t]*+;?[ \t]*+" % {b"token": _TOKEN}
)
_CONTINUED = re.compile(r"(.+)\*(\d{1,3})(\*?)", re.ASCII)


@frozen
class Value:
    """
    A value such as C{text/plain; charset=utf-8}.
    """

    word: str
    """What stands before the first semicolon, in lower case, without comments."""

    parameters: tuple[tuple[str, bytes], ...]
    """Names in lower case with their raw content, unquoted, in their order."""

    is_regular: bool = field(default=True, eq=False)
    """
    Whether it follows the grammar of RFC 2045 section 5.1, without comments, and has each
    parameter once, so that all programs read it as the same.
    """

    is_extended: bool = field(default=False, eq=False)
    """Whether a parameter is written as in RFC 2231."""

    is_named: bool = field(default=True, eq=False)
    """Whether a parameter may be the name of a file."""

    @classmethod
    def parse(cls, value: bytes) -> Value:
        """
        Read a value, leniently: an unclosed quote reaches to the end. Never raises.
        """
        if not value:
            return _NOTHING
        return _read_again(value) if len(value) <= _SHORT else _read(value[:VALUE_LIMIT])

    def get(self, name: str) -> bytes:
        """
        Give the raw content of the first parameter C{name}, or C{b""}.
        """
        for known, content in self.parameters:
            if known == name:
                return content
        return b""


_NOTHING = Value("", (), is_regular=False, is_named=False)


def _read(value: bytes) -> Value:
    word = value.partition(b";")[0]
    word = (_COMMENT.sub(b"", word) if b"(" in word else word).strip().lower()
    parameters = []
    for match in _PARAMETER.finditer(value):
        name, quoted, token = match.groups()
        content = token.strip() if quoted is None else quoted
        if quoted is not None and b"\\" in quoted:
            content = _ESCAPE.sub(rb"\1", quoted)
        parameters.append((characters(name).lower(), content))
    is_regular = _REGULAR.fullmatch(value) is not None
    names = [name for name, _ in parameters]
    is_regular = is_regular and len(set(names)) == len(names)
    is_extended = b"*" in value and any("*" in name for name in names)
    is_named = any("name" in name for name in names)
    return Value(characters(word), tuple(parameters), is_regular, is_extended, is_named)


# Nearly all messages say one of the same few things: "text/html; charset=utf-8", "base64".
_SHORT = 50
_read_again = lru_cache(maxsize=512)(_read)


def file_names(disposition: Value, content_type: Value) -> tuple[str, ...]:
    """
    Read the file name in every way in which programs read it, the usual one first.

    A name may stand in both fields, plain or as RFC 2231 or RFC 2047 encode it, in pieces, and
    more than once; where two readings differ, both are given.
    """
    if not (disposition.is_named or content_type.is_named):
        return ()
    found = readings(disposition, "filename") + readings(content_type, "name")
    return tuple(dict.fromkeys(_cut(reading) for reading in found if reading))


def _cut(name: str) -> str:
    """
    Take out the middle of a name that is too long, since its end says what the file is.
    """
    if len(name) <= NAME_LIMIT:
        return name
    return f"{name[: NAME_LIMIT // 2 - 1]}…{name[-NAME_LIMIT // 2 :]}"


def readings(value: Value, parameter: str) -> list[str]:
    """
    Read a parameter in every way: extended, joined of its pieces, decoded, as it stands.
    """
    found = []
    pieces: dict[int, tuple[bytes, bool]] = {}
    plain: list[str] = []
    for name, content in value.parameters:
        continued = _CONTINUED.fullmatch(name)
        if name == parameter:
            plain += [decode(content, VALUE_LIMIT), characters(content)]
        elif name == f"{parameter}*":
            found.append(_extended(content))
        elif continued and continued[1] == parameter:
            pieces.setdefault(int(continued[2]), (content, bool(continued[3])))
    if 0 in pieces:
        found.append(_joined(pieces))
    return found + plain


def _extended(content: bytes) -> str:
    charset, _, rest = content.partition(b"'")
    _, quote, text = rest.partition(b"'")
    if not quote:
        return characters(unquote_to_bytes(content))
    return characters(unquote_to_bytes(text), characters(charset))


def _joined(pieces: dict[int, tuple[bytes, bool]]) -> str:
    charset = ""
    first, is_encoded = pieces[0]
    if is_encoded and first.count(b"'") >= 2:
        name, _, first = first.split(b"'", 2)
        charset = characters(name)
        pieces[0] = (first, True)
    joined = b""
    for index in range(len(pieces)):
        if index not in pieces:
            break
        text, is_encoded = pieces[index]
        joined += unquote_to_bytes(text) if is_encoded else text
    return characters(joined, charset)
