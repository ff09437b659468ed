"""
What people type to find traces: C{from:ada@example.org verdict:held invoice}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address

from attrs import Factory, frozen

KEYS: Mapping[str, str] = {
    "from": "sender",
    "to": "recipient",
    "client": "client",
    "subject": "subject",
    "id": "id",
    "account": "account",
    "is": "verdict",
}
"""What may stand before a colon, and the column of the index that it is about."""

OUTCOMES: Sequence[str] = (
    "accept",
    "tag",
    "quarantine",
    "defer",
    "reject",
    "discard",
    "delivered",
    "held",
    "queued",
    "refused",
    "deferred",
)
"""What may stand after C{is:}: what was decided, and what became of a copy."""

LONGEST = 200
"""Characters of a query that are read."""

_TERM = re.compile(r'(?:([a-z]+):)?("[^"]*"|\S+)')
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_WORD = re.compile(r"\w+\*?")
_NO_TOKEN = re.compile(r"[^\w@.:+=-]")
_TERMS = 10


class QueryError(ValueError):
    """
    Something of a query means nothing; the message is a sentence for the person.
    """


@frozen
class TraceQuery:
    """
    What somebody looks for; all of it must be so.
    """

    words: Sequence[tuple[str, str]] = Factory(tuple)
    """
    Columns of the index, C{""} for any of them, and a word that stands there. A C{*} at its end
    stands for any end.
    """

    day: str = ""
    """As C{20261124} (UTC), or C{""} for all that are kept."""

    def match(self) -> str:
        """
        Write it as FTS5 does; C{""} where everything is looked for.
        """
        return " AND ".join(
            (f"{column} : " if column else "") + _quoted(word) for column, word in self.words
        )


def parse_query(text: str) -> TraceQuery:
    """
    Read what somebody has typed.

    Without a key an address or a domain may be the sender's or a recipient's, and any other word
    may stand in the subject as well.

    @raise QueryError: a key or its value means nothing.
    """
    words: list[tuple[str, str]] = []
    day = ""
    for key, quoted in _TERM.findall(text[:LONGEST].lower())[:_TERMS]:
        value = quoted.strip('"')
        if key == "on":
            day = _day(value)
        elif key in KEYS:
            words += [(KEYS[key], word) for word in _values(key, value)]
        else:
            words += _free(f"{key}:{value}" if key else value)
    return TraceQuery(tuple(words[:_TERMS]), day)


def token(text: str) -> str:
    """
    Give a text as one word of the index.
    """
    return _NO_TOKEN.sub("_", text)


def _values(key: str, value: str) -> Iterator[str]:
    if key == "is" and value not in OUTCOMES:
        raise QueryError(f"is:{value} is none of {', '.join(OUTCOMES)}.")
    if key == "subject":
        yield from _WORD.findall(value)
    elif value := value.strip("<>").removeprefix("@"):
        yield value


def _free(value: str) -> Iterator[tuple[str, str]]:
    try:
        yield "client", str(ip_address(value))
        return
    except ValueError:
        pass
    if re.search(r"\w[@.]\w|^@\w", value):
        yield "", value.strip("<>").removeprefix("@")
        return
    for word in _WORD.findall(value):
        yield "", word


def _day(value: str) -> str:
    found = _DAY.fullmatch(value)
    if not found:
        raise QueryError(f"on:{value} is no day; write it as on:2026-01-31.")
    return "".join(found.groups())


def _quoted(word: str) -> str:
    stem = word.rstrip("*")
    return f'"{token(stem)}"' + ("*" if stem != word else "")
