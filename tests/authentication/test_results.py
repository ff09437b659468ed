"""
Tests of L{mailgate.authentication.results}.
"""

from ipaddress import ip_address
from time import process_time

import authres
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.author import Author
from mailgate.authentication.dmarc import Identifier, evaluate
from mailgate.authentication.results import (
    FIELD,
    READ_LIMIT,
    RESULTS,
    VALUE_LIMIT,
    AuthenticationResults,
    MethodResult,
    Property,
    of_dmarc,
    of_spf,
    parse,
    parse_sealed,
    quoted,
    write,
)
from mailgate.authentication.spf import Identity, Peer, Spf, SpfResult, check_sender
from mailgate.message.header import Headers
from mailgate.wire.address import Address
from tests.authentication.given import address, value_of
from tests.net.zones import Zones

PIECES = st.sampled_from(
    (
        *("spf", "dkim", "pass", "none", "i=1", ";", "=", ".", "/", "(", ")", '"', "\\", "@", " "),
        *("\r\n ", "header", "smtp", "reason", "example.com", "1", "é", "\0", "mailfrom", "x.y=z"),
    )
)


def value_in(field):
    """
    Give the value of a written field, as a reader of headers has it.
    """
    headers = Headers.parse(field + b"\r\n")
    ((value,),) = headers.fields.values()
    return value


def result(method, found, *properties, **others):
    """
    Give a result; each property as type, name and value.
    """
    return MethodResult(method, found, tuple(Property(*each) for each in properties), **others)


class ParseTests(SynchronousTestCase):
    """
    Reading what others have written.
    """

    def test_examples(self):
        """
        Fields as in the examples of RFC 8601 appendix B are read.
        """
        for text, *wanted in (
            ("example.org 1; none", "example.org"),
            (
                "example.com;\r\n spf=pass smtp.mailfrom=example.net",
                "example.com",
                result("spf", "pass", ("smtp", "mailfrom", "example.net")),
            ),
            (
                "example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n"
                " spf=pass smtp.mailfrom=example.net",
                "example.com",
                result("auth", "pass", ("smtp", "auth", "sender@example.net")),
                result("spf", "pass", ("smtp", "mailfrom", "example.net")),
            ),
            (
                "example.com; sender-id=fail header.from=example.com;\r\n dkim=pass (good)"
                " header.d=example.com",
                "example.com",
                result("sender-id", "fail", ("header", "from", "example.com")),
                result("dkim", "pass", ("header", "d", "example.com")),
            ),
            (
                'example.com;\r\n dkim=pass reason="good" header.i=@mail-router.example.net;'
                '\r\n dkim=fail reason="bad" header.i=@newyork.example.com',
                "example.com",
                result(
                    "dkim",
                    "pass",
                    ("header", "i", "@mail-router.example.net"),
                    reason="good",
                ),
                result("dkim", "fail", ("header", "i", "@newyork.example.com"), reason="bad"),
            ),
            (
                "foo.example.net (a) 1 (b);\r\n dkim (c; d) / 1 (e) = (f=g) fail\r\n policy (h) ."
                " (i) expired\r\n (j (k)) = (l) 1362471462",
                "foo.example.net",
                result("dkim", "fail", ("policy", "expired", "1362471462")),
            ),
        ):
            read = parse(text.replace("\r\n", "").encode())
            self.assertEqual(read, AuthenticationResults(wanted[0], tuple(wanted[1:])), text)
            self.assertEqual(parse(text.encode()), read, text)

    def test_as_written_outside(self):
        """
        What is out of the grammar but written by many is read: signs in values, words that are no
        properties, a semicolon at the end.
        """
        read = parse(
            b"mx.example.com; dkim=pass header.i=@example.com header.s=s1 header.b=Ab/c+d==; "
            b"dmarc=pass action=none header.from=example.com; arc=pass (i=1 spf=pass);"
        )
        self.assertEqual([each.method for each in read.results], ["dkim", "dmarc", "arc"])
        self.assertEqual(read.results[0].values("header", "b"), ("Ab/c+d==",))
        self.assertEqual(read.results[1].properties, (Property("header", "from", "example.com"),))
        self.assertEqual(read.results[2].properties, ())

    def test_quotes_and_comments(self):
        """
        Nothing in quotes or comments is taken for a result.
        """
        for text in (
            'example.com; spf=fail smtp.mailfrom="a;dkim=pass header.d=b"@c.example',
            'example.com; spf=fail reason="x\\"; dkim=pass header.d=b"',
            "example.com; spf=fail (; dkim=pass (header.d=b) \\) )",
            'example.com; spf=fail ("; dkim=pass)',
            '"example.com; dkim=pass"; spf=fail',
            "example.com (; dkim=pass); spf=fail",
        ):
            read = parse(text.encode())
            self.assertEqual([each.method for each in read.results], ["spf"], text)

    def test_repeated(self):
        """
        A property that stands there twice is given twice, so that nobody takes one for the other.
        """
        read = parse(b"example.com; dkim=pass header.d=a.example header.d=b.example")
        self.assertEqual(read.results[0].values("header", "d"), ("a.example", "b.example"))

    def test_wrong(self):
        """
        What is out of the grammar is not read at all.
        """
        for text in (
            *(
                "",
                " ",
                "; spf=pass",
                "example.com x; spf=pass",
                "example.com; spf",
                "example.com; =pass",
            ),
            *("example.com; spf=", "example.com; spf=pass smtp.", "example.com; spf=pass smtp.x"),
            *("example.com; spf/x=pass", "example.com; none; spf=pass", "example.com; spf=pass (x"),
            *(
                'example.com; spf=pass smtp.x="y',
                "example.com; spf=pass; none",
                "example.com; none x",
            ),
            *(
                "example.com; spf=pass x",
                "example.com, spf=pass",
                "example.com; spf=pass =x",
                '"example.com',
            ),
            "example.com" + "; spf=pass" * (RESULTS + 1),
            "example.com; spf=pass" + " a.b=c" * RESULTS,
        ):
            self.assertIsNone(parse(text.encode()), text[:60])
        self.assertIsNone(parse(b"example.com; none".ljust(READ_LIMIT + 1)))

    def test_sealed(self):
        """
        In a set of ARC the instance stands in front (RFC 8617 section 4.1.1).
        """
        wanted = (12, AuthenticationResults("example.com", (result("spf", "pass"),)))
        for text in ("i=12; example.com; spf=pass", " I (x) = 12 ; example.com 1; spf=pass;"):
            self.assertEqual(parse_sealed(text.encode()), wanted, text)
        for text in (
            "example.com; spf=pass",
            "i=; example.com; none",
            "i=x; a; none",
            "i=1 a; none",
            "",
        ):
            self.assertIsNone(parse_sealed(text.encode()), text)
        self.assertIsNone(parse_sealed(b"i=1; example.com; none".ljust(READ_LIMIT + 1)))

    def test_linear(self):
        """
        The longest value is read in linear time, whatever it is made of.
        """
        for piece in (
            "(",
            "()",
            '"',
            "\\",
            "a.b=c ",
            ";",
            "spf=pass;",
            '"a"',
            "1",
            "=",
            "a" * 16_000,
        ):
            start = process_time()
            parse(("example.com; spf=pass " + piece * (16_000 // len(piece))).encode())
            self.assertLess(process_time() - start, 2, piece[:9])

    @given(st.one_of(st.binary(), st.lists(PIECES).map(lambda each: "".join(each).encode())))
    def test_anything(self, value):
        """
        Any bytes are read or not.
        """
        for each in (value, b"example.com; spf=pass " + value):
            read = parse(each)
            self.assertTrue(read is None or isinstance(read, AuthenticationResults))
            sealed = parse_sealed(b"i=1;" + each)
            self.assertEqual(sealed, None if read is None else (1, read))


texts = st.one_of(st.text(max_size=300), st.lists(PIECES).map("".join))


class WriteTests(SynchronousTestCase):
    """
    Writing our own.
    """

    def test_field(self):
        """
        The field is folded, and each value stands in quotes.
        """
        spf = result("spf", "pass", ("smtp", "mailfrom", "joe@example.net"), reason="it matches")
        dkim = result("dkim", "fail", *(("header", name, "x" * 30) for name in "dsi"))
        self.assertEqual(
            write(AuthenticationResults("mx.example.com", (spf, dkim))),
            b"Authentication-Results: mx.example.com;\r\n"
            b'\tspf=pass reason="it matches" smtp.mailfrom="joe@example.net";\r\n'
            b'\tdkim=fail header.d="' + b"x" * 30 + b'"\r\n'
            b'\theader.s="' + b"x" * 30 + b'"\r\n'
            b'\theader.i="' + b"x" * 30 + b'"\r\n',
        )
        self.assertEqual(
            write(AuthenticationResults("mx.example.com")),
            b"Authentication-Results: mx.example.com; none\r\n",
        )

    def test_a17_quoted(self):
        """
        Nothing in a value ends its quotes, its line or its field.
        """
        for value, written in (
            ('a"b', '"a\\"b"'),
            ("a\\", '"a\\\\"'),
            ("a\r\nX: b", '"a??X: b"'),
            ("a\0\x7f\x1bé", '"a????"'),
            ("(;=)", '"(;=)"'),
            ("", '""'),
            ("x" * 999, f'"{"x" * VALUE_LIMIT}"'),
        ):
            self.assertEqual(quoted(value), written)

    def test_keywords(self):
        """
        What stands without quotes is ours; a stranger's word there is refused.
        """
        for wrong in (
            result("s p", "pass"),
            result("spf", "pass; dkim=pass"),
            result("spf", "pass", ("smtp", "x=y", "z")),
            result("spf", "pass", ("smtp\r\n", "x", "z")),
        ):
            self.assertRaises(ValueError, write, AuthenticationResults("a.example", (wrong,)))

    @given(texts, st.lists(st.tuples(texts, texts), max_size=4))
    @example("mail.example.com\r\nX: y", [('"; dkim=pass header.d="bank.example', "\r\n\r\n")])
    def test_a17_one_field(self, server, pairs):
        """
        Whatever the values are, what is written is one field in ASCII, and is read back as it was
        meant, by us and by others.
        """
        written = AuthenticationResults(
            server,
            tuple(
                result("spf", "fail", ("smtp", "mailfrom", value), reason=reason)
                for value, reason in pairs
            ),
        )
        field = write(written)
        self.assertTrue(all(byte in b"\t\r\n" or 0x20 <= byte < 0x7F for byte in field))
        self.assertTrue(all(len(line) <= 998 for line in field.split(b"\r\n")))
        value = value_in(field)

        def as_read(text):
            return "".join(sign if " " <= sign <= "~" else "?" for sign in text[:VALUE_LIMIT])

        wanted = [[*filter(None, [as_read(value)]), as_read(reason)] for value, reason in pairs]
        read = parse(value)
        self.assertEqual(
            [[*each.values("smtp", "mailfrom"), each.reason] for each in read.results], wanted
        )
        self.assertEqual(read.server, as_read(server))
        value = value_in(write(evolve(written, server="mx.example.com")))
        theirs = authres.AuthenticationResultsHeader.parse(f"{FIELD}:{value.decode()}")
        self.assertEqual(
            [(each.method, each.result, len(each.properties)) for each in theirs.results],
            [("spf", "fail", 1 if value else 0) for value, _ in pairs],
        )


class OwnTests(SynchronousTestCase):
    """
    What we say of our own findings.
    """

    zones = Zones(
        {
            "example.com": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]},
            "mail.example.com": {"TXT": ["v=spf1 -all"]},
            "_dmarc.example.com": {"TXT": ["v=DMARC1; p=reject; sp=none"]},
        }
    )
    peer = Peer(ip_address("192.0.2.1"), "mail.example.com")

    def test_spf(self):
        """
        SPF names the sender, or HELO where there is none, and why.
        """
        sender = address("Joe.X@Example.COM")
        spf = value_of(check_sender(self.zones, self.peer, sender))
        self.assertEqual(
            of_spf(spf, sender),
            result(
                "spf",
                "pass",
                ("smtp", "mailfrom", "Joe.X@example.com"),
                reason="192.0.2.1 matches 'ip4:192.0.2.1' of example.com",
            ),
        )
        null = address("")
        spf = value_of(check_sender(self.zones, self.peer, null))
        found = of_spf(spf, null)
        self.assertEqual(found.result, "fail")
        self.assertEqual(found.properties, (Property("smtp", "helo", "mail.example.com"),))

    def test_long_sender(self):
        """
        However long a local part is, the domain is whole: what was cut could name another one.
        """
        domain = "example.com.example.net"
        spf = Spf(SpfResult.PASS, Identity.MAIL_FROM, domain, "it is a test")
        for length in range(230, 260):
            (found,) = of_spf(spf, Address("a" * length, domain)).properties
            self.assertEqual(found.value.rpartition("@")[2], domain)
            self.assertLessEqual(len(found.value), 255)

    def test_dmarc(self):
        """
        DMARC names the author's domain, and the record where there is one (RFC 9989 section 9.1).
        """
        passed = [Identifier("spf", "example.com", True)]
        for domain, method, *properties in (
            (
                "a.example.com",
                "pass",
                ("polrec", "p", "reject"),
                ("polrec", "domain", "example.com"),
            ),
            ("example.com", "pass", ("polrec", "p", "reject")),
            ("example.net", "none"),
        ):
            dmarc = value_of(evaluate(self.zones, Author(domain), passed))
            wanted = result(
                "dmarc", method, ("header", "from", domain), *properties, reason=dmarc.reason
            )
            self.assertEqual(of_dmarc(dmarc), wanted)
        void = Zones({"_dmarc.example.com": {"TXT": ["v=DMARC1; p=quarantin"]}})
        dmarc = value_of(evaluate(void, Author("example.com"), passed))
        self.assertEqual(of_dmarc(dmarc).values("polrec", "p"), ())
        dmarc = value_of(evaluate(self.zones, Author("", "there is no From"), passed))
        self.assertEqual(of_dmarc(dmarc), result("dmarc", "permerror", reason="there is no From"))
