"""
The files in which rules are written, and the rules of several of them as one set.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from mailgate.config.problem import ConfigurationError, Problem, as_key, as_toml, nearest
from mailgate.message.language import LANGUAGES
from mailgate.rules.condition import Condition, parse
from mailgate.rules.fold import fold_pattern

PLACES = ("subject", "text", "hidden", "from_name", "links", "attachments")
"""Where patterns are looked for, beside header fields."""

HEADER = "header:"
"""How the place begins that is a header field."""

SETS = Path(__file__).parent / "sets"
"""The rules that come with mailgate."""

_HIGHEST = 100
LONGEST_PATTERN = 10_000
"""Characters of a pattern."""

_LONGEST_WORDS = 300
_SYMBOL = re.compile(r"[A-Z][A-Z0-9_]{1,59}")
_GROUP = re.compile(r"[a-z][a-z0-9_]{0,59}")
_PLACE = re.compile(r"header:[A-Za-z0-9-]{1,60}")
_DEFAULT_PLACES = ("subject", "text")


@frozen
class Group:
    """
    Rules with one cause, which count together up to a cap.
    """

    name: str
    title: str
    """As people read it."""

    cap: float
    """The most that they add together."""


@frozen(eq=False)
class Rule:
    """
    One thing that is looked for, or a condition over such.
    """

    symbol: str
    score: float
    words: str
    """What it has seen, as a sentence."""

    group: str
    """The name of its group, or C{""}."""

    where: tuple[str, ...]
    """The places in which its patterns are looked for; fields as C{header:NAME} in lower case."""

    languages: frozenset[str]
    """The languages that it is for, as in ISO 639-1; empty: all."""

    patterns: tuple[str, ...]
    """Folded, any of which is enough; empty for one with a condition."""

    when: Condition | None
    file: Path = field(repr=False)


@frozen(eq=False)
class RuleSet:
    """
    All rules that are loaded.
    """

    rules: Mapping[str, Rule] = field(factory=dict)
    """By symbol; one with a condition stands behind all that this speaks of."""

    groups: Mapping[str, Group] = field(factory=dict)
    """By name."""

    facts: frozenset[str] = frozenset()
    """Those that conditions speak of."""


def built_in() -> Sequence[Path]:
    """
    Name the files that come with mailgate.
    """
    return sorted(SETS.glob("*.toml"))


def load(
    files: Sequence[Path],
    facts: Collection[str],
    disable: Collection[str] = (),
    scores: Mapping[str, float] | None = None,
) -> RuleSet:
    """
    Read rules.

    @param facts: the names of all facts that there are.
    @param disable: symbols of rules that are left out.
    @param scores: scores by symbol, in place of those in the files.
    @raise ConfigurationError: there are mistakes; it carries all of them.
    """
    problems: list[Problem] = []
    groups: dict[str, Group] = {}
    rules: dict[str, Rule] = {}
    for file in files:
        try:
            tables = _tables(file)
        except ConfigurationError as error:
            problems += error.problems
            continue
        reader = _Reader(file, problems)
        for group in reader.groups(tables.pop("group", {})):
            if group.name in groups:
                reader.complain(f"[group.{group.name}]", "", None, "there is such a group already")
            groups[group.name] = group
        for rule in reader.rules(tables.pop("rule", {})):
            if rule.symbol in rules:
                where = rules[rule.symbol].file
                why = f"there is a rule of this name already, in {where}"
                reader.complain(f"[rule.{rule.symbol}]", "", None, why)
            rules[rule.symbol] = rule
        for name in tables:
            reader.complain(f"[{as_key(name)}]", "", None, "is neither group nor rule")
    problems += _lost(rules, groups, facts)
    problems += _unknown(rules, disable, scores or {})
    if problems:
        raise ConfigurationError(problems)
    used = {name for rule in rules.values() if rule.when for name in rule.when.names}
    kept = {name: rule for name, rule in _in_order(rules).items() if name not in disable}
    for symbol, score in (scores or {}).items():
        if symbol in kept:
            kept[symbol] = evolve(kept[symbol], score=float(score))
    return RuleSet(kept, groups, frozenset(used.intersection(facts)))


def _tables(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode())
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        why = "is not UTF-8 text"
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        why = str(error)
    raise ConfigurationError([Problem(file, "", "", "", why)])


class _Reader:
    """
    Reads the tables of one file, and notes what is wrong with them.
    """

    def __init__(self, file: Path, problems: list[Problem]) -> None:
        self._file = file
        self._problems = problems

    def complain(self, table: str, key: str, value: object, why: str, near: str = "") -> None:
        """
        Note a mistake.
        """
        spelled = "" if value is None else as_toml(value)
        self._problems.append(Problem(self._file, table, key, spelled, why, near))

    def groups(self, tables: object) -> Iterator[Group]:
        """
        Give the groups of the file.
        """
        for name, keys in self._each("group", tables, _GROUP, "lower case, as in advance_fee"):
            table = f"[group.{name}]"
            fields = _Fields(self, table, keys)
            title = fields.line("title")
            cap = fields.number("cap", None, 0.1)
            fields.end(("title", "cap"))
            yield Group(name, title, cap)

    def rules(self, tables: object) -> Iterator[Rule]:
        """
        Give the rules of the file.
        """
        for name, keys in self._each("rule", tables, _SYMBOL, "upper case, as in FEE_FUNDS"):
            fields = _Fields(self, f"[rule.{name}]", keys)
            rule = Rule(
                symbol=name,
                score=fields.number("score", None, -_HIGHEST),
                words=fields.sentence("words"),
                group=fields.string("group", ""),
                where=fields.places(),
                languages=fields.languages(),
                patterns=fields.patterns(),
                when=fields.condition(),
                file=self._file,
            )
            fields.end(tuple(_KEYS))
            if ("patterns" in keys) == ("when" in keys):
                fields.complain("", None, "needs either patterns or when")
            elif "when" in keys:
                for key in ("where", "languages"):
                    if key in keys:
                        fields.complain(key, keys[key], "goes with patterns only")
            yield rule

    def _each(
        self, kind: str, tables: object, allowed: re.Pattern[str], how: str
    ) -> Iterator[tuple[str, Mapping[str, object]]]:
        if not isinstance(tables, dict):
            self.complain(kind, "", tables, f"is no table; write [{kind}.NAME]")
            return
        for name, keys in tables.items():
            if not allowed.fullmatch(name):
                self.complain(f"[{kind}.{as_key(name)}]", "", None, f"its name has to be {how}")
            elif not isinstance(keys, dict):
                self.complain(f"[{kind}.{name}]", "", keys, "is no table")
            else:
                yield name, keys


_KEYS = ("score", "words", "group", "where", "languages", "patterns", "when")


class _Fields:
    """
    Reads the keys of one table. What is wrong is noted, and something harmless is given.
    """

    def __init__(self, reader: _Reader, table: str, keys: Mapping[str, object]) -> None:
        self._reader = reader
        self._table = table
        self._keys = keys

    def complain(self, key: str, value: object, why: str, near: str = "") -> None:
        """
        Note a mistake.
        """
        self._reader.complain(self._table, key, value, why, near)

    def end(self, known: Sequence[str]) -> None:
        """
        Note the keys that are not known.
        """
        for key in self._keys:
            if key not in known:
                why = f"is not known; there are {', '.join(known)}"
                self.complain(as_key(key), self._keys[key], why, nearest(key, known))

    def number(self, key: str, default: float | None, lowest: float) -> float:
        """
        Give a number up to 100.
        """
        value = self._keys.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if lowest <= value <= _HIGHEST:
                return float(value)
        self.complain(key, value, f"has to be a number from {lowest} to {_HIGHEST}")
        return 0.0

    def string(self, key: str, default: str | None = None) -> str:
        """
        Give a string.
        """
        value = self._keys.get(key, default)
        if isinstance(value, str):
            return value
        self.complain(key, value, "has to be a string")
        return ""

    def sentence(self, key: str) -> str:
        """
        Give a sentence.
        """
        sentence = self.line(key)
        if not sentence.endswith(".") or sentence[0].islower():
            self.complain(key, sentence, "has to begin with a capital and end with a full stop")
        return sentence

    def line(self, key: str) -> str:
        """
        Give what people read.
        """
        words = self.string(key)
        if not words.strip() or len(words) > _LONGEST_WORDS or not words.isprintable():
            self.complain(key, words, f"has to be one line of at most {_LONGEST_WORDS} characters")
        elif "{" in words or "}" in words:
            self.complain(key, words, "may have no braces")
        return words

    def strings(self, key: str, how: str, default: Sequence[str] = ()) -> Sequence[str]:
        """
        Give a list of strings that is not empty, or the default.
        """
        if key not in self._keys:
            return default
        value = self._keys[key]
        if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
            return value
        self.complain(key, value, f"has to be a list of strings, {how}")
        return default

    def places(self) -> tuple[str, ...]:
        """
        Give where patterns are looked for.
        """
        how = "of " + ", ".join(PLACES) + " and header:NAME"
        places = []
        for place in self.strings("where", how, _DEFAULT_PLACES):
            if place not in PLACES and not _PLACE.fullmatch(place):
                self.complain("where", place, f"has to be a list {how}", nearest(place, PLACES))
            places.append(place.lower())
        return tuple(dict.fromkeys(places))

    def languages(self) -> frozenset[str]:
        """
        Give the languages that it is for.
        """
        how = f"of {', '.join(sorted(LANGUAGES))}"
        languages = frozenset(self.strings("languages", how))
        if languages - LANGUAGES:
            value = self._keys["languages"]
            self.complain("languages", value, f"has to be a list of strings, {how}")
        return languages

    def patterns(self) -> tuple[str, ...]:
        """
        Give the patterns, folded.
        """
        patterns = []
        for pattern in self.strings("patterns", "any of which is enough"):
            try:
                if len(pattern) > LONGEST_PATTERN:
                    raise ValueError(f"is longer than {LONGEST_PATTERN:,} characters")
                patterns.append(fold_pattern(pattern))
            except ValueError as error:
                self.complain("patterns", pattern, str(error))
        return tuple(dict.fromkeys(patterns))

    def condition(self) -> Condition | None:
        """
        Give the condition, if there is one.
        """
        if "when" not in self._keys:
            return None
        text = self.string("when")
        try:
            return parse(text)
        except ValueError as error:
            self.complain("when", text, str(error))
            return None


# -- the rules of all files ---------------------------------------------------------------


def _lost(
    rules: Mapping[str, Rule], groups: Mapping[str, Group], facts: Collection[str]
) -> Iterator[Problem]:
    """
    Tell what rules speak of and is not there, and which speak of each other.
    """
    for rule in rules.values():
        table = f"[rule.{rule.symbol}]"
        if rule.group and rule.group not in groups:
            near = nearest(rule.group, groups)
            yield Problem(
                rule.file, table, "group", as_toml(rule.group), "there is no such group", near
            )
        if rule.when is None:
            continue
        for name in sorted(rule.when.names):
            known: Collection[str] = rules if name.isupper() else facts
            if name not in known:
                what = "rule" if name.isupper() else "fact"
                why = f"there is no {what} {name}"
                spelled = as_toml(rule.when.text)
                yield Problem(rule.file, table, "when", spelled, why, nearest(name, known))
    try:
        _in_order(rules)
    except CycleError as error:
        circle: list[str] = error.args[1]
        rule = rules[circle[0]]
        why = f"they speak of each other: {', '.join(dict.fromkeys(circle))}"
        yield Problem(rule.file, f"[rule.{rule.symbol}]", "when", "", why)


def _unknown(
    rules: Mapping[str, Rule], disable: Collection[str], scores: Mapping[str, float]
) -> Iterator[Problem]:
    configuration = Path("configuration")
    for key, symbols in (("disable", disable), ("scores", scores)):
        for symbol in symbols:
            if symbol not in rules:
                near = nearest(symbol, rules)
                yield Problem(
                    configuration, "[checks.rules]", key, symbol, "there is no such rule", near
                )


def _in_order(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """
    Bring each rule behind those that its condition speaks of.

    @raise CycleError: there is no such order.
    """
    graph = {
        name: sorted(rule.when.names.intersection(rules)) if rule.when else ()
        for name, rule in rules.items()
    }
    return {name: rules[name] for name in TopologicalSorter(graph).static_order()}
