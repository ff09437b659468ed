"""
Letters that look like others, and what a word looks like whatever it is written with.

After the idea of UTS 39, section 4, with a short table of our own: what is read as a Latin letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from mailgate.message.text import blocks

LENGTH_LIMIT = 1000
"""How many characters L{skeleton} looks at."""

TEXT_LIMIT = 8000
"""How many characters of a text are looked at for words in disguise."""

CUT_LIMIT = 32_000
"""How many for words that are cut."""

# Each letter of another alphabet, and the Latin one it is read as. Capitals stand apart, as many
# look like another letter than their small ones.
_GREEK_AND_CYRILLIC = """
    Аa Вb Еe Ѕs Іi Јj Кk Мm Нh Оo Рp Сc Тt Уy Хx Үy Ԍg Ԛq Ԝw Ӏl Ғf Ҝk Ҡk Ԁd Ѵv Ѡw Ьb
    аa вb еe ѕs іi јj кk мm нh оo рp сc тt уy хx үy ԍg ԛq ԝw ӏl һh ԁd гr пn ѵv ѡw ьb єe ғf ҝk
    Αa Βb Εe Ζz Ηh Ιi Κk Μm Νn Οo Ρp Τt Υy Χx Ϲc Ϻm Ϝf
    αa βb γy εe ηn ιi κk νv οo ρp σo ςc τt υu χx ωw ϲc ϳj
"""
_OTHERS = """
    օo ոn սu հh ցg զq աw քp ւl Օo Սu Տs
    Ꭰd Ꭱr Ꭲt Ꭺa Ꭻj Ꭼe Ꮃw Ꮋh Ꮐg Ꮓz Ꮟb Ꮪs Ꮮl Ꮯc Ꮲp Ꮶk Ᏼb Ꮩv Ꮇm Ꮤw Ꮢr
    Øo øo Đd đd Łl łl Ħh ħh Ŧt ŧt Ɓb ɓb Ɗd ɗd Ɠg ɠg Ƙk ƙk Ƥp ƥp ſs ɛe ɑa ɡg ɩi ɪi ıi ȷj ʋv ɯw
    ᴀa ʙb ᴄc ᴅd ᴇe ꜰf ɢg ʜh ᴊj ᴋk ʟl ᴍm ɴn ᴏo ᴘp ʀr ꜱs ᴛt ᴜu ᴠv ᴡw ʏy ᴢz
"""
_LETTERS = {ord(pair[0]): pair[1] for pair in (*_GREEK_AND_CYRILLIC.split(), *_OTHERS.split())}
_IN_DISGUISE = frozenset(pair[0] for pair in _GREEK_AND_CYRILLIC.split())
# What is written with digits, and the three that nobody tells apart, are read as one.
_DIGITS = str.maketrans("0134578i|", "oleastbll")
_PAIRS = (("rn", "m"), ("vv", "w"))
# What marks a letter in Latin, Greek and Cyrillic, and what is not seen at all.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
    "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)

# The micro sign of units is a Greek letter.
_OTHER = "\u0370-\u03bb\u03bd-\u052f"
_LATIN = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_BORDER = re.compile(f"[A-Za-z][{_OTHER}]|[{_OTHER}][A-Za-z]")
_WORD_BEHIND = re.compile(f"[{_LATIN}{_OTHER}]{{1,40}}")
_WORD_BEFORE = re.compile(f"[{_LATIN}{_OTHER}]{{1,40}}\\Z")
_WORD_LENGTH = 4
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
_CUT = re.compile(f"[{_LATIN}{_OTHER}][{_ZERO_WIDTH}]+(?=([{_LATIN}{_OTHER}]))")
_OTHER_BLOCKS = (3, 4, 5)


def skeleton(text: str) -> str:
    """
    Give what a text looks like: two that a person takes for one another have the same.

    It is for comparing, not for showing: C{paypal} and C{PayPa1} have one skeleton, C{rnicrosoft}
    has that of C{microsoft}. Only the first L{LENGTH_LIMIT} characters are looked at. Never raises.
    """
    text = text[:LENGTH_LIMIT]
    if not text.isascii():
        # Compatibility takes mathematical and full-width letters apart, and marks from letters.
        text = _UNSEEN.sub("", unicodedata.normalize("NFKD", text)).translate(_LETTERS)
    text = text.lower().translate(_DIGITS)
    for pair, letter in _PAIRS:
        text = text.replace(pair, letter)
    return text


def disguised_words(text: str) -> Iterator[str]:
    """
    Find the words that mix Latin letters with Greek or Cyrillic ones that look like Latin.

    A word of two alphabets whose other letters are read as themselves (an ohm, a Russian ending) is
    none, nor is a short one. Only the first L{TEXT_LIMIT} characters are looked at.
    """
    text = text[:TEXT_LIMIT]
    if text.isascii() or not any(map(blocks(text).__contains__, _OTHER_BLOCKS)):
        return
    end = 0
    while (border := _BORDER.search(text, end)) is not None:
        before = _WORD_BEFORE.search(text, max(end, border.start() - 40), border.start() + 1)
        behind = _WORD_BEHIND.match(text, border.start() + 1)
        word = f"{before[0] if before else ''}{behind[0] if behind else ''}"
        end = behind.end() if behind else border.end()
        if len(word) >= _WORD_LENGTH and all(
            letter in _IN_DISGUISE or letter < "\u0370" for letter in word
        ):
            yield word


def cut_words(text: str) -> Iterator[str]:
    """
    Find where characters of no width stand between two letters of Latin, Greek or Cyrillic, with
    these.

    Other scripts need them within words (Persian, those of India), and soft hyphens are usual
    everywhere, so neither counts. Only the first L{CUT_LIMIT} characters are looked at.
    """
    text = text[:CUT_LIMIT]
    if not text.isascii() and any(character in text for character in _ZERO_WIDTH):
        for cut in _CUT.finditer(text):
            yield f"{cut[0]}{cut[1]}"
