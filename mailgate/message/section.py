"""
The header section of a message as bytes.
"""

from __future__ import annotations

import re

from mailgate.interfaces import IMessage

HEAD_LIMIT = 256 * 1024
"""How much of each message can be looked at without waiting, in bytes."""

_USUAL = 16 * 1024
"""Bytes in which nearly every header section ends, to spare the copying of more."""


def header_section(message: IMessage) -> bytes:
    """
    Give what stands before the body, the empty line included.

    The edge has refused a section that is longer than what can be looked at without waiting;
    a message without an empty line is header section to its end.
    """
    head = message.head(_USUAL)
    if message.size > len(head) and b"\r\n\r\n" not in head:
        head = message.head(HEAD_LIMIT)
    return cut(head)


LINES_PER_FIELD = 10
"""How many lines a header field may have, on the average of those that are allowed."""

_FIELD_LINE = re.compile(rb"\n[^ \t\r\n]")


def has_more_fields(section: bytes, limit: int) -> bool:
    """
    Tell whether a header section has more fields than C{limit}, or more than ten times as many
    lines: whatever reads it takes a time for each.

    A line that is no field counts as one. Takes hardly any time where there are few lines.
    """
    lines = section.count(b"\n")
    if lines < limit:
        return False
    if lines > limit * LINES_PER_FIELD:
        return True
    return sum(1 for _ in _FIELD_LINE.finditer(b"\n" + section)) > limit


def cut(head: bytes) -> bytes:
    """
    Give the header section that a message begins with, or all of C{head} where it does not end
    there.
    """
    if head.startswith(b"\r\n"):
        return head[:2]
    end = head.find(b"\r\n\r\n")
    return head if end < 0 else head[: end + 4]
