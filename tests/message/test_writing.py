"""
Tests for L{mailgate.message.writing}: nothing that a stranger has written gets out of its place
(A15 of the list of attacks).
"""

import re
from email import message_from_bytes
from email.header import decode_header, make_header

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.writing import (
    NOTICE,
    Letter,
    encoded,
    fields_part,
    headers_part,
    in_words,
    message_part,
    text_part,
    typed_address,
    utf8_xtext,
)
from mailgate.wire.address import Address
from tests.storage import NOW

HOSTILE = (
    "\r\nBcc: eve@example.org",
    "\nBcc: eve@example.org",
    "\rBcc: eve@example.org",
    "\r\n\r\nbody",
    "\x85Bcc: x",
    "\u2028Bcc: x",
    "\x0bBcc: x",
    "\x00",
    "\ud800",
    "\u202ecod.exe",
    "=?utf-8?q?=0D=0ABcc:_x?=",
    "--b\r\n",
    "x" * 3000,
    "ö" * 3000,
    '"><script>',
    "<a@b>\r\nX: y",
    ".",
    "From me",
    " ",
    "",
)
ANYTHING = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=200),
    st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join),
)
ADDRESSES = st.one_of(
    st.builds(Address, ANYTHING, ANYTHING),
    st.sampled_from((Address("ada", "example.com"), Address("jös", "exämple.com"))),
)
OURS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "Precedence",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
]
SENDER = Address("postmaster", "example.com")


def letter(**more):
    """
    Give what stands above a message.
    """
    values = {
        "hostname": "mail.example.com",
        "sender": SENDER,
        "recipient": Address("ada", "example.com"),
        "subject": "Hello",
        "now": NOW,
        "identity": "7q4m-x2vd-90kt",
    }
    return Letter(**{**values, **more})


def header_names(section):
    """
    Read the names of fields as a careless reader does: at every line that is not folded.
    """
    return [line.partition(b":")[0].decode() for line in section.split(b"\r\n") if line[:1] != b" "]


def decoded(part):
    """
    Give what a reader gets of a part.
    """
    head = f"Content-Type: text/plain\r\nContent-Transfer-Encoding: {part.encoding}\r\n\r\n"
    return message_from_bytes(head.encode() + part.content).get_payload(decode=True)


class HostileTests(SynchronousTestCase):
    """
    Whatever goes in, the shape that comes out is ours.
    """

    @given(
        ADDRESSES,
        ANYTHING,
        ANYTHING,
        ANYTHING,
        st.lists(st.lists(st.tuples(st.just("Field"), ANYTHING), min_size=1), min_size=1),
        st.binary(max_size=300),
    )
    def test_a15_shape(self, recipient, subject, about, text, groups, section):
        """
        No header field, no part and no field of a part is there that was not put there; no line is
        too long, and none ends in half a CRLF.
        """
        written = letter(recipient=recipient, subject=subject, about=about).write(
            (
                text_part(text),
                fields_part("message/delivery-status", groups),
                headers_part(section, True),
            ),
            "delivery-status",
        )
        content = written.content
        self.assertNotRegex(content, rb"\r(?!\n)|(?<!\r)\n|\0")
        lines = content.split(b"\r\n")
        self.assertLessEqual(max(map(len, lines)), 998)
        head, _, body = content.partition(b"\r\n\r\n")
        names = header_names(head)
        self.assertEqual(names, [name for name in OURS if name in names])
        self.assertEqual(set(OURS) - set(names) - {"In-Reply-To", "References"}, set())
        if not recipient.is_ascii:
            self.assertTrue(written.is_8bit)
        else:
            self.assertTrue(content.isascii())
        boundary = re.search(rb'boundary="(\w+)"', head)[1]
        parts = body.split(b"\r\n--" + boundary)
        self.assertEqual(len(parts), 5)
        self.assertEqual(parts[-1], b"--\r\n")
        kinds = [re.match(rb"\r\nContent-Type: ([a-z/0-9-]+)", part)[1] for part in parts[1:-1]]
        self.assertEqual(kinds[:2], [b"text/plain", b"message/delivery-status"])
        fields = parts[2].partition(b"\r\n\r\n")[2]
        self.assertEqual(
            [header_names(each.removesuffix(b"\r\n")) for each in fields.split(b"\r\n\r\n")],
            [["Field"] * len(group) for group in groups],
        )

    @given(ANYTHING)
    def test_a15_subject(self, text):
        """
        A subject says what was meant, as far as it can be shown, and goes on over lines of at most
        76 characters.
        """
        line = f"Subject: {encoded(text, 200)}"
        self.assertTrue(line.isascii())
        self.assertLessEqual(max(map(len, line.split("\r\n"))), 76)
        value = line.removeprefix("Subject: ").replace("\r\n ", " ")
        if "=?" in value:
            value = str(make_header(decode_header(value)))
        self.assertEqual(value, in_words(text, 200))

    @given(ANYTHING)
    def test_words(self, text):
        """
        A stranger's words fit on one line and can be printed.
        """
        words = in_words(text, 50)
        self.assertTrue(words.isprintable())
        self.assertLessEqual(len(words), 50)

    @given(ANYTHING)
    def test_text(self, text):
        """
        A text comes out with the lines that went in.
        """
        part = text_part(text)
        shown = decoded(part).decode()
        self.assertEqual(shown.count("\n"), text.count("\n") + 1)
        self.assertEqual(len(shown.replace("\r\n", "\n")), len(text) + 1)

    @given(st.binary(max_size=300))
    def test_headers(self, section):
        """
        A stranger's header section comes out byte for byte, whatever it holds.
        """
        part = headers_part(section, False)
        expected = section.removesuffix(b"\r\n\r\n").removesuffix(b"\r\n") + b"\r\n"
        self.assertEqual(decoded(part), expected)

    def test_name_of_a_field(self):
        """
        A field whose name is none is a mistake of ours.
        """
        for name in ("", "A b", "A:", "A\r\nB", "ä"):
            self.assertRaises(ValueError, fields_part, "x/y", [[(name, "value")]])


class LetterTests(SynchronousTestCase):
    """
    Tests of L{Letter}.
    """

    def test_fields(self):
        """
        What a notice needs is there: it answers nothing, and nothing shall answer it.
        """
        written = letter(is_answer=True, about="<1@e>").write((text_part("Hi"),))
        message = message_from_bytes(written.content)
        self.assertEqual(
            [(name, message[name]) for name in OURS],
            [
                ("From", "mailgate <postmaster@example.com>"),
                ("To", "<ada@example.com>"),
                ("Subject", "Hello"),
                ("Date", message["Date"]),
                ("Message-ID", "<7q4m-x2vd-90kt@mail.example.com>"),
                ("In-Reply-To", "<1@e>"),
                ("References", "<1@e>"),
                ("Auto-Submitted", "auto-replied"),
                ("Precedence", "bulk"),
                ("X-Auto-Response-Suppress", "All"),
                ("MIME-Version", "1.0"),
                ("Content-Type", "text/plain; charset=us-ascii"),
                ("Content-Transfer-Encoding", "7bit"),
            ],
        )
        self.assertEqual(message.get_payload(), "Hi\r\n")
        self.assertIn(
            b"Auto-Submitted: auto-generated\r\n", letter().write((text_part(""),)).content
        )

    def test_envelope(self):
        """
        It goes out from the null sender; with SMTPUTF8 where its recipient needs that.
        """
        written = letter(recipient=Address("jös", "example.com")).write((text_part("Hi"),))
        envelope = written.envelope("mail.example.com", NOTICE, "trac-trac-trac", NOW)
        self.assertTrue(envelope.sender.is_null)
        self.assertEqual((envelope.utf8, envelope.body), (True, "8BITMIME"))
        self.assertFalse(envelope.session.is_trusted)
        self.assertIn("To: <jös@example.com>\r\n".encode(), written.content)
        plain = letter().write((text_part("Hi"),)).envelope("m", NOTICE, "t", NOW)
        self.assertEqual((plain.utf8, plain.body), (False, "7BIT"))


class PartTests(SynchronousTestCase):
    """
    Tests of parts and addresses.
    """

    def test_whole_message(self):
        """
        A message goes back as it is, or not at all.
        """
        plain = b"Subject: x\r\n\r\ntext"
        self.assertEqual(message_part(plain, False).content, plain + b"\r\n")
        high = "Subject: x\r\n\r\nö\r\n".encode()
        self.assertIsNone(message_part(high, False))
        self.assertEqual(message_part(high, True).encoding, "8bit")
        for bad in (b"a\nb", b"a\rb", b"a\0b", b"x" * 999):
            self.assertIsNone(message_part(bad, True), bad)

    def test_headers_in_utf8(self):
        """
        Headers in UTF-8 are named as such where the message was allowed to have them.
        """
        section = "Subject: ö\r\n".encode()
        self.assertEqual(headers_part(section, True).kind, "message/global-headers")
        self.assertEqual(headers_part(section, False).kind, "text/rfc822-headers; charset=utf-8")
        self.assertEqual(headers_part(b"Subject: o\r\n", True).kind, "text/rfc822-headers")

    def test_typed_address(self):
        """
        An address in UTF-8 has a type and a spelling of its own (RFC 6533 section 3).
        """
        self.assertEqual(typed_address(Address("a+b", "c.d")), "rfc822; a+b@c.d")
        self.assertEqual(typed_address(Address("ö+x", "c.d")), r"utf-8; \x{F6}\x{2B}x@c.d")
        self.assertEqual(utf8_xtext("a\r\n\\="), r"a\x{0D}\x{0A}\x{5C}\x{3D}")
