"""
C{mailgate penalty}: who is in the penalty box.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mailgate.commands.asking import FAILED, Fields, forget_each, gateway, rows, show_listing
from mailgate.commands.parsers import Arguments, Parsers, add_clearing, add_listing
from mailgate.knowledge.firewall import FORMATS, Ban, outermost
from mailgate.knowledge.penalty import is_client
from mailgate.reporting.terminal import complain, moment, say

_HEADS = ("NAME", "STATE", "BAD", "GOOD", "UNTIL")
_ALL = "everything"


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    family = parsers.family("penalty", "see whose mail was bad lately", "penalty list")
    made = family.command("list", list_, "penalty list --limit 20")
    add_listing(made)
    made.add_argument(
        "--all", action="store_true", help="also those who are remembered and not in the box"
    )
    add_clearing(
        family.command("clear", clear, "penalty clear 192.0.2.7"),
        "NAME",
        "an address, or a network as the listing shows it and all in it",
        _ALL,
    )
    made = family.command("export", export, "penalty export --format nftables /run/penalty.nft")
    made.add_argument(
        "--format", choices=sorted(FORMATS), default="nftables", help="for nft -f or ipset restore"
    )
    made.add_argument(
        "--networks", action="store_true", help="also IPv4 networks, and not single clients alone"
    )
    made.add_argument(
        "file", metavar="FILE", type=Path, help="where to write it; - is the standard output"
    )


def list_(arguments: Arguments) -> int:
    """
    List the addresses and networks in the penalty box.
    """
    return show_listing(arguments, "penalty.list", _HEADS, _row, all=arguments.all)


def clear(arguments: Arguments) -> int:
    """
    Forget what speaks for and against addresses and networks.
    """
    return forget_each(arguments, "penalty.clear", "name", _ALL)


def export(arguments: Arguments) -> int:
    """
    Write those with the most bad points as a file for a firewall.
    """
    now = time.time()
    with gateway(arguments) as ask:
        bans: Sequence[Ban] = [
            Ban.of(row["name"], row["exported_until"] - now)
            for row in rows(ask, "penalty.list")
            if row["is_exported"] and (arguments.networks or is_client(row["name"]))
        ]
    bans = outermost(bans)
    text = FORMATS[arguments.format](bans)
    if str(arguments.file) == "-":
        sys.stdout.write(text)
        return 0
    try:
        _replace(arguments.file, text)
    except OSError as error:
        complain(f"{arguments.file} cannot be written: {error.strerror or error}")
        return FAILED
    say(f"{arguments.file}: {len(bans):,} written")
    return 0


def _replace(path: Path, text: str) -> None:
    """
    Write a file whole or not at all: whoever reads it meanwhile has the one before.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _row(fields: Fields) -> Sequence[str]:
    state = "exported" if fields["is_exported"] else "boxed" if fields["is_boxed"] else "-"
    return (
        fields["name"],
        state,
        f"{fields['bad']:.1f}",
        f"{fields['good']:.1f}",
        moment(fields["boxed_until"]) if fields["is_boxed"] else "-",
    )
