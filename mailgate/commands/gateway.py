"""
C{mailgate run}, C{reload}, C{check-config} and C{init}: from nothing to a gateway that runs.
"""

from __future__ import annotations

import grp
import os
import sys
import time
from importlib.resources import files
from pathlib import Path

from attrs import evolve
from twisted.internet.task import Clock

from mailgate.checks.known import Known
from mailgate.commands.asking import config_path, gateway
from mailgate.commands.parsers import Arguments, Parsers
from mailgate.config.load import INSTALLED, check, default_path, load
from mailgate.config.model import Settings
from mailgate.config.problem import ConfigurationError
from mailgate.hub.commands import CommandError
from mailgate.judging import make_pipeline
from mailgate.reporting.terminal import complain, say, say_all
from mailgate.store.threads import ImmediateThreads

GROUP = "mailgate"
"""The group as which etc/systemd/mailgate.service runs the gateway."""


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    parsers.command("run", run, "run --config etc/quickstart.toml")
    made = parsers.command("check-config", check_config, "check-config etc/mailgate.toml")
    made.add_argument("file", nargs="?", type=Path, metavar="FILE", help="instead of --config")
    parsers.command("reload", reload, "reload")
    parsers.command("init", init, f"init --config {INSTALLED}")


def run(arguments: Arguments) -> int:
    """
    Run the gateway in the foreground, until a signal ends it.
    """
    from twisted.scripts import twistd

    path = config_path(arguments)
    load(path)
    sys.argv = ["twistd", "-n", "--pidfile=", "mailgate", "--config", str(path)]
    twistd.run()
    return 0


def reload(arguments: Arguments) -> int:
    """
    Let the gateway take up its changed configuration; comes back once it works.
    """
    with gateway(arguments) as ask:
        say_all(ask("reload", {})["lines"])
    return 0


def check_config(arguments: Arguments) -> int:
    """
    Say whether the configuration can be used.
    """
    file: Path = arguments.file or config_path(arguments)
    problems, warnings = check(file)
    for warning in warnings:
        complain(f"warning: {warning}")
    if problems:
        raise ConfigurationError(problems)
    _check_plan(load(file), file)
    say("ok")
    return 0


def init(arguments: Arguments) -> int:
    """
    Write a configuration to begin with, in which every option is explained.
    """
    path: Path = getattr(arguments, "config", INSTALLED)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write_sample(path)
    except FileExistsError:
        raise CommandError(f"{path} is there already; nothing was changed") from None
    option = "" if path == default_path() else f" --config {path}"
    say_all(
        (
            f"{path} is written. In it, replace all that ends in .example:",
            "  hostname                 the full name of this machine in the DNS",
            "  [[route]] domains        the domains whose mail comes here",
            "  [upstream.mailserver]    host: the mail server that takes it",
            "Then",
            f"  mailgate check-config{option}",
            '    says "ok", or names every mistake;',
            f"  mailgate run{option}",
            "    starts the gateway here, until Ctrl-C ends it.",
        )
    )
    if os.geteuid() == 0 and not _give_to_group(path):
        say(f"The service reads it as the group {GROUP}, once there is one: chgrp {GROUP} {path}")
    return 0


def _write_sample(path: Path) -> None:
    """
    Write the file, whole or not at all.

    @raise FileExistsError: it is there already.
    """
    text = files("mailgate.config").joinpath("mailgate.toml").read_bytes()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(text)
            os.fchmod(descriptor, 0o640)
    except OSError:
        path.unlink()
        raise


def _give_to_group(path: Path) -> bool:
    """
    Let the group of the service read the file.

    @return: whether there is that group.
    """
    try:
        group = grp.getgrnam(GROUP)
    except KeyError:
        return False
    os.chown(path, -1, group.gr_gid)
    return True


def _check_plan(settings: Settings, file: Path) -> None:
    """
    See that the checks which are on can be brought into an order.

    @raise ConfigurationError: they cannot.
    """
    try:
        make_pipeline(settings, Known(), ImmediateThreads(), Clock(), time.time)
    except ConfigurationError as error:
        raise ConfigurationError([evolve(each, file=file) for each in error.problems]) from None
