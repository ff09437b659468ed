"""
How findings put things: a stranger's words, how often something was seen, and evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_LIMIT = 80
_LISTED = 3


def quote(text: str) -> str:
    """
    Give C{text} in quotation marks, cut to 80 characters, what cannot be seen spelled out.
    """
    cut = text if len(text) <= _LIMIT else f"{text[: _LIMIT - 1]}…"
    return f"“{visible(cut)}”"


def visible(words: str) -> str:
    """
    Give words that may quote a stranger, with what cannot be seen spelled out.
    """
    return words if words.isprintable() else "".join(map(_visible, words))


def times(number: int) -> str:
    """
    Say how often.
    """
    return ("never", "once", "twice")[number] if number < 3 else f"{number:,} times"


def listed(evidence: Iterable[str]) -> str:
    """
    Name the first three pieces of evidence, each once, and count the rest.
    """
    shown = list(dict.fromkeys(evidence))
    more = len(shown) - _LISTED
    return "; ".join([*shown[:_LISTED], *([f"and {more:,} more"] if more > 0 else [])])


def path_of(names: Sequence[str]) -> str:
    """
    Name a file and, where it lies in others, the outermost of these.

    @param names: its own name, and before it those of the archives in which it lies.
    """
    ends = dict.fromkeys((names[-1], names[0])) if names else ()
    return " in ".join(quote(name) if name else "a file without a name" for name in ends)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
