"""
C{mailgate quarantine}: the held messages.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from mailgate.commands.asking import Fields, for_each, gateway, person, show_listing
from mailgate.commands.parsers import Arguments, Parsers, add_json, add_listing
from mailgate.hub.client import Ask
from mailgate.reporting import story
from mailgate.reporting.terminal import moment, say, say_all
from mailgate.verdict import Kind

_HEADS = ("ID", "HELD", "KIND", "SCORE", "TO", "FROM", "SUBJECT")


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    held = parsers.family("quarantine", "held messages", "quarantine list --kind spam")
    made = held.command("list", show_list, "quarantine list --kind spam --limit 20")
    add_listing(made)
    made.add_argument("--kind", choices=list(Kind), help="only what is held for this reason")
    made = held.command("show", show, "quarantine show 7q4m-x2vd-90kt")
    add_json(made)
    made.add_argument("id", metavar="ID", help="as the listing names it")
    made = held.command("release", release, "quarantine release 7q4m-x2vd-90kt")
    made.add_argument("id", metavar="ID", nargs="+", help="as the listing names it")
    made = held.command("delete", delete, "quarantine delete --spam 7q4m-x2vd-90kt")
    made.add_argument("--spam", action="store_true", help="and learn that it is spam")
    made.add_argument("id", metavar="ID", nargs="+", help="as the listing names it")


def show_list(arguments: Arguments) -> int:
    """
    List what is held.
    """
    return show_listing(arguments, "quarantine.list", _HEADS, _row, kind=arguments.kind)


def show(arguments: Arguments) -> int:
    """
    Tell all about a held message.
    """
    with gateway(arguments) as ask:
        answer = ask("quarantine.show", {"id": arguments.id})
    if arguments.json:
        say(json.dumps(answer))
        return 0
    say_all(story.tell_held(answer["held"], story.thresholds_of(answer)))
    say_all(story.tell_history(answer["history"]))
    say("Headers as they came")
    say_all(f"  {line}" for line in answer["header"].rstrip("\r\n").split("\r\n"))
    return 0


def release(arguments: Arguments) -> int:
    """
    Release held messages, and learn that they are good.
    """
    with gateway(arguments) as ask:
        return for_each(arguments.id, lambda identity: _release(ask, identity))


def delete(arguments: Arguments) -> int:
    """
    Delete held messages.
    """
    with gateway(arguments) as ask:
        return for_each(arguments.id, lambda identity: _delete(ask, identity, arguments.spam))


def _row(held: Fields) -> Sequence[str]:
    return (
        held["id"],
        moment(held["held"]),
        held["kind"],
        f"{held['total']:.1f}",
        held["recipient"],
        held["from_header"] or f"<{held['sender']}>",
        held["subject"],
    )


def _release(ask: Ask, identity: str) -> None:
    answer = ask("quarantine.release", {"id": identity, "by": person()})
    if answer["released"]:
        say(f"{identity} released")
    else:
        say(f"{identity} was released by {answer['by']}, {moment(answer['at'])}")


def _delete(ask: Ask, identity: str, is_spam: bool) -> None:
    answer = ask("quarantine.delete", {"id": identity, "by": person(), "spam": is_spam})
    if not answer["deleted"]:
        say(f"{identity} is not there any more")
    elif is_spam:
        say(f"{identity} deleted, taught as spam")
    else:
        say(f"{identity} deleted")
