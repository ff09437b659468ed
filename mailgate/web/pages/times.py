"""
Times as people read them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from datetime import timedelta, tzinfo

from attrs import frozen

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@frozen
class Times:
    """
    Puts times into words, in one time zone.
    """

    now: Callable[[], float]
    """The time in seconds since the epoch, as all times here."""

    zone: tzinfo | None = None
    """C{None} is the machine's own."""

    def local(self, time: float) -> dt.datetime:
        """
        Give a time with its zone.
        """
        return dt.datetime.fromtimestamp(time, self.zone).astimezone(self.zone)

    def day(self, time: float) -> dt.date:
        """
        Give the day of a time.
        """
        return self.local(time).date()

    def machine(self, time: float) -> str:
        """
        Give a time for the C{datetime} attribute.
        """
        return self.local(time).isoformat(timespec="seconds")

    def clock(self, time: float) -> str:
        """
        Give hour and minute.
        """
        return f"{self.local(time):%H:%M}"

    def second(self, time: float) -> str:
        """
        Give hour, minute and second.
        """
        return f"{self.local(time):%H:%M:%S}"

    def name_of_day(self, day: dt.date) -> str:
        """
        Name a day as seen from today: Today, Yesterday, Monday, 3 March, 3 March 2024.
        """
        today = self.day(self.now())
        if day == today:
            return "Today"
        if day == today - timedelta(days=1):
            return "Yesterday"
        if timedelta(0) < today - day < timedelta(days=7):
            return _DAYS[day.weekday()]
        return self.date(day)

    def date(self, day: dt.date) -> str:
        """
        Give a date, with its year where that is not this one: 3 March.
        """
        words = f"{day.day} {_MONTHS[day.month - 1]}"
        return words if day.year == self.day(self.now()).year else f"{words} {day.year}"

    def long_date(self, day: dt.date) -> str:
        """
        Give a date with its day of the week: Thursday 12 March.
        """
        return f"{_DAYS[day.weekday()]} {self.date(day)}"

    def when(self, time: float) -> str:
        """
        Say when something was or will be: today at 09:41; on 3 March at 09:41.
        """
        name = self.name_of_day(self.day(time))
        if name in ("Today", "Yesterday"):
            return f"{name.lower()} at {self.clock(time)}"
        return f"on {self.date(self.day(time))} at {self.clock(time)}"
