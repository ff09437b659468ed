"""
Tests of L{mailgate.authentication.author}.
"""

from time import process_time
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication import author as module
from mailgate.authentication.author import (
    _PLAIN,
    MAILBOXES,
    TRIED,
    Author,
    _read,
    _Unclear,
    author,
    author_of,
)
from mailgate.message.header import Headers

CLEAR = (
    "ada@example.com",
    "  ada@example.com\t",
    "<ada@example.com>",
    "< ada@example.com >",
    "Ada <ada@example.com>",
    "Ada<ada@EXAMPLE.com>",
    "Ada Lovelace <ada@example.com.>",
    '"Lovelace, Ada" <ada@example.com>',
    '"Ada \\"Countess\\" Lovelace" <ada@example.com>',
    '"ada@example.org" <ada@example.com>',
    "ada@example.com <ada@example.com>",
    "ada@Example.COM (Ada) <ada@example.com>",
    "=?utf-8?q?Ad=C3=A0?= =?utf-8?b?TG92ZWxhY2U=?= <ada@example.com>",
    "=?utf-8?q?ada=40example=2Eorg?= <ada@example.com>",
    "Adà Lovelace <ada@example.com>",
    "adà@example.com",
    "ada@example.com (Ada Lovelace)",
    "(Ada (Countess)) ada@example.com",
    "Ada (Countess) <ada@example.com> (really)",
    "Ada via List [news] <ada@example.com>",
    "Lovelace, Ada <ada@example.com>",
    "ada@example.com, Babbage <b@example.com>",
    "ada..lovelace.@example.com",
    "ada+x=y/z{q}@example.com",
    '"ada lovelace"@example.com',
    "ada@\uff45xample.com",
    "o'neil@example.com",
    "ada@example.com,",
)
"""All name example.com, and nothing else."""

UNCLEAR = (
    # nothing
    *("", " ", "Ada", "<>", "Ada <>", "()", ",", "ada@", "@example.com", "<@example.com>", "ada"),
    # groups, also empty ones (RFC 6854)
    *("Friends: ada@example.com;", "undisclosed:;", "a: ada@example.com, b@example.com;"),
    *("Friends:ada@example.com", "ada@example.com;", "Re: Ada <ada@example.com>"),
    # routes
    *("<@example.org:ada@example.com>", "<@a,@b:ada@example.com>"),
    # several
    *("ada@example.com, b@example.org", "Ada <ada@example.com>, Bob <b@example.org>"),
    *(
        "<ada@example.com> <b@example.org>",
        "<ada@example.com><b@example.org>",
        "<<ada@example.com>>",
    ),
    *(
        "ada@example.com b@example.org",
        "ada@example.com <b@example.org>",
        "ada@example.org@example.com",
    ),
    *("<ada@example.org>@example.com", "<ada@example.org@example.com>", "Ada ada@example.com"),
    *("b@example.org, <ada@example.com", "ada@example.com>", "Ada <ada@example.com> Bob"),
    *(
        '"Ada <b@example.org>"@example.com',
        '"a@example.org"@example.com',
        "<ada@example.com>,b@example.org",
    ),
    *(
        'Ada <ada@example.com> "b@example.org"',
        '"b"@example.org <ada@example.com>',
        "ada@example.com\xa0",
    ),
    # quoted pairs
    *(
        "ada\\@example.org@example.com",
        '"a\\"b"@example.com',
        "<ada\\>@example.com>",
        "\\<ada@example.com>",
    ),
    *(
        '"Ada\\" <b@example.org>, \\"" <ada@example.com>',
        '"\\@" <ada@example.com>',
        "ada@exam\\ple.com",
    ),
    # comments
    *(
        "ada(x)@example.com",
        "ada@example.com(Ada)",
        "(Ada)ada@example.com",
        "ada@(x)example.com",
        "ada@example.com(",
        "(b@example.org) ada@example.com",
    ),
    *(
        "ada@example.com (<b@example.org>)",
        "ada@example.com)",
        "ada@exam(x)ple.com",
        "<ada@example.com (x)>",
    ),
    *(
        '(" ) b@example.org ( ") ada@example.com',
        "(\\) b@example.org) ada@example.com",
        '(")") ada@example.com',
    ),
    # quotes
    *(
        '"Ada <ada@example.com>',
        'Ada" <ada@example.com>',
        '"" @example.com',
        '""@example.com',
        '"ada"x@example.com',
    ),
    # encoded words
    *(
        "=?utf-8?q?ada=40example=2Ecom?=",
        "=?utf-8?q?ada?=@example.com",
        "ada@=?utf-8?q?example.com?=",
    ),
    *(
        "=?utf-8?q?b=40example=2Eorg=00?= <ada@example.com>",
        "=?utf-8?q?<b=40example.org>?= <ada@example.com>",
    ),
    *("=?utf-8?b?PGJAZXhhbXBsZS5vcmc+?= <ada@example.com>", "=?utf-8?q?b=0A?= <ada@example.com>"),
    # characters
    *(
        "ada@example.com\0",
        "a\x00da@example.com",
        "ada@exam\nple.com",
        "ada\r@example.com",
        "ada@example.com\x1b",
    ),
    *(
        "ada\u2028@example.com",
        "ad\u202ea@example.com",
        "ada@exa\u202emple.com",
        "a da@example.com",
    ),
    # what is no domain name
    *(
        "ada@[192.0.2.1]",
        "ada@[IPv6:::1]",
        "ada@example..com",
        "ada@exa mple.com",
        "ada@-example.com",
    ),
    *("ada@example.com/x", "ada@exam%70le.com", "ada @example.com", "ada@ example.com"),
    *(
        "ada@" + "x" * 64 + ".com",
        "ada@\ud7ff.com",
        "a" * 2000 + "@example.com",
        "a@example.com," * 21,
    ),
)
"""Programs read these in different ways, or in none."""

PIECES = st.sampled_from(
    (
        *(
            "ada",
            "example.com",
            "example.org",
            "@",
            "<",
            ">",
            ",",
            ":",
            ";",
            "(",
            ")",
            '"',
            "\\",
            ".",
        ),
        *(" ", "\t", "\r\n", "\0", "=?utf-8?q?a=40b?=", "[", "]", "é", "Ada <ada@example.com>"),
    )
)


def headers(*lines):
    """
    Give the headers of a message.
    """
    return Headers.parse("\r\n".join((*lines, "", "")).encode())


class ValueTests(SynchronousTestCase):
    """
    Tests of L{author}.
    """

    def test_clear(self):
        """
        What can be read in one way only names a domain, also where it is a little out of the
        grammar in a way that many programs write.
        """
        for value in CLEAR:
            self.assertEqual(author(value.encode()), Author("example.com"), value)

    def test_a18_unclear(self):
        """
        What can be read in another way, or in none, names no domain.
        """
        for value in UNCLEAR:
            read = author(value.encode())
            self.assertEqual(read.domain, "", value)
            self.assertTrue(read.problem.startswith("From "), value)

    def test_old_characters(self):
        """
        Characters of unknown kind may stand in the name, but not in the domain.
        """
        self.assertEqual(author(b"Jos\xe9 <jose@example.com>").domain, "example.com")
        self.assertEqual(author(b"\x95\x40\x96 <jose@example.com>").domain, "")
        self.assertEqual(author(b"jose@ex\xe9mple.com").domain, "")

    def test_international(self):
        """
        A domain in U-labels is the same as in A-labels (RFC 9989 section 5.3.1).
        """
        for value in ("x@bücher.example", "x@BÜCHER.example", "x@xn--bcher-kva.example"):
            self.assertEqual(author(value.encode()).domain, "xn--bcher-kva.example")
        both = "x@bücher.example, y@xn--bcher-kva.example"
        self.assertEqual(author(both.encode()).domain, "xn--bcher-kva.example")

    def test_bounded(self):
        """
        No value takes long.
        """
        for piece in ("<", "(", '"', "\\", "@", "=?a?q?", "=?a?q?<?= ", "a,", ":", "<@", '"\\"'):
            start = process_time()
            author((piece * (2000 // len(piece))).encode())
            self.assertLess(process_time() - start, 2, piece)

    @given(st.one_of(st.binary(), st.lists(PIECES).map(lambda each: "".join(each).encode())))
    @example(b"\xff@\xff")
    def test_anything(self, value):
        """
        Any bytes name a domain or a problem.
        """
        read = author(value)
        self.assertNotEqual(bool(read.domain), bool(read.problem))
        self.assertTrue(read.problem.isascii() and read.problem.isprintable())

    @given(st.from_regex(_PLAIN, fullmatch=True))
    @example(b"Ada  Adler <ada@a-.example.com>")
    def test_plain(self, value):
        """
        What most people write names the domain that it has when it is read with all care.
        """
        try:
            carefully = Author(_read(value))
        except _Unclear as unclear:
            carefully = Author("", f"From {unclear}")
        self.assertEqual(author(value), carefully)

    @given(st.lists(PIECES, max_size=12), st.lists(PIECES, max_size=12))
    def test_written(self, before, after):
        """
        Whatever stands around an address, no domain is named that is not written behind an @.
        """
        value = "".join((*before, "x@evil.example", *after)).replace("é", "e")
        read = author(value.encode())
        if read.domain:
            self.assertIn(f"@{read.domain}", value.lower())


class HeaderTests(SynchronousTestCase):
    """
    Tests of L{author_of}.
    """

    def test_one(self):
        """
        One From is read, folded or not, however its name is written.
        """
        for line in (
            "From: a@example.com",
            "FROM:a@example.com",
            "from : Ada\r\n\t<a@example.com>",
        ):
            self.assertEqual(author_of(headers("To: x@y", line)), Author("example.com"), line)

    def test_a18_from_fields(self):
        """
        Without a From, or with several, also equal ones, there is no author.
        """
        for lines in (
            (),
            ("Sender: a@example.com",),
            ("From: a@example.com", "From: a@example.com"),
            ("From: a@example.com", "from : b@example.org"),
            ("From: a@example.com", "From:"),
            ("From: a@example.com", "Fr\x01om: b@example.org"),
            ("From: a@example.com", "From\xa0: b@example.org"),
            ("From: a@example.com", "Subject: x\nFrom: b@example.org"),
            ("From: a@example.com", "Subject: x\rFrom : b@example.org"),
            ("From: a@example.com", "X: y\n z\nfrom: b@example.org"),
        ):
            read = author_of(headers(*lines))
            self.assertEqual(read.domain, "", lines)
            self.assertIn("From", read.problem)

    def test_candidates(self):
        """
        Where there is no author, the domains that could be read are named, a few of them; where
        there is one, none.
        """
        for lines, candidates in (
            (("From: a@example.com",), ()),
            (("From: nobody",), ()),
            (("From: a@example.com", "From: b@EXAMPLE.org."), ("example.com", "example.org")),
            (("From: <@x.example:a@example.com>",), ("x.example", "example.com")),
            (("From: =?utf-8?q?a=40example.com?=",), ("example.com",)),
            (("From: a@example.com", "Subject: x\nFrom: b@example.org"), None),
            (("From: " + ",".join(f"a@n{n}.example" for n in range(100)),), None),
        ):
            read = author_of(headers(*lines)).candidates
            if candidates is not None:
                self.assertEqual(read, candidates)
            else:
                self.assertIn(len(read), (2, MAILBOXES))

    def test_candidates_bounded(self):
        """
        However many names stand in however many From fields, few are tried, and no more once there
        are enough domains.
        """
        for form, tried in (("a@-{}.example", TRIED), ("a@n{}.example", MAILBOXES)):
            names = [form.format(number) for number in range(1000)]
            lines = ["From: " + ",".join(names[start : start + 50]) for start in range(0, 1000, 50)]
            with patch.object(module, "canonical", side_effect=module.canonical) as asked:
                read = author_of(headers(*lines))
            self.assertEqual((read.domain, asked.call_count), ("", tried))
