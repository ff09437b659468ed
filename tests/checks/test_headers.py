"""
Tests of judging the header fields that every message must have.
"""

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.headers import HeadersCheck
from tests.checks.given import NOW, settings, view_of_message

FROM = b"From: sender@example.org\r\n"
DATE = b"Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"
ID = b"Message-ID: <1@example.org>\r\n"
FULL = FROM + DATE + ID


class HeadersTests(SynchronousTestCase):
    """
    Tests of L{HeadersCheck}.
    """

    def check(self, section, **options):
        """
        Give the findings about a header section.
        """
        check = HeadersCheck.from_settings(settings(headers=options))
        return check.check(view_of_message(section + b"\r\nHello\r\n"))

    def found(self, section, **options):
        """
        Give symbols and scores of the findings.
        """
        return {each.symbol: each.score for each in self.check(section, **options)}

    def test_good(self):
        """
        A message with all three fields has nothing wrong, in whatever case they are written.
        """
        self.assertEqual(self.found(FULL), {})
        self.assertEqual(self.found(FULL.replace(b"Message-ID", b"message-Id")), {})

    def test_missing(self):
        """
        A field that is not there, or has no value, is missing.
        """
        for section, found in (
            (DATE + ID, {"FROM_MISSING": 4}),
            (FROM + ID, {"DATE_MISSING": 1.5}),
            (FROM + DATE, {"MESSAGE_ID_MISSING": 0.5}),
            (DATE + ID + b"From: \r\n", {"FROM_MISSING": 4}),
            (FROM + ID + b"Date:\r\n \t\r\n", {"DATE_MISSING": 1.5}),
            (FROM + DATE + b"Message-ID:\t\r\n", {"MESSAGE_ID_MISSING": 0.5}),
        ):
            self.assertEqual(self.found(section), found)

    def test_duplicate(self):
        """
        A field that may be there once and is there again is told.
        """
        for again, found in (
            (FROM, {"FROM_DUPLICATE": 4}),
            (DATE, {"DATE_DUPLICATE": 1}),
            (ID, {"MESSAGE_ID_DUPLICATE": 1}),
            (b"from :\r\n", {"FROM_DUPLICATE": 4}),
        ):
            self.assertEqual(self.found(FULL + again), found)

    def test_words(self):
        """
        Each finding says what it is in a sentence, and to the client what can be mended.
        """
        said = {each.symbol: (each.detail, each.public) for each in self.check(FROM + FROM + ID)}
        self.assertEqual(
            said,
            {
                "FROM_DUPLICATE": (
                    "The message has 2 From fields where one is allowed.",
                    "the From header field is there more than once",
                ),
                "DATE_MISSING": (
                    "The message has no Date. (Counts 1 of 1.5; see cap_score.)",
                    "the Date header field is missing",
                ),
            },
        )

    def test_body_does_not_count(self):
        """
        What looks like a field in the body is none.
        """
        self.assertEqual(self.found(FROM + ID + b"\r\n" + DATE), {"DATE_MISSING": 1.5})

    def test_invalid_date(self):
        """
        A Date that cannot be read is told, its text made harmless.
        """
        (finding,) = self.check(FROM + ID + b"Date: \x1b[1mnow\xff\r\n")
        self.assertEqual((finding.symbol, finding.score), ("DATE_INVALID", 1))
        self.assertEqual(finding.detail, "The Date of the message cannot be read: “\\x1b[1mnowÿ”.")

    def test_folded_date(self):
        """
        A Date that is folded is read like any other.
        """
        date = b"Date: Fri,\r\n 15 Jan 2027\r\n\t08:00:00 +0000 (UTC)\r\n"
        self.assertEqual(self.found(FROM + ID + date), {})

    def test_age(self):
        """
        The age of a message is no finding.
        """
        date = b"Date: Wed, 28 Aug 2002 10:00:00 EDT\r\n"
        self.assertEqual(self.found(FROM + ID + date), {})

    def test_future(self):
        """
        A Date may lie two days ahead and no more; which zone it is written in is all the same.
        """
        for hours, found in ((47.9, {}), (48.1, {"DATE_FUTURE": 2})):
            date = f"Date: {formatdate(NOW + hours * 3600)}\r\n".encode()
            self.assertEqual(self.found(FROM + ID + date), found)
        east = b"Date: Sun, 17 Jan 2027 20:00:00 +1400\r\n"
        self.assertEqual(self.found(FROM + ID + east), {})

    def test_how_far(self):
        """
        The finding says how far ahead it lies, in words of a fitting size.
        """
        for hours, words in ((60, "60 hours"), (240, "10 days")):
            date = f"Date: {formatdate(NOW + hours * 3600)}\r\n".encode()
            (finding,) = self.check(FROM + ID + date)
            self.assertEqual(finding.detail, f"The Date of the message lies {words} ahead.")

    def test_future_hours(self):
        """
        How far ahead is the operator's choice.
        """
        date = f"Date: {formatdate(NOW + 3 * 3600)}\r\n".encode()
        self.assertEqual(self.found(FROM + ID + date, future_hours=2), {"DATE_FUTURE": 2})

    def test_first_of_two_dates(self):
        """
        Of several Dates the first one that says something is read.
        """
        bad = b"Date: never\r\n"
        expected = {"DATE_DUPLICATE": 1, "DATE_INVALID": 1}
        self.assertEqual(self.found(FROM + ID + b"Date: \r\n" + bad + DATE), expected)
        self.assertEqual(self.found(FROM + ID + DATE + bad), {"DATE_DUPLICATE": 1})

    def test_long_date(self):
        """
        Only the beginning of a Date is looked at.
        """
        date = DATE.rstrip() + b" " * 300 + b"x\r\n"
        self.assertEqual(self.found(FROM + ID + date), {})

    def test_cap(self):
        """
        Together the findings count no more than the cap; the gravest counts in full.
        """
        findings = self.check(b"Subject: hello\r\n")
        self.assertEqual(
            [(each.symbol, each.score) for each in findings],
            [("FROM_MISSING", 4), ("DATE_MISSING", 1), ("MESSAGE_ID_MISSING", 0)],
        )
        self.assertEqual(
            findings[1].detail, "The message has no Date. (Counts 1 of 1.5; see cap_score.)"
        )
        uncapped = self.found(b"Subject: hello\r\n", cap_score=100)
        self.assertEqual(sum(uncapped.values()), 6)

    @given(
        st.lists(st.sampled_from([FROM, DATE, ID, b"Date: never\r\n", b"X: y\r\n"]), max_size=8),
        st.floats(0, 20),
    )
    def test_never_above_the_cap(self, fields, cap):
        """
        No header section counts more than the cap, nor more than its findings do without it.
        """
        section = b"".join(fields)
        total = sum(self.found(section, cap_score=cap).values())
        full = sum(self.found(section, cap_score=1000).values())
        self.assertAlmostEqual(total, min(full, cap))

    @given(st.binary(max_size=400))
    def test_any(self, data):
        """
        Whatever is sent is judged without an error, each symbol at most once.
        """
        findings = self.check(data)
        self.assertEqual(len({each.symbol for each in findings}), len(findings))
