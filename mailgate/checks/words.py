"""
How a stranger's words are quoted in a finding.
"""

from __future__ import annotations

_LIMIT = 80


def quote(text: str) -> str:
    """
    Give C{text} in quotation marks, cut to 80 characters, what cannot be seen spelled out.
    """
    cut = text if len(text) <= _LIMIT else f"{text[: _LIMIT - 1]}…"
    return f"“{cut if cut.isprintable() else ''.join(map(_visible, cut))}”"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
