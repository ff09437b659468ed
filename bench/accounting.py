"""
Which of the messages that were sent are there, once and unaltered.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

_MESSAGE_ID = re.compile(rb"^message-id:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_VERDICT = re.compile(rb"^x-mailgate-verdict:[ \t]*(\w+)", re.IGNORECASE | re.MULTILINE)


def normalised(raw: bytes) -> bytes:
    """
    Give the bytes of a file as they are sent: every line ended by CRLF, the last one too.

    A LF that has no CR before it gets one, so files with LF, with CRLF and with both can be
    sent. Nothing else changes: a CR that no LF follows, a NUL, 8-bit and long lines stay.
    """
    message = re.sub(rb"(?<!\r)\n", b"\r\n", raw)
    return message if message.endswith(b"\r\n") else message + b"\r\n"


@dataclass(frozen=True)
class Seen:
    """
    A message as it is recognised again, be its lines ended by CRLF or LF.
    """

    key: str
    """Its Message-ID, or C{sha256:} and the body's hash where it has none."""

    body: str
    """The sha256 of all after the first empty line, with CRLF as LF."""

    is_tagged: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, message: bytes) -> Seen:
        """
        Recognise a message.
        """
        head, body = split(message.replace(b"\r\n", b"\n"))
        digest = sha256(body).hexdigest()
        found = _MESSAGE_ID.search(head)
        name = b" ".join(found[1].split()).decode("latin-1") if found else ""
        verdict = _VERDICT.search(head)
        return cls(name or f"sha256:{digest}", digest, bool(verdict and verdict[1] == b"tag"))


def split(text: bytes) -> tuple[bytes, bytes]:
    """
    Part a message with LF line ends at its first empty line, which may be the very first one.
    """
    if text.startswith(b"\n"):
        return b"", text[1:]
    head, _, body = text.partition(b"\n\n")
    return head, body


@dataclass(frozen=True)
class Account:
    """
    How what is there differs from what should be; each name stands once for each message.
    """

    missing: tuple[str, ...]
    """Accepted, and not there."""

    surplus: tuple[str, ...]
    """There twice, or there although it was not accepted."""

    altered: tuple[str, ...]
    """There with another body than was sent."""

    foreign: int
    """How many there are that nobody sent in this run; no fault."""

    @property
    def is_balanced(self) -> bool:
        """
        Tell whether everything is there exactly once and as it was sent.
        """
        return not (self.missing or self.surplus or self.altered)


def account(
    accepted: Iterable[Seen],
    unknown: Iterable[Seen],
    refused: Iterable[Seen],
    found: Iterable[Seen],
) -> Account:
    """
    Hold what was found against what was sent, as many times as each was sent.

    @param unknown: sent to the end, but no reply came: such a message may be there or not.
    """
    expected, possible, there = _by_key(accepted), _by_key(unknown), _by_key(found)
    sent = expected.keys() | possible.keys() | _by_key(refused).keys()
    missing: list[str] = []
    surplus: list[str] = []
    altered: list[str] = []
    for key in sorted(sent):
        wanted, present = expected.get(key, Counter()), there.get(key, Counter())
        lacking = (wanted - present).total()
        extra = ((present - wanted) - possible.get(key, Counter())).total()
        both = min(lacking, extra)
        altered += [key] * both
        missing += [key] * (lacking - both)
        surplus += [key] * (extra - both)
    foreign = sum(bodies.total() for key, bodies in there.items() if key not in sent)
    return Account(tuple(missing), tuple(surplus), tuple(altered), foreign)


def _by_key(messages: Iterable[Seen]) -> dict[str, Counter[str]]:
    """
    Count the bodies under each key.
    """
    counted: dict[str, Counter[str]] = {}
    for message in messages:
        counted.setdefault(message.key, Counter())[message.body] += 1
    return counted
