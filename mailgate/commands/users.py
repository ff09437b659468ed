"""
C{mailgate user}: the accounts for the review pages.
"""

from __future__ import annotations

import getpass
import json
import sys

from mailgate.commands.asking import gateway
from mailgate.commands.parsers import Arguments, Parsers, add_json
from mailgate.hub.commands import CommandError
from mailgate.reporting.terminal import moment, say, say_all, table, terminal_width


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    users = parsers.family("user", "accounts for the review pages", "user add ada")
    made = users.command("add", add, "user add ada")
    made.add_argument("name", metavar="NAME", help="what the person signs in with")
    made.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    add_json(users.command("list", show_list, "user list"))


def add(arguments: Arguments) -> int:
    """
    Make an account for the review pages.
    """
    password = read_password(arguments.password_stdin)
    with gateway(arguments) as ask:
        ask("user.add", {"name": arguments.name, "password": password})
    say(f"account {arguments.name} made")
    return 0


def show_list(arguments: Arguments) -> int:
    """
    List the accounts.
    """
    with gateway(arguments) as ask:
        accounts = ask("user.list", {})["rows"]
    if arguments.json:
        say(json.dumps(accounts))
        return 0
    rows = [(account["name"], moment(account["created"])) for account in accounts]
    say_all(table(("NAME", "MADE"), rows, terminal_width()))
    return 0


def read_password(is_from_stdin: bool) -> str:
    """
    Read a new password, from standard input or twice from the terminal.

    @raise CommandError: there is no terminal, or the two differ.
    """
    if is_from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CommandError("there is no terminal to ask for the password; use --password-stdin")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise CommandError("the two passwords differ; nothing was done")
    return password
