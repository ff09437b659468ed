"""
The one way in which texts and patterns are written before they meet: without accents, in lower
case, with one space for all blanks.

Spammers put accents on letters, and people leave them away; so neither counts. What this does to
a text it does to a pattern, so that whoever writes one spells words as they are spelled.
"""

from __future__ import annotations

import re
import unicodedata

_WIDTHLESS = re.compile(
    "[\u00ad\u0300-\u036f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]+"
)
"""
Characters of no width, and accents once they stand apart.
"""

_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "æ": "ae",
        "œ": "oe",
        "\u0131": "i",
        "ð": "d",
        "þ": "th",
    }
)
"""Letters of Latin scripts that are no letter with an accent."""

_TWO_SCRIPTS = re.compile("[a-z][\u0370-\u052f]|[\u0370-\u052f][a-z]")
_WORD = re.compile("[a-z\u0370-\u052f]+")
_LOOK_ALIKES = str.maketrans(
    "\u03b1\u03b2\u03b3\u03b5\u03b6\u03b7\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7"
    "\u03c9\u0430\u0432\u0433\u0435\u0437\u0456\u0458\u043a\u043c\u043d\u043e\u0440\u0441"
    "\u0442\u0443\u0445\u0455\u0501\u051b\u051d\u04bb\u04bd\u044c\u043f\u043b",
    "abyeznikvoptuxwabrezijkmhopctyxsdqwhebnn",
)
"""Greek and Cyrillic letters, in lower case, and the Latin ones that they are taken for."""

_OTHER_LETTER = re.compile(r"\\b[^\W\x00-\x7f]|[^\W\x00-\x7f]\\b")


def fold(text: str) -> str:
    """
    Fold a text. Linear in its length.
    """
    if not text.isascii():
        text = _plain(text).lower()
        if _TWO_SCRIPTS.search(text):
            text = _WORD.sub(_one_script, text)
    else:
        text = text.lower()
    return " ".join(text.split())


def fold_pattern(pattern: str) -> str:
    """
    Fold a pattern. Case it keeps, as patterns do not look at it.

    @raise ValueError: it asks for the border of a word beside a letter that is not Latin, where
        there is none for patterns.
    """
    folded = pattern if pattern.isascii() else _plain(pattern)
    if _OTHER_LETTER.search(folded):
        raise ValueError(r"has \b beside a letter that is not Latin; leave it away there")
    return folded


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKD", text)
    return _WIDTHLESS.sub("", text).translate(_LETTERS) if not text.isascii() else text


def _one_script(word: re.Match[str]) -> str:
    letters = word[0]
    return letters.translate(_LOOK_ALIKES) if _TWO_SCRIPTS.search(letters) else letters
