"""
Tests of L{mailgate.authentication.dmarc_record}.
"""

from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.dmarc_record import (
    RECORD_LIMIT,
    DmarcRecord,
    Policy,
    Suffix,
    parse,
)

PIECES = st.sampled_from(
    (
        *("v=DMARC1", ";", " ", "=", "p", "sp", "np", "t", "psd", "rua", "fo", "reject", "none"),
        *("y", "n", "mailto:a@example.com", ",", ":", "!", "10m", "\t", "\xe9", "\0", "adkim", "s"),
    )
)


class RecordTests(SynchronousTestCase):
    """
    The tags of RFC 9989 section 4.7 and the grammar of section 4.8.
    """

    def test_defaults(self):
        """
        What is not said has its default.
        """
        self.assertEqual(parse(b"v=DMARC1; p=none"), DmarcRecord())
        record = DmarcRecord()
        self.assertEqual((record.policy, record.suffix, record.options), ("none", "u", ("0",)))
        self.assertFalse(record.is_test or record.has_strict_dkim or record.has_strict_spf)

    def test_all_tags(self):
        """
        All tags are read, in any order, with white space around signs.
        """
        record = parse(
            b"v = DMARC1 ;rua=mailto:a@example.com!10m , https://example.org/x;fo=1:d:s ;"
            b" aspf=s;adkim=s;\tt=y; psd=n;np=reject;sp = quarantine ;"
            b"ruf=mailto:b@example.com; p=none;"
        )
        self.assertEqual(
            record,
            DmarcRecord(
                Policy.NONE,
                Policy.QUARANTINE,
                Policy.REJECT,
                Suffix.NO,
                True,
                True,
                True,
                ("mailto:a@example.com", "https://example.org/x"),
                ("mailto:b@example.com",),
                ("1", "d", "s"),
            ),
        )

    def test_version(self):
        """
        The version comes first and is written in capitals; else it is no record.
        """
        for text in (b"v=DMARC1", b"v=DMARC1;", b"V=DMARC1;p=none", b"v\t= DMARC1 ; p=none"):
            self.assertIsNotNone(parse(text), text)
        for text in (
            *(
                b"",
                b"v=dmarc1; p=none",
                b" v=DMARC1",
                b"p=none; v=DMARC1",
                b"v=DMARC12",
                b"v=DMARC1 p",
            ),
            *(b"v=DMARC1\n", b"v=DMARC1, p=none", b"xv=DMARC1", b"v=spf1 -all", b"v=DMARC1\xa0;"),
        ):
            self.assertIsNone(parse(text), text)

    def test_mistakes(self):
        """
        A mistake costs its own tag only: the default takes its place.
        """
        for text in (
            *(
                "psd=x",
                "t=1",
                "adkim=strict",
                "aspf=",
                "fo=2",
                "fo=0:1",
                "fo=d:d",
                "x",
                "=y",
                "a b=c",
            ),
            *(
                "rua=",
                "rua=a@example.com",
                "ruf=mailto",
                "p\xe9=reject",
                "p=\xe9",
                "pct=50",
                "p2=reject",
            ),
        ):
            record = parse(f"v=DMARC1; p=reject; {text}; sp=none".encode("latin-1"))
            self.assertEqual(record, DmarcRecord(Policy.REJECT, Policy.NONE), text)

    def test_first_counts(self):
        """
        Of a tag that stands there twice the first counts.
        """
        self.assertIs(parse(b"v=DMARC1; p=reject; p=none").policy, Policy.REJECT)

    def test_options(self):
        """
        What C{fo} may hold is in its grammar.
        """
        for text, options in (
            ("0", ("0",)),
            ("1", ("1",)),
            ("d", ("d",)),
            ("s:d", ("s", "d")),
            ("1:d:s", ("1", "d", "s")),
            ("D:0", ("d", "0")),
        ):
            self.assertEqual(parse(f"v=DMARC1; p=none; fo={text}".encode()).options, options)

    def test_unusable(self):
        """
        Without a valid policy a record asks for nothing, and applies only where it wants reports
        (section 4.10.1).
        """
        for text, is_usable in (
            ("", False),
            ("p=x", False),
            ("p=reject; sp=x", False),
            ("p=reject; np=x; rua=x", False),
            ("rua=mailto:a@example.com", True),
            ("p=x; rua=x,mailto:a@example.com", True),
            ("p=reject; sp=x; np=reject; rua=mailto:a@example.com", True),
            ("p=reject", True),
        ):
            record = parse(f"v=DMARC1; {text}".encode())
            self.assertEqual(record.is_usable, is_usable, text)
            if text != "p=reject":
                self.assertIs(record.policy_for(True, False), Policy.NONE, text)

    def test_lowered(self):
        """
        One level below each policy is that before it (section 4.7, C{t}).
        """
        self.assertEqual(
            [each.lowered for each in Policy], [Policy.NONE, Policy.NONE, Policy.QUARANTINE]
        )

    def test_long(self):
        """
        A record that is longer than any that means well is none, and the longest is read in linear
        time.
        """
        self.assertIsNone(parse(b"v=DMARC1;".ljust(RECORD_LIMIT + 1)))
        for piece in (
            b"a=" + b" " * 8000 + b"\xff",
            b";",
            b"rua=!1,",
            b"rua=a:!1!1",
            b"v=DMARC1",
            b"=",
        ):
            start = process_time()
            self.assertIsNotNone(parse(b"v=DMARC1; p=none;" + piece * (16_000 // len(piece))))
            self.assertLess(process_time() - start, 2, piece[:10])

    @given(
        st.one_of(st.binary(), st.lists(PIECES).map(lambda each: "".join(each).encode("latin-1")))
    )
    def test_anything(self, text):
        """
        Any bytes are a record or none.
        """
        for each in (text, b"v=DMARC1;" + text):
            record = parse(each)
            self.assertTrue(record is None or isinstance(record, DmarcRecord))
