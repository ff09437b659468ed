"""
C{mailgate allow} and C{mailgate block}: mend a mistake of the checks, until further notice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from attrs import fields_dict

from mailgate.commands.asking import Fields, for_each, gateway, person, rows, show_listing
from mailgate.commands.parsers import Arguments, Parsers, add_listing, positive
from mailgate.config.model import Settings
from mailgate.hub.client import Ask
from mailgate.hub.commands import CommandError
from mailgate.knowledge.entry import Entry, EntryKind, ListName
from mailgate.knowledge.lists import Lists
from mailgate.reporting.terminal import moment, say

_HEADS = ("ID", "VALUE", "KIND", "FOR", "MADE", "ENDS", "BY", "NOTE")
_DAY = 86400


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    _add(parsers, ListName.ALLOW, allow, 'allow ada@example.org --note "invoices"')
    _add(parsers, ListName.BLOCK, block, "block .example.org 192.0.2.0/24 --expires 30")


def _add(parsers: Parsers, name: ListName, run: Callable[[Arguments], int], example: str) -> None:
    made = parsers.command(name, run, example)
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "value",
        metavar="VALUE",
        nargs="*",
        default=[],
        help="an address, a domain (.example.org: with all below it), a network, or <the List-Id"
        " of a mailing list>",
    )
    what.add_argument("--list", action="store_true", dest="show", help="list the entries")
    what.add_argument("--remove", metavar="ID", nargs="+", type=positive, help="remove entries")
    made.add_argument(
        "--for",
        dest="scope",
        default="",
        metavar="WHOM",
        help="for mail to this address or domain of yours (default: to everybody)",
    )
    made.add_argument("--note", default="", metavar="TEXT", help="why, for those who come later")
    made.add_argument(
        "--expires", type=positive, metavar="DAYS", help="for so many days (default: for ever)"
    )
    made.add_argument(
        "--kind", choices=list(EntryKind), help="what VALUE is (default: as it is written)"
    )
    add_listing(made)


def allow(arguments: Arguments) -> int:
    """
    Let senders, networks or mailing lists through, or list who is.
    """
    return _run(arguments, ListName.ALLOW)


def block(arguments: Arguments) -> int:
    """
    Keep senders, networks or mailing lists out, or list who is.
    """
    return _run(arguments, ListName.BLOCK)


def load_lists(arguments: Arguments, settings: Settings) -> Lists:
    """
    Give what counts now; nothing where the gateway has never run.
    """
    if not settings.data.exists():
        return Lists()
    with gateway(arguments) as ask:
        return Lists(map(_entry, rows(ask, "list.list")))


def _run(arguments: Arguments, name: ListName) -> int:
    if arguments.show:
        return show_listing(arguments, "list.list", _HEADS, _row, list=name)
    with gateway(arguments) as ask:
        if arguments.remove:
            return for_each(arguments.remove, partial(_remove, ask))
        made: list[Fields] = []
        status = for_each(
            arguments.value, lambda value: made.append(_put(ask, name, value, arguments))
        )
    if any(entry["unverified"] for entry in made):
        say(
            "If verified: this counts only where SPF or DKIM of the domain passes, and attachments"
            " are looked at all the same."
        )
    return status


def _put(ask: Ask, name: ListName, value: str, arguments: Arguments) -> Fields:
    ends = None if arguments.expires is None else time.time() + arguments.expires * _DAY
    asked = {
        "list": name,
        "value": value,
        "by": person(),
        "kind": arguments.kind,
        "scope": arguments.scope,
        "note": arguments.note,
        "expires": ends,
    }
    try:
        entry: Fields = ask("list.add", asked)["entry"]
    except CommandError as error:
        raise CommandError(f"{value}: {error}") from None
    say(f"{_in_words(entry)}: entry {entry['id']}")
    return entry


def _remove(ask: Ask, identity: int) -> None:
    entry = ask("list.remove", {"id": identity, "by": person()})["entry"]
    say(f"{_in_words(entry)}: entry {identity} removed")


def _in_words(entry: Fields) -> str:
    verb = "allowed" if entry["list"] == ListName.ALLOW else "blocked"
    doubt = " (if verified)" if entry["unverified"] else ""
    whom = entry["scope"] or "everybody"
    until = "" if entry["expires"] is None else f" until {moment(entry['expires'])}"
    return f"{entry['kind']} {entry['value']} {verb}{doubt} for {whom}{until}"


def _row(entry: Fields) -> Sequence[str]:
    return (
        str(entry["id"]),
        entry["value"],
        entry["kind"],
        entry["scope"] or "everybody",
        moment(entry["made"]),
        "never" if entry["expires"] is None else moment(entry["expires"]),
        entry["by"],
        entry["note"],
    )


def _entry(fields: Fields) -> Entry:
    values = {name: fields[name] for name in fields_dict(Entry)}
    values["list"], values["kind"] = ListName(values["list"]), EntryKind(values["kind"])
    return Entry(**values)
