"""
Tests of L{mailgate.classify.alike}.
"""

import random

import numpy as np
from attrs import asdict
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.alike import (
    ALIKE,
    MOST_COMPARED,
    Index,
    Sighting,
    alike_file_of,
    decode_index,
    encode_index,
    load_index,
)
from mailgate.classify.shingles import PLACES, likeness
from mailgate.classify.store import Unusable
from mailgate.interfaces import Marks, Remembered
from mailgate.store.files import Files
from tests.storage import temporary_folder


def sketch(seed, changed=0):
    """
    Give a sketch, with the first places changed.
    """
    dice = random.Random(seed)
    places = [dice.getrandbits(32) for _ in range(PLACES)]
    other = random.Random(f"{seed} {changed}")
    return np.array([other.getrandbits(32) for _ in range(changed)] + places[changed:], np.uint32)


def text(is_spam, sketch, day=20_000):
    """
    Give what was learned of a text.
    """
    return Remembered(is_spam, day, Marks(sketch.tobytes()))


ROWS = st.lists(
    st.builds(
        Remembered,
        st.booleans(),
        st.integers(1, 60_000),
        st.builds(
            Marks,
            st.sampled_from([b"", *[sketch(1, n).tobytes() for n in (0, 5, 40)]]),
            st.integers(0, 3),
            st.sampled_from([(), (5,), (5, (1 << 64) - 1)]),
        ),
    ),
    max_size=12,
)


class IndexTests(SynchronousTestCase):
    """
    Tests of L{Index}.
    """

    def test_nothing(self):
        """
        At first nothing is known.
        """
        index = Index.nothing()
        self.assertTrue(index.is_empty)
        self.assertEqual(index.text(sketch(1)), Sighting())
        self.assertEqual(index.thing(7), Sighting())

    def test_text(self):
        """
        All that is nearly the same is counted together, with the last day of the spam.
        """
        index = Index.of(
            [
                text(True, sketch(1), 20_000),
                text(True, sketch(1), 20_003),
                text(True, sketch(1, 10), 20_002),
                text(False, sketch(1, 5), 20_009),
                text(True, sketch(2), 20_010),
            ]
        )
        self.assertEqual(index.text(sketch(1)), Sighting(3, 1, 20_003))
        self.assertEqual(index.text(sketch(3)), Sighting())

    def test_border(self):
        """
        What is alike by less than the border is another text, though it shares bands.
        """
        for changed in range(PLACES):
            one, other = sketch(1), sketch(1, changed)
            found = Index.of([text(True, one)]).text(other).spam
            if likeness(one, other) < ALIKE:
                self.assertEqual(found, 0, changed)
            else:
                self.assertEqual(found, 1, changed)

    def test_things(self):
        """
        Structures and files are counted in as many messages as they are in.
        """
        index = Index.of(
            [
                Remembered(True, 20_000, Marks(b"", 7, (8, 9))),
                Remembered(True, 20_001, Marks(b"", 7)),
                Remembered(False, 20_002, Marks(b"", 0, (9,))),
            ]
        )
        self.assertEqual(index.thing(7), Sighting(2, 0, 20_001))
        self.assertEqual(index.thing(9), Sighting(1, 1, 20_000))
        self.assertEqual(index.thing(0), Sighting())

    def test_bounded(self):
        """
        Whoever has very many texts learned that share a band makes no look-up long: those learned
        last are compared.
        """
        rows = [text(True, sketch(1, 1 + n % 3), 20_000 + n) for n in range(3)]
        many = []
        for n in range(3 * MOST_COMPARED):
            places = sketch(1)
            places[-1] = n
            many.append(text(True, places, 10_000 + n))
        index = Index.of(rows + many)
        seen = index.text(sketch(1))
        self.assertEqual(seen.day, 20_002)
        self.assertLessEqual(seen.spam, 16 * MOST_COMPARED)
        self.assertGreaterEqual(seen.spam, MOST_COMPARED)

    @given(ROWS, ROWS)
    def test_order(self, some, others):
        """
        In whatever order it was learned, the same is found; so what was taken back, which is gone,
        leaves no trace.
        """
        one, other = Index.of(some + others), Index.of(others + some)
        for number in (1, 2, 3, 5, (1 << 64) - 1):
            self.assertEqual(one.thing(number), other.thing(number))
        for changed in (0, 5, 40):
            self.assertEqual(one.text(sketch(1, changed)), other.text(sketch(1, changed)))


class FileTests(SynchronousTestCase):
    """
    Tests of the file.
    """

    @given(ROWS)
    def test_round(self, rows):
        """
        What was written is read.
        """
        index = Index.of(rows)
        again = decode_index(encode_index(index))
        self.assertEqual(str(asdict(again)), str(asdict(index)))

    @given(st.data())
    def test_damaged(self, data):
        """
        A file that is cut or changed is not read.
        """
        content = encode_index(Index.of([text(True, sketch(1))]))
        at = data.draw(st.integers(0, len(content) - 1))
        self.assertRaises(Unusable, decode_index, content[:at])
        changed = bytearray(content)
        changed[at] ^= 1 << data.draw(st.integers(0, 7))
        self.assertRaises(Unusable, decode_index, bytes(changed))

    def test_load(self):
        """
        It is mapped from its place; where it cannot be read the words name it.
        """
        folder = temporary_folder(self)
        path = alike_file_of(folder)
        self.assertRaises(FileNotFoundError, load_index, path, Files())
        path.write_bytes(encode_index(Index.of([text(True, sketch(1))])))
        self.assertEqual(load_index(path, Files()).text(sketch(1)).spam, 1)
        path.write_bytes(b"")
        error = self.assertRaises(Unusable, load_index, path, Files())
        self.assertIn(str(path), str(error))
