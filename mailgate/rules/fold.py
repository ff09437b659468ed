"""
The one way in which texts and patterns are written before they meet: without accents, and with
one space for all blanks. The case of ASCII letters stays, as patterns do not look at it.

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

_BEYOND_ASCII = re.compile("[^\\x00-\\x7f]")
_FEW = 30
"""Up to how many different letters are replaced one after the other, which takes some 2 us each."""

_REMEMBERED = 20_000
"""Of how many letters it is remembered what they become."""

_TWO_SCRIPTS = re.compile("[A-Za-z][\u0370-\u052f]|[\u0370-\u052f][A-Za-z]")
_WORD = re.compile("[A-Za-z\u0370-\u052f]+")
_LOOK_ALIKES = str.maketrans(
    "\u03b1\u03b2\u03b3\u03b5\u03b6\u03b7\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7"
    "\u03c9\u0430\u0432\u0433\u0435\u0437\u0456\u0458\u043a\u043c\u043d\u043e\u0440\u0441"
    "\u0442\u0443\u0445\u0455\u0501\u051b\u051d\u04bb\u04bd\u044c\u043f\u043b",
    "abyeznikvoptuxwabrezijkmhopctyxsdqwhebnn",
)
"""
Greek and Cyrillic letters, in lower case as L{_plain} leaves them, and the Latin ones that they are
taken for.
"""

_OTHER_LETTER = re.compile(r"\\b[^\W\x00-\x7f]|[^\W\x00-\x7f]\\b")


def fold(text: str) -> str:
    """
    Fold a text. Linear in its length.
    """
    if not text.isascii():
        text = _plain(text)
        if not text.isascii() and _has_latin(text) and _TWO_SCRIPTS.search(text):
            text = _WORD.sub(_one_script, text)
    for blank in "\r\n\t\v\f":
        text = text.replace(blank, " ")
    # A long run is halved each time. This takes a quarter of the time of split() and join().
    while "  " in text:
        text = text.replace("  ", " ")
    return text.strip(" ")


def fold_pattern(pattern: str) -> str:
    """
    Fold a pattern.

    @raise ValueError: it asks for the border of a word beside a letter that is not Latin, where
        there is none for patterns.
    """
    folded = pattern if pattern.isascii() else _plain(pattern)
    if _OTHER_LETTER.search(folded):
        raise ValueError(r"has \b beside a letter that is not Latin; leave it away there")
    return folded


def _plain(text: str) -> str:
    if len(text.encode("utf-8", "replace")) * 8 > len(text) * 9:
        return text.translate(_TABLE)
    # Few letters of many, which are found faster one by one.
    letters = set(_BEYOND_ASCII.findall(text))
    changed = [letter for letter in letters if _TABLE[ord(letter)] != letter]
    if len(changed) > _FEW:
        return text.translate(_TABLE)
    for letter in changed:
        text = text.replace(letter, _TABLE[ord(letter)])
    return text


class _Table(dict[int, str]):
    """
    What letters become, made when they are first seen.
    """

    def __missing__(self, code: int) -> str:
        apart = unicodedata.normalize("NFKD", chr(code))
        plain = _WIDTHLESS.sub("", apart).lower().translate(_LETTERS) if code >= 0x80 else apart
        if len(self) < _REMEMBERED:
            self[code] = plain
        return plain


_TABLE = _Table()


def _has_latin(text: str) -> bool:
    ascii_part = text.encode("ascii", "ignore")
    return ascii_part.lower() != ascii_part.upper()


def _one_script(word: re.Match[str]) -> str:
    letters = word[0]
    return letters.translate(_LOOK_ALIKES) if _TWO_SCRIPTS.search(letters) else letters
