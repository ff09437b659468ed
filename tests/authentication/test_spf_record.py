"""
Tests of L{mailgate.authentication.spf_record}.
"""

import contextlib
from ipaddress import ip_network
from time import process_time

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.spf_record import RECORD_LIMIT, RecordError, is_spf, parse

PIECES = st.sampled_from(
    (
        *(
            "v=spf1",
            " ",
            "a",
            "mx",
            ":",
            "/",
            "//",
            "24",
            "ip4:",
            "ip6:",
            "192.0.2.1",
            "::1",
            "%{d}",
        ),
        *("include:", "exists:", "ptr", "all", "-", "~", "redirect=", "exp=", "x=", "example.com"),
        *("%", "{", "}", "\xff", "\n", "\0", ".", "="),
    )
)


class SelectionTests(SynchronousTestCase):
    """
    Which TXT record is one of SPF (RFC 7208 section 4.5).
    """

    def test_version(self):
        """
        The version stands alone or before a space, in any letters.
        """
        for record in (b"v=spf1", b"v=spf1 ", b"V=SPF1 -all", b"v=spf1  all"):
            self.assertTrue(is_spf(record), record)
        for record in (
            b"",
            b"v=spf",
            b"v=spf10",
            b"v=spf1-all",
            b" v=spf1",
            b"v=spf1\t-all",
            b"spf1",
        ):
            self.assertFalse(is_spf(record), record)


class RecordTests(SynchronousTestCase):
    """
    Tests of reading records.
    """

    def one(self, term):
        """
        Give the one mechanism of a record.
        """
        (mechanism,) = parse(f"v=spf1 {term}".encode("latin-1")).mechanisms
        return mechanism

    def test_mechanisms(self):
        """
        Mechanisms are read with qualifier, name, and both prefix lengths.
        """
        for term, *wanted in (
            ("all", "all", "+", None, 32, 128),
            ("-ALL", "all", "-", None, 32, 128),
            ("?a", "a", "?", None, 32, 128),
            ("~mx/24", "mx", "~", None, 24, 128),
            ("a//64", "a", "+", None, 32, 64),
            ("a:x.example.com/0//0", "a", "+", "x.example.com", 0, 0),
            ("mx:%{d}/24//64", "mx", "+", "%{d}", 24, 64),
            ("a:a/b.example.com", "a", "+", "a/b.example.com", 32, 128),
            (
                "exists:%{i}.%{s1}.100/86400.rate.%{d}",
                "exists",
                "+",
                "%{i}.%{s1}.100/86400.rate.%{d}",
                32,
                128,
            ),
            ("ptr", "ptr", "+", None, 32, 128),
            ("ptr:example.com", "ptr", "+", "example.com", 32, 128),
            ("include:example.com", "include", "+", "example.com", 32, 128),
        ):
            read = self.one(term)
            target = read.target and read.target.text
            self.assertEqual(
                [read.name, read.qualifier, target, read.prefix4, read.prefix6], wanted, term
            )
            self.assertEqual(read.text, term)

    def test_networks(self):
        """
        Addresses are read as networks, whatever bits are behind the prefix.
        """
        for term, network in (
            ("ip4:192.0.2.1", "192.0.2.1/32"),
            ("ip4:192.0.2.1/24", "192.0.2.0/24"),
            ("IP4:0.0.0.0/0", "0.0.0.0/0"),
            ("ip6:2001:DB8::1", "2001:db8::1/128"),
            ("ip6:2001:db8::1/32", "2001:db8::/32"),
            ("ip6:::ffff:192.0.2.1/96", "::ffff:0:0/96"),
        ):
            self.assertEqual(self.one(term).network, ip_network(network), term)

    def test_modifiers(self):
        """
        Two modifiers mean something; all others only have to be in the grammar, and may stand there
        twice (section 6).
        """
        record = parse(b"v=spf1 redirect=%{o}.example.com x-y.z_1=%{i} EXP=e.example.com a=b a=b")
        self.assertEqual(record.redirect.text, "%{o}.example.com")
        self.assertEqual(record.explanation.text, "e.example.com")
        self.assertEqual(record.mechanisms, ())

    def test_mistakes(self):
        """
        A mistake anywhere is one of the whole record (section 4.6), and the message names the term.
        """
        for term in (
            *("al", "all:", "all/8", "all:x", "foo", "a:", "a/", "a/33", "a/08", "a/-1", "a//129"),
            *(
                "a/24/64",
                "a:example.com/24/64",
                "a:com",
                "a:1.2.3.4",
                "mx:",
                "mx/a",
                "a:example.com/",
            ),
            *(
                "include",
                "include:",
                "include:com",
                "exists",
                "-exists",
                "exists:",
                "ptr:",
                "ptr/24",
            ),
            *(
                "ip4",
                "ip4:",
                "ip4:1.2.3",
                "ip4:1.2.3.256",
                "ip4:1.2.3.4/33",
                "ip4:1.2.3.04",
                "ip4/24",
            ),
            *(
                "ip4:1.2.3.4/024",
                "ip4:1.2.3.4/",
                "ip4:::1",
                "ip6:1.2.3.4",
                "ip6:::1%1",
                "ip6:::1/129",
            ),
            *("ip6:", "!all", "--all", "-", "+", "=", "=x", "1x=y", "x=%", "redirect=", "redirect"),
            *(
                "exp=",
                "exp=com",
                "a:example.com\tall",
                "all\n",
                "\xe9",
                "a:\xe9.com",
                "redirect=a.%{x}",
            ),
            *("redirect=a.b redirect=a.b", "exp=a.b exp=a.b", "ip4:\u0661.2.3.4"[:4], "all,"),
        ):
            error = self.assertRaises(
                RecordError, parse, f"v=spf1 mx {term} -all".encode("latin-1")
            )
            self.assertTrue(str(error), term)

    def test_long(self):
        """
        A record that is longer than any that means well is a mistake.
        """
        parse(b"v=spf1".ljust(RECORD_LIMIT))
        self.assertRaises(RecordError, parse, b"v=spf1".ljust(RECORD_LIMIT + 1))

    def test_linear(self):
        """
        The longest record is read in linear time, whatever it is made of.
        """
        for piece in (
            *(b" a", b" ip4:1.2.3.4", b"a/1", b"/", b"//1", b"%{d", b" x=", b"1", b" a:1/1", b"."),
            *(b" exists:%{d}.com", b" " + b"a" * 16_000, b" a:x." + b"1" * 16_000, b" ip6::"),
        ):
            start = process_time()
            with contextlib.suppress(RecordError):
                parse(b"v=spf1 " + piece * ((RECORD_LIMIT - 7) // len(piece)))
            self.assertLess(process_time() - start, 2, piece[:10])

    @given(
        st.one_of(st.binary(), st.lists(PIECES).map(lambda each: "".join(each).encode("latin-1")))
    )
    @example(b"v=spf1 \n")
    @example(b"v=spf1 ip6:\x00")
    def test_anything(self, record):
        """
        Any bytes are read, or are a mistake.
        """
        is_spf(record)
        try:
            parse(record)
        except RecordError as error:
            self.assertTrue(str(error).isascii() and str(error).isprintable(), error)
