"""
Tests of L{mailgate.classify.tokens} and L{mailgate.classify.reading}.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.evidence import evidence_of, identity_of
from mailgate.classify.reading import Mailbox, read
from mailgate.classify.tokens import header_tokens, link_tokens, sender_tokens, tokens_of
from mailgate.message import mime
from tests.classify.given import letter, message


def reading(*lines, body=""):
    """
    Read a message.
    """
    return read(mime.read(message(*lines, body=body)))


class MailboxTests(SynchronousTestCase):
    """
    Tests of whom a field names.
    """

    def test_forms(self):
        """
        Name and address are read in the usual forms.
        """
        for raw, name, address in (
            (b"Ada Byron <ada@Example.ORG>", "Ada Byron", "ada@example.org"),
            (b'"Byron, Ada" <ada@example.org>', "Byron, Ada", "ada@example.org"),
            (b"ada@example.org (Ada Byron)", "Ada Byron", "ada@example.org"),
            (b"=?utf-8?q?Ad=C3=A4?= <ada@example.org>", "Ad\u00e4", "ada@example.org"),
            (b"<ada@example.org>", "", "ada@example.org"),
            (b"ada", "", "ada"),
            (b'"PayPal <x@paypal.com>" <ada@evil.test>', "PayPal <x@paypal.com>", "ada@evil.test"),
            (b"", "", ""),
        ):
            found = Mailbox.parse(raw)
            self.assertEqual((found.name, found.address), (name, address), raw)


class GroupTests(SynchronousTestCase):
    """
    Tests of the tokens of each group.
    """

    def test_sender(self):
        """
        The sender gives words of the name, pieces of the address, and domains.
        """
        found = sender_tokens(reading("From: Ada Byron <ada.b77@mail.example.co.uk>"))
        self.assertEqual(
            found,
            {
                "name ada",
                "name byron",
                "local ada",
                "address ada.b77@mail.example.co.uk",
                "domain example.co.uk",
                "ending uk",
            },
        )

    def test_headers(self):
        """
        The header section gives what is there, the program, and the shapes of ids.
        """
        found = header_tokens(
            reading(
                "From: ada@example.org",
                "Message-ID: <20270115.ABCxyz-7@mail.example.org>",
                "X-Mailer: Mutt 1.5.20",
                "MIME-Version: 1.0",
                'Content-Type: multipart/mixed; boundary="----=_Part_12ab"',
                "Subject: =?ISO-8859-1?Q?caf=E9?=",
                body='------=_Part_12ab\r\nContent-Type: text/plain; charset="UTF-8"\r\n'
                "Content-Transfer-Encoding: BASE64\r\n\r\nYQ==\r\n------=_Part_12ab\r\n"
                'Content-Type: application/pdf; name="a.PDF"\r\n\r\nx\r\n------=_Part_12ab--\r\n',
            )
        )
        for token in (
            "mime-version yes",
            "x-priority no",
            "mailer mutt",
            "mailer 1.5.20",
            "id 9.fz-9",
            "id of sender",
            "type multipart/mixed",
            "boundary ----=_zfzz_99f",
            "part text/plain",
            "encoding base64",
            "charset utf-8",
            "file pdf",
            "subject in iso-8859-1",
        ):
            self.assertIn(token, found)

    def test_links(self):
        """
        Links of HTML and of plain text give labels, path, query and what else they show.
        """
        found = link_tokens(
            reading(
                "Content-Type: text/html",
                body='<a href="https://www.shop.example:81/buy/now.php?id=1">x</a>'
                '<a href="mailto:a@b.example">y</a><img src="cid:7"> http://192.0.2.7/z',
            )
        )
        self.assertEqual(
            found,
            {
                "label www",
                "label shop",
                "label example",
                "ending example",
                "domain shop.example",
                "labels 3",
                "port 81",
                "path buy",
                "path now",
                "path php",
                "extension php",
                "query id",
                "mailto",
                "mailto b.example",
                "scheme cid",
                "address",
            },
        )

    def test_what_is_left_out(self):
        """
        Fields that lists, servers and filters write change no token.
        """
        plain = message("From: ada@example.org", "Subject: hello", body="text\r\n")
        marked = message(
            "Received: from a by b",
            "List-Id: <dev.example.org>",
            "Precedence: bulk",
            "X-Spam-Status: Yes",
            "Delivered-To: bob@example.org",
            "To: bob@example.org",
            "From: ada@example.org",
            "Subject: [dev-list] hello",
            body="text\r\n",
        )
        one, two = (tokens_of(read(mime.read(data))) for data in (plain, marked))
        self.assertEqual(one.keys.tolist(), two.keys.tolist())

    def test_names(self):
        """
        Each token of a message at hand can be told in words, and in its own ones.
        """
        made = tokens_of(
            reading(
                "From: Ada <ada@example.org>",
                "Subject: buy now",
                body="cheap pills http://shop.example/x\r\n",
            )
        )
        names = set(made.names(np.arange(len(made.keys))))
        for name in (
            "cheap",
            "cheap pills",
            "buy (subject)",
            "buy now (subject)",
            "urlx",
            "name ada",
            "domain shop.example",
        ):
            self.assertIn(name, names)
        self.assertNotIn("now cheap", names)

    def test_hidden_text(self):
        """
        What a page hides is no word of it, and where text and HTML say the same it counts once.
        """
        made = tokens_of(
            reading("Content-Type: text/html", body="<p>shown</p><p hidden>secret</p>")
        )
        names = set(made.names(np.arange(made.ends[0])))
        self.assertEqual(names, {"shown"})

    def test_sorted(self):
        """
        The keys of each group are sorted, each once.
        """
        made = tokens_of(reading("Subject: a b a", body="a b a b\r\n"))
        for group in range(5):
            keys = made.group(group).tolist()
            self.assertEqual(keys, sorted(set(keys)))


class IdentityTests(SynchronousTestCase):
    """
    Tests of L{identity_of}.
    """

    def identity(self, data):
        """
        Give the number of a message.
        """
        parsed = mime.read(data)
        return identity_of(parsed, evidence_of(parsed))

    def test_same(self):
        """
        What servers on the way add makes no other message.
        """
        data = letter(True, 1)
        self.assertEqual(
            self.identity(data), self.identity(b"Received: from a by b\r\nX-Score: 1\r\n" + data)
        )

    def test_other(self):
        """
        Another text is another message, and so is another Message-ID.
        """
        data = letter(True, 1)
        others = {
            self.identity(data),
            self.identity(data + b"more\r\n"),
            self.identity(data.replace(b"<1@", b"<2@")),
        }
        self.assertEqual(len(others), 3)


class AnyBytesTests(SynchronousTestCase):
    """
    Nothing raises.
    """

    @given(st.binary(max_size=300), st.sampled_from([b"", b"Content-Type: text/html\r\n"]))
    def test_any_bytes(self, data, begin):
        """
        Whatever bytes a message has, it has evidence, the same each time.
        """
        parsed = mime.read(begin + data)
        one, two = evidence_of(parsed), evidence_of(parsed)
        self.assertEqual(one.tokens.keys.tolist(), two.tokens.keys.tolist())
        self.assertEqual(one.signals, two.signals)
        self.assertEqual(
            len(one.tokens.names(np.arange(len(one.tokens.keys)))), len(one.tokens.keys)
        )
