"""
A message as Python's own parser reads it (C{email.policy.compat32}), as an independent opinion.
"""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message
from email.policy import compat32

from mailgate.message.header import decode
from mailgate.message.mime.parts import Limits, Part
from mailgate.message.mime.regular import REPORTS
from mailgate.message.parameters import NAME_LIMIT, VALUE_LIMIT
from mailgate.message.text import characters

SIZE = 1024 * 1024
"""Bytes of a message that is given to it: it needs ten times as long as we do."""

_FIELD = re.compile(rb"(?:^|\n)content-[a-z-]+[ \t]*+:[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+", re.I)
_LINES = 50_000
_BORDERS = 2000
"""Lines that may part something: each can cost it 0.1 ms."""

_FIELDS = 300
"""How many fields of MIME it is given: it reads parts that lie in each other recursively."""


def can_be_read(data: bytes) -> bool:
    """
    Tell whether the parser will come to an end soon: it needs quadratic time for long values.
    """
    if len(data) > SIZE or b"\r\r" in data:
        return False
    if data.count(b"\n") > _LINES or data.count(b"\n--") > _BORDERS:
        return False
    lengths = [len(match[0]) for match in _FIELD.finditer(data)]
    return len(lengths) <= _FIELDS and max(lengths, default=0) <= VALUE_LIMIT


def read_stdlib(data: bytes, limits: Limits) -> tuple[tuple[Part, bytes], ...]:
    """
    Give the attachments that it finds, each with its decoded content.

    @raise RecursionError: they lie too deep.
    @raise ValueError: it fails, as it does with some that are hostile.
    """
    try:
        return _found(message_from_bytes(data, policy=compat32), limits)
    except (LookupError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _found(top: Message, limits: Limits) -> tuple[tuple[Part, bytes], ...]:
    found: list[tuple[Part, bytes]] = []
    waiting: list[tuple[int, Message]] = [(0, top)]
    while waiting and len(found) < limits.parts:
        depth, message = waiting.pop()
        payload = message.get_payload()
        kind = message.get_content_type()
        # What it takes for the parts of a report are groups of fields.
        if isinstance(payload, list) and kind not in REPORTS:
            waiting += [
                (depth + 1, each) for each in reversed(payload) if isinstance(each, Message)
            ]
        if kind.startswith("multipart/"):
            continue
        name = message.get_filename() or ""
        disposition = (message.get_content_disposition() or "")[:100]
        is_text = kind in ("text/plain", "text/html") and not name
        if is_text and disposition != "attachment":
            continue
        content = b"" if isinstance(payload, list) else message.get_payload(decode=True)
        content = content if isinstance(content, bytes) else b""
        raw = name.encode("utf-8", "replace")
        names = tuple(dict.fromkeys(filter(None, (decode(raw, NAME_LIMIT), characters(raw)))))
        part = Part(depth, kind, disposition, names, len(content), True, begin=0, end=len(content))
        found.append((part, content))
    return tuple(found)
