"""
Tests for L{mailgate.web.pages.words} and L{mailgate.web.pages.times}.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Policy
from mailgate.verdict import Kind
from mailgate.web.pages import words
from mailgate.web.pages.times import Times
from tests.zone import central_european_time


@frozen
class Held:
    """
    What counts of a held message.
    """

    kind: Kind
    total: float


class Words(SynchronousTestCase):
    """
    Values become words.
    """

    def test_every_kind_has_words(self):
        """
        There is a word, an icon and a sentence for each kind.
        """
        self.assertEqual(set(words.KINDS), set(Kind))

    def test_sentence(self):
        """
        A sentence has a capital and a full stop.
        """
        for text, expected in (
            ("it is so", "It is so."),
            ("It is so.", "It is so."),
            ("is it?", "Is it?"),
            (" ", ""),
            ("“x” is", "“x” is."),
        ):
            self.assertEqual(words.sentence(text), expected)

    def test_person(self):
        """
        A From header is split into a name and an address, if it is made of them.
        """
        for header, expected in (
            ("Eve <eve@example.org>", ("Eve", "eve@example.org")),
            ('"Eve, the other" <eve@example.org>', ("Eve, the other", "eve@example.org")),
            ("<eve@example.org>", ("eve@example.org", "")),
            ("eve@example.org", ("eve@example.org", "")),
            ("ada@x.example <eve@example.org>", ("ada@x.example", "eve@example.org")),
            ("", ("sender@example.org", "")),
            ("Eve <", ("Eve <", "")),
            ("<>", ("<>", "")),
        ):
            person = words.person(header, "sender@example.org")
            self.assertEqual((person.name, person.address), expected, header)
        self.assertEqual(words.person("", "").name, "nobody (the empty sender of notices)")

    def test_certainty(self):
        """
        What the statistics alone hold is sure where they are, and doubtful only where it is nearly
        not held; where they cannot hold alone, it is a matter of thirds. What is not held for a
        score has none.
        """
        policy = Policy()  # held from 8 on, refused from 15 on
        for total, certain, word in (
            (8.0, 10.0, "doubtful"),
            (8.9, 10.0, "doubtful"),
            (9.0, 10.0, "likely"),
            (9.9, 10.0, "likely"),
            (10.0, 10.0, "sure"),
            (14.9, 10.0, "sure"),
            (10.0, 6.0, "doubtful"),
            (10.4, 6.0, "likely"),
            (12.6, 6.0, "likely"),
            (12.7, 20.0, "sure"),
        ):
            held = Held(Kind.SPAM, total)
            self.assertEqual(words.certainty(held, policy, certain).word, word, total)
        self.assertIsNone(words.certainty(Held(Kind.MALWARE, 10), policy, 10))

    @given(st.text(), st.text())
    def test_any_person(self, header, sender):
        """
        Every header names somebody.
        """
        self.assertTrue(words.person(header, sender).name)

    def test_size(self):
        """
        Bytes are given in a unit that is easy to read.
        """
        for number, expected in (
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (84_200, "84 kB"),
            (999_600, "1.0 MB"),
            (52_428_800, "52 MB"),
            (3 * 10**12, "3.0 TB"),
        ):
            self.assertEqual(words.size(number), expected)

    def test_score(self):
        """
        A score has its sign, and zero has none.
        """
        self.assertEqual(
            [words.score(number) for number in (2.44, -0.6, 0, -0.01)],
            ["+2.4", "\N{MINUS SIGN}0.6", "0.0", "0.0"],
        )

    def test_notices(self):
        """
        What was done is told with its number; an unknown code tells nothing.
        """
        for code, expected in (
            ("release.1.0", "One message released. It is on its way."),
            (
                "release.12.1",
                "12 messages released. They are on their way."
                " One message had been dealt with already.",
            ),
            ("release.0.1", "Nothing was released. One message had been dealt with already."),
            (
                "allow_release.1.0",
                "One message released. It is on its way. The sender is allowed from now on.",
            ),
            ("spam.1.0", "One message deleted as spam. The filter learns from it."),
            ("delete.12.0", "12 messages deleted."),
            ("allow.1234567", "Allowed from now on. It is entry 1234567 of the lists."),
            ("block.7", "Blocked from now on. It is entry 7 of the lists."),
            ("signed_out", "You are signed out."),
        ):
            self.assertEqual(words.notice(code).text, expected)
        for code in (
            "whatever.1",
            "",
            "release",
            "release.1",
            "allow",
            "allow.1.2",
            "spam.1.2.3.4",
        ):
            self.assertIsNone(words.notice(code), code)

    def test_first_sentence(self):
        """
        Of several sentences the first is taken; what is quoted in it stays whole.
        """
        for text, expected in (
            ("one thing", "One thing."),
            ("One thing. Another one.", "One thing."),
            ("Version 2.5 of it. Another.", "Version 2.5 of it."),
            ("The name “A. B. C” is odd. Another.", "The name “A. B. C” is odd."),
            ("The name “A. B", "The name “A. B."),
            ("What? Yes.", "What?"),
            ("", ""),
        ):
            self.assertEqual(words.first_sentence(text), expected)

    @given(st.text("“”.? Aa"))
    def test_any_first_sentence(self, text):
        """
        It is the beginning of what was said.
        """
        first = words.first_sentence(text)
        said = words.sentence(text)
        self.assertTrue(said.startswith(first.removesuffix(".")), (first, said))


class TimesTests(SynchronousTestCase):
    """
    Times become words.
    """

    def setUp(self):
        """
        Make it Thursday, 12 March 2026, 10 o'clock.
        """
        self.now = datetime(2026, 3, 12, 10, 0, tzinfo=UTC)
        self.times = Times(self.now.timestamp, UTC)

    def when(self, **ago):
        """
        Put a time before now into words.
        """
        return self.times.when((self.now - timedelta(**ago)).timestamp())

    def test_when(self):
        """
        Today and yesterday are called so; other days have a date, and a year where it differs.
        """
        self.assertEqual(self.when(minutes=19), "today at 09:41")
        self.assertEqual(self.when(hours=11), "yesterday at 23:00")
        self.assertEqual(self.when(days=3), "on 9 March at 10:00")
        self.assertEqual(self.when(days=300), "on 16 May 2025 at 10:00")
        self.assertEqual(self.when(days=-1), "on 13 March at 10:00")

    def test_days(self):
        """
        A day of the last week has its name.
        """
        today = self.now.date()
        names = [self.times.name_of_day(today - timedelta(days=n)) for n in (0, 1, 2, 6, 7)]
        self.assertEqual(names, ["Today", "Yesterday", "Tuesday", "Friday", "5 March"])
        self.assertEqual(self.times.long_date(today), "Thursday 12 March")

    def test_zone(self):
        """
        Times are those of the zone, and days begin at its midnight.
        """
        times = Times(self.now.timestamp, timezone(timedelta(hours=14)))
        self.assertEqual(times.when(self.now.timestamp()), "today at 00:00")
        self.assertEqual(times.long_date(times.day(self.now.timestamp())), "Friday 13 March")
        self.assertEqual(times.machine(0), "1970-01-01T14:00:00+14:00")

    def test_f13_hour_that_comes_twice(self):
        """
        Where an hour comes twice, or never, days still begin at midnight, times go on, and the
        attribute tells both hours apart; also beyond 2038.
        """
        central_european_time(self)
        for day in (datetime(2026, 10, 25), datetime(2039, 10, 30)):
            midnight = day.timestamp()
            times = Times(lambda at=midnight: at + 86400)
            self.assertEqual(times.clock(midnight + 2.5 * 3600), "02:30")
            self.assertEqual(times.clock(midnight + 3.5 * 3600), "02:30")
            self.assertEqual(times.machine(midnight + 2.5 * 3600)[-6:], "+02:00")
            self.assertEqual(times.machine(midnight + 3.5 * 3600)[-6:], "+01:00")
            # The day has 25 hours.
            self.assertEqual(times.when(midnight + 24.9 * 3600), "today at 23:54")
            self.assertEqual(times.when(midnight - 1), "yesterday at 23:59")
        midnight = datetime(2026, 3, 29).timestamp()
        times = Times(lambda: midnight + 12 * 3600)
        self.assertEqual(times.when(midnight + 2.5 * 3600), "today at 03:30")
        self.assertEqual(times.when(midnight - 86400), "yesterday at 00:00")

    def test_own_zone(self):
        """
        Without a zone it is the machine's own.
        """
        moment = datetime(2026, 3, 12, 9, 41).timestamp()
        self.assertEqual(Times(self.now.timestamp).clock(moment), "09:41")


class BrowserTests(SynchronousTestCase):
    """
    What browsers call themselves.
    """

    def test_known(self):
        """
        A browser and its system are named.
        """
        for program, name in (
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
        ):
            self.assertEqual(words.browser(program), name)

    def test_unknown(self):
        """
        Of what is unknown the beginning is shown.
        """
        self.assertEqual(words.browser("x" * 99), "x" * 40)
        self.assertEqual(words.browser(""), "an unknown browser")
