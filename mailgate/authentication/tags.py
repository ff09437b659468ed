"""
Lists of tags, as DKIM and ARC have them in header fields and in the DNS (RFC 6376 section 3.2).
"""

from __future__ import annotations

import re

from mailgate.wire.base64 import strict_b64decode

TAGS = 100
"""How many a list may have; none that is in use has more than twelve."""

_SPACE = " \t\r\n"
_USUAL = frozenset(
    ("v", "a", "b", "bh", "c", "d", "h", "i", "l", "q", "s", "t", "x", "cv", "k", "n", "p")
)
"""Names that need not be looked at."""

_NAME = re.compile(r"[a-z][a-z0-9_]*", re.IGNORECASE | re.ASCII)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ALL_SPACE = re.compile(r"[ \t\r\n]+")
_PADDING = 2
_DIGITS = re.compile(r"[0-9]{1,76}", re.ASCII)


class TagError(ValueError):
    """
    A list of tags, or what a tag says, is out of the grammar; the message says why in words.
    """


class Tags:
    """
    Tags by their names, which are case-sensitive.
    """

    __slots__ = ("_values",)

    def __init__(self, raw: bytes) -> None:
        """
        Read a list.

        @raise TagError: it is none, or a tag stands there twice.
        """
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise TagError("a character is not UTF-8") from None
        if _FORBIDDEN.search(text):
            raise TagError("there is a control character")
        pieces = text.split(";", TAGS)
        if len(pieces) > TAGS:
            raise TagError(f"there are more than {TAGS} tags")
        if not pieces[-1].strip(_SPACE):
            pieces.pop()
        values: dict[str, str] = {}
        for piece in pieces:
            name, equals, value = piece.partition("=")
            name, value = name.strip(_SPACE), value.strip(_SPACE)
            if not equals or (name not in _USUAL and not _NAME.fullmatch(name)):
                raise TagError("what should be a tag is none")
            if name in values:
                raise TagError(f"{name[:20]}= stands there twice")
            values[name] = value
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    @property
    def first(self) -> str:
        """
        Give the name of the first tag, or C{""}.
        """
        return next(iter(self._values), "")

    def text(self, name: str, default: str | None = None) -> str:
        """
        Give the value of a tag, white space inside it left out.

        @raise TagError: it is not there, and has no default.
        """
        value = self._values.get(name, default)
        if value is None:
            raise TagError(f"{name}= is missing")
        # Few have any, and to look is faster than to replace.
        return _ALL_SPACE.sub("", value) if _ALL_SPACE.search(value) else value

    def number(self, name: str) -> int | None:
        """
        Give the value of a tag that is a number, or C{None} where it is not there.

        @raise TagError: it is no number.
        """
        if name not in self._values:
            return None
        digits = self._values[name]
        if not _DIGITS.fullmatch(digits):
            raise TagError(f"{name}= is no number")
        return int(digits)

    def binary(self, name: str) -> bytes:
        """
        Give the value of a tag that is in base64. Padding may be missing (section 2.10).

        @raise TagError: it is not there, empty or no base64.
        """
        text = self.text(name)
        bare = text.rstrip("=")
        try:
            if bare and len(text) - len(bare) <= _PADDING:
                return strict_b64decode(f"{bare}{'=' * (-len(bare) % 4)}".encode("ascii"))
        except ValueError:  # what is not even ASCII is one too
            raise TagError(f"{name}= is no base64") from None
        raise TagError(f"{name}= is no base64")

    def words(self, name: str, default: str) -> tuple[str, ...]:
        """
        Give the value of a tag that is a list with colons.
        """
        return tuple(self.text(name, default).split(":"))
