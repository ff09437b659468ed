"""
Sketches of texts: texts that are nearly the same have nearly the same sketch.

A shingle is three words in a row. A sketch holds, of the hashes of all shingles of a text, the
least in each of 64 equal parts of their range: min-hash with one permutation. The share of places
in which two sketches agree estimates which share of their shingles two texts have in common (the
Jaccard index), with a standard deviation of about 0.06 at most. A sketch says nothing of the words
it was made of.
"""

from __future__ import annotations

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
    if int(np.count_nonzero(hashes[1:] != hashes[:-1])) + 1 < LEAST_SHINGLES:
        return None
    # Sorted, the least of each part is the first that is not below where the part begins.
    at = hashes.searchsorted(_BEGINNINGS)
    found = hashes.take(at, mode="clip")
    is_there = (found >> _SHIFT) == _NUMBERS
    if not is_there.all():
        found = _filled(found, is_there)
    # The number of the part is the same for all in it: what tells them apart is below.
    made: Sketch = (found >> (_SHIFT - _HALF)).astype(np.uint32)
    return made


_NUMBERS = np.arange(PLACES, dtype=np.uint64)
_BEGINNINGS = _NUMBERS << _SHIFT
_SALTS = _NUMBERS[: PLACES // BAND] * _SECOND


def _filled(found: NDArray[np.uint64], is_there: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """
    Fill the parts in which no hash is from the next one with any, round the end: two texts then
    agree there about as often as in the others.
    """
    places = is_there.nonzero()[0]
    sources = places.take(places.searchsorted(np.arange(PLACES)), mode="wrap")
    filled: NDArray[np.uint64] = found.take(sources)
    return filled


def likeness(one: Sketch, other: Sketch) -> float:
    """
    Estimate which share of their shingles two texts have in common, from 0 to 1.
    """
    return float(np.count_nonzero(one == other)) / PLACES


def bands(of: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """
    Give the 16 numbers under which a sketch is looked up: texts that are much alike share one.

    @param of: a sketch, or several as rows; then the numbers of each are a row too.
    """
    halves = np.ascontiguousarray(of, "<u4").view("<u8")
    numbers: NDArray[np.uint64] = halves[..., ::2] * _FIRST
    numbers ^= numbers >> _HALF
    numbers += halves[..., 1::2]
    numbers += _SALTS  # the same numbers in another band are another thing
    numbers *= _MIX
    numbers ^= numbers >> _HALF
    return numbers
