"""
How a command asks the gateway, and shows the answer.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from mailgate.commands.parsers import ROWS, Arguments
from mailgate.config.load import default_path, load
from mailgate.hub.client import Ask, reach
from mailgate.hub.commands import CommandError
from mailgate.reporting.terminal import complain, say, say_all, say_array, table, terminal_width
from mailgate.store.files import Files

FAILED = 1
"""The exit status of a command that could not be carried out."""

PAGE = 500
"""Rows that are asked for at a time."""

T = TypeVar("T")
Fields = Mapping[str, Any]


def config_path(arguments: Arguments) -> Path:
    """
    Give the configuration that is named, or the one that counts where none is.
    """
    named: Path | None = getattr(arguments, "config", None)
    return default_path() if named is None else named


def gateway(arguments: Arguments) -> AbstractContextManager[Ask]:
    """
    Reach the gateway of the configuration.
    """
    return reach(load(config_path(arguments)), Files())


def show_listing(
    arguments: Arguments,
    command: str,
    heads: Sequence[str],
    row: Callable[[Fields], Sequence[str]],
    **more: Any,
) -> int:
    """
    Print a listing: all rows, or those up to the limit, as a table or as JSON.

    @param command: what is asked of the gateway.
    @param row: gives the cells of a row.
    @param more: further arguments of the command.
    @return: the exit status.
    """
    with gateway(arguments) as ask:
        found = rows(ask, command, **more)
        if arguments.json:
            say_array(islice(found, arguments.limit))
            return 0
        limit = ROWS if arguments.limit is None else arguments.limit
        shown = list(islice(found, limit))
        total = ask(command, {"limit": 0, **more})["total"]
    say_all(table(heads, [row(fields) for fields in shown], terminal_width()))
    if total > len(shown):
        say(f"and {total - len(shown):,} more; --limit {total} shows all")
    return 0


def rows(ask: Ask, command: str, **more: Any) -> Iterator[Fields]:
    """
    Give all rows of a listing, asked for page by page.
    """
    before = None
    while page := ask(command, {"limit": PAGE, "before": before, **more})["rows"]:
        yield from page
        before = page[-1]["number"]


def forget_each(arguments: Arguments, command: str, name: str, whom: str) -> int:
    """
    Forget those that are named, or all (see L{mailgate.commands.parsers.add_clearing}), and say
    how many each time.

    @param command: what is asked of the gateway.
    @param name: how it calls what is to be forgotten.
    @param whom: who all are.
    @return: the exit status.
    """
    with gateway(arguments) as ask:

        def forget(each: str | None) -> None:
            answer = ask(command, {"by": person(), name: each})
            say(f"{each or whom}: {answer['cleared']:,} forgotten")

        return for_each([None] if arguments.all else arguments.named, forget)


def for_each(things: Iterable[T], act: Callable[[T], None]) -> int:
    """
    Do something for each of several things, for all of them even where one fails.

    @return: the exit status.
    """
    status = 0
    for thing in things:
        try:
            act(thing)
        except CommandError as error:
            complain(str(error))
            status = FAILED
    return status


def confirm(question: str) -> bool:
    """
    Ask the person at the terminal; only a yes is one.
    """
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def person() -> str:
    """
    Name who gives the command.
    """
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = f"user {user}"
    return f"{name} on the command line"
