"""
The command C{mailgate}: it starts the gateway, and asks and tells it things.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from mailgate.commands import (
    accounts,
    backup,
    check_domain,
    gateway,
    greylist,
    learn,
    lists,
    outbox,
    penalty,
    quarantine,
    recipients,
    reputation,
    rules,
    scan,
    status,
    trace,
    traps,
    users,
)
from mailgate.commands.asking import FAILED
from mailgate.commands.parsers import Parsers, config_option
from mailgate.config.problem import ConfigurationError
from mailgate.hub.commands import CommandError
from mailgate.reporting.terminal import complain
from mailgate.store.schema import SchemaTooNew

WRONG_USE = 2
"""The exit status after a wrong use or configuration."""

COMMANDS: Sequence[Callable[[Parsers], None]] = (
    gateway.add_to,
    status.add_to,
    quarantine.add_to,
    outbox.add_to,
    trace.add_to,
    lists.add_to,
    greylist.add_to,
    penalty.add_to,
    traps.add_to,
    reputation.add_to,
    recipients.add_to,
    learn.add_to,
    scan.add_to,
    rules.add_to,
    check_domain.add_to,
    users.add_to,
    accounts.add_to,
    backup.add_to,
)
"""What adds each family of commands, in the order of the help text."""


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
    config = config_option()
    parser = argparse.ArgumentParser(
        prog="mailgate",
        parents=[config],
        description="An SMTP proxy that holds back what nobody asked for.",
        epilog="example: mailgate --config /etc/mailgate/mailgate.toml run",
    )
    parsers = Parsers(config, parser.add_subparsers(required=True, metavar="COMMAND"))
    for add_to in COMMANDS:
        add_to(parsers)
    return parser
