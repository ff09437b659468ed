"""
Rules of SpamAssassin, as far as they can be written as rules of ours.

What is portable are patterns for header fields, for the text and for links, and conditions over
such rules. What calls code of SpamAssassin, looks at the source of a message, tells capitals from
small letters, or needs a pattern that cannot be looked for in one pass is left out, and it is said
why.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from attrs import define, field, frozen

from mailgate.rules.compile import why_not
from mailgate.rules.condition import parse
from mailgate.rules.fold import fold_pattern
from mailgate.rules.format import LONGEST_PATTERN

VERSION = 4.0
"""Of which release of SpamAssassin conditions on one are told."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,54}")
_COMMENT = re.compile(r"(?<!\\)#.*")
_PATTERN = re.compile(
    r"(?:/(.*)/|m(?:\{(.*)\}|\((.*)\)|<(.*)>|([^\w\s{(<])(.*)\5))([a-z]*)$", re.DOTALL
)
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*)((?::[a-z]+)*)$")
_VERSION = re.compile(r"\(?\s*version\s*(<=|>=|<|>|==)\s*([0-9.]+)\s*\)?$")
_SUM = re.compile(r"(?:\(\s*(\w+(?:\s*\+\s*\w+)*)\s*\)|(\w+(?:\s*\+\s*\w+)+))\s*(>=|>)\s*([0-9]+)")
_LOOK_AROUND = re.compile(r"\(\?(?:[=!]|<[=!])")
_BACK_REFERENCE = re.compile(r"\\(?:[1-9]|[gk][{<'0-9])")
_CAPITAL = re.compile(r"\\x\{[^}]*\}|\\[pP]\{[^}]*\}|\\.|\[:[a-z]+:\]|([A-Z])", re.DOTALL)

_OWN_FIELDS = re.compile("all|all-.*|envelopefrom|x-(?:spam|relay|asn|languages).*", re.IGNORECASE)
"""Fields that no message has, but that SpamAssassin makes."""

_SETTINGS = frozenset(("score", "describe", "tflags", "lang"))
_TESTS = frozenset(("header", "body", "rawbody", "full", "uri", "meta", "mimeheader", "urirhssub"))


class NotPortable(ValueError):
    """
    A rule cannot be written as one of ours.
    """


@frozen
class Portable:
    """
    A rule of SpamAssassin as one of ours.
    """

    symbol: str
    score: float
    words: str
    where: tuple[str, ...]
    pattern: str
    """C{""} for a condition."""

    when: str


@frozen
class Imported:
    """
    What has become of some files.
    """

    rules: tuple[Portable, ...]
    left_out: Mapping[str, str]
    """By the names of rules, why they are not among them."""

    def reasons(self) -> Sequence[tuple[str, int]]:
        """
        Count the reasons for which rules were left out, the most frequent first.
        """
        return Counter(self.left_out.values()).most_common()

    def toml(self) -> Iterator[str]:
        """
        Give the file that has these rules, line by line.
        """
        for rule in self.rules:
            yield f"[rule.{rule.symbol}]"
            yield f"score = {rule.score:g}"
            yield f"words = {_string(rule.words)}"
            if rule.when:
                yield f"when = {_string(rule.when)}"
            else:
                yield f"where = [{', '.join(map(_string, rule.where))}]"
                yield f"patterns = [{_string(rule.pattern)}]"
            yield ""
        for name, why in sorted(self.left_out.items()):
            yield f"# left out: {name}: {why}"


@define
class _Found:
    """
    What the files say of one rule.
    """

    kind: str = ""
    test: str = ""
    score: float | None = None
    words: str = ""
    counts: bool = False
    """Whether it is told how often it was found."""

    is_conditional: bool = False
    """Whether it holds only where a part of SpamAssassin is there."""


@define
class Reader:
    """
    Reads files of SpamAssassin one after the other; what is said later counts.
    """

    _found: dict[str, _Found] = field(factory=dict)

    def read(self, lines: Iterable[str]) -> None:
        """
        Read one file.
        """
        branches: list[bool] = []
        for line in lines:
            line = _COMMENT.sub("", line).strip()
            word, _, rest = line.partition(" ")
            rest = rest.strip()
            if word in ("if", "ifplugin"):
                branches.append(word == "if" and _is_so(rest))
            elif word == "else" and branches:
                branches[-1] = not branches[-1]
            elif word == "endif" and branches:
                branches.pop()
            elif word in _TESTS or word in _SETTINGS:
                self._take(word, rest.replace("\\#", "#"), all(branches))

    def _take(self, word: str, rest: str, is_so: bool) -> None:
        name, _, value = rest.partition(" ")
        value = value.strip()
        if word == "lang" or not _NAME.fullmatch(name):
            return
        if word not in _TESTS:
            if is_so:
                self._set(self._found.setdefault(name, _Found()), word, value)
            return
        known = self._found.setdefault(name, _Found())
        if is_so:
            known.kind, known.test, known.is_conditional = word, value, False
        elif not known.kind:
            known.kind, known.test, known.is_conditional = word, value, True

    @staticmethod
    def _set(known: _Found, word: str, value: str) -> None:
        if word == "describe":
            known.words = value
        elif word == "tflags":
            known.counts = "multiple" in value.split()
        else:
            # Of four the last one is for a filter that asks the DNS and has learned.
            last = value.split()[-1:] or [""]
            try:
                known.score = float(last[0].strip("()"))
            except ValueError:
                known.score = None

    def finish(self) -> Imported:
        """
        Write all rules as ours, as far as that can be.
        """
        left_out: dict[str, str] = {}
        rules: dict[str, Portable] = {}
        conditions: dict[str, _Found] = {}
        for name, found in self._found.items():
            if not found.kind:
                continue
            try:
                _check(name, found)
                if found.kind == "meta":
                    conditions[name] = found
                else:
                    rules[name] = _pattern_rule(name, found)
            except NotPortable as error:
                left_out[name] = str(error)
        for name in _in_order(conditions, left_out):
            try:
                rules[name] = _condition_rule(name, conditions[name], self._found, rules)
            except NotPortable as error:
                left_out[name] = str(error)
        unique = {rule.symbol: rule for rule in rules.values()}
        return Imported(tuple(unique.values()), left_out)


def _is_so(condition: str) -> bool:
    """
    Tell whether a condition holds where there are no plugins.
    """
    match = _VERSION.match(condition)
    if match is None:
        return bool(re.match(r"\(?\s*!\s*\(?\s*plugin\b", condition))
    try:
        number = float(".".join(match[2].split(".")[:2]))
    except ValueError:
        return False
    return {
        "<": number > VERSION,
        "<=": number >= VERSION,
        ">": number < VERSION,
        ">=": number <= VERSION,
        "==": number == VERSION,
    }[match[1]]


def _check(name: str, found: _Found) -> None:
    if found.is_conditional:
        raise NotPortable("needs a plugin or another release")
    if found.kind in ("rawbody", "full"):
        raise NotPortable("looks at the source of the message")
    if found.kind not in ("header", "body", "uri", "meta"):
        raise NotPortable("needs a plugin or another release")
    if found.test.startswith("eval:") or "eval:" in found.test.split(" ")[0]:
        raise NotPortable("calls code of SpamAssassin")
    if found.score == 0 and not name.startswith("__"):
        raise NotPortable("is switched off by a score of 0")


def _symbol(name: str) -> str:
    """
    Name a rule as ours are named: parts of conditions begin with two underscores there.
    """
    return f"SUB_{name.lstrip('_')}".upper() if name.startswith("_") else name.upper()


def _score(name: str, found: _Found) -> float:
    if name.startswith("__"):
        return 0.0
    if found.score is not None:
        return max(-100.0, min(found.score, 100.0))
    return 0.01 if name.startswith("T_") else 1.0


def _words(name: str, found: _Found) -> str:
    words = "".join(c for c in found.words if c.isprintable() and c not in "{}")[:250].strip()
    words = words or f"The imported rule {_symbol(name)} holds"
    return f"{words[:1].upper()}{words[1:].rstrip('.!? ')}."


def _pattern_rule(name: str, found: _Found) -> Portable:
    where, test = _place(found)
    pattern = "." if test == "" else _portable_pattern(test)
    return Portable(_symbol(name), _score(name, found), _words(name, found), where, pattern, "")


def _place(found: _Found) -> tuple[tuple[str, ...], str]:
    """
    Give where a pattern is looked for, and the pattern as it is written; C{""}: the field only has
    to be there.
    """
    if found.kind == "body":
        return ("subject", "text"), found.test
    if found.kind == "uri":
        return ("links",), found.test
    if found.test.startswith("exists:"):
        return _fields(found.test.removeprefix("exists:").strip()), ""
    name, operator, test = _split_header(found.test)
    if operator != "=~":
        raise NotPortable("asks for what a field has not")
    if "[if-unset:" in test:
        raise NotPortable("speaks of a field that is not there")
    return _fields(name), test


def _split_header(test: str) -> tuple[str, str, str]:
    name, _, rest = test.partition(" ")
    rest = rest.lstrip()
    return name, rest[:2], rest[2:].strip()


def _fields(name: str) -> tuple[str, ...]:
    match = _FIELD.match(name)
    if match is None or _OWN_FIELDS.fullmatch(match[1]):
        raise NotPortable("looks at a field that SpamAssassin makes")
    known, parts = match[1].lower(), match[2]
    if known == "from" and parts == ":name":
        return ("from_name",)
    if parts:
        raise NotPortable("looks at a part of a field, or at its source")
    if known == "subject":
        return ("subject",)
    if known == "tocc":
        return ("header:to", "header:cc")
    return (f"header:{'message-id' if known == 'messageid' else known}",)


def _portable_pattern(test: str) -> str:
    match = _PATTERN.match(test)
    if match is None:
        raise NotPortable("is no pattern that could be read")
    *bodies, flags = match.groups()
    pattern = next((body for body in (*bodies[:4], bodies[5]) if body is not None), "")
    if set(flags) - set("ism"):
        raise NotPortable("has flags that are not known here")
    if "i" not in flags and any(each[1] for each in _CAPITAL.finditer(pattern)):
        raise NotPortable("tells capitals from small letters")
    if len(pattern) > LONGEST_PATTERN:
        raise NotPortable("has a pattern that is too long")
    if _LOOK_AROUND.search(pattern):
        raise NotPortable("looks ahead or behind")
    if _BACK_REFERENCE.search(pattern):
        raise NotPortable("refers to what it has found before")
    pattern = pattern.replace("\\/", "/").replace("\\'", "'").replace('\\"', '"')
    try:
        why = why_not(fold_pattern(pattern))
    except ValueError as error:
        why = str(error)
    if why:
        raise NotPortable("has a pattern that cannot be looked for in one pass")
    return pattern


# -- conditions ---------------------------------------------------------------------------


def _in_order(conditions: Mapping[str, _Found], left_out: dict[str, str]) -> Iterable[str]:
    graph = {
        name: {each for each in _NAME.findall(found.test) if each in conditions}
        for name, found in conditions.items()
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle: list[str] = error.args[1]
        left_out.update(dict.fromkeys(circle, "speaks of itself"))
        rest = {name: found for name, found in conditions.items() if name not in circle}
        return _in_order(rest, left_out)


def _condition_rule(
    name: str, found: _Found, all_found: Mapping[str, _Found], rules: Mapping[str, Portable]
) -> Portable:
    when = _SUM.sub(lambda match: _sum(match, all_found), found.test)
    when = when.replace("&&", "&").replace("||", "|")
    for each in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", when):
        if each != "of" and each not in rules:
            raise NotPortable("speaks of a rule that is left out or not there")
    when = _NAME.sub(lambda match: match[0] if match[0] == "of" else _symbol(match[0]), when)
    try:
        parse(when)
    except ValueError:
        raise NotPortable("calculates") from None
    return Portable(_symbol(name), _score(name, found), _words(name, found), (), "", when)


def _sum(match: re.Match[str], all_found: Mapping[str, _Found]) -> str:
    """
    Write C{A + B + C > 1} as C{2 of (A, B, C)}.
    """
    names = [name.strip() for name in (match[1] or match[2]).split("+")]
    least = int(match[4]) + (match[3] == ">")
    if not all(map(_NAME.fullmatch, names)) or not 1 <= least <= len(names):
        raise NotPortable("calculates")
    if any(name in all_found and all_found[name].counts for name in names):
        raise NotPortable("counts how often something is found")
    return f"{least} of ({', '.join(names)})"


def _string(text: str) -> str:
    """
    Write a string as TOML.
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
