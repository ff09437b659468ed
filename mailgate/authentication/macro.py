"""
Macros in SPF records (RFC 7208 section 7): read once, expanded often, both bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from attrs import field, frozen

NAME_LIMIT = 253
"""The characters of a domain name at most (RFC 7208 section 7.3)."""

EXPLANATION_LIMIT = 500
"""The characters of an explanation at most; what is longer is cut."""

_LETTERS = "slodiphv"
_LETTERS_OF_EXPLANATION = _LETTERS + "crt"
_PIECE = re.compile(
    r"%\{(?P<letter>[a-z])(?P<digits>[0-9]*)(?P<reverse>r?)(?P<delimiters>[-.+,/_=]*)\}"
    r"|%(?P<sign>[%_-])"
    r"|(?P<literal>[!-$&-~]+)"
    r"|(?P<space> +)",
    re.IGNORECASE | re.ASCII,
)
_SIGNS = {"%": "%", "_": " ", "-": "%20"}
_TOP_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
_DIGITS = 3
"""Digits of a count that are looked at; no name has more than 127 parts."""


class MacroError(ValueError):
    """
    A macro or what surrounds it is not in the grammar; the message says what in words.
    """


@frozen
class Macro:
    """
    A macro that stands for something known at the time of a check (section 7.1).
    """

    letter: str
    """In lower case."""

    is_escaped: bool = False
    """Whether it was written in upper case: the value is escaped as in a URL."""

    count: int = 0
    """How many parts are taken, from the right; 0 is all."""

    is_reversed: bool = False
    delimiters: str = "."
    """At which of these characters the value is cut into parts."""

    def expand(self, values: Mapping[str, str]) -> str:
        """
        Give what it stands for.
        """
        value = values[self.letter]
        if self.count or self.is_reversed or self.delimiters != ".":
            for delimiter in self.delimiters:
                value = value.replace(delimiter, "\0")
            parts = value.split("\0")
            if self.is_reversed:
                parts.reverse()
            value = ".".join(parts[-self.count :])
        return quote(value, safe="") if self.is_escaped else value


@frozen
class MacroString:
    """
    Text with macros in it.
    """

    text: str
    """As it is written."""

    pieces: tuple[str | Macro, ...] = field(eq=False, repr=False)
    letters: frozenset[str] = field(eq=False, repr=False)
    """The letters of its macros, in lower case."""

    def name(self, values: Mapping[str, str]) -> str:
        """
        Give the domain name it stands for; of one that is too long the labels on the left are
        left out (section 7.3). From the right no more is expanded than the name can hold.
        """
        pieces: list[str] = []
        length = 0
        for piece in reversed(self.pieces):
            expanded = piece if isinstance(piece, str) else piece.expand(values)
            pieces.append(expanded)
            length += len(expanded)
            if length > NAME_LIMIT + 1:
                break
        name = "".join(reversed(pieces)).removesuffix(".")
        if len(name) > NAME_LIMIT:
            _, _, name = name[-NAME_LIMIT - 1 :].partition(".")
        return name

    def explanation(self, values: Mapping[str, str]) -> str:
        """
        Give the text it stands for (section 6.2), cut where it is too long.
        """
        pieces: list[str] = []
        length = 0
        for piece in self.pieces:
            expanded = piece if isinstance(piece, str) else piece.expand(values)
            pieces.append(expanded)
            length += len(expanded)
            if length > EXPLANATION_LIMIT:
                break
        return "".join(pieces)[:EXPLANATION_LIMIT]


def macro_string(text: str) -> MacroString:
    """
    Read a C{macro-string}.

    @raise MacroError: it is none.
    """
    return _read(text, _LETTERS, has_spaces=False)


def domain_spec(text: str) -> MacroString:
    """
    Read a C{domain-spec}: a C{macro-string} that ends in a macro or in a label that can be that
    of a top level domain.

    @raise MacroError: it is none.
    """
    read = _read(text, _LETTERS, has_spaces=False)
    if not text:
        raise MacroError("a domain name is missing")
    if not text.endswith("}") and not (text[-2:-1] == "%" and text[-1] in _SIGNS):
        _, dot, label = text.removesuffix(".").rpartition(".")
        if not dot or label.isdigit() or not _TOP_LABEL.fullmatch(label):
            raise MacroError(f"{text[:80]} is no domain name")
    return read


def explain_string(text: str) -> MacroString:
    """
    Read an C{explain-string}: it may have spaces, and macros of its own.

    @raise MacroError: it is none.
    """
    return _read(text, _LETTERS_OF_EXPLANATION, has_spaces=True)


def _read(text: str, letters: str, has_spaces: bool) -> MacroString:
    pieces: list[str | Macro] = []
    at = 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None or (match["space"] and not has_spaces):
            raise MacroError(f"{text[at : at + 10]!a} cannot stand where it stands")
        if match["letter"]:
            pieces.append(_macro(match, letters))
        elif match["sign"]:
            pieces.append(_SIGNS[match["sign"]])
        else:
            pieces.append(match[0])
        at = match.end()
    used = frozenset(piece.letter for piece in pieces if isinstance(piece, Macro))
    return MacroString(text, tuple(pieces), used)


def _macro(match: re.Match[str], letters: str) -> Macro:
    letter = match["letter"].lower()
    if letter not in letters:
        raise MacroError(f"the macro {match[0][:20]} is not known")
    digits = match["digits"].lstrip("0")
    if match["digits"] and not digits:
        raise MacroError(f"the macro {match[0][:20]} takes no part")
    return Macro(
        letter,
        match["letter"].isupper(),
        int(digits) if 0 < len(digits) <= _DIGITS else 0,
        bool(match["reverse"]),
        match["delimiters"] or ".",
    )
