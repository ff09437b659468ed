"""
Tests for L{mailgate.config.schedule}.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.schedule import Schedule, check_zone

BERLIN = ZoneInfo("Europe/Berlin")


def at(text, zone=dt.UTC):
    """
    Give a time in seconds since the epoch.
    """
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


class ScheduleTests(SynchronousTestCase):
    """
    Tests of L{Schedule}.
    """

    def test_spellings(self):
        """
        Each has one spelling and its words.
        """
        for written, text, in_words in (
            ("Every 15 Minutes", "every 15 minutes", "every 15 minutes"),
            ("hourly", "hourly", "every hour"),
            ("daily  16:00 08:00", "daily 08:00 16:00", "every day at 08:00 and 16:00"),
            ("weekdays 09:30", "weekdays 09:30", "on working days at 09:30"),
            (
                "monday 08:00 09:00 10:00",
                "monday 08:00 09:00 10:00",
                "every Monday at 08:00, 09:00 and 10:00",
            ),
            ("never", "never", "never"),
        ):
            schedule = Schedule.parse(written)
            self.assertEqual((schedule.text, schedule.in_words), (text, in_words))

    def test_others(self):
        """
        Anything else is refused, and it is said what may stand there.
        """
        for text in (
            "",
            "daily",
            "daily 24:00",
            "daily 8:00",
            "someday 08:00",
            "daily 08:00 x",
            "daily 01:00 02:00 03:00 04:00 05:00 06:00 07:00",
            "every 5 minutes",
            "daily \u0660\u0668:00",
        ):
            with self.assertRaisesRegex(ValueError, "every 15 minutes"):
                Schedule.parse(text)

    def test_zone(self):
        """
        The times are those of the zone: eight in Berlin is seven in UTC in winter, six in summer.
        """
        schedule = Schedule.parse("daily 08:00")
        for day, hour in (("2026-01-15", "07"), ("2026-07-15", "06")):
            held = at(f"{day}T{hour}:00:00") - 60
            self.assertFalse(schedule.is_time(held, None, at(f"{day}T{hour}:00:00") - 1, BERLIN))
            self.assertTrue(schedule.is_time(held, None, at(f"{day}T{hour}:00:00"), BERLIN))

    def test_days(self):
        """
        What comes on Friday after the last time waits for Monday where only working days count.
        """
        schedule = Schedule.parse("weekdays 08:00")
        held = at("2026-11-20T12:00:00")
        self.assertFalse(schedule.is_time(held, None, at("2026-11-22T23:59:00"), dt.UTC))
        self.assertTrue(schedule.is_time(held, None, at("2026-11-23T08:00:00"), dt.UTC))

    def test_after_a_long_time(self):
        """
        What was missed is made up for at once, once.
        """
        schedule = Schedule.parse("monday 08:00")
        held = at("2026-10-01T12:00:00")
        self.assertTrue(schedule.is_time(held, None, at("2026-11-25T03:00:00"), dt.UTC))

    def test_f13_hour_that_is_left_out(self):
        """
        A time that the clocks skip in spring counts all the same, and one that comes twice in
        autumn counts once for what was held before it.
        """
        schedule = Schedule.parse("daily 02:30")
        spring = at("2026-03-29T00:00:00", BERLIN)
        self.assertTrue(schedule.is_time(spring, None, at("2026-03-29T04:00:00", BERLIN), BERLIN))
        between = at("2026-10-25T00:45:00")
        self.assertFalse(schedule.is_time(between, None, at("2026-10-25T02:00:00"), BERLIN))

    def test_no_zone(self):
        """
        A zone that there is not is a mistake, also one that looks like a path.
        """
        self.assertEqual(check_zone(""), "")
        self.assertEqual(check_zone("Europe/Berlin"), "Europe/Berlin")
        for name in ("Europe/Atlantis", "../../etc/passwd", "/etc/localtime", "a\x00b"):
            with self.assertRaisesRegex(ValueError, "time zone"):
                check_zone(name)
