"""
C{mailgate reputation}: which senders are known, and how well.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from mailgate.commands.asking import Fields, forget_each, gateway, show_listing
from mailgate.commands.parsers import Arguments, Parsers, add_clearing, add_json, add_listing
from mailgate.reporting.terminal import moment, say, say_all

_HEADS = ("SENDER", "STANDING", "FOR", "AGAINST", "FIRST", "LAST", "WRITTEN TO")
_ALL = "everybody"
_WORDS = {"good": "a good name", "bad": "a bad name", "unclear": "no name to speak of"}


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    family = parsers.family("reputation", "see which senders are known", "reputation list")
    add_listing(family.command("list", list_, "reputation list --limit 20"))
    shown = family.command("show", show, "reputation show example.org")
    add_json(shown)
    shown.add_argument("sender", metavar="SENDER", help="a domain, or an address")
    cleared = family.command("clear", clear, "reputation clear example.org")
    add_clearing(cleared, "SENDER", "a domain, or an address", _ALL)


def list_(arguments: Arguments) -> int:
    """
    List the senders that were authenticated, and what is known of them.
    """
    return show_listing(arguments, "reputation.list", _HEADS, _row)


def show(arguments: Arguments) -> int:
    """
    Show what is known of a sender.
    """
    with gateway(arguments) as ask:
        known = ask("reputation.show", {"name": arguments.sender})["reputation"]
    if arguments.json:
        say(json.dumps(known))
        return 0
    lines = [
        f"{known['name']} has {_WORDS[known['standing']]} here:"
        f" {known['good']:.1f} speaks for it, {known['bad']:.1f} against it."
    ]
    if known["first"]:
        first, last = moment(known["first"]), moment(known["last"])
        lines.append(f"Mail of it was first delivered {first}, and last {last}.")
    if known["written"]:
        lines.append(f"Somebody here last wrote to it {moment(known['written'])}.")
    say_all(lines)
    return 0


def clear(arguments: Arguments) -> int:
    """
    Forget senders.
    """
    return forget_each(arguments, "reputation.clear", "name", _ALL)


def _row(fields: Fields) -> Sequence[str]:
    return (
        fields["name"],
        fields["standing"],
        f"{fields['good']:.1f}",
        f"{fields['bad']:.1f}",
        moment(fields["first"]) if fields["first"] else "",
        moment(fields["last"]) if fields["last"] else "",
        moment(fields["written"]) if fields["written"] else "",
    )
