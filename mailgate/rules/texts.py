"""
What of a message rules look at: each place as one text, folded, a line for each thing in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mailgate.message.header import decode
from mailgate.message.mime import Parsed
from mailgate.rules.fold import fold
from mailgate.rules.format import HEADER

LIMIT = 64 * 1024
"""Characters of the text that are looked at."""

SMALL_LIMIT = 16 * 1024
"""Of each other place."""

_FIELDS = 20
"""How many fields of one name."""


def texts_of(
    wanted: Collection[str],
    parsed: Parsed,
    name: str,
    links: Iterable[str],
    attachments: Iterable[str],
) -> Iterator[tuple[str, bytes]]:
    """
    Give the places that are wanted and not empty, in their order, each in UTF-8.

    @param name: of the sender.
    @param links: where the message leads.
    @param attachments: the names of its files.
    """
    headers, seen = parsed.headers, parsed.seen
    for place in wanted:
        if place == "text":
            lines: Iterable[str] = (seen.plain, *(page.text for page in seen.pages))
        elif place == "subject":
            lines = (headers.text("subject"),)
        elif place == "from_name":
            lines = (name,)
        elif place == "links":
            lines = links
        elif place == "hidden":
            lines = (hidden.text for page in seen.pages for hidden in page.hidden)
        elif place == "attachments":
            lines = attachments
        else:
            values = headers.values(place.removeprefix(HEADER))[:_FIELDS]
            lines = (decode(value) for value in values)
        text = _folded(lines, LIMIT if place == "text" else SMALL_LIMIT)
        if text:
            yield place, text


def _folded(lines: Iterable[str], left: int) -> bytes:
    """
    Fold lines until there are so many characters.
    """
    folded: list[str] = []
    for line in lines:
        line = fold(line[:left])[:left]
        if line:
            folded.append(line)
            left -= len(line) + 1
            if left <= 0:
                break
    return "\n".join(folded).encode("utf-8", "replace")
