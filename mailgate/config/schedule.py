"""
When somebody is told of what is new: what may be chosen, and when it is time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import frozen

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EVERY = {"every 15 minutes": 900, "hourly": 3600}
_NEVER = "never"
_ON = {
    "daily": frozenset(range(7)),
    "weekdays": frozenset(range(5)),
    **{name: frozenset((number,)) for number, name in enumerate(_DAYS)},
}
_MOST_TIMES = 6
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)

SCHEDULE = (
    '"every 15 minutes", "hourly", "never", or "daily", "weekdays" or the name of a day with up to'
    ' six times, as in "daily 08:00 16:00"'
)


@frozen
class Schedule:
    """
    When digests are sent. None is sent where there is nothing new.
    """

    text: str
    """As it is configured and chosen."""

    every: float = 0.0
    """The seconds between two, or 0."""

    days: frozenset[int] = frozenset()
    """On which days of the week, 0 being Monday."""

    times: tuple[dt.time, ...] = ()
    """At what times of these days, in their order."""

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """
        Read a schedule.

        @raise ValueError: it is none; the message says what may stand there.
        """
        text = " ".join(text.lower().split())
        if text == _NEVER:
            return cls(text)
        if text in _EVERY:
            return cls(text, every=_EVERY[text])
        day, *written = text.split(" ")
        found = [_TIME.fullmatch(each) for each in written]
        times = sorted({dt.time(int(each[1]), int(each[2])) for each in found if each})
        if day not in _ON or not found or None in found or len(times) > _MOST_TIMES:
            raise ValueError(f"must be {SCHEDULE}")
        words = " ".join((day, *(f"{each:%H:%M}" for each in times)))
        return cls(words, days=_ON[day], times=tuple(times))

    @property
    def is_never(self) -> bool:
        """
        Tell whether none is sent at all.
        """
        return not self.every and not self.times

    def is_time(
        self, oldest: float, sent: float | None, now: float, zone: dt.tzinfo | None
    ) -> bool:
        """
        Tell whether what is new is to be told now.

        @param oldest: when the oldest that is new was held, in seconds since the epoch as all here.
        @param sent: when the last digest was sent, or C{None}. What lies ahead does not count: the
            clock was put back.
        @param zone: of the times of day; C{None} is the machine's own.
        """
        if self.every:
            return sent is None or not now - self.every < sent <= now
        last = next(self._before(now, zone), None)
        return last is not None and oldest <= last

    def _before(self, now: float, zone: dt.tzinfo | None) -> Iterator[float]:
        """
        Give the last times at which one was due, the latest first.
        """
        today = dt.datetime.fromtimestamp(now, zone).date()
        for back in range(8):
            day = today - dt.timedelta(days=back)
            if day.weekday() in self.days:
                for time in reversed(self.times):
                    at = dt.datetime.combine(day, time, zone).timestamp()
                    if at <= now:
                        yield at

    @property
    def in_words(self) -> str:
        """
        Say it to whoever gets them: every day at 08:00 and 16:00.
        """
        if self.every:
            return "every hour" if self.every == 3600 else "every 15 minutes"
        if self.is_never:
            return _NEVER
        times = [f"{each:%H:%M}" for each in self.times]
        at = " and ".join(filter(None, (", ".join(times[:-1]), times[-1])))
        day = self.text.partition(" ")[0]
        on = {"daily": "every day", "weekdays": "on working days"}
        return f"{on.get(day) or f'every {day.capitalize()}'} at {at}"


ZONE = 'the name of a time zone, as in Europe/Berlin, or "" for that of this machine'


def check_schedule(text: str) -> str:
    """
    Give back a schedule in its usual spelling.

    @raise ValueError: it is none.
    """
    return Schedule.parse(text).text


def check_zone(name: str) -> str:
    """
    Give back the name of a time zone that this machine knows.

    @raise ValueError: it does not.
    """
    zone_of(name)
    return name


def zone_of(name: str) -> dt.tzinfo | None:
    """
    Give a time zone by its name; C{""} is the machine's own.

    @raise ValueError: there is none of that name.
    """
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"must be {ZONE}") from error
