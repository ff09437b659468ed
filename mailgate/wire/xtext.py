"""
Text in which only visible ASCII stands: xtext (RFC 3461 section 4).

A character that may not stand for itself is written as C{+} and two hexadecimal digits for each
of its bytes in UTF-8.
"""

from __future__ import annotations

import re

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_HEX = re.compile(rb"\+([0-9A-F]{2})")
_OTHER = re.compile(rb"[^!-*,-<>-~]")


def encode(text: str) -> str:
    """
    Write C{text} as xtext.
    """
    data = text.encode("utf-8", "surrogateescape")
    return _OTHER.sub(lambda match: b"+%02X" % match[0][0], data).decode("ascii")


def decode(xtext: str) -> str:
    """
    Give the text that C{xtext} stands for; it may hold any character, control characters too.

    @raise ValueError: it is not xtext, or does not stand for UTF-8.
    """
    if not _XTEXT.fullmatch(xtext):
        raise ValueError("not xtext")
    data = _HEX.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), xtext.encode("ascii"))
    return data.decode("utf-8")
