"""
Words and tables for a terminal, in which a stranger's text can do no harm.
"""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

_NARROWEST = 8
_GAP = "  "


def printable(text: str) -> str:
    """
    Escape what is no visible character: control characters, escape sequences, and those that
    turn the direction of the text.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def moment(seconds: float) -> str:
    """
    Give a time, in seconds since the epoch, as a local date and time.
    """
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> Sequence[str]:
    """
    Give the lines of a table, aligned.

    @param width: how many columns the terminal has; the widest columns are cut to fit, the
        first one never. C{None}: nothing is cut.
    """
    cells = [[printable(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    if width is not None:
        _narrow(widths, width - len(_GAP) * (len(widths) - 1))
    lines = []
    for row in cells:
        fitted = [_fit(cell, size) for cell, size in zip(row, widths, strict=True)]
        lines.append(_GAP.join(fitted).rstrip())
    return lines


def terminal_width() -> int | None:
    """
    Give the columns of the terminal, or C{None} where the output goes elsewhere.
    """
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(line: str) -> None:
    """
    Print a line; what the terminal cannot show is shown as its code.
    """
    encoding = sys.stdout.encoding or "ascii"
    print(printable(line).encode(encoding, "backslashreplace").decode(encoding))


def say_all(lines: Iterable[str]) -> None:
    """
    Print lines.
    """
    for line in lines:
        say(line)


def say_array(rows: Iterable[Mapping[str, Any]]) -> None:
    """
    Print rows as one array of JSON, a line for each, while they come.
    """
    separator = "["
    for row in rows:
        say(f"{separator}{json.dumps(row)}")
        separator = ","
    say("]" if separator == "," else "[]")


def complain(words: str) -> None:
    """
    Print what is wrong, each line with the name of the program.
    """
    for line in words.splitlines():
        print(f"mailgate: {printable(line)}", file=sys.stderr)


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _width(text: str) -> int:
    """
    Count the columns that a text takes.
    """
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _narrow(widths: list[int], room: int) -> None:
    """
    Take from the widest columns behind the first until all fit, or are as narrow as may be.
    """
    while sum(widths) > room:
        widest = max(range(1, len(widths)), key=lambda at: widths[at], default=0)
        if widest == 0 or widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1


def _fit(text: str, width: int) -> str:
    """
    Cut or fill a text to a width.
    """
    taken = _width(text)
    if taken <= width:
        return text + " " * (width - taken)
    kept = ""
    taken = 1
    for character in text:
        taken += _character_width(character)
        if taken > width:
            break
        kept += character
    kept += "\N{HORIZONTAL ELLIPSIS}"
    return kept + " " * (width - _width(kept))
