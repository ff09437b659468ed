"""
How findings put things: a stranger's words, and how often something was seen.
"""

from __future__ import annotations

_LIMIT = 80


def quote(text: str) -> str:
    """
    Give C{text} in quotation marks, cut to 80 characters, what cannot be seen spelled out.
    """
    cut = text if len(text) <= _LIMIT else f"{text[: _LIMIT - 1]}…"
    return f"“{cut if cut.isprintable() else ''.join(map(_visible, cut))}”"


def times(number: int) -> str:
    """
    Say how often.
    """
    return ("never", "once", "twice")[number] if number < 3 else f"{number:,} times"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
