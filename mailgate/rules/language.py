"""
In which language a text is, as far as its small words tell.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from mailgate.rules.fold import fold

_LOOKED_AT = 4_000
"""Bytes of a text."""

_FEWEST = 4
"""How many different small words of a language have to be there."""

_FILE = Path(__file__).with_name("languages.toml")
_WORDS: Mapping[str, frozenset[str]] = {
    code: frozenset(fold(words).lower().split())
    for code, words in tomllib.loads(_FILE.read_text("utf-8")).items()
}

LANGUAGES = frozenset(_WORDS)
"""Those that are told apart, as in ISO 639-1."""


def languages_of(text: bytes) -> frozenset[str]:
    """
    Name the languages that a folded text may be in: those of which it has most different small
    words, and those that come near; none where it has too few of all.
    """
    there = frozenset(text[:_LOOKED_AT].lower().decode("utf-8", "ignore").split())
    counts = {code: len(words & there) for code, words in _WORDS.items()}
    most = max(counts.values())
    if most < _FEWEST:
        return frozenset()
    return frozenset(code for code, count in counts.items() if count >= 0.8 * most)
