"""
The command C{mailgate}: it starts the gateway, and asks and tells it things.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import pwd
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import evolve

from mailgate.checks.table import checks_off, make_checks
from mailgate.config.load import check, load
from mailgate.config.model import Settings
from mailgate.config.problem import ConfigurationError
from mailgate.hub.client import Ask, reach
from mailgate.hub.commands import CommandError
from mailgate.pipeline.extractors import EXTRACTORS
from mailgate.pipeline.plan import make_plan
from mailgate.reporting import story
from mailgate.reporting.terminal import (
    complain,
    moment,
    say,
    say_all,
    say_array,
    table,
    terminal_width,
)
from mailgate.store.files import Files
from mailgate.store.schema import SchemaTooNew
from mailgate.verdict import Kind

QUICKSTART = Path("etc/quickstart.toml")
INSTALLED = Path("/etc/mailgate/mailgate.toml")

FAILED = 1
WRONG_USE = 2

_ROWS = 50
_PAGE = 500

Arguments = argparse.Namespace
Fields = Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """
    Carry out a command line.

    @return: the exit status: 0, 1 for a failure, 2 for a wrong use or configuration.
    """
    try:
        arguments = make_parser().parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else WRONG_USE
    try:
        if "config" not in arguments:
            arguments.config = QUICKSTART if QUICKSTART.exists() else INSTALLED
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except ConfigurationError as error:
        complain(str(error))
        return WRONG_USE
    except (CommandError, SchemaTooNew) as error:
        complain(str(error))
        return FAILED
    except BrokenPipeError:
        # Whoever read our words has read enough; Python must not find out again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}")
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    return status


def make_parser() -> argparse.ArgumentParser:
    """
    Make the parser of the command line.
    """
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument(
        "--config",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FILE",
        help=f"the configuration (default: ./{QUICKSTART} if it exists, else {INSTALLED})",
    )
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print JSON")
    limit = argparse.ArgumentParser(add_help=False)
    limit.add_argument(
        "--limit",
        type=_positive,
        metavar="N",
        help=f"print at most N rows (default: {_ROWS} in a table, all with --json)",
    )
    parser = argparse.ArgumentParser(
        prog="mailgate",
        parents=[config],
        description="An SMTP proxy that holds back what nobody asked for.",
        epilog="example: mailgate --config /etc/mailgate/mailgate.toml run",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        group: Any, name: str, run: Callable[[Arguments], int], example: str, *parents: Any
    ) -> argparse.ArgumentParser:
        words = str(run.__doc__).strip().splitlines()[0]
        made: argparse.ArgumentParser = group.add_parser(
            name,
            parents=[config, *parents],
            help=words[:1].lower() + words[1:].rstrip("."),
            description=words,
            epilog=f"example: mailgate {example}",
        )
        made.set_defaults(run=run)
        return made

    def group(name: str, words: str, example: str) -> Any:
        made = commands.add_parser(
            name, parents=[config], help=words, epilog=f"example: mailgate {example}"
        )
        return made.add_subparsers(required=True, metavar="COMMAND")

    command(commands, "run", run_gateway, "run --config etc/quickstart.toml")
    made = command(commands, "check-config", check_config, "check-config etc/mailgate.toml")
    made.add_argument("file", nargs="?", type=Path, metavar="FILE", help="instead of --config")

    held = group("quarantine", "held messages", "quarantine list --kind spam")
    made = command(
        held, "list", quarantine_list, "quarantine list --kind spam --limit 20", as_json, limit
    )
    made.add_argument("--kind", choices=list(Kind), help="only what is held for this reason")
    made = command(held, "show", quarantine_show, "quarantine show 7q4m-x2vd-90kt", as_json)
    made.add_argument("id", metavar="ID", help="as the listing names it")
    made = command(held, "release", quarantine_release, "quarantine release 7q4m-x2vd-90kt")
    made.add_argument("id", metavar="ID", nargs="+", help="as the listing names it")
    made = command(held, "delete", quarantine_delete, "quarantine delete 7q4m-x2vd-90kt")
    made.add_argument("id", metavar="ID", nargs="+", help="as the listing names it")

    queued = group("outbox", "copies that are still to be delivered", "outbox list")
    command(queued, "list", outbox_list, "outbox list --json", as_json, limit)
    made = command(queued, "show", outbox_show, "outbox show 7q4m-x2vd-90kt", as_json)
    made.add_argument("id", metavar="ID", help="as the listing names it")

    users = group("user", "accounts for the review pages", "user add ada")
    made = command(users, "add", user_add, "user add ada")
    made.add_argument("name", metavar="NAME", help="what the person signs in with")
    made.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    command(users, "list", user_list, "user list", as_json)

    made = command(commands, "trace", trace, "trace 7q4m-x2vd-90kt", as_json)
    made.add_argument("id", metavar="ID", help="of a transaction, a session or a held message")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("not positive")
    return number


# -- the commands -----------------------------------------------------------------------


def run_gateway(arguments: Arguments) -> int:
    """
    Run the gateway in the foreground, until a signal ends it.
    """
    from twisted.scripts.twistd import run

    load(arguments.config)
    sys.argv = ["twistd", "-n", "--pidfile=", "mailgate", "--config", str(arguments.config)]
    run()
    return 0


def check_config(arguments: Arguments) -> int:
    """
    Say whether the configuration can be used.
    """
    file: Path = arguments.file or arguments.config
    problems, warnings = check(file)
    for warning in warnings:
        complain(f"warning: {warning}")
    if problems:
        raise ConfigurationError(problems)
    _check_plan(load(file), file)
    say("ok")
    return 0


def _check_plan(settings: Settings, file: Path) -> None:
    """
    See that the checks which are on can be brought into an order.

    @raise ConfigurationError: they cannot.
    """
    try:
        make_plan(make_checks(settings), EXTRACTORS, checks_off(settings))
    except ConfigurationError as error:
        raise ConfigurationError([evolve(each, file=file) for each in error.problems]) from None


def quarantine_list(arguments: Arguments) -> int:
    """
    List what is held.
    """
    return _list(arguments, "quarantine.list", _held_row, kind=arguments.kind)


def quarantine_show(arguments: Arguments) -> int:
    """
    Tell all about a held message.
    """
    with _gateway(arguments) as ask:
        answer = ask("quarantine.show", {"id": arguments.id})
    if arguments.json:
        say(json.dumps(answer))
        return 0
    say_all(story.tell_held(answer["held"]))
    say_all(story.tell_history(answer["history"]))
    say("Headers as they came")
    say_all(f"  {line}" for line in answer["header"].rstrip("\r\n").split("\r\n"))
    return 0


def quarantine_release(arguments: Arguments) -> int:
    """
    Release held messages.
    """
    with _gateway(arguments) as ask:
        return _for_each(arguments.id, lambda identity: _release(ask, identity))


def quarantine_delete(arguments: Arguments) -> int:
    """
    Delete held messages.
    """
    with _gateway(arguments) as ask:
        return _for_each(arguments.id, lambda identity: _delete(ask, identity))


def outbox_list(arguments: Arguments) -> int:
    """
    List what is still to be delivered.
    """
    return _list(arguments, "outbox.list", _queued_row)


def outbox_show(arguments: Arguments) -> int:
    """
    Tell all about a copy in the outbox.
    """
    with _gateway(arguments) as ask:
        answer = ask("outbox.show", {"id": arguments.id})
    if arguments.json:
        say(json.dumps(answer))
        return 0
    say_all(story.tell_queued(answer["queued"]))
    say_all(story.tell_history(answer["history"]))
    return 0


def user_add(arguments: Arguments) -> int:
    """
    Make an account for the review pages.
    """
    password = _read_password(arguments.password_stdin)
    with _gateway(arguments) as ask:
        ask("user.add", {"name": arguments.name, "password": password})
    say(f"account {arguments.name} made")
    return 0


def user_list(arguments: Arguments) -> int:
    """
    List the accounts.
    """
    with _gateway(arguments) as ask:
        accounts = ask("user.list", {})["rows"]
    if arguments.json:
        say(json.dumps(accounts))
        return 0
    rows = [(account["name"], moment(account["created"])) for account in accounts]
    say_all(table(("NAME", "MADE"), rows, terminal_width()))
    return 0


def trace(arguments: Arguments) -> int:
    """
    Tell what became of a transaction.
    """
    with _gateway(arguments) as ask:
        answer = ask("trace", {"id": arguments.id})
    if arguments.json:
        say(json.dumps(answer))
    else:
        say_all(story.tell(answer))
    return 0


# -- how they do it ---------------------------------------------------------------------


def _gateway(arguments: Arguments) -> Any:
    settings: Settings = load(arguments.config)
    return reach(settings, Files())


def _list(
    arguments: Arguments, command: str, row: Callable[[Fields], Sequence[str]], **more: Any
) -> int:
    """
    Print a listing: all rows, or those up to the limit, as a table or as JSON.
    """
    with _gateway(arguments) as ask:
        found = _rows(ask, command, more)
        if arguments.json:
            say_array(islice(found, arguments.limit))
            return 0
        limit = _ROWS if arguments.limit is None else arguments.limit
        shown = list(islice(found, limit))
        total = ask(command, {"limit": 0, **more})["total"]
    say_all(table(_HEADS[command], [row(fields) for fields in shown], terminal_width()))
    if total > len(shown):
        say(f"and {total - len(shown):,} more; --limit {total} shows all")
    return 0


def _rows(ask: Ask, command: str, more: Mapping[str, Any]) -> Iterator[Fields]:
    """
    Give all rows, asked for page by page.
    """
    before = None
    while page := ask(command, {"limit": _PAGE, "before": before, **more})["rows"]:
        yield from page
        before = page[-1]["number"]


_HEADS = {
    "quarantine.list": ("ID", "HELD", "KIND", "SCORE", "TO", "FROM", "SUBJECT"),
    "outbox.list": ("ID", "QUEUED", "TRIES", "NEXT TRY", "TO", "FROM", "LAST REPLY"),
}


def _held_row(held: Fields) -> Sequence[str]:
    return (
        held["id"],
        moment(held["held"]),
        held["kind"],
        f"{held['total']:.1f}",
        held["recipient"],
        held["from_header"] or f"<{held['sender']}>",
        held["subject"],
    )


def _queued_row(queued: Fields) -> Sequence[str]:
    return (
        queued["id"],
        moment(queued["queued"]),
        str(queued["tries"]),
        "now" if queued["is_trying"] else moment(queued["next_try"]),
        queued["recipient"],
        f"<{queued['sender']}>",
        queued["reason"],
    )


def _for_each(identities: Sequence[str], act: Callable[[str], None]) -> int:
    """
    Do something for each id, for all of them even where one fails.
    """
    status = 0
    for identity in identities:
        try:
            act(identity)
        except CommandError as error:
            complain(str(error))
            status = FAILED
    return status


def _release(ask: Ask, identity: str) -> None:
    answer = ask("quarantine.release", {"id": identity, "by": _person()})
    if answer["released"]:
        say(f"{identity} released")
    else:
        say(f"{identity} was released by {answer['by']}, {moment(answer['at'])}")


def _delete(ask: Ask, identity: str) -> None:
    answer = ask("quarantine.delete", {"id": identity, "by": _person()})
    say(f"{identity} {'deleted' if answer['deleted'] else 'is not there any more'}")


def _person() -> str:
    """
    Name who gives the command.
    """
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = f"user {user}"
    return f"{name} on the command line"


def _read_password(is_from_stdin: bool) -> str:
    if is_from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CommandError("there is no terminal to ask for the password; use --password-stdin")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise CommandError("the two passwords differ; nothing was done")
    return password
