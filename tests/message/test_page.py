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

    def test_all_readings(self):
        """
        What only some programs show as attached is listed too, with all names and with what it is;
        it says which those are.
        """
        part = b"Content-Type: %s; name=%s\r\nContent-Disposition: attachment\r\n\r\n%s\r\n"
        data = (
            b"Content-Type: multipart/mixed; boundary=a\r\n"
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--a\r\n" + part % (b"text/plain", b"one.txt", b"Hello") + b"--a--\r\n"
            b"--b\r\n" + part % (b"image/png", b"two.exe", b"%PDF-1.4") + b"--b--\r\n"
        )
        found = {each.name: each for each in page_of(data).attachments}
        self.assertEqual(set(found), {"one.txt", "two.exe"})
        self.assertEqual(found["two.exe"].true_type, "pdf")
        self.assertEqual({each.is_usual for each in found.values()}, {True, False})
        page = page_of(b"Content-Type: multipart/mixed; boundary=a\r\n" + data)
        self.assertEqual(len(page.attachments), 2)

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
