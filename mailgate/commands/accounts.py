"""
C{mailgate account}: who may log in to send mail.
"""

from __future__ import annotations

import json

from mailgate.commands.asking import FAILED, config_path, for_each
from mailgate.commands.parsers import Arguments, Parsers, add_json
from mailgate.commands.users import read_password
from mailgate.config.load import load
from mailgate.edge.account_file import AccountFile, AccountRefused, accounts_path
from mailgate.hub.commands import CommandError
from mailgate.reporting.terminal import complain, say, say_all, table, terminal_width
from mailgate.store.files import Files


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    example = "account set ada@example.com"
    accounts = parsers.family("account", "accounts that may log in to send mail", example)
    made = accounts.command("set", set_account, f"{example} --sender @example.org")
    made.add_argument("name", metavar="NAME", help="what is logged in with; often the address")
    made.add_argument(
        "--sender",
        dest="senders",
        metavar="SENDER",
        nargs="+",
        help="as whom it may send beside its name: addresses, @example.org, or * for all"
        " (default: as before)",
    )
    made.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    removed = accounts.command("remove", remove, "account remove ada@example.com")
    removed.add_argument("names", metavar="NAME", nargs="+")
    add_json(accounts.command("list", show_list, "account list"))


def set_account(arguments: Arguments) -> int:
    """
    Make an account that may log in to send mail, or give one another password.
    """
    file = _file(arguments)
    password = read_password(arguments.password_stdin)
    try:
        is_new = file.set(arguments.name, password, arguments.senders)
    except AccountRefused as refused:
        raise CommandError(str(refused)) from None
    say(f"account {arguments.name} {'made' if is_new else 'changed'}")
    return 0


def remove(arguments: Arguments) -> int:
    """
    Remove accounts that may log in to send mail.
    """
    file = _file(arguments)

    def remove_one(name: str) -> None:
        if not file.remove(name):
            raise CommandError(f"there is no account {name}")
        say(f"account {name} removed")

    return for_each(arguments.names, remove_one)


def show_list(arguments: Arguments) -> int:
    """
    List the accounts that may log in to send mail.
    """
    file = _file(arguments)
    known = file.read()
    accounts = [
        {
            "name": entry.name,
            "senders": sorted(entry.account.senders),
            "scram": entry.verifier is not None,
        }
        for entry in known.entries.values()
    ]
    if arguments.json:
        say(json.dumps(accounts))
    else:
        rows = [
            (each.name, "yes" if each.verifier else "no", " ".join(sorted(each.account.senders)))
            for each in known.entries.values()
        ]
        say_all(table(("NAME", "SCRAM", "SENDS AS"), rows, terminal_width()))
    for line, why in known.problems:
        complain(f"{file.path}, line {line}: {why}")
    return FAILED if known.problems else 0


def _file(arguments: Arguments) -> AccountFile:
    settings = load(config_path(arguments))
    asked = settings.accounts.upstream
    if asked is not None:
        raise CommandError(f"the accounts are those of {asked.host}: [accounts.upstream]")
    return AccountFile(Files(), accounts_path(settings))
