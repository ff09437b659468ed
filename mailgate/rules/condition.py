"""
When a rule holds that is made of others: C{A & (b | !C)}, C{2 of (A, B, C)}.

C{!} binds closest, then C{&}, then C{|}.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence

from attrs import frozen

LONGEST = 2_000
"""Characters of a condition."""

DEEPEST = 20
"""Parentheses within parentheses."""

_TOKEN = re.compile(r"\s*(?:([A-Za-z_][A-Za-z0-9_]*)|([0-9]+)|([&|!(),]))")

Holds = Callable[[Container[str]], bool]
Triggers = frozenset[str] | None


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

    triggers: Triggers
    """Names of which one holds at least where it does; C{None} where it may hold without any."""


def parse(text: str) -> Condition:
    """
    Read a condition.

    @raise ValueError: it is none; the message says where and why.
    """
    if len(text) > LONGEST:
        raise ValueError(f"has more than {LONGEST:,} characters")
    return _Parser(text).parse()


@frozen(eq=False)
class _Term:
    holds: Holds
    triggers: Triggers


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
        term = self._either()
        if self._token:
            raise self._unexpected("& or |")
        return Condition(self._text, frozenset(self._names), term.holds, term.triggers)

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

    def _either(self) -> _Term:
        parts = [self._both()]
        while self._token == "|":
            self._advance()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else _some_of(1, parts)

    def _both(self) -> _Term:
        parts = [self._single()]
        while self._token == "&":
            self._advance()
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else _some_of(len(parts), parts)

    def _single(self) -> _Term:
        if self._token == "!":
            self._advance()
            inner = self._deeper(self._single)
            return _Term(lambda found: not inner.holds(found), None)
        if self._token == "(":
            self._advance()
            inner = self._deeper(self._either)
            self._take(")")
            return inner
        if self._kind == "number":
            return self._counted()
        if self._kind != "name":
            raise self._unexpected("a name")
        name = self._token
        self._names.add(name)
        self._advance()
        return _Term(lambda found: name in found, frozenset({name}))

    def _counted(self) -> _Term:
        number = int(self._token[:4])
        self._advance()
        self._take("of")
        self._take("(")
        parts = [self._deeper(self._either)]
        while self._token == ",":
            self._advance()
            parts.append(self._deeper(self._either))
        self._take(")")
        if not 1 <= number <= len(parts):
            raise ValueError(f"asks for {number} of {len(parts)}")
        return _some_of(number, parts)

    def _deeper(self, read: Callable[[], _Term]) -> _Term:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"is deeper than {DEEPEST}")
        term = read()
        self._depth -= 1
        return term


def _some_of(number: int, parts: Sequence[_Term]) -> _Term:
    """
    Make the term that holds where so many parts do.
    """
    holds = tuple(part.holds for part in parts)
    if number == 1:
        return _Term(lambda found: any(each(found) for each in holds), _together(1, parts))
    if number == len(parts):
        # Any one part will do. Patterns that were not found cost nothing to know, facts do.
        triggers = min((part.triggers for part in parts), key=_cost)
        return _Term(lambda found: all(each(found) for each in holds), triggers)
    return _Term(
        lambda found: sum(each(found) for each in holds) >= number, _together(number, parts)
    )


def _together(number: int, parts: Sequence[_Term]) -> Triggers:
    """
    Give the triggers of what holds where so many parts do.
    """
    triggers = [part.triggers for part in parts if part.triggers is not None]
    # Those without triggers could be enough by themselves.
    return None if len(parts) - len(triggers) >= number else frozenset().union(*triggers)


def _cost(triggers: Triggers) -> int:
    if triggers is None:
        return 2
    return 0 if all(map(str.isupper, triggers)) else 1
