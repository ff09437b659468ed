"""
The header section of a message, read once and without trust.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as BinasciiError
from collections.abc import Callable
from functools import lru_cache
from quopri import decodestring
from typing import Any, TypeVar

from attrs import field, frozen

from mailgate.message.text import characters

T = TypeVar("T")

_TEXT_LIMIT = 1000
_ENCODED_WORD = re.compile(rb"=\?([!-<>@-~]{1,40})\?([bBqQ])\?([!->@-~ ]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t]+(?==\?)")


@frozen
class Headers:
    """
    The header fields of RFC 5322 section 2.2, by name.
    """

    fields: dict[str, list[bytes]]
    """Raw values by name in lower case, in the order of the message."""

    end: int
    """Where the body begins: the offset behind the empty line, or the length of what was read."""

    oddity: str = field(default="", eq=False)
    """
    Why programs may read other fields here, in words, or C{""}: the section is then as RFC 5322
    section 2.2 has it, and every line is a field or goes on with one.
    """

    _made: dict[Any, Any] = field(factory=dict, init=False, eq=False, repr=False)

    @classmethod
    def parse(cls, head: bytes) -> Headers:
        """
        Read the header section at the beginning of C{head}.

        Folded lines are joined (section 2.2.3: only the CRLF goes). A line that is no header
        field and no continuation is passed over. Never raises.
        """
        if head.startswith(b"\r\n"):
            return cls({}, 2)
        at = head.find(b"\r\n\r\n")
        section, end = (head[:at], at + 4) if at >= 0 else (head, len(head))
        fields: dict[str, list[bytes]] = {}
        values: list[bytes] | None = None
        folded: list[bytes] = []
        lines = section.split(b"\r\n")
        oddity = _oddity(section, lines)
        for line in lines:
            if line[:1] in (b" ", b"\t"):
                folded.append(line)
                if line.isspace():
                    oddity = "a line of white space stands among the header fields"
                continue
            if folded:
                # Joined at once: line by line it would take quadratic time.
                if values is not None:
                    values[-1] = b"".join((values[-1], *folded))
                folded = []
            name, colon, value = line.partition(b":")
            if not colon:
                values = None
                if line:
                    oddity = "a line among the header fields is none"
                continue
            key, is_odd = _key_again(name) if len(name) <= _SHORT else _key(name)
            if is_odd:
                oddity = "the name of a header field has characters that do not belong there"
            values = fields.setdefault(key, [])
            values.append(value)
        if folded and values is not None:
            values[-1] = b"".join((values[-1], *folded))
        return cls(fields, end, oddity)

    @classmethod
    def of_part(cls, section: bytes) -> Headers:
        """
        Read the header section of a part. The parts of nearly all messages begin with one of the
        same few, so it may be one that was read before, with what was made of it.
        """
        return _of_part_again(section) if len(section) <= _SHORT_SECTION else cls.parse(section)

    def once(self, make: Callable[[Headers], T]) -> T:
        """
        Give what a function makes of these fields; whoever asks next gets the same.
        """
        if make not in self._made:
            self._made[make] = make(self)
        made: T = self._made[make]
        return made

    def values(self, name: str) -> list[bytes]:
        """
        Give all values of a field, raw, with the white space around them taken off.
        """
        return [value.strip(b" \t") for value in self.fields.get(name.lower(), ())]

    def text(self, name: str) -> str:
        """
        Give the first value of a field as a person reads it, or C{""} where there is none.

        Encoded words (RFC 2047) are decoded; what cannot be decoded is shown as it came. At
        most 1,000 bytes are looked at. Never raises.
        """
        values = self.fields.get(name.lower())
        return decode(values[0].strip(b" \t")) if values else ""


_SHORT_SECTION = 160
_of_part_again = lru_cache(maxsize=512)(Headers.parse)


def _oddity(section: bytes, lines: list[bytes]) -> str:
    if section.count(b"\n") != len(lines) - 1 or section.count(b"\r") != len(lines) - 1:
        return "a header section has a CR or LF by itself"
    if b"\0" in section:
        return "a header section has a NUL"
    return "a header section begins with white space" if section[:1] in (b" ", b"\t") else ""


def _key(name: bytes) -> tuple[str, bool]:
    """
    Give the name of a field in lower case, and whether it is no C{field-name} (section 3.6.8).
    """
    return name.rstrip(b" \t").decode("latin-1").lower(), _FIELD_NAME.fullmatch(name) is None


# The names of fields are nearly always the same ones.
_SHORT = 50
_FIELD_NAME = re.compile(rb"[!-9;-~]+")
_key_again = lru_cache(maxsize=1024)(_key)


def decode(value: bytes, limit: int = _TEXT_LIMIT) -> str:
    """
    Decode a header value for display: encoded words, UTF-8, else Windows-1252. Never raises.

    @param limit: how many bytes are looked at.
    """
    value = value[:limit]
    if b"=?" not in value:
        return characters(value)
    value = _BETWEEN_WORDS.sub(rb"\1", value)
    pieces = []
    at = 0
    for word in _ENCODED_WORD.finditer(value):
        pieces.append(characters(value[at : word.start()]))
        pieces.append(_encoded_word(word))
        at = word.end()
    pieces.append(characters(value[at:]))
    return "".join(pieces)


def _encoded_word(word: re.Match[bytes]) -> str:
    charset, encoding, text = word.groups()
    try:
        if encoding in b"bB":
            raw = b64decode(text + b"=" * (-len(text) % 4))
        else:
            raw = decodestring(text.replace(b"_", b" "), header=True)
    except BinasciiError:
        return characters(word.group())
    # RFC 2231 section 5: a language may stand behind the charset.
    return characters(raw, charset.decode("ascii").partition("*")[0])
