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
from mailgate.people.rights import Role
from mailgate.reporting.terminal import moment, say, say_all, table, terminal_width


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    users = parsers.family("user", "accounts for the review pages", "user add ada")
    made = users.command("add", add, "user add ada")
    made.add_argument("name", metavar="NAME", help="what the person signs in with")
    made.add_argument(
        "--role",
        choices=[role.value for role in Role],
        help="what the person is (default: manager with --domain, user with --address, else"
        " administrator)",
    )
    made.add_argument(
        "--address",
        dest="addresses",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="an address, alias or shared mailbox that is theirs; may be given several times",
    )
    made.add_argument(
        "--domain",
        dest="domains",
        metavar="DOMAIN",
        action="append",
        default=[],
        help="a domain that a manager looks after; may be given several times",
    )
    made.add_argument(
        "--no-bodies",
        action="store_true",
        help="a manager or an auditor who does not read mail of others",
    )
    made.add_argument(
        "--no-password",
        action="store_true",
        help="the person signs in by links that are sent to NAME, which must be an address",
    )
    made.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    add_json(users.command("list", show_list, "user list"))


def add(arguments: Arguments) -> int:
    """
    Make an account for the review pages.
    """
    role = arguments.role or _role(arguments)
    addresses = arguments.addresses
    if role == Role.USER and not addresses and "@" in arguments.name:
        addresses = [arguments.name]
    password = None if arguments.no_password else read_password(arguments.password_stdin)
    with gateway(arguments) as ask:
        ask(
            "user.add",
            {
                "name": arguments.name,
                "password": password,
                "role": role,
                "addresses": addresses,
                "domains": arguments.domains,
                "reads_bodies": not arguments.no_bodies,
            },
        )
    say(f"account {arguments.name} made: {role}")
    return 0


def _role(arguments: Arguments) -> Role:
    if arguments.domains:
        return Role.MANAGER
    return Role.USER if arguments.addresses or arguments.no_password else Role.ADMINISTRATOR


def show_list(arguments: Arguments) -> int:
    """
    List the accounts.
    """
    with gateway(arguments) as ask:
        accounts = ask("user.list", {})["rows"]
    if arguments.json:
        say(json.dumps(accounts))
        return 0
    rows = [
        (
            account["name"],
            f"{account['role']}{', disabled' if account['is_disabled'] else ''}",
            " ".join(account["addresses"] + account["domains"]),
            moment(account["created"]),
        )
        for account in accounts
    ]
    say_all(table(("NAME", "ROLE", "FOR", "MADE"), rows, terminal_width()))
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
