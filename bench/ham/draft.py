"""
Drafts: how a letter is to be sent, and what a message is before it is signed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.ham.letter import Letter
from bench.ham.mime import text_part
from bench.ham.page import page_of
from bench.ham.papers import calendar
from bench.ham.service import Service, service_for, with_tracked_links

_UNSUBSCRIBABLE = {"newsletter": 1.0, "invitation": 0.6, "notification": 0.5}
"""How often List-Unsubscribe is there; otherwise one time in ten."""


@dataclass(frozen=True)
class Draft:
    """
    A letter, who sends it, and what the template engine is to be told.
    """

    letter: Letter
    service: Service
    unsubscribe: str
    """Where one unsubscribes, or nothing."""

    page: dict[str, Any] | None
    """C{None} where a person writes."""


@dataclass(frozen=True)
class Unsigned:
    """
    A message as its writer hands it over to be signed.
    """

    author_domain: str
    """That of From."""

    signers: Sequence[str]
    """The domains that sign."""

    envelope: str
    """The envelope sender."""

    head: bytes
    """The fields but those of the top part, each with its CRLF."""

    part: bytes
    """The top part: its fields, an empty line, its body."""


def draft(letter: Letter, seed: int) -> Draft:
    """
    Choose who sends a letter and how.
    """
    dice = random.Random(f"draft {seed} {letter.number}")
    service = service_for(dice)
    if letter.kind == "note":
        return Draft(letter, service, "", None)
    unsubscribe = ""
    if dice.random() < _UNSUBSCRIBABLE.get(letter.kind, 0.1):
        host = f"unsubscribe.{service.domain}" if service.domain else f"www.{letter.sender.domain}"
        unsubscribe = f"https://{host}/u/{dice.getrandbits(160):040x}"
    letter = with_tracked_links(letter, service, dice)
    return Draft(letter, service, unsubscribe, page_of(letter, service, unsubscribe, dice))


def request_part(letter: Letter) -> bytes:
    """
    Write the part by which a meeting is accepted or declined (RFC 5546).
    """
    return text_part("text/calendar", calendar(letter, "REQUEST"), "base64", "; method=REQUEST")
