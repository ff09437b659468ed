"""
C{mailgate greylist}: who has to come again, and who has.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailgate.commands.asking import Fields, for_each, gateway, person, show_listing
from mailgate.commands.parsers import Arguments, Parsers, add_listing
from mailgate.reporting.terminal import moment, say

_HEADS = ("NETWORK", "STATE", "SENDER", "RECIPIENT", "FIRST", "LAST")


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    family = parsers.family("greylist", "see who has to come again, and who has", "greylist list")
    add_listing(family.command("list", list_, "greylist list --limit 20"))
    made = family.command("clear", clear, "greylist clear 192.0.2.0/24")
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "network",
        metavar="NETWORK",
        nargs="*",
        default=[],
        help="a network as the listing shows it, or an address in it",
    )
    what.add_argument("--all", action="store_true", help="forget everything")


def list_(arguments: Arguments) -> int:
    """
    List the attempts that wait to be made again, and the networks that are known.
    """
    return show_listing(arguments, "greylist.list", _HEADS, _row)


def clear(arguments: Arguments) -> int:
    """
    Forget attempts and known networks.
    """
    with gateway(arguments) as ask:

        def forget(network: str | None) -> None:
            answer = ask("greylist.clear", {"by": person(), "network": network})
            say(f"{network or 'everything'}: {answer['cleared']:,} forgotten")

        return for_each([None] if arguments.all else arguments.network, forget)


def _row(fields: Fields) -> Sequence[str]:
    return (
        fields["network"],
        "known" if fields["is_known"] else "waits",
        fields["sender"] or "<>",
        fields["recipient"],
        moment(fields["first"]),
        moment(fields["last"]),
    )
