"""
Tests of L{mailgate.rules.texts}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.mime import read
from mailgate.rules.texts import LIMIT, SMALL_LIMIT, texts_of

HEAD = (
    b"From: =?utf-8?q?R=C3=A9mi?= <remi@example.org>\r\nSubject: A\r\n  b\r\n"
    b"X-Thing: one\r\nX-Thing:  two\r\nMIME-Version: 1.0\r\n"
)
PAGE = (
    b'Content-Type: text/html\r\n\r\n<html><p>Shown  <b>words</b></p><p style="display:none">'
    b"quiet words</p></html>"
)


class TextsTests(SynchronousTestCase):
    """
    Tests of the places of a message.
    """

    def texts(self, data, *places, links=(), attachments=()):
        """
        Give the texts of these places.
        """
        return dict(texts_of(places, read(data), "R\u00e9mi", links, attachments))

    def test_places(self):
        """
        Each place is a text, folded, a line for each thing; what is empty or not wanted is not
        there.
        """
        self.assertEqual(
            self.texts(
                HEAD + PAGE,
                *("subject", "from_name", "header:x-thing", "header:x-other", "hidden", "links"),
                *("attachments", "text"),
                links=["https://a.example/", "https://b.example/"],
                attachments=["Invoice.PDF"],
            ),
            {
                "subject": b"A b",
                "from_name": b"Remi",
                "header:x-thing": b"one\ntwo",
                "hidden": b"quiet words",
                "links": b"https://a.example/\nhttps://b.example/",
                "attachments": b"Invoice.PDF",
                "text": b"Shown words",
            },
        )
        self.assertEqual(self.texts(HEAD + PAGE), {})

    def test_limits(self):
        """
        Of each place only so much is looked at, even of letters that become longer.
        """
        long = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + "\ufdfa ".encode() * LIMIT
        texts = self.texts(long, "text", "links", links=["x" * 1000] * 1000)
        self.assertEqual(len(texts["text"].decode()), LIMIT)
        self.assertEqual(len(texts["links"]), SMALL_LIMIT)
