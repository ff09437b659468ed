"""
Tests of L{mailgate.message.page}.
"""

import msgspec
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.page import (
    ATTACHMENTS_SHOWN,
    TEXT_SHOWN,
    decode_page,
    encode_page,
    page_of,
)

MANY = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
    + "wörd ".encode() * 40_000
    + b"\r\n".join(
        [
            b"",
            *[
                b"--b\r\nContent-Type: a/%s; name=%s%d\r\n\r\nx" % (b"t" * 300, b"n" * 300, number)
                for number in range(150)
            ],
            b"--b--",
        ]
    )
)


class PageTests(SynchronousTestCase):
    """
    Tests of pages.
    """

    def test_round(self):
        """
        What another process has read is what would be read here.
        """
        for data in (b"", b"Subject: x\r\n\r\nHello\r\n", b"\r\n<b>", MANY):
            self.assertEqual(decode_page(encode_page(page_of(data))), page_of(data))

    def test_bounds(self):
        """
        Of text, attachments and their names only so much is shown; it says that there is more.
        """
        page = page_of(MANY)
        self.assertEqual((len(page.text), page.is_cut), (TEXT_SHOWN, True))
        self.assertEqual(len(page.attachments), ATTACHMENTS_SHOWN)
        self.assertEqual(page.more_attachments, 50)
        self.assertEqual((len(page.attachments[0].name), len(page.attachments[0].type)), (200, 100))
        self.assertLess(len(encode_page(page)), 256 * 1024)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data):
        """
        Any other bytes are no page.
        """
        self.assertRaises(ValueError, decode_page, data)

    def test_lies(self):
        """
        What is more than any page has is none.
        """
        written = msgspec.msgpack.decode(encode_page(page_of(MANY)))
        for more in (
            {"text": "x" * (TEXT_SHOWN + 1)},
            {"attachments": written["attachments"] * 2},
            {"flaws": ["A flaw."] * 101},
            {"attachments": [{"names": ["x"] * 5, "type": "a/b", "size": 1}]},
            {"is_cut": 1},
        ):
            self.assertRaises(ValueError, decode_page, msgspec.msgpack.encode({**written, **more}))
        self.assertEqual(decode_page(msgspec.msgpack.encode(written)), evolve(page_of(MANY)))
