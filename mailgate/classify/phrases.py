"""
Phrases that are looked for in a line of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

_WORD = re.compile(r"\w+")
_LIMIT = 300
"""How many characters of a text are looked at."""


@frozen
class Phrases:
    """
    Some phrases, by the words that they begin with.
    """

    _by_word: dict[str, tuple[str, ...]]
    _unspaced: tuple[str, ...]
    """Those of languages that have no spaces between words."""

    @classmethod
    def of(cls, phrases: Iterable[str]) -> Phrases:
        """
        Take phrases in small letters, each of which begins with a word.
        """
        by_word: dict[str, tuple[str, ...]] = {}
        unspaced = []
        for phrase in phrases:
            first = _WORD.match(phrase)
            if first is None or first[0] >= "\u3000":
                unspaced.append(phrase)
            else:
                by_word[first[0]] = (*by_word.get(first[0], ()), phrase)
        return cls(by_word, tuple(unspaced))

    def find(self, text: str) -> str:
        """
        Give the first one that stands in a text, whatever its capitals, or C{""}.
        """
        lower = text[:_LIMIT].lower()
        for word in _WORD.finditer(lower):
            for phrase in self._by_word.get(word[0], ()):
                if lower.startswith(phrase, word.start()):
                    return phrase
        if not lower.isascii():
            return next((phrase for phrase in self._unspaced if phrase in lower), "")
        return ""
