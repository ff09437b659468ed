"""
When a rule holds that is made of others: C{A & (b | !C)}, C{2 of (A, B, C)}.

C{!} binds closest, then C{&}, then C{|}.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container

from attrs import frozen

LONGEST = 2_000
"""Characters of a condition."""

DEEPEST = 20
"""Parentheses within parentheses."""

_TOKEN = re.compile(r"\s*(?:([A-Za-z_][A-Za-z0-9_]*)|([0-9]+)|([&|!(),]))")

Holds = Callable[[Container[str]], bool]


@frozen(eq=False)
class Condition:
    """
    A condition over names: symbols of rules in upper case, facts in lower case.
    """

    text: str
    names: frozenset[str]
    """All that it speaks of."""

    holds: Holds
    """Tells whether it holds where exactly the names given to it do."""


def parse(text: str) -> Condition:
    """
    Read a condition.

    @raise ValueError: it is none; the message says where and why.
    """
    if len(text) > LONGEST:
        raise ValueError(f"has more than {LONGEST:,} characters")
    return _Parser(text).parse()


class _Parser:
    """
    Reads one condition from left to right.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._names: set[str] = set()
        self._token = self._kind = ""
        self._advance()

    def parse(self) -> Condition:
        """
        Read all of it.
        """
        holds = self._either()
        if self._token:
            raise self._unexpected("& or |")
        return Condition(self._text, frozenset(self._names), holds)

    def _advance(self) -> None:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            rest = self._text[self._at :].strip()
            if rest:
                raise ValueError(f'has "{rest[0]}", which means nothing there')
            self._token = self._kind = ""
            return
        self._at = match.end()
        name, number, sign = match.groups()
        self._token = name or number or sign
        self._kind = "name" if name else "number" if number else "sign"

    def _unexpected(self, expected: str) -> ValueError:
        found = f'"{self._token}"' if self._token else "the end"
        return ValueError(f"has {found} where {expected} is expected")

    def _take(self, sign: str) -> None:
        if self._token != sign:
            raise self._unexpected(f'"{sign}"')
        self._advance()

    def _either(self) -> Holds:
        parts = [self._both()]
        while self._token == "|":
            self._advance()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda found: any(p(found) for p in parts)

    def _both(self) -> Holds:
        parts = [self._single()]
        while self._token == "&":
            self._advance()
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else lambda found: all(p(found) for p in parts)

    def _single(self) -> Holds:
        if self._token == "!":
            self._advance()
            self._deeper()
            inner = self._single()
            self._depth -= 1
            return lambda found: not inner(found)
        if self._token == "(":
            self._advance()
            self._deeper()
            inner = self._either()
            self._depth -= 1
            self._take(")")
            return inner
        if self._kind == "number":
            return self._some()
        if self._kind != "name":
            raise self._unexpected("a name")
        name = self._token
        self._names.add(name)
        self._advance()
        return lambda found: name in found

    def _some(self) -> Holds:
        number = int(self._token[:4])
        self._advance()
        self._take("of")
        self._take("(")
        self._deeper()
        parts = [self._either()]
        while self._token == ",":
            self._advance()
            parts.append(self._either())
        self._depth -= 1
        self._take(")")
        if not 1 <= number <= len(parts):
            raise ValueError(f"asks for {number} of {len(parts)}")
        return lambda found: sum(p(found) for p in parts) >= number

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"is deeper than {DEEPEST}")
