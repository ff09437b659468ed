"""
Tests of pieces of a message.
"""

import sys
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.pieces import SMALL, Pieces


class PiecesTests(SynchronousTestCase):
    """
    Tests of L{Pieces}.
    """

    def taken(self, *given_pieces):
        """
        Give what comes out when these go in.
        """
        pieces = Pieces()
        for piece in given_pieces:
            pieces.append(piece)
        return pieces.take()

    def test_as_they_came(self):
        """
        Pieces of ordinary size, and one alone of any size, are not copied.
        """
        for given_pieces in ([b"alone"], [b"x" * SMALL, b"y" * 20_000, b"z"]):
            taken = self.taken(*given_pieces)
            self.assertEqual(len(taken), len(given_pieces))
            for piece, original in zip(taken, given_pieces, strict=True):
                self.assertIs(piece, original)

    def test_small(self):
        """
        A message that comes byte by byte takes little more memory than its bytes.
        """
        taken = self.taken(*(bytes([n % 256]) for n in range(200_000)))
        self.assertEqual(b"".join(taken), bytes(n % 256 for n in range(200_000)))
        self.assertLess(sum(map(sys.getsizeof, taken)) + sys.getsizeof(taken), 210_000)

    def test_small_between_large(self):
        """
        Small ones between large ones are joined with each other.
        """
        large = b"x" * SMALL
        self.assertEqual(
            self.taken(b"a", b"b", large, b"c", b"d", b"e", large, b"f"),
            [b"ab", large, b"cde", large, b"f"],
        )

    def test_taken(self):
        """
        What has been taken does not come again.
        """
        pieces = Pieces()
        pieces.append(b"a")
        self.assertEqual(pieces.take(), [b"a"])
        self.assertEqual(pieces.take(), [])

    @given(st.lists(st.integers(0, 3 * SMALL), max_size=20))
    def test_same_bytes(self, sizes):
        """
        The bytes are the same and in their order, and no two pieces in a row are small.
        """
        given_pieces = [bytes([n % 256]) * size for n, size in enumerate(sizes)]
        taken = self.taken(*given_pieces)
        self.assertEqual(b"".join(taken), b"".join(given_pieces))
        self.assertTrue(all(isinstance(piece, bytes) for piece in taken))
        for first, second in pairwise(taken):
            self.assertGreaterEqual(len(first) + len(second), SMALL)
