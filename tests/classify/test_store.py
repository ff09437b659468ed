"""
Tests of L{mailgate.classify.store}.
"""

import json
from zlib import crc32

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.lessons import Pending
from mailgate.classify.model import FEATURES, Regression
from mailgate.classify.store import MAGIC, Learned, Unusable, decode, encode, load
from mailgate.store.files import Files
from tests.classify.given import lesson, trained
from tests.storage import temporary_folder


def learned_of(*lessons):
    """
    Give what is known after these lessons.
    """
    pending = Pending(Learned.nothing())
    for each in lessons:
        pending.apply(each)
    return pending.merged(7, 1 << 30)


def same(one, two):
    """
    Tell whether all that was learned is the same.
    """
    return encode(one) == encode(two)


class FileTests(SynchronousTestCase):
    """
    Tests of the form of the file.
    """

    def setUp(self):
        """
        Write a file.
        """
        self.learned = learned_of(
            lesson("spam", 1, [1, 2, 3]), lesson("ham", 2, [3, 4], [2**32 - 1])
        )
        self.path = temporary_folder(self) / "tokens"
        self.content = encode(self.learned)
        self.path.write_bytes(self.content)

    def test_again(self):
        """
        What was written is read again.
        """
        found = load(self.path, Files())
        self.assertTrue(same(found, self.learned))
        self.assertEqual((found.spam, found.ham, found.log), (1, 1, 7))
        spam, ham = found.look_up(np.array([3, 5, 2**32 - 1, 1], np.uint32))
        self.assertEqual((spam.tolist(), ham.tolist()), ([1, 0, 0, 1], [1, 0, 1, 0]))
        self.assertEqual([found.is_spam(number) for number in (1, 2, 3)], [True, False, None])

    def test_documented_layout(self):
        """
        The file is laid out as the documentation says.
        """
        content = self.content
        length = int.from_bytes(content[16:20], "little")
        self.assertEqual(content[:16], b"mailgate tokens\n")
        self.assertEqual(crc32(content[24:]), int.from_bytes(content[20:24], "little"))
        header = json.loads(content[24 : 24 + length])
        self.assertEqual((header["keys"], header["messages"]), (5, 2))
        self.assertEqual(length % 8, 0)
        keys = np.frombuffer(content, "<u4", 5, 24 + length)
        self.assertEqual(keys.tolist(), [1, 2, 3, 4, 2**32 - 1])
        spam = np.frombuffer(content, "<u4", 5, 24 + length + 24)
        self.assertEqual(spam.tolist(), [1, 1, 1, 0, 0])

    def test_damaged(self):
        """
        A file of which any byte is another, or that is cut, is refused with its name.
        """
        for at in (0, 17, 21, 30, len(self.content) // 2, len(self.content) - 1):
            damaged = bytearray(self.content)
            damaged[at] ^= 1
            for content in (bytes(damaged), self.content[:at]):
                self.path.write_bytes(content)
                error = self.assertRaises(Unusable, load, self.path, Files())
                self.assertIn(str(self.path), str(error))

    def test_other_version(self):
        """
        A file of another version is refused, and the words say what to do.
        """
        for key in ("format", "tokens"):
            self.path.write_bytes(self.with_header(**{key: 99}))
            error = self.assertRaises(Unusable, load, self.path, Files())
            self.assertIn("train anew", str(error))

    def test_wrong_header(self):
        """
        A header that is whole but says less than it should is refused too.
        """
        for change in ({"keys": None}, {"keys": 10**9}, {"features": 7}, {"spam": None}):
            content = self.with_header(**change)
            if change == {"spam": None}:
                content = self.with_header(remove="spam")
            self.assertRaises(Unusable, decode, content)

    def with_header(self, remove="", **changes):
        """
        Give the content with another header and its right checksum.
        """
        length = int.from_bytes(self.content[16:20], "little")
        header = {**json.loads(self.content[24 : 24 + length]), **changes}
        header.pop(remove, None)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        rest = text + self.content[24 + length :]
        return b"".join(
            (MAGIC, len(text).to_bytes(4, "little"), crc32(rest).to_bytes(4, "little"), rest)
        )

    def test_other_features(self):
        """
        Weights are found by their names: what is new has its prior, what is gone is forgotten.
        """
        learned = trained(10, 10)
        self.content = encode(learned)
        names = ["gone" if name == "html" else name for name in FEATURES]
        found = decode(self.with_header(features=names)).regression
        before = learned.regression
        html, money = FEATURES.index("html"), FEATURES.index("money")
        self.assertEqual(found.weights[html], Regression.fresh().weights[html])
        self.assertEqual(found.weights[money], before.weights[money])

    @given(st.binary(max_size=100))
    def test_any_bytes(self, data):
        """
        Whatever is no file of ours is refused.
        """
        self.assertRaises(Unusable, decode, data)
        self.assertRaises(Unusable, decode, MAGIC + data)
