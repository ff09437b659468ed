"""
The header section of a message as bytes.
"""

from __future__ import annotations

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


def cut(head: bytes) -> bytes:
    """
    Give the header section that a message begins with, or all of C{head} where it does not end
    there.
    """
    if head.startswith(b"\r\n"):
        return head[:2]
    end = head.find(b"\r\n\r\n")
    return head if end < 0 else head[: end + 4]
