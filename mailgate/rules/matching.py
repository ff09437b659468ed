"""
Which rules of a set hold of a message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from pathlib import Path

from attrs import frozen

from mailgate.config.problem import ConfigurationError, Problem, as_toml
from mailgate.rules.compile import Patterns, Unusable, compile_patterns
from mailgate.rules.condition import Condition
from mailgate.rules.format import Rule, RuleSet

_BEFORE, _BEHIND = 52, 24
"""Bytes that are quoted before and behind the end of what was found."""

_NONE: tuple[Patterns | None, tuple[str, ...]] = (None, ())

_LONGEST_WORD = 16
"""How far the beginning of a word is looked for."""


@frozen(eq=False)
class Hit:
    """
    A rule that holds.
    """

    rule: Rule
    text: bytes
    """Where its pattern was found, folded; C{b""} where it has none and speaks of none."""

    end: int
    """Behind how many bytes of it what was found ends."""

    @property
    def quote(self) -> str:
        """
        Give what was found, with what stands around it in the same line, or C{""}.
        """
        return _around(self.text, self.end)


class Matcher:
    """
    Looks for the rules of a set.
    """

    def __init__(self, rules: RuleSet, folder: Path | None = None) -> None:
        """
        Compile their patterns, which takes seconds for some hundreds.

        @param folder: where it is kept what was compiled.
        @raise ConfigurationError: some patterns cannot be used.
        """
        self.rules = rules
        self._ordered = tuple(rules.rules.values())
        wanted: dict[str, dict[str, None]] = {}
        self._users: dict[tuple[str, str], list[int]] = {}
        """By place and pattern, which rules look for it there."""
        for index, rule in enumerate(self._ordered):
            for pattern in rule.patterns:
                for place in rule.where:
                    wanted.setdefault(_family(place), {})[pattern] = None
                    self._users.setdefault((place, pattern), []).append(index)
        self._patterns = {
            family: (_compiled(tuple(patterns), self._ordered, folder), tuple(patterns))
            for family, patterns in wanted.items()
        }
        self.places = tuple(dict.fromkeys(p for rule in self._ordered for p in _places(rule)))
        """All places that are looked at."""
        self._conditions: Mapping[int, Condition] = {
            index: rule.when for index, rule in enumerate(self._ordered) if rule.when is not None
        }
        self._triggered, self._always = self._triggers()

    def match(
        self,
        texts: Iterable[tuple[str, bytes]],
        has_fact: Callable[[str], bool],
        languages: Callable[[], Collection[str]] = tuple,
    ) -> Sequence[Hit]:
        """
        Give the rules that hold, those of score 0 among them.

        @param texts: the places that are not empty, as L{mailgate.rules.texts.texts_of} gives them.
        @param has_fact: tells whether a fact holds; it is asked only where that matters.
        @param languages: gives the languages of the text, none where they are not known; it is
            asked only where that matters.
        @raise mailgate.rules.compile.Failed: the patterns could not be looked for.
        """
        found: dict[int, tuple[bytes, int]] = {}
        for place, text in texts:
            database, patterns = self._patterns.get(_family(place), _NONE)
            if database is not None:
                for at, end in database.find(text):
                    for index in self._users.get((place, patterns[at]), ()):
                        found.setdefault(index, (text, end))
        if found:
            self._leave_other_languages(found, languages)
        elif not self._always:
            return ()
        return self._judged(found, has_fact)

    def _leave_other_languages(
        self, found: dict[int, tuple[bytes, int]], languages: Callable[[], Collection[str]]
    ) -> None:
        bound = [index for index in found if self._ordered[index].languages]
        if bound:
            spoken = languages()
            for index in bound if spoken else ():
                if self._ordered[index].languages.isdisjoint(spoken):
                    del found[index]

    def _judged(
        self, found: Mapping[int, tuple[bytes, int]], has_fact: Callable[[str], bool]
    ) -> Sequence[Hit]:
        ordered = self._ordered
        hits = {
            ordered[index].symbol: Hit(ordered[index], *where) for index, where in found.items()
        }
        names = _Names(hits, has_fact)
        waiting = set(self._always).union(*(self._triggered[index] for index in found))
        queue = sorted(waiting)
        # They are in such an order that each comes behind those of which it speaks.
        while queue:
            index = heappop(queue)
            when, rule = self._conditions[index], ordered[index]
            if not when.holds(names):
                continue
            found_of = (hits[name] for name in sorted(when.names) if name in hits)
            shown = next((hit for hit in found_of if hit.text), None)
            hits[rule.symbol] = Hit(rule, shown.text, shown.end) if shown else Hit(rule, b"", 0)
            for following in self._triggered[index] - waiting:
                waiting.add(following)
                heappush(queue, following)
        return tuple(hits.values())

    def _triggers(self) -> tuple[Sequence[frozenset[int]], Sequence[int]]:
        """
        Give for each rule the conditions that may hold once it does, and those that may hold
        whatever rules do.
        """
        index_of = {rule.symbol: index for index, rule in enumerate(self._ordered)}
        triggered: list[set[int]] = [set() for _ in self._ordered]
        always = []
        for index, condition in self._conditions.items():
            triggers = condition.triggers
            if triggers is None or not all(map(str.isupper, triggers)):
                always.append(index)
            else:
                for name in triggers.intersection(index_of):
                    triggered[index_of[name]].add(index)
        return [frozenset(each) for each in triggered], always


class _Names:
    """
    What holds: the symbols that were found, and facts, which are asked for when they matter.
    """

    def __init__(self, hits: Mapping[str, Hit], has_fact: Callable[[str], bool]) -> None:
        self._hits = hits
        self._has_fact = has_fact

    def __contains__(self, name: object) -> bool:
        if name in self._hits:
            return True
        return isinstance(name, str) and not name.isupper() and self._has_fact(name)


def _places(rule: Rule) -> Iterator[str]:
    if rule.patterns:
        yield from rule.where


def _family(place: str) -> str:
    """
    Name the places with which a place has a database in common: those in which people write.
    Patterns for links and fields are about single characters, and would hold up the others.
    """
    return "text" if place in ("subject", "text", "hidden", "from_name") else place


def _compiled(patterns: tuple[str, ...], rules: Iterable[Rule], folder: Path | None) -> Patterns:
    try:
        return compile_patterns(patterns, folder)
    except Unusable as error:
        reasons = dict(error.reasons)
        raise ConfigurationError(
            [
                Problem(
                    rule.file,
                    f"[rule.{rule.symbol}]",
                    "patterns",
                    as_toml(pattern),
                    f"cannot be used: {reasons[pattern]}",
                )
                for rule in rules
                for pattern in rule.patterns
                if pattern in reasons
            ]
        ) from None


def _around(text: bytes, end: int) -> str:
    """
    Give what stands around the end of what was found, in the same line, in whole words.
    """
    line = text.rfind(b"\n", 0, end) + 1
    line_end = text.find(b"\n", end)
    line_end = len(text) if line_end < 0 else line_end
    start, stop = max(line, end - _BEFORE), min(line_end, end + _BEHIND)
    if start > line:
        space = text.find(b" ", start, min(start + _LONGEST_WORD, end))
        start = space + 1 if space >= 0 else start
    if stop < line_end:
        space = text.rfind(b" ", max(end, stop - _LONGEST_WORD), stop)
        stop = space if space >= 0 else stop
    return text[start:stop].decode("utf-8", "ignore")
