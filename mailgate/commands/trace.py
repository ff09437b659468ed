"""
C{mailgate trace}: what became of a transaction.
"""

from __future__ import annotations

import json

from mailgate.commands.asking import gateway
from mailgate.commands.parsers import Arguments, Parsers, add_json
from mailgate.reporting import story
from mailgate.reporting.terminal import say, say_all


def add_to(parsers: Parsers) -> None:
    """
    Add the command.
    """
    made = parsers.command("trace", trace, "trace 7q4m-x2vd-90kt")
    add_json(made)
    made.add_argument("id", metavar="ID", help="of a transaction, a session or a held message")


def trace(arguments: Arguments) -> int:
    """
    Tell what became of a transaction.
    """
    with gateway(arguments) as ask:
        answer = ask("trace", {"id": arguments.id})
    if arguments.json:
        say(json.dumps(answer))
    else:
        say_all(story.tell(answer))
    return 0
