"""
Tests of the grammar of commands.
"""

import re
import string
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.smtp import (
    Command,
    Refused,
    literal_address,
    parse_bdat,
    parse_command,
    parse_greeting,
    parse_mail,
    parse_rcpt,
)

ATEXT = string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-"
ATOM = st.text(ATEXT, min_size=1, max_size=12)
QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
LOCAL = st.lists(ATOM, min_size=1, max_size=3).map(".".join) | QUOTED
LABEL = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,10}[A-Za-z0-9])?", fullmatch=True)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join) | st.ip_addresses(v=4).map(
    lambda address: f"[{address}]"
)


def refusal(parse, text):
    """
    Give the reply that a text is refused with.
    """
    try:
        parse(text)
    except Refused as refused:
        return refused.reply.code, refused.reply.enhanced
    return None


class CommandTests(SynchronousTestCase):
    """
    Tests of one command line.
    """

    def test_verb_and_argument(self):
        """
        The verb is read in any case, the argument as it came.
        """
        self.assertEqual(parse_command(b"mail From:<a@b> \r\n"), Command("MAIL", "From:<a@b>"))
        self.assertEqual(parse_command(b"NOOP\r\n"), Command("NOOP", ""))

    def test_refused_lines(self):
        """
        A line that ends without CR, holds control or 8-bit characters or has no verb gets 500.
        """
        for line in (
            b"NOOP\n",
            b"NO\0OP\r\n",
            b"NOOP \r\r\n",
            b"N\xc3\xb6OP\r\n",
            b"\r\n",
            b"...\r\n",
        ):
            self.assertEqual(refusal(parse_command, line), (500, "5.5.2"), line)

    @given(st.binary(max_size=80))
    def test_any_bytes(self, line):
        """
        Any bytes give a command or a refusal, never another exception.
        """
        refusal(parse_command, line + b"\r\n")


class BdatTests(SynchronousTestCase):
    """
    Tests of the argument of BDAT.
    """

    @given(st.integers(0, 10**20 - 1), st.sampled_from(["", " LAST", " last", " Last"]))
    def test_taken(self, size, last):
        """
        A number of bytes is read, and whether the chunk is the last.
        """
        self.assertEqual(parse_bdat(f"{size}{last}"), (size, bool(last)))

    @given(st.text(max_size=12))
    def test_any_text(self, text):
        """
        Any other text is refused with 501.
        """
        expected = re.fullmatch(r"[0-9]{1,20}( [Ll][Aa][Ss][Tt])?", text)
        self.assertEqual(refusal(parse_bdat, text), None if expected else (501, "5.5.4"))

    def test_refused(self):
        """
        What a size could be mistaken for is refused.
        """
        for text in (
            "",
            "-1",
            "+1",
            "0x10",
            "1 ",
            " 1",
            "1  LAST",
            "1 LAST LAST",
            "LAST",
            "1 LAS",
            "1 LAST1",
            "1\n",
            "1" * 21,
            "\N{ARABIC-INDIC DIGIT ONE}",
        ):
            self.assertEqual(refusal(parse_bdat, text), (501, "5.5.4"), text)


class PathTests(SynchronousTestCase):
    """
    Tests of the arguments of MAIL and RCPT.
    """

    @given(LOCAL, DOMAIN)
    def test_well_formed(self, local, domain):
        """
        Every address of the grammar is taken, byte for byte.
        """
        address = parse_mail(f"FROM:<{local}@{domain}>").address
        self.assertEqual(str(address), f"{local}@{domain}")
        self.assertEqual((address.local, address.host), (local, domain.lower()))

    @given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
    def test_any_text(self, text):
        """
        Any text gives a path or a refusal, and a path never holds what could end it early.
        """
        try:
            address = parse_rcpt(f"TO:<{text}>").address
        except Refused:
            return
        if not address.local.startswith('"'):
            self.assertNotRegex(str(address), r"[<> ;()]")

    def test_a14_envelope_injection(self):
        """
        What the grammar forbids is answered with 501.
        """
        for path in (
            "<a b@example.com>",
            "<a;b@example.com>",
            "<a@b@example.com>",
            "<a(b)@example.com>",
            "<a<b@example.com>",
            "<a@exa mple.com>",
            "<a@example.com",
            "a@example.com",
            "<@example.com>",
            "<a@>",
            "<a@.example.com>",
            "<a@example..com>",
            "<a@example.com;rm>",
            "<a@[1.2.3]>",
            "<a@[IPv6:zz]>",
            "<a@example.com> SIZE=1 SIZE=2",
            "<a@example.com> =x",
            "<a@example.com>SIZE=1",
        ):
            self.assertEqual(refusal(parse_mail, f"FROM:{path}")[0], 501, path)

    def test_a14_shell_characters_are_bytes(self):
        """
        What the grammar allows in a local part goes through as it is.
        """
        for local in ("`id`", "$HOME", "a|b", "{x}", '"; rm -rf ~"', "'--"):
            self.assertEqual(parse_rcpt(f"TO:<{local}@example.com>").address.local, local)

    def test_source_route(self):
        """
        A source route is refused and not followed.
        """
        self.assertEqual(refusal(parse_rcpt, "TO:<@a.example:b@example.com>"), (550, "5.7.1"))

    def test_null_sender_and_postmaster(self):
        """
        The null sender is only a sender, postmaster without a domain only a recipient.
        """
        self.assertTrue(parse_mail("FROM:<>").address.is_null)
        self.assertIsNotNone(refusal(parse_rcpt, "TO:<>"))
        self.assertEqual(parse_rcpt("TO:<PostMaster>").address.local, "PostMaster")
        self.assertIsNotNone(refusal(parse_mail, "FROM:<postmaster>"))

    def test_parameters(self):
        """
        Parameters are read by keyword.
        """
        path = parse_mail("FROM: <a@b.example> SIZE=100 body=8BITMIME SMTPUTF8")
        self.assertEqual(path.parameters, {"SIZE": "100", "BODY": "8BITMIME", "SMTPUTF8": ""})

    def test_long_keyword(self):
        """
        No keyword is so long that the reply that names it would be longer than a line may be
        (RFC 5321 section 4.5.3.1.5).
        """
        self.assertEqual(parse_mail(f"FROM:<> {'a' * 64}").parameters, {"A" * 64: ""})
        for length in (65, 2000):
            for text in (f"FROM:<> {'a' * length}", f"FROM:<> {'a' * length}=1"):
                self.assertEqual(refusal(parse_mail, text), (501, "5.5.4"))


class GreetingTests(SynchronousTestCase):
    """
    Tests of the argument of HELO and EHLO.
    """

    def test_taken(self):
        """
        Domains and literals are taken, sensible or not.
        """
        for name in ("mail.example.com", "[192.0.2.1]", "[IPv6:2001:db8::1]", "my_host", "-"):
            self.assertEqual(parse_greeting(name), name)

    def test_refused(self):
        """
        Characters that are in neither are refused.
        """
        for name in ("", "a b", "a;b", "<a>", "a(b)", "x" * 256):
            self.assertEqual(refusal(parse_greeting, name), (501, "5.5.4"), name)

    def test_literal(self):
        """
        An address literal gives its address, anything else nothing.
        """
        self.assertEqual(literal_address("[192.0.2.1]"), ip_address("192.0.2.1"))
        self.assertEqual(literal_address("[ipv6:2001:DB8::1]"), ip_address("2001:db8::1"))
        for text in ("192.0.2.1", "[192.0.2]", "[2001:db8::1]", "[]"):
            self.assertIsNone(literal_address(text))
