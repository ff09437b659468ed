"""
Where each command says how it is called.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mailgate.config.load import INSTALLED, QUICKSTART

ROWS = 50
"""How many rows a table has where nobody has said how many."""

Arguments = argparse.Namespace


class Parsers:
    """
    The commands of the program, or of one family of them.
    """

    def __init__(self, config: argparse.ArgumentParser, made: Any) -> None:
        """
        @param config: the parser of the options that every command has.
        @param made: what C{add_subparsers} has given.
        """
        self._config = config
        self._made = made

    def command(
        self, name: str, run: Callable[[Arguments], int], example: str
    ) -> argparse.ArgumentParser:
        """
        Add a command. The first line of C{run}'s docstring tells what it does.

        @param example: how it may be called, without the name of the program.
        """
        words = str(run.__doc__).strip().splitlines()[0]
        parser: argparse.ArgumentParser = self._made.add_parser(
            name,
            parents=[self._config],
            help=words[:1].lower() + words[1:].rstrip("."),
            description=words,
            epilog=f"example: mailgate {example}",
        )
        parser.set_defaults(run=run)
        return parser

    def family(self, name: str, words: str, example: str) -> Parsers:
        """
        Add a family of commands.
        """
        parser = self._made.add_parser(
            name, parents=[self._config], help=words, epilog=f"example: mailgate {example}"
        )
        return Parsers(self._config, parser.add_subparsers(required=True, metavar="COMMAND"))

    def inside(self, parser: argparse.ArgumentParser, metavar: str) -> Parsers:
        """
        Add commands to a command, which may also stand alone.
        """
        return Parsers(self._config, parser.add_subparsers(metavar=metavar))


def config_option() -> argparse.ArgumentParser:
    """
    Make the parser of C{--config}, which may stand before and behind the command.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--config",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FILE",
        help=f"the configuration (default: ./{QUICKSTART} if it exists, else {INSTALLED})",
    )
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """
    Let a command print JSON.
    """
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_listing(parser: argparse.ArgumentParser) -> None:
    """
    Let a command print a listing as a table or as JSON.
    """
    add_json(parser)
    parser.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help=f"print at most N rows (default: {ROWS} in a table, all with --json)",
    )


def add_clearing(parser: argparse.ArgumentParser, metavar: str, words: str, whom: str) -> None:
    """
    Let a command forget some, or all.

    @param metavar: stands for each in the help.
    @param words: what each is.
    @param whom: who all are.
    """
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("named", metavar=metavar, nargs="*", default=[], help=words)
    what.add_argument("--all", action="store_true", help=f"forget {whom}")


def positive(text: str) -> int:
    """
    Read a number from 1 on.

    @raise ValueError: it is none.
    """
    number = int(text)
    if number < 1:
        raise ValueError("not positive")
    return number
