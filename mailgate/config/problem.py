"""
A mistake in the configuration file, as a person is told about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from attrs import define, frozen

_LONGEST_VALUE = 80


@frozen
class Problem:
    """
    One mistake, or one thing to think about, in a configuration file.
    """

    file: Path
    table: str
    """C{[limits]}, C{[[route]] number 2}, or C{""} for what stands before the first table."""

    key: str
    """The key in that table, or C{""} where the whole table or file is meant."""

    value: str
    """What the file says, spelled as TOML and shortened, or C{""} where it says nothing."""

    why: str
    """What is wrong, and what is allowed."""

    nearest: str = ""
    """The known key or name that was perhaps meant, or C{""}."""

    def __str__(self) -> str:
        """
        Give the problem as one line.
        """
        place = " ".join(filter(None, (self.table, self.key)))
        place = f"{place} = {self.value}" if self.value else place
        hint = f'; did you mean "{self.nearest}"?' if self.nearest else ""
        line = ": ".join(filter(None, (str(self.file), place, f"{self.why}{hint}")))
        # Keys and values may hold what a terminal obeys or does not show.
        return "".join(
            each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
            for each in line
        )


@define
class ConfigurationError(Exception):
    """
    The file cannot be used. It carries all its mistakes at once.
    """

    problems: Sequence[Problem]

    def __str__(self) -> str:
        """
        Give one line for each problem.
        """
        return "\n".join(map(str, self.problems))


def nearest(word: str, known: Iterable[str]) -> str:
    """
    Give the one of C{known} that was perhaps meant by C{word}, or C{""}.
    """
    spelling = {name.lower(): name for name in known}
    matches = get_close_matches(word.lower(), spelling, n=1)
    return spelling[matches[0]] if matches else ""


def as_toml(value: object) -> str:
    """
    Spell a value as it would stand in the file, on one line, shortened where it is long.
    """
    text = _spell(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def as_key(name: str) -> str:
    """
    Spell a key as it would stand in the file: in quotes only where it needs them.
    """
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_bare else as_toml(name)


def _spell(value: object) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{as_key(key)} = {_spell(each)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_spell, value))}]"
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
