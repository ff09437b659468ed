"""
C{mailgate outbox}: the copies that are still to be delivered.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from mailgate.commands.asking import (
    FAILED,
    Fields,
    confirm,
    for_each,
    gateway,
    person,
    show_listing,
)
from mailgate.commands.parsers import Arguments, Parsers, add_json, add_listing
from mailgate.hub.client import Ask
from mailgate.reporting import story
from mailgate.reporting.terminal import (
    complain,
    moment,
    say,
    say_all,
    table,
    terminal_width,
)

_HEADS = ("ID", "QUEUED", "TRIES", "NEXT TRY", "TO", "FROM", "LAST REPLY")


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    queued = parsers.family("outbox", "copies that are still to be delivered", "outbox list")
    add_listing(queued.command("list", show_list, "outbox list --json"))
    made = queued.command("show", show, "outbox show 7q4m-x2vd-90kt")
    add_json(made)
    made.add_argument("id", metavar="ID", help="as the listing names it")
    made = queued.command("retry", retry, "outbox retry --all")
    which = made.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="*", default=[], help="as the listing names it")
    which.add_argument("--all", action="store_true", help="all but what somebody has stopped")
    made = queued.command("hold", hold, "outbox hold 7q4m-x2vd-90kt")
    made.add_argument("id", metavar="ID", nargs="+", help="as the listing names it")
    made = queued.command("delete", delete, "outbox delete 7q4m-x2vd-90kt")
    made.add_argument("id", metavar="ID", nargs="+", help="as the listing names it")
    made.add_argument("--yes", action="store_true", help="do not ask first")


def show_list(arguments: Arguments) -> int:
    """
    List what is still to be delivered.
    """
    return show_listing(arguments, "outbox.list", _HEADS, _row)


def show(arguments: Arguments) -> int:
    """
    Tell all about a copy in the outbox.
    """
    with gateway(arguments) as ask:
        answer = ask("outbox.show", {"id": arguments.id})
    if arguments.json:
        say(json.dumps(answer))
        return 0
    say_all(story.tell_queued(answer["queued"]))
    say_all(story.tell_history(answer["history"]))
    return 0


def retry(arguments: Arguments) -> int:
    """
    Try to deliver copies at once.
    """
    with gateway(arguments) as ask:
        if arguments.all:
            number = ask("outbox.retry", {})["retried"]
            say(f"{number:,} {'copy is' if number == 1 else 'copies are'} due now")
            return 0
        return for_each(arguments.id, lambda identity: _retry(ask, identity))


def hold(arguments: Arguments) -> int:
    """
    Stop copies: they are tried no more until retry names them.
    """
    with gateway(arguments) as ask:
        return for_each(arguments.id, lambda identity: _hold(ask, identity))


def delete(arguments: Arguments) -> int:
    """
    Delete copies, which nobody gets then; at a terminal it asks first.
    """
    if not arguments.yes and sys.stdin.isatty() and not _is_meant(arguments):
        complain("nothing was deleted")
        return FAILED
    with gateway(arguments) as ask:
        return for_each(arguments.id, lambda identity: _delete(ask, identity))


def _is_meant(arguments: Arguments) -> bool:
    """
    Show what would be deleted, and ask. The gateway is not kept waiting for the answer.
    """
    with gateway(arguments) as ask:
        copies = [ask("outbox.show", {"id": each})["queued"] for each in arguments.id]
    say_all(table(_HEADS, [_row(copy) for copy in copies], terminal_width()))
    return confirm("Delete this? Its recipient does not get it, and nobody is told.")


def _retry(ask: Ask, identity: str) -> None:
    retried = ask("outbox.retry", {"id": identity, "by": person()})["retried"]
    say(f"{identity} {'is due now' if retried else 'is being delivered already'}")


def _hold(ask: Ask, identity: str) -> None:
    answer = ask("outbox.hold", {"id": identity, "by": person()})
    say(f"{identity} for {answer['recipient']} is tried no more until you say: outbox retry")


def _delete(ask: Ask, identity: str) -> None:
    answer = ask("outbox.delete", {"id": identity, "by": person()})
    say(f"{identity} for {answer['recipient']} deleted")


def _next_try(queued: Fields) -> str:
    if queued["is_suspended"]:
        return "stopped" if queued["suspended_by"] else "when you say so"
    return "now" if queued["is_trying"] else moment(queued["next_try"])


def _row(queued: Fields) -> Sequence[str]:
    return (
        queued["id"],
        moment(queued["queued"]),
        str(queued["tries"]),
        _next_try(queued),
        queued["recipient"],
        f"<{queued['sender']}>",
        queued["reason"],
    )
