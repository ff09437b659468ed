"""
Tests of L{mailgate.wire.base64}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.base64 import b64encode, strict_b64decode


class Base64Tests(SynchronousTestCase):
    """
    Tests of decoding.
    """

    @given(st.binary())
    def test_round_trip(self, data):
        """
        What is encoded comes back.
        """
        self.assertEqual(strict_b64decode(b64encode(data)), data)

    def test_one_form(self):
        """
        Any other way to write it is refused.
        """
        self.assertEqual(strict_b64decode(b"YQ=="), b"a")
        for text in (
            b"YQ",
            b"YQ=",
            b"YQ===",
            b"YQ==YQ==",
            b"YR==",
            b" YQ==",
            b"YQ==\n",
            b"Y Q==",
            b"Y",
            b"=",
            b"====",
            b"-_==",
            b"Y\xc3==",
            b"*",
        ):
            self.assertRaises(ValueError, strict_b64decode, text)
