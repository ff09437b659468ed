"""
Tests of L{mailgate.classify.evidence}: what crosses the border of the sandbox.
"""

import msgspec
import numpy as np
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.evidence import decode_lore, encode_lore, lore_of
from mailgate.classify.lessons import Lesson, What, encode_lesson
from mailgate.classify.marks import MOST_FILES, SKETCH_BYTES
from mailgate.classify.tokens import Tokens, nameless
from mailgate.interfaces import Marks
from tests.classify.given import letter, message, page, prose, with_files

FILE = with_files(("a.bin", b"x" * 1000), ("b.bin", b"y" * 1000))


def lesson(lore):
    """
    Give what is written of it.
    """
    return encode_lesson(Lesson(What.SPAM, lore.identity, 1, lore.evidence))


class LoreTests(SynchronousTestCase):
    """
    Tests of L{decode_lore}.
    """

    def test_round(self):
        """
        What another process has read teaches the same as what was read here.
        """
        for data in (
            letter(True, 1),
            message(body=prose(1)),
            page(),
            FILE,
            b"",
            b"\r\n",
            b"\xff" * 100,
        ):
            lore = lore_of(data)
            again = decode_lore(encode_lore(lore))
            self.assertEqual(lesson(again), lesson(lore))
            self.assertEqual(again.marks, lore.marks)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data):
        """
        Any other bytes are nothing to learn.
        """
        self.assertRaises(ValueError, decode_lore, data)

    def test_lies(self):
        """
        Nothing counts that no message teaches: a token twice, groups that are none, unknown
        signals, a number that is too large.
        """
        lore = lore_of(letter(True, 1))
        tokens = lore.evidence.tokens
        twice = np.repeat(tokens.keys[:1], len(tokens.keys))
        for keys, ends in (
            (twice, tokens.ends),
            (tokens.keys[::-1], tokens.ends),
            (tokens.keys, tokens.ends[1:]),
            (tokens.keys, (*tokens.ends[:-1], tokens.ends[-1] - 1)),
            (tokens.keys, (-1, *tokens.ends[1:])),
            (tokens.keys, (tokens.ends[1] + 1, *tokens.ends[1:])),
            (tokens.keys[:1], (0, 0, 0, 0, 0)),
        ):
            lie = evolve(lore.evidence, tokens=Tokens(keys, ends, nameless))
            self.assertRaises(ValueError, decode_lore, encode_lore(evolve(lore, evidence=lie)))
        for marks in (
            Marks(b"x"),
            Marks(b"x" * (SKETCH_BYTES + 4)),
            Marks(structure=-1),
            Marks(files=(-1,)),
            Marks(files=tuple(range(MOST_FILES + 1))),
        ):
            self.assertRaises(ValueError, decode_lore, encode_lore(evolve(lore, marks=marks)))
        lie = evolve(lore.evidence, signals=frozenset({"no such signal"}))
        self.assertRaises(ValueError, decode_lore, encode_lore(evolve(lore, evidence=lie)))
        for number in (-1, 1 << 64):
            written = msgspec.msgpack.decode(encode_lore(lore))
            written["identity"] = number if number < 0 else 1.5
            self.assertRaises(ValueError, decode_lore, msgspec.msgpack.encode(written))
