"""
Where the address of a recipient stands in what a message leads to.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import lru_cache

from mailgate.message.links import Place
from mailgate.message.urls import LENGTH_LIMIT

_SHORTEST = 6


class Where(Enum):
    """
    In which part of a link it stands.
    """

    FRAGMENT = "fragment"
    """Behind C{#}: the page reads it, and the server that has it never hears of it."""

    LINK = "link"
    """In its path or query, from where every server gets it."""


def addressed(places: Sequence[Place], recipients: Iterable[str]) -> Iterator[tuple[Where, Place]]:
    """
    Give the places whose address has that of a recipient in it: as it is, with C{%40}, in base64 or
    in hexadecimal digits.
    """
    # Most messages have none, and to look once through all is much less than to look through each.
    written = "\n".join([place.address[:LENGTH_LIMIT] for place in places])
    lower = written.lower()
    for recipient in recipients:
        plain, encoded = _forms(recipient)
        if not any(form in lower for form in plain) and not any(f in written for f in encoded):
            continue
        for place in places:
            before, _, behind = place.address[:LENGTH_LIMIT].partition("#")
            if _has(behind, plain, encoded):
                yield Where.FRAGMENT, place
            elif _has(before, plain, encoded):
                yield Where.LINK, place


def _has(text: str, plain: Sequence[str], encoded: Sequence[str]) -> bool:
    if not text:
        return False
    lower = text.lower()
    return any(form in lower for form in plain) or any(form in text for form in encoded)


@lru_cache(maxsize=1024)
def _forms(recipient: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    address = recipient.lower()
    if len(address) < _SHORTEST or "@" not in address:
        return (), ()
    data = address.encode()
    # In the middle of other bytes it may begin at each of the three places of a group.
    encoded = []
    for shift in range(3):
        text = b64encode(b"\0" * shift + data).decode("ascii").rstrip("=")
        start = (0, 2, 3)[shift]
        end = len(text) - (1 if (shift + len(data)) % 3 else 0)
        encoded.append(text[start:end])
    urlsafe = [form.replace("+", "-").replace("/", "_") for form in encoded]
    return (
        (address, address.replace("@", "%40"), data.hex()),
        tuple(dict.fromkeys((*encoded, *urlsafe))),
    )
