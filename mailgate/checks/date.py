"""
The date of a message, in all the ways that RFC 5322 allows, the obsolete ones too.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_ZONES = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
"""Hours from UTC of the zones of section 4.3; every other word there counts as UTC."""

_COMMENT_PART = re.compile(r"\\.|[()]", re.DOTALL)
_DATE = re.compile(
    r"\s*(?:(?:mon|tue|wed|thu|fri|sat|sun)\s*,)?"
    r"\s*(\d{1,2})\s*(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\s*(\d{2,4})"
    r"\s+(\d{1,2})\s*:\s*(\d{2})(?:\s*:\s*(\d{2}))?"
    r"\s*(?:([+-]\d{2})([0-5]\d)|([a-z]+))\s*",
    re.IGNORECASE | re.ASCII,
)


def parse_date(text: str) -> datetime | None:
    """
    Read a date-time of RFC 5322 sections 3.3 and 4.3, or give C{None} where it is none.

    Comments, folding, years of two and three digits and zones with a name are allowed; that
    the day of the week is the right one is not asked.
    """
    match = _DATE.fullmatch(_without_comments(text) if "(" in text else text)
    if match is None:
        return None
    day, month, year, hour, minute, second, zone_hours, zone_minutes, zone = match.groups()
    seconds = int(second or 0)
    if seconds == 60:  # a leap second, which a datetime cannot hold
        seconds = 59
    try:
        return datetime(
            _full_year(year),
            _MONTHS[month.lower()],
            int(day),
            int(hour),
            int(minute),
            seconds,
            tzinfo=_zone(zone, zone_hours, zone_minutes),
        )
    except ValueError:
        return None


def _full_year(year: str) -> int:
    number = int(year)
    if len(year) == 4:
        if number < 1900:
            raise ValueError("no message is older than 1900")
        return number
    if len(year) == 2 and number < 50:
        return 2000 + number
    return 1900 + number


def _zone(name: str | None, hours: str, minutes: str) -> timezone:
    if name is not None:
        return timezone(timedelta(hours=_ZONES.get(name.lower(), 0)))
    sign = -1 if hours[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(hours[1:]), minutes=int(minutes)))


def _without_comments(text: str) -> str:
    """
    Put a space in the place of each comment (section 3.2.2); they nest.
    """
    kept, depth, at = [], 0, 0
    for part in _COMMENT_PART.finditer(text):
        if part.group() == "(":
            if depth == 0:
                kept.append(text[at : part.start()])
            depth += 1
        elif part.group() == ")" and depth:
            depth -= 1
            at = part.end()
    return " ".join((*kept, "" if depth else text[at:]))
