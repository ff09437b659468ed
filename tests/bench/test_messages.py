"""
Tests of the messages that are made for measuring.
"""

import email
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bench.messages import Mailbag

SIZES = (4096, 65_536, 10 * 1024 * 1024)


def parts(message):
    """
    Decode the parts of a message that hold something, by their type.
    """
    parsed = email.message_from_bytes(message)
    return {
        part.get_content_type(): part.get_payload(decode=True)
        for part in parsed.walk()
        if not part.is_multipart()
    }


class MailbagTests(SynchronousTestCase):
    """
    A bag gives messages like mail, the same ones for the same seed.
    """

    def test_size(self):
        """
        A message is as large as was asked for, to within 5 %.
        """
        for size in SIZES:
            bag = Mailbag(size)
            for number in (0, 1, 999, 123_456):
                self.assertLess(abs(len(bag.message(number)) - size), size * 0.05)

    def test_too_small(self):
        """
        What has no room for a message like mail is refused.
        """
        self.assertRaises(ValueError, Mailbag, 4095)

    @settings(max_examples=30)
    @given(size=st.integers(4096, 400_000), number=st.integers(0, 10**7))
    def test_lines(self, size, number):
        """
        Every line ends in CRLF and is short, and there is neither NUL nor 8-bit text.
        """
        message = Mailbag(size).message(number)
        *lines, last = message.split(b"\r\n")
        self.assertEqual(last, b"")
        self.assertLessEqual(max(map(len, lines)), 998)
        self.assertEqual([b"" for line in lines if re.search(rb"[\r\n\0\x80-\xff]", line)], [])

    def test_same_seed(self):
        """
        Two bags of one seed hold the same messages, whatever was taken before.
        """
        for size in SIZES:
            first, second = Mailbag(size, seed=7), Mailbag(size, seed=7)
            first.message(2)
            self.assertEqual(first.message(1003), second.message(1003))

    def test_other_seed(self):
        """
        Another seed gives other text and other headers.
        """
        one, other = (parts(Mailbag(4096, seed).message(0)) for seed in (1, 2))
        self.assertNotEqual(one["text/plain"], other["text/plain"])
        self.assertNotEqual(one["text/html"], other["text/html"])

    def test_none_repeated(self):
        """
        No text and no HTML comes twice within 1,000 messages, and no message twice at all.
        """
        bag = Mailbag(4096)
        messages = [bag.message(number) for number in range(2000)]
        self.assertEqual(len(set(messages)), 2000)
        for start in (0, 500, 1000):
            decoded = [parts(message) for message in messages[start : start + 1000]]
            self.assertEqual(len({part["text/plain"] for part in decoded}), 1000)
            self.assertEqual(len({part["text/html"] for part in decoded}), 1000)

    def test_attachments_differ(self):
        """
        Attachments begin like a PDF and differ from message to message.
        """
        bag = Mailbag(1024 * 1024)
        attached = [parts(bag.message(number))["application/pdf"] for number in range(50)]
        self.assertEqual(len(set(attached)), 50)
        self.assertEqual({content[:8] for content in attached}, {b"%PDF-1.7"})

    def test_words_and_links(self):
        """
        The text has at least 150 distinct words, and the HTML besides five different links.
        """
        for size in SIZES:
            found = parts(Mailbag(size).message(17))
            for content in (found["text/plain"], found["text/html"]):
                words = set(re.findall(r"[a-z]{2,}", content.decode().lower()))
                self.assertGreaterEqual(len(words), 150)
            links = re.findall(rb'<a href="(https://[^"]+)">', found["text/html"])
            self.assertEqual(len(set(links)), 5)

    def test_headers(self):
        """
        The headers of mail on its way in are there, each once, and Message-IDs differ.
        """
        bag = Mailbag(4096, recipient="someone@example.com")
        seen = set()
        for number in range(100):
            parsed = email.message_from_bytes(bag.message(number))
            self.assertEqual(
                sorted(name.lower() for name in parsed),
                [
                    "content-type",
                    "date",
                    "dkim-signature",
                    "from",
                    "message-id",
                    "mime-version",
                    "received",
                    "subject",
                    "to",
                ],
            )
            self.assertEqual(parsed["To"], "<someone@example.com>")
            seen.add(parsed["Message-ID"])
        self.assertEqual(len(seen), 100)

    def test_dots(self):
        """
        About one message in five has a line that begins with a dot.
        """
        for size in (4096, 65_536):
            bag = Mailbag(size)
            dotted = sum(b"\n." in bag.message(number) for number in range(200))
            self.assertTrue(40 <= dotted <= 44, dotted)

    def test_well_formed(self):
        """
        A reader of MIME finds nothing wrong with them.
        """
        for size in SIZES:
            for part in email.message_from_bytes(Mailbag(size).message(5)).walk():
                self.assertEqual(part.defects, [])
