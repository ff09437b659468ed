"""
The words of a text as numbers, all of a text at once.

A word is a maximal run of C{a-z}, C{0-9}, C{$%'_-} and of bytes from 0x80 on in UTF-8, cut to
20 bytes; each C{!} and C{?} is a word too. Names of weekdays and months, the numbers up to 59
and the years 1990 to 2039 are none: they say when a message was written, not what it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

Keys = NDArray[np.uint32]

TEXT_LIMIT = 32_000
"""How many characters of a text are looked at."""

WORD_BYTES = 20

_PIECE = re.compile(r".{1,127}(?=[\0-\x7f])|.{1,128}", re.DOTALL)
"""
What is normalised at a time, as accents upon each other take quadratic time: up to a character of
ASCII, which joins with nothing before it.
"""

ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"

_BYTES_LIMIT = 3 * TEXT_LIMIT
_INSIDE, _ALONE = 1, 2


def _classes() -> bytes:
    table = bytearray(256)
    for code in (*b"abcdefghijklmnopqrstuvwxyz0123456789$%'_-", *range(0x80, 256)):
        table[code] = _INSIDE
    for code in b"!?":
        table[code] = _ALONE
    return bytes(table)


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    """
    Give the powers of a number, modulo 2**64, in their order.
    """
    with np.errstate(over="ignore"):
        factors = np.full(count, base, np.uint64)
        factors[0] = 1
        return np.cumprod(factors, dtype=np.uint64)


# A word's hash is the sum of its bytes times powers of an odd number, modulo 2**64. The sum over
# a word is a difference of two running sums; as it begins with a higher power the further on the
# word stands, it is multiplied by the inverse of that power.
_BASE = 0x9E3779B97F4A7C15
_POWERS = _powers(_BASE, _BYTES_LIMIT)
_INVERSES = _powers(pow(_BASE, -1, 1 << 64), _BYTES_LIMIT)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_PAIR = np.uint64(0xA24BAED4963EE407)
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_SALTS = [np.uint64(salt * 0x2545F4914F6CDD1D & 0xFFFFFFFFFFFFFFFF) for salt in range(8)]
_CLASSES = _classes()


@frozen(eq=False)
class Words:
    """
    The words of a text, in their order.
    """

    data: bytes
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]
    hashes: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.hashes)

    def keys(self, salt: int) -> Keys:
        """
        Give a key for each word.
        """
        return keys_of(self.hashes, salt)

    def pairs(self) -> NDArray[np.uint64]:
        """
        Give a hash for each two words that stand side by side.
        """
        hashes = self.hashes[:-1] * _PAIR
        hashes += self.hashes[1:]
        return hashes

    def between(self, start: int, end: int) -> Words:
        """
        Give the words from one up to before another.
        """
        part = slice(start, end)
        return Words(self.data, self.starts[part], self.ends[part], self.hashes[part])

    def index(self, offset: int) -> int:
        """
        Give the index of the first word that begins at a byte of C{data} or behind it.
        """
        return int(self.starts.searchsorted(offset))

    def word(self, index: int) -> str:
        """
        Give a word.
        """
        return self.data[self.starts[index] : self.ends[index]].decode("utf-8", "replace")


def split(text: str) -> Words:
    """
    Find the words of a text that L{normalise} has made.
    """
    data = text.encode("utf-8", "replace")[:_BYTES_LIMIT]
    classes = np.frombuffer(b"\0%b\0" % data.translate(_CLASSES), np.uint8)
    before, after = classes[:-1], classes[1:]
    borders = ((before != after) | (after == _ALONE)).nonzero()[0]
    # Behind the last word there is a border too, as outside of the text no word can be.
    words = after.take(borders).nonzero()[0]
    starts, ends = borders.take(words), borders.take(words + 1)
    ends = np.minimum(ends, starts + WORD_BYTES)
    # In place, as fresh memory costs more than the sums.
    sums = np.empty(len(data) + 1, np.uint64)
    sums[0] = 0
    running = sums[1:]
    np.add(np.frombuffer(data, np.uint8), _ONE, out=running)
    running *= _POWERS[: len(data)]
    running.cumsum(out=running)
    hashes = (sums.take(ends) - sums.take(starts)) * _INVERSES.take(starts)
    times = _times(hashes)
    if times:
        is_kept = np.ones(len(hashes), np.bool_)
        is_kept[times] = False
        kept = is_kept.nonzero()[0]
        starts, ends, hashes = starts.take(kept), ends.take(kept), hashes.take(kept)
    return Words(data, starts, ends, hashes)


def _times(hashes: NDArray[np.uint64]) -> list[int]:
    """
    Give the indices of the words that say when.
    """
    suspects = _MAY_BE_TIME.take((hashes >> _TIME_SHIFT).astype(np.intp)).nonzero()[0].tolist()
    return [at for at in suspects if int(hashes[at]) in _TIMES]


def normalise(text: str) -> str:
    """
    Write a text in the one way in which its words are compared: NFKC, without characters of no
    width, in lower case.
    """
    text = text[:TEXT_LIMIT]
    if not text.isascii():
        for character in ZERO_WIDTH:
            if character in text:  # to look is several times as fast as to replace
                text = text.replace(character, "")
        text = _compatible(text)
    return text.lower()


def _compatible(text: str) -> str:
    """
    Give the beginning of a text in NFKC.

    There are characters that become eighteen: no more is done than is kept, and a little at a time.
    """
    pieces: list[str] = []
    length = 0
    for piece in _PIECE.finditer(text):
        pieces.append(unicodedata.normalize("NFKC", piece[0]))
        length += len(pieces[-1])
        if length >= TEXT_LIMIT:
            break
    return "".join(pieces)[:TEXT_LIMIT]


def keys_of(hashes: NDArray[np.uint64], salt: int) -> Keys:
    """
    Give a key for each hash; with another salt it is another one.
    """
    return wide_keys(((hashes, salt),)).astype(np.uint32)


def wide_keys(kinds: Sequence[tuple[NDArray[np.uint64], int]]) -> NDArray[np.uint64]:
    """
    Give the keys of some hashes, each kind with a salt of its own, as numbers of 64 bits: all in
    one go, as each step costs more than what it does for a hash.
    """
    mixed = np.empty(sum([len(hashes) for hashes, _ in kinds]), np.uint64)
    at = 0
    for hashes, salt in kinds:
        end = at + len(hashes)
        np.bitwise_xor(hashes, _SALTS[salt], out=mixed[at:end])
        at = end
    mixed *= _MIX
    mixed ^= mixed >> _HALF
    mixed *= _MIX
    mixed >>= _HALF
    return mixed


_TIME_BITS = 16
_TIME_SHIFT = np.uint64(64 - _TIME_BITS)
_MAY_BE_TIME = np.zeros(1 << _TIME_BITS, np.bool_)
_TIMES: set[int] = set()
_TIME_WORDS = """
    monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
"""
_NUMBERS = [*map(str, range(60)), *(f"{n:02d}" for n in range(10)), *map(str, range(1990, 2040))]
_TIME_HASHES = split(" ".join([*_TIME_WORDS.split(), *_NUMBERS])).hashes
_MAY_BE_TIME[(_TIME_HASHES >> _TIME_SHIFT).astype(np.intp)] = True
_TIMES.update(_TIME_HASHES.tolist())


# -- what lists put under a message -------------------------------------------------------

_RULE = re.compile(r"^[ \t>]*(?:_{15,}|-{3,}[^\n]{0,60})[^\n\S]*$", re.MULTILINE)
_OF_LIST = ("mailing list", "listinfo", "unsubscribe", "sf.net", "yahoo! groups")
_TO_UNSUBSCRIBE = re.compile(
    r"^[ \t]*(?:to unsubscribe(?:, e-?mail to| from this group)|your use of yahoo! groups)",
    re.MULTILINE,
)
_FOOTER_LINES = 5
_FOOTERS = 20


def without_footers(text: str) -> str:
    """
    Cut what mailing lists write around a message, wherever it stands: a line of C{_} or C{-}
    with what follows it, five lines at most.

    What is cut is short, so that nobody hides a message behind such a line.
    """
    if not _is_of_list(text):
        return text
    pieces, at = [], 0
    for mark in _marks(text):
        if mark < at:
            continue
        end = mark
        for _ in range(_FOOTER_LINES + 1):
            end = text.find("\n", end) + 1
            if end <= 0:
                end = len(text)
                break
        pieces.append(text[at:mark])
        at = end
    pieces.append(text[at:])
    return "".join(pieces)


def _is_of_list(text: str) -> bool:
    return any(words in text for words in _OF_LIST)


def _marks(text: str) -> list[int]:
    marks = []
    for pattern in (_RULE, _TO_UNSUBSCRIBE):
        for count, match in enumerate(pattern.finditer(text)):
            if count >= _FOOTERS:
                break
            following = text[match.end() : match.end() + 500]
            lines = "\n".join(following.split("\n", _FOOTER_LINES + 1)[: _FOOTER_LINES + 1])
            if pattern is _TO_UNSUBSCRIBE or _is_of_list(lines):
                marks.append(match.start())
    return sorted(marks)
