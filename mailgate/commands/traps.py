"""
C{mailgate trap}: addresses that nobody uses, beside those of the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailgate.commands.asking import Fields, for_each, gateway, person, show_listing
from mailgate.commands.parsers import Arguments, Parsers, add_listing
from mailgate.reporting.terminal import moment, say

_HEADS = ("ADDRESS", "BY", "MADE", "MESSAGES", "LAST", "NOTE")


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    family = parsers.family(
        "trap", "catch whoever writes to addresses that nobody uses", "trap list"
    )
    add_listing(family.command("list", list_, "trap list --limit 20"))
    made = family.command("add", add, "trap add old.name@example.com")
    made.add_argument("address", metavar="ADDRESS", nargs="+")
    made.add_argument("--note", default="", metavar="TEXT", help="why, for those who come later")
    made = family.command("delete", delete, "trap delete old.name@example.com")
    made.add_argument("address", metavar="ADDRESS", nargs="+")


def list_(arguments: Arguments) -> int:
    """
    List the traps that were made by a command or by themselves.
    """
    return show_listing(arguments, "trap.list", _HEADS, _row)


def add(arguments: Arguments) -> int:
    """
    Make addresses traps: nobody gets what is sent there any more.
    """
    with gateway(arguments) as ask:

        def make(address: str) -> None:
            asked = {"address": address, "by": person(), "note": arguments.note}
            answer = ask("trap.add", asked)
            used = "; it was used before" if answer["was_used"] else ""
            say(f"{answer['trap']['address']} is a trap{used}")

        return for_each(arguments.address, make)


def delete(arguments: Arguments) -> int:
    """
    Let addresses be no traps any more, nor become some by themselves.
    """
    with gateway(arguments) as ask:

        def remove(address: str) -> None:
            answer = ask("trap.delete", {"address": address, "by": person()})
            say(f"{answer['trap']['address']} is no trap any more")

        return for_each(arguments.address, remove)


def _row(fields: Fields) -> Sequence[str]:
    return (
        fields["address"],
        fields["by"],
        moment(fields["made"]),
        f"{fields['hits']:,}",
        "never" if fields["last"] is None else moment(fields["last"]),
        fields["note"],
    )
