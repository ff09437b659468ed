"""
Tests of reading dates.
"""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.date import parse_date


def utc(*parts):
    """
    Give a time in UTC.
    """
    return datetime(*parts, tzinfo=UTC)


class DateTests(SynchronousTestCase):
    """
    Tests of L{parse_date}.
    """

    def test_usual(self):
        """
        The forms of section 3.3 are read.
        """
        for text, date in (
            ("Fri, 21 Nov 1997 09:55:06 -0600", utc(1997, 11, 21, 15, 55, 6)),
            ("21 Nov 1997 09:55:06 -0600", utc(1997, 11, 21, 15, 55, 6)),
            ("Thu, 13 Feb 1969 23:32 -0330", utc(1969, 2, 14, 3, 2)),
            ("tue, 1 jul 2003 10:52:37 +0200", utc(2003, 7, 1, 8, 52, 37)),
            ("Mon,  7 Oct 2002 08:00:00 +0000", utc(2002, 10, 7, 8)),
            (" Mon, 07 Oct 2002 08:00:00 +0000 ", utc(2002, 10, 7, 8)),
            ("Sat, 31 Dec 2016 23:59:60 +0000", utc(2016, 12, 31, 23, 59, 59)),
        ):
            self.assertEqual(parse_date(text), date, text)

    def test_obsolete(self):
        """
        The forms of section 4.3 are read: short years, named zones, comments, odd spaces.
        """
        for text, date in (
            ("21 Nov 97 09:55:06 GMT", utc(1997, 11, 21, 9, 55, 6)),
            ("21 Nov 49 09:55:06 UT", utc(2049, 11, 21, 9, 55, 6)),
            ("21 Nov 50 09:55:06 UT", utc(1950, 11, 21, 9, 55, 6)),
            ("21 Nov 102 09:55:06 UT", utc(2002, 11, 21, 9, 55, 6)),
            ("Wed, 28 Aug 2002 10:00:00 EDT", utc(2002, 8, 28, 14)),
            ("Wed, 28 Aug 2002 10:00:00 pst", utc(2002, 8, 28, 18)),
            ("Wed, 28 Aug 2002 10:00:00 Z", utc(2002, 8, 28, 10)),
            ("Wed, 28 Aug 2002 10:00:00 MEST", utc(2002, 8, 28, 10)),
            ("Wed, 28 Aug 2002 10:00:00 +0200 (CEST)", utc(2002, 8, 28, 8)),
            ("Wed, 28 Aug 2002 10:00:00 +0200 (a (b\\) c) d)", utc(2002, 8, 28, 8)),
            (
                "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
                utc(1997, 11, 21, 15, 55, 6),
            ),
            ("Fri , 21\tNov 1997 09 : 55 : 06 -0600", utc(1997, 11, 21, 15, 55, 6)),
            ("(x)Fri, 21 Nov 1997 09:55:06 -0600", utc(1997, 11, 21, 15, 55, 6)),
        ):
            self.assertEqual(parse_date(text), date, text)

    def test_none(self):
        """
        What the RFC never allowed is no date.
        """
        for text in (
            "",
            "yesterday",
            "2002-08-28 10:00:00 +0000",
            "Wed Aug 28 10:00:00 2002",
            "28 Aug 2002 10:00:00",
            "28 Aug 2002 10:00:00 GMT+1",
            "28 Aug 2002 10:00:00 +-0500",
            "28 Aug 2002 10:00:00 +0260",
            "28 Aug 2002 10:00:00 +9900",
            "28 Aug 2002 +0000",
            "28 August 2002 10:00:00 +0000",
            "Mittwoch, 28 Aug 2002 10:00:00 +0000",
            "28 Aug 0102 10:00:00 +0000",
            "31 Feb 2002 10:00:00 +0000",
            "0 Aug 2002 10:00:00 +0000",
            "28 Aug 2002 24:00:00 +0000",
            "28 Aug 2002 10:60:00 +0000",
            "28 Aug 2002 10:00:61 +0000",
            "28 Aug 20022 10:00:00 +0000",
            "28 Aug 2002 10:00:00 +0000) (",
            "٢٨ Aug 2002 10:00:00 +0000",
        ):
            self.assertIsNone(parse_date(text), text)

    def test_comment_without_end(self):
        """
        A comment that has no end, since a long value was cut, reaches to the end.
        """
        self.assertEqual(parse_date("28 Aug 2002 10:00:00 +0000 (a (b)"), utc(2002, 8, 28, 10))

    @given(
        st.datetimes(datetime(1900, 1, 2), datetime(9999, 12, 30)),
        st.integers(-23 * 60, 23 * 60),
    )
    def test_written_by_others(self, moment, minutes):
        """
        What the standard library writes is read as it was meant.
        """
        zone = timezone(timedelta(minutes=minutes))
        date = moment.replace(microsecond=0, tzinfo=zone)
        self.assertEqual(parse_date(format_datetime(date)), date)

    @given(st.text(st.sampled_from("(\\)19 :,+-JanFriGMT\t\0é"), max_size=200))
    def test_any(self, text):
        """
        Whatever is written is read without an error.
        """
        parse_date(text)

    def test_bounded(self):
        """
        No text of 200 characters costs more than 20 milliseconds.
        """
        for text in (" " * 200, "(" * 200, "\\" * 200, "1" * 200, "1 Jan" + " " * 195,
                     "1 Jan 2002 1" + " :" * 94, "(" * 100 + ")" * 100):  # fmt: skip
            began = process_time()
            parse_date(text)
            self.assertLess(process_time() - began, 0.02)
