"""
C{mailgate backup} and C{restore}: all that must survive, as one file.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from mailgate import __version__
from mailgate.commands.asking import FAILED, config_path, gateway
from mailgate.commands.parsers import Arguments, Parsers
from mailgate.config.load import load
from mailgate.config.model import Settings
from mailgate.edge.account_file import accounts_path
from mailgate.hub.backup import TOKENS
from mailgate.hub.commands import CommandError
from mailgate.hub.lock import InUse
from mailgate.hub.restore import NotEmpty, Restored, restore
from mailgate.hub.storage import SPOOL
from mailgate.reporting.overview import size
from mailgate.reporting.terminal import complain, moment, say
from mailgate.store import backup as archive
from mailgate.store.backup import BadBackup, Member, blob_name
from mailgate.store.files import Files

STANDARD = Path("-")
"""Stands for standard output, or standard input."""

_UNFINISHED = ".unfinished"


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    made = parsers.command("backup", back_up, "backup /backup/mailgate.tar.gz")
    made.add_argument("file", type=Path, metavar="FILE", help="a new file; - is standard output")
    made = parsers.command("restore", put_back, "restore /backup/mailgate.tar.gz")
    made.add_argument("file", type=Path, metavar="FILE", help="the backup; - is standard input")


def back_up(arguments: Arguments) -> int:
    """
    Write all that must survive into one file, while the gateway runs.
    """
    file: Path = arguments.file
    path = config_path(arguments)
    settings = load(path)
    with gateway(arguments) as ask, _new_file(file) as output:
        aside = ask("backup.begin", {})
        try:
            about = {
                "version": __version__,
                "hostname": settings.hostname,
                "made": aside["made"],
                "missing": aside["missing"],
            }
            archive.pack(output, about, _members(settings, path, aside))
        finally:
            ask("backup.end", {"name": aside["name"]})
    problems = [f"the file of message {each} is gone; it is left out" for each in aside["missing"]]
    problems += aside["problems"]
    for problem in problems:
        complain(problem)
    if file != STANDARD:
        number = len(aside["messages"])
        messages = f"{number:,} {'message' if number == 1 else 'messages'}"
        say(f"{file} is written: {messages}, {size(file.stat().st_size)}.")
    return FAILED if problems else 0


def put_back(arguments: Arguments) -> int:
    """
    Fill an empty data folder from a backup.
    """
    settings = load(config_path(arguments))
    own = accounts_path(settings) == settings.data / archive.ACCOUNTS
    try:
        with _old_file(arguments.file) as source:
            done = restore(source, settings.data, Files(), time.time(), own)
    except (BadBackup, InUse, NotEmpty) as error:
        where = f"{arguments.file}: " if isinstance(error, BadBackup) else ""
        raise CommandError(f"nothing was restored: {where}{error}") from error
    for line in _told(done, settings):
        say(line)
    return 0


def _members(settings: Settings, path: Path, aside: Mapping[str, Any]) -> Iterator[Member]:
    """
    Give the files of the backup.
    """
    data = settings.data
    folder = data / SPOOL / aside["name"]
    yield Member(archive.CONFIGURATION, path.read_bytes())
    yield Member(archive.DATABASE, folder / archive.DATABASE)
    if (folder / TOKENS).exists():
        yield Member(archive.TOKENS, folder / TOKENS)
    if settings.accounts.upstream is None and accounts_path(settings).exists():
        yield Member(archive.ACCOUNTS, accounts_path(settings).read_bytes())
    for name in ("tls/certificate.pem", "tls/key.pem"):
        if (data / name).exists():
            yield Member(name, (data / name).read_bytes())
    for identity in aside["messages"]:
        yield Member(blob_name(identity), folder / identity)


def _told(done: Restored, settings: Settings) -> Iterator[str]:
    made = moment(done.description["made"])
    number = f"{done.messages:,} {'message' if done.messages == 1 else 'messages'}"
    yield f"{settings.data} is as it was at {made}, with {number}. Nobody is signed in."
    if done.suspended:
        waits = "copy in the outbox waits" if done.suspended == 1 else "copies in the outbox wait"
        yield (
            f"{done.suspended:,} {waits} until you say so, as nobody knows whether they were "
            "delivered since:"
        )
        yield '  "mailgate outbox list", then "outbox retry ID" or "outbox delete ID".'
    for path in done.beside:
        yield f"{path} is what was not in the data folder: compare it with yours."


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """
    Write a file that has its name only once it is whole.
    """
    if path == STANDARD:
        if sys.stdout.isatty():
            raise CommandError("a backup is nothing for a terminal: name a file, or use a pipe")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.exists():
        raise CommandError(f"{path} is there already; nothing was written over it")
    files = Files()
    unfinished = path.with_name(path.name + _UNFINISHED)
    files.remove(unfinished)
    try:
        with files.create(unfinished) as file:
            yield file
            files.sync(file)
        files.rename(unfinished, path)
        files.sync_directory(path.parent)
    except BaseException:
        files.remove(unfinished)
        raise


@contextmanager
def _old_file(path: Path) -> Iterator[BinaryIO]:
    if path == STANDARD:
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        yield file
