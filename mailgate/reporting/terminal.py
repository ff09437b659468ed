"""
Words and tables for a terminal, in which a stranger's text can do no harm.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from twisted.logger import Logger

_NARROWEST = 8
_GAP = "  "
_USUAL_COLUMNS = 80
_LONGEST_BAR = 40
_REDRAW = 0.1
"""Seconds between two drawings of a bar."""


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


class Voice:
    """
    Tells whoever started the gateway at a terminal, past the log: one line holds a secret link.
    Where nobody listens any more, it falls silent.
    """

    log = Logger()

    def __init__(self) -> None:
        self._is_heard = True

    def __call__(self, line: str) -> None:
        """
        Print a line.
        """
        if not self._is_heard or sys.__stdout__ is None:
            return
        try:
            print(line, file=sys.__stdout__, flush=True)
        except OSError as error:
            self._is_heard = False
            self.log.warn("{event} {error}", event="gateway.not_heard", error=str(error))


class Progress:
    """
    A bar on standard error while many things are done one after the other: how many of them
    are done, how fast it goes and how long it will take. Where that is no terminal it does
    nothing.

    It is a context: at its end the bar is wiped away.
    """

    def __init__(self, total: int, seconds: Callable[[], float] = time.monotonic) -> None:
        """
        @param total: how many things there are to do.
        @param seconds: a clock that never goes back.
        """
        self._total = total
        self._seconds = seconds
        self._done = 0
        self._began = seconds()
        self._drawn = -_REDRAW
        self._is_there = False
        self._is_terminal = total > 0 and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        """
        Show that nothing is done yet.
        """
        self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        """
        Wipe the bar away, however it ended.
        """
        self.wipe()

    def advance(self, number: int = 1) -> None:
        """
        Count things that are done.
        """
        self._done += number
        if self._is_terminal and self._seconds() - self._drawn >= _REDRAW:
            self._draw()

    def wipe(self) -> None:
        """
        Take the bar away until it is drawn next, to print something else in its place.
        """
        if self._is_there:
            self._is_there = False
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _draw(self) -> None:
        if not self._is_terminal:
            return
        self._is_there = True
        self._drawn = self._seconds()
        line = progress_line(self._done, self._total, self._drawn - self._began, _error_columns())
        print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)


def progress_line(done: int, total: int, seconds: float, columns: int) -> str:
    """
    Tell in one line how far something has come in C{seconds}.

    @param columns: how many the line may have; the last one stays free.
    """
    words = f"{done:,}/{total:,} {done * 100 // total:3d} %"
    if done and seconds > 0:
        left = round((total - done) * seconds / done)
        minutes, left = divmod(left, 60)
        hours, minutes = divmod(minutes, 60)
        time_left = f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"
        words += f"  {done / seconds:,.0f}/s  {time_left} left"
    room = min(columns - 1 - len(words) - len("[] "), _LONGEST_BAR)
    if room < _NARROWEST:
        return words[: max(columns - 1, 0)]
    filled = room * done // total
    return f"[{'#' * filled}{'.' * (room - filled)}] {words}"


def _error_columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return _USUAL_COLUMNS


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
