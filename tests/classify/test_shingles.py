"""
Tests of L{mailgate.classify.shingles}.
"""

import random

from hypothesis import given
from hypothesis.strategies import integers
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.shingles import LEAST_SHINGLES, PLACES, WIDTH, bands, likeness, sketch
from mailgate.classify.words import split

SHORTEST = LEAST_SHINGLES + WIDTH - 1


def text(seed, count):
    """
    Give different words at random.
    """
    source = random.Random(seed)
    return [f"w{source.getrandbits(60):x}" for _ in range(count)]


def sketch_of(words):
    """
    Make the sketch of a text of these words.
    """
    return sketch(split(" ".join(words)).hashes)


def bands_of(one):
    """
    Give the numbers under which a sketch is looked up.
    """
    return set(bands(one).tolist())


def in_common(one, other):
    """
    Count which share of their shingles two texts have in common.
    """
    first, second = (set(zip(t, t[1:], t[2:], strict=False)) for t in (one, other))
    return len(first & second) / len(first | second)


class SketchTests(SynchronousTestCase):
    """
    Tests of L{sketch}, L{likeness} and L{bands}.
    """

    @given(integers(0, 1 << 32), integers(SHORTEST, 400))
    def test_same(self, seed, count):
        """
        The same text has the same sketch, however short.
        """
        one, other = sketch_of(text(seed, count)), sketch_of(text(seed, count))
        self.assertEqual(likeness(one, other), 1)
        self.assertEqual(bands_of(one), bands_of(other))

    @given(integers(0, 1 << 32))
    def test_different(self, seed):
        """
        Texts with nothing in common are not alike, and are never compared.
        """
        one, other = sketch_of(text(seed, 60)), sketch_of(text(seed + 1, 600))
        self.assertLessEqual(likeness(one, other), 0.05)
        self.assertFalse(bands_of(one) & bands_of(other))

    @given(integers(0, 1 << 32), integers(0, 11))
    def test_variants(self, seed, changed):
        """
        Where some words are others, as names and numbers in a mailing are, the likeness is near the
        share of the shingles in common, within five standard deviations.
        """
        words = text(seed, 600)
        variant = list(words)
        for at in range(changed):
            variant[at * 50] = f"other{at}"
        share = likeness(sketch_of(words), sketch_of(variant))
        self.assertLess(abs(share - in_common(words, variant)), 5 * 0.5 / PLACES**0.5)

    @given(integers(0, 1 << 32))
    def test_found(self, seed):
        """
        A variant with a name and a number changed shares a band with the first.
        """
        words = text(seed, 300)
        variant = ["dear", "bob", *words[2:200], "17342", *words[201:]]
        self.assertTrue(bands_of(sketch_of(words)) & bands_of(sketch_of(variant)))

    def test_order(self):
        """
        The same words in another order are another text.
        """
        words = text(1, 300)
        self.assertLess(likeness(sketch_of(words), sketch_of(words[::-1])), 0.1)

    def test_short(self):
        """
        A text that is too short has no sketch, nor has one that repeats itself.
        """
        self.assertIsNone(sketch_of([]))
        self.assertIsNone(sketch_of(text(1, SHORTEST - 1)))
        self.assertIsNotNone(sketch_of(text(1, SHORTEST)))
        self.assertIsNone(sketch_of(text(1, 40) * 100))

    def test_repeated(self):
        """
        To say the same often makes no other sketch than to say it twice.
        """
        words = text(1, 300)
        self.assertEqual(likeness(sketch_of(words * 2), sketch_of(words * 5)), 1)
