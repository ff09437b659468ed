"""
The table of recipients and aliases, in the format of Postfix's C{virtual} and C{relay_recipients}.

A line is an address, or C{@} and a domain for all addresses in it, and perhaps what it stands for:
addresses with white space or commas between them. A line that begins with white space goes on with
the one before; what is behind a C{#} is a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from mailgate.wire.address import Address
from mailgate.wire.normal import DOMAIN_NAME, normal_address
from mailgate.wire.smtp import Refused, parse_rcpt

TARGETS = 100
"""How many addresses an alias may stand for."""

_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#.*")
_BETWEEN = re.compile(r"[ \t]*,[ \t]*|[ \t]+")
_ANYTHING = frozenset(("ok", "permit", "x"))
"""What stands behind the addresses of a C{relay_recipients}, which says nothing."""


class BadLine(ValueError):
    """
    A line that cannot be read; its message is a sentence.
    """

    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.number = number
        """Of the line, from 1."""


Table = Mapping[str, tuple[Address, ...]]
"""
What each address stands for, by L{normal_address}: itself where it is a mailbox. A pattern has an
empty local part, and stands for nothing where it is all addresses as they are.
"""


@frozen
class _Line:
    number: int
    text: str


def parse_table(lines: Iterable[str]) -> Table:
    """
    Read a table.

    @raise BadLine: a line is none.
    """
    found: dict[str, tuple[Address, ...]] = {}
    where: dict[str, int] = {}
    for line in _joined(lines):
        try:
            entry = _parse(line.text)
            if entry is None:
                continue
            address, targets = entry
            key = normal_address(address)
            if found.setdefault(key, targets) != targets:
                raise ValueError(f"{address} is there twice, first in line {where[key]}")
            where.setdefault(key, line.number)
        except ValueError as error:
            raise BadLine(line.number, str(error)) from None
    return found


def parse_address(text: str) -> Address:
    """
    Read an address, or C{@} and a domain, which has an empty local part.

    @raise ValueError: it is none.
    """
    local, at, domain = text.rpartition("@")
    try:
        if at and local in ("", "*"):
            address = Address("", domain)
        else:
            address = parse_rcpt(f"TO:<{text}>").address
    except Refused:
        raise ValueError(f"{text[:100]!r} is no address") from None
    if not DOMAIN_NAME.fullmatch(address.host) or not text.isprintable() or " " in text:
        raise ValueError(f"{text[:100]!r} is no address")
    return address


def _joined(lines: Iterable[str]) -> Iterator[_Line]:
    """
    Give the lines without their comments, each with those that go on with it.
    """
    last: _Line | None = None
    for number, line in enumerate(lines, 1):
        text = _COMMENT.sub("", line).rstrip()
        if not text.strip():
            continue
        if line[0] in " \t":
            if last is None:
                raise BadLine(number, "there is no line before it that it could go on with")
            last = _Line(last.number, f"{last.text} {text.strip()}")
            continue
        if last is not None:
            yield last
        last = _Line(number, text)
    if last is not None:
        yield last


def _parse(text: str) -> tuple[Address, tuple[Address, ...]] | None:
    """
    Read a line; C{None} where it only says that a domain is one of Postfix's virtual ones.
    """
    name, *rest = filter(None, _BETWEEN.split(text))
    if "@" not in name:
        if rest and "." in name:
            return None
        raise ValueError(f"{name[:100]!r} is no address; a whole domain is @example.com")
    address = parse_address(name)
    if len(rest) == 1 and rest[0].lower() in _ANYTHING:
        rest = []
    if len(rest) > TARGETS:
        raise ValueError(f"it stands for more than {TARGETS} addresses")
    targets = tuple(map(parse_address, rest))
    if not targets and address.local:
        targets = (address,)
    return address, targets
