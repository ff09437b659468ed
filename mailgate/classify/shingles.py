"""
Sketches of texts: texts that are nearly the same have nearly the same sketch.

A shingle is three words in a row. A sketch holds, of the hashes of all shingles of a text, the
least in each of 64 equal parts of their range: min-hash with one permutation. The share of places
in which two sketches agree estimates which share of their shingles two texts have in common (the
Jaccard index), with a standard deviation of about 0.06 at most. A sketch says nothing of the words
it was made of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Sketch = NDArray[np.uint32]

PLACES = 64
"""Numbers in a sketch."""

WIDTH = 3
"""Words in a shingle."""

LEAST_SHINGLES = 48
"""A text with fewer different shingles has no sketch: greetings and footers are alike anywhere."""

BAND = 4
"""
Places in a band. Of texts with 0.8 in common, 2 pairs in 10,000 share none of the 16 bands; of
those with 0.3 in common 12 in 100 share one, and only these are compared.
"""

_SHIFT = np.uint64(64 - PLACES.bit_length() + 1)
_HALF = np.uint64(32)
_FIRST = np.uint64(0xD1B54A32D192ED03)
_SECOND = np.uint64(0x8CB92BA72F3D8DD7)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_FACTORS = np.array(
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xC2B2AE3D27D4EB4F], np.uint64
)


def sketch(words: NDArray[np.uint64]) -> Sketch | None:
    """
    Make the sketch of a text.

    @param words: the hashes of its words, in their order, as L{mailgate.classify.words.split} gives
        them.
    @return: C{None} where the text is too short.
    """
    if len(words) < LEAST_SHINGLES + WIDTH - 1:
        return None
    hashes = words[:-2] * _FIRST
    hashes += words[1:-1]
    hashes *= _SECOND
    hashes += words[2:]
    # Only the high bits of a product are well mixed, and the low ones of the next need them.
    hashes ^= hashes >> _HALF
    hashes *= _MIX
    hashes ^= hashes >> _HALF
    hashes *= _MIX
    hashes.sort()
    is_first = np.empty(len(hashes), np.bool_)
    is_first[0] = True
    np.not_equal(hashes[1:], hashes[:-1], out=is_first[1:])
    if int(np.count_nonzero(is_first)) < LEAST_SHINGLES:
        return None
    # Sorted, the least of each part is the first that is not below where the part begins.
    at = hashes.searchsorted(_BEGINNINGS)
    found = hashes.take(at, mode="clip")
    is_there = (at < len(hashes)) & ((found >> _SHIFT) == _NUMBERS)
    return _filled(found, is_there)


_NUMBERS = np.arange(PLACES, dtype=np.uint64)
_BEGINNINGS = _NUMBERS << _SHIFT


def _filled(found: NDArray[np.uint64], is_there: NDArray[np.bool_]) -> Sketch:
    """
    Fill the parts in which no hash is from the next one with any, round the end: two texts then
    agree there about as often as in the others.
    """
    places = is_there.nonzero()[0]
    sources = places.take(places.searchsorted(np.arange(PLACES)), mode="wrap")
    # The number of the part is the same for all in it: what tells them apart is below.
    filled: Sketch = (found.take(sources) >> (_SHIFT - _HALF)).astype(np.uint32)
    return filled


def likeness(one: Sketch, other: Sketch) -> float:
    """
    Estimate which share of their shingles two texts have in common, from 0 to 1.
    """
    return float(np.count_nonzero(one == other)) / PLACES


def bands(of: Sketch) -> Sequence[int]:
    """
    Give the numbers, of 64 bits, under which a sketch is looked up: texts that are much alike
    share one of these.
    """
    rows = of.astype(np.uint64).reshape(-1, BAND) * _FACTORS
    sums = rows.sum(axis=1, dtype=np.uint64)
    sums ^= sums >> _HALF
    sums += _NUMBERS[: len(sums)]  # the same numbers in another band are another thing
    sums *= _MIX
    sums ^= sums >> _HALF
    numbers: list[int] = sums.tolist()
    return numbers
