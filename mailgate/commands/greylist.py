"""
C{mailgate greylist}: who has to come again, and who has.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailgate.commands.asking import Fields, forget_each, show_listing
from mailgate.commands.parsers import Arguments, Parsers, add_clearing, add_listing
from mailgate.reporting.terminal import moment

_HEADS = ("NETWORK", "STATE", "SENDER", "RECIPIENT", "FIRST", "LAST")
_ALL = "everything"


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    family = parsers.family("greylist", "see who has to come again, and who has", "greylist list")
    add_listing(family.command("list", list_, "greylist list --limit 20"))
    add_clearing(
        family.command("clear", clear, "greylist clear 192.0.2.0/24"),
        "NETWORK",
        "a network as the listing shows it, or an address in it",
        _ALL,
    )


def list_(arguments: Arguments) -> int:
    """
    List the attempts that wait to be made again, and the networks that are known.
    """
    return show_listing(arguments, "greylist.list", _HEADS, _row)


def clear(arguments: Arguments) -> int:
    """
    Forget attempts and known networks.
    """
    return forget_each(arguments, "greylist.clear", "network", _ALL)


def _row(fields: Fields) -> Sequence[str]:
    return (
        fields["network"],
        "known" if fields["is_known"] else "waits",
        fields["sender"] or "<>",
        fields["recipient"],
        moment(fields["first"]),
        moment(fields["last"]),
    )
