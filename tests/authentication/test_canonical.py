"""
Tests of L{mailgate.authentication.canonical}.
"""

import itertools
import re
from hashlib import sha256
from time import process_time

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.canonical import BodyHasher, Field, Form, fields_of

PIECES = st.sampled_from(
    (b"a", b" ", b"\t", b"\r\n", b"\r", b"\n", b"\r\n\r\n", b"  ", b"bc", b"\0")
)
BODIES = st.lists(PIECES, max_size=30).map(b"".join)


def plain(body, is_relaxed):
    """
    Give the form of a body as RFC 6376 sections 3.4.3 and 3.4.4 have it, all at once.
    """
    if is_relaxed:
        body = re.sub(rb"[ \t]+", b" ", body)
        body = re.sub(rb" (?=\r\n)", b"", body)
        body = re.sub(rb" \Z", b"", body)
    body = re.sub(rb"(?:\r\n)*\Z", b"", body)
    return b"" if is_relaxed and not body else body + b"\r\n"


class FieldTests(SynchronousTestCase):
    """
    Tests of the forms of header fields.
    """

    def test_example(self):
        """
        The example of RFC 6376 section 3.4.5.
        """
        fields = fields_of(b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\n")
        self.assertEqual([field.canonical(True) for field in fields], [b"a:X", b"b:Y Z"])
        self.assertEqual(
            [field.canonical(False) for field in fields], [b"A: X", b"B : Y\t\r\n\tZ  "]
        )

    def test_fields(self):
        """
        What is no field is left out with what continues it, and the empty line ends all.
        """
        fields = fields_of(b" x\r\nno field\r\n y\r\nA:1\r\n 2\r\n:3\r\nB \t:\r\n\r\nC:4\r\n")
        self.assertEqual([field.name for field in fields], [b"a", b"", b"b"])
        self.assertEqual(fields[0].raw, b"A:1\r\n 2")
        self.assertEqual(fields_of(b""), [])

    def test_unsigned(self):
        """
        The value of C{b=} is left out, and nothing else.
        """
        for value, left in (
            (b" v=1; b=abc; bh=b=d", b" v=1; b=; bh=b=d"),
            (b" b = a\r\n b ", b" b ="),
            (b"bh=x;\r\n\tb\r\n =x=;", b"bh=x;\r\n\tb\r\n =;"),
            (b" xb=1; bb=2", b" xb=1; bb=2"),
        ):
            unsigned = Field(b"x", b"X:" + value).unsigned
            self.assertEqual(unsigned, Field(b"x", b"X:" + left))


class BodyTests(SynchronousTestCase):
    """
    Tests of the forms of bodies.
    """

    def hashes(self, body, forms, cuts=()):
        """
        Give the hashes of a body that comes in pieces.
        """
        hasher = BodyHasher(forms)
        edges = [0, *sorted(cuts), len(body)]
        for start, end in itertools.pairwise(edges):
            hasher.update(body[start:end])
        return hasher.finish()

    def test_empty(self):
        """
        The hashes of an empty body are those of RFC 6376 section 3.4.
        """
        found = self.hashes(b"", [Form(False), Form(True)])
        self.assertEqual(found[Form(False)].digest, sha256(b"\r\n").digest())
        self.assertEqual(found[Form(True)].digest, sha256(b"").digest())

    def test_example(self):
        """
        The example of RFC 6376 section 3.4.5.
        """
        body = b" C \r\nD \t E\r\n\r\n\r\n"
        found = self.hashes(body, [Form(False), Form(True)])
        self.assertEqual(found[Form(True)].digest, sha256(b" C\r\nD E\r\n").digest())
        self.assertEqual(found[Form(False)].digest, sha256(b" C \r\nD \t E\r\n").digest())

    @given(BODIES, st.lists(st.integers(0, 40), max_size=8), st.integers(0, 30))
    @example(b"a \r\n", [2, 3], 2)
    @example(b"a\r", [1], 1)
    @example(b" \r\n \r\n", [1, 3, 4], 0)
    def test_any_cut(self, body, cuts, length):
        """
        However a body is cut, its hashes are those of its forms, whole or in part.
        """
        forms = [Form(is_relaxed, part) for is_relaxed in (False, True) for part in (None, length)]
        found = self.hashes(body, forms, [min(cut, len(body)) for cut in cuts])
        for form in forms:
            whole = plain(body, form.is_relaxed)
            self.assertEqual(found[form].size, len(whole))
            self.assertEqual(found[form].digest, sha256(whole[: form.length]).digest())

    def test_a19_bounded(self):
        """
        A body of any bytes takes linear time, however it is cut.
        """
        for piece in (b"\r\n", b"\r", b"\n", b" ", b"\t\r\n", b" a", b"\r\r\n", b"\n\r"):
            start = process_time()
            hasher = BodyHasher([Form(False), Form(True)])
            for _ in range(64):
                hasher.update(piece * (16_384 // len(piece)))
            hasher.finish()
            self.assertLess(process_time() - start, 2, piece)
