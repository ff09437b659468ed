"""
C{mailgate status}: how the gateway is, at a glance.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import wrap

from msgspec import convert

from mailgate.commands.asking import FAILED, config_path
from mailgate.commands.parsers import Arguments, Parsers, add_json
from mailgate.config.load import load
from mailgate.hub.client import ask_running
from mailgate.reporting.overview import headline, overview, problems
from mailgate.reporting.status import Status
from mailgate.reporting.terminal import complain, say, say_all, table, terminal_width

NOT_RUNNING = 2
"""The exit status where no gateway runs."""


def add_to(parsers: Parsers) -> None:
    """
    Add the command.
    """
    add_json(parsers.command("status", status, "status"))


def status(arguments: Arguments) -> int:
    """
    Tell how the gateway is: 0 all is well, 1 something is wrong, 2 no gateway runs.
    """
    answer = ask_running(load(config_path(arguments)), "status", {})
    if isinstance(answer, str):
        if arguments.json:
            say(json.dumps({"problems": [answer]}))
        else:
            complain(answer)
        return NOT_RUNNING
    known = convert(answer, Status)
    wrong = problems(known)
    if arguments.json:
        say(json.dumps({"problems": wrong, **answer}))
    else:
        say_all(shown(known, terminal_width()))
    return FAILED if wrong else 0


def shown(known: Status, width: int | None) -> Sequence[str]:
    """
    Give the lines of the table.

    @param width: how many columns the terminal has: what is longer goes on in the next row.
    """
    rows = overview(known)
    room = None
    if width is not None:
        room = max(20, width - len("WRONG    ") - max(len(row.part) for row in rows))
    cells = []
    for row in rows:
        state = "WRONG" if row.is_wrong else "ok"
        lines = [row.words] if room is None else wrap(row.words, room, break_on_hyphens=False)
        cells += [(state, row.part, lines[0]), *(("", "", line) for line in lines[1:])]
    return (headline(known), "", *table(("STATE", "PART", "HOW IT IS"), cells, None))
