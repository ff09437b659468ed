"""
Sentences that can be told in several languages: a template in English, and what stands in it.

A sentence is put together only when somebody reads it, in the reader's language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")

DEEPEST = 5
"""How deep sentences stand in others, at most."""

LONGEST = 20_000
"""After how many characters a sentence is broken off: what other processes say is not trusted."""


@frozen
class Language:
    """
    How sentences and numbers are told to somebody.
    """

    code: str
    """As in ISO 639-1."""

    translate: Callable[[str], str] = str
    """Gives a template in this language, or the same one where it is not known."""

    thousands: str = ","
    point: str = "."

    def number(self, number: int | float) -> str:
        """
        Write a number: C{1,234} or C{0.25}.
        """
        written = f"{number:,}" if isinstance(number, int) else f"{number:g}"
        if self.thousands == "," and self.point == ".":
            return written
        return written.translate({ord(","): self.thousands, ord("."): self.point})


ENGLISH = Language("en")


@frozen
class Sentence:
    """
    A sentence, or a part of one, that is not yet told in any language.

    C{str} gives it in English.
    """

    template: str
    """In English; C{{name}} is where a value stands."""

    values: Mapping[str, str | int | float | Sentence]
    """
    What stands in it: a stranger's words, which are the same in each language, numbers, and
    sentences.
    """

    def told(self, language: Language = ENGLISH) -> str:
        """
        Give it in a language.
        """
        pieces: list[str] = []
        _tell(self, language, pieces, LONGEST, DEEPEST)
        return "".join(pieces)

    def __str__(self) -> str:
        return self.told()


Words = str | Sentence
"""What is told: a sentence, or words that are the same in each language."""


def say(template: str, **values: str | int | float | Sentence) -> Sentence:
    """
    Make a sentence.

    @param template: in English, written out where it is called, so that it is found for
        translation.
    """
    return Sentence(template, values)


def told(words: Words, language: Language = ENGLISH) -> str:
    """
    Give words in a language.
    """
    return words if isinstance(words, str) else words.told(language)


def to_plain(words: Words) -> Any:
    """
    Give words as what JSON can hold: a string, or a template and what stands in it.
    """
    if isinstance(words, str):
        return words
    values = {
        name: to_plain(value) if isinstance(value, Sentence) else value
        for name, value in words.values.items()
    }
    return [words.template, values]


def from_plain(plain: Any) -> Words:
    """
    Read what L{to_plain} gave.
    """
    if isinstance(plain, str):
        return plain
    template, values = plain
    read = {n: from_plain(v) if isinstance(v, list) else v for n, v in values.items()}
    return Sentence(template, read)


def _tell(sentence: Sentence, language: Language, pieces: list[str], left: int, depth: int) -> int:
    """
    Append what a sentence says; give how many characters more may be said.
    """
    template = language.translate(sentence.template)
    # Every other piece is the name of a value.
    for index, piece in enumerate(_PLACE.split(template)):
        if left <= 0:
            break
        value = sentence.values.get(piece, f"{{{piece}}}") if index % 2 else piece
        if isinstance(value, Sentence):
            if depth:
                left = _tell(value, language, pieces, left, depth - 1)
            continue
        text = value if isinstance(value, str) else language.number(value)
        pieces.append(text[:left])
        # What is empty counts too: no template may go on for ever.
        left -= max(1, len(text))
    return left
