"""
C{mailgate learn}: teach the classifier what is spam here and what is wanted.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from mailgate.classify.mailboxes import files_in, in_batches, messages_in
from mailgate.commands.asking import FAILED, Fields, config_path, gateway, person
from mailgate.commands.parsers import Arguments, Parsers, add_json
from mailgate.config.load import load
from mailgate.config.model import Settings
from mailgate.hub.commands import HANDED_OVER
from mailgate.reporting.terminal import Progress, complain, say
from mailgate.store.files import Files


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    made = parsers.command("learn", learn, "learn spam ~/Maildir/.Junk")
    classes = parsers.inside(made, "CLASS")
    for run, example in (
        (learn_spam, "learn spam ~/Maildir/.Junk"),
        (learn_ham, "learn ham ~/Maildir ~/Mail/archive.mbox"),
    ):
        name = run.__name__.removeprefix("learn_")
        of_class = classes.command(name, run, example)
        of_class.add_argument(
            "path", metavar="PATH", nargs="+", type=Path, help="a message, mbox, Maildir or folder"
        )
    what = made.add_mutually_exclusive_group()
    what.add_argument("--status", action="store_true", help="tell how much was learned")
    what.add_argument(
        "--export", metavar="FILE", type=Path, help="write what was learned into a new file"
    )
    what.add_argument(
        "--import",
        dest="imported",
        metavar="FILE",
        type=Path,
        help="take over what was exported elsewhere",
    )
    made.add_argument(
        "--replace", action="store_true", help="with --import: forget what was learned here"
    )
    add_json(made)


def learn(arguments: Arguments) -> int:
    """
    Teach the classifier, or ask what it has learned.
    """
    settings = load(config_path(arguments))
    with gateway(arguments) as ask:
        if arguments.export is not None:
            status = _export(settings, arguments.export, lambda name: ask("learn.export", name))
        elif arguments.imported is not None:
            replace = {"replace": arguments.replace}
            status = _import(
                settings, arguments.imported, lambda name: ask("learn.import", {**name, **replace})
            )
        else:
            status = ask("learn.status", {})
    if arguments.json:
        say(json.dumps(status))
    else:
        _tell(status)
    return 0


def learn_spam(arguments: Arguments) -> int:
    """
    Learn that messages are spam.
    """
    return _learn(arguments, is_spam=True)


def learn_ham(arguments: Arguments) -> int:
    """
    Learn that messages are wanted.
    """
    return _learn(arguments, is_spam=False)


def _learn(arguments: Arguments, is_spam: bool) -> int:
    settings = load(config_path(arguments))
    paths = list(files_in(arguments.path))
    results: Counter[str] = Counter()
    failed: list[Path] = []
    with gateway(arguments) as ask, Progress(len(paths)) as progress:
        for batch in in_batches(_messages(paths, progress, failed)):
            with _handed_over(settings, batch) as names:
                asked = {"names": names, "spam": is_spam, "by": person()}
                results.update(ask("learn.messages", asked)["results"])
        status = ask("learn.status", {})
    parts = [f"{number:,} {result}" for result, number in results.most_common()]
    say(f"{results.total():,} messages{': ' if parts else ''}{', '.join(parts)}")
    _tell(status)
    return FAILED if failed else 0


def _messages(paths: Sequence[Path], progress: Progress, failed: list[Path]) -> Iterator[bytes]:
    """
    Give the messages of files; one that cannot be read is told and left out.
    """
    for path in paths:
        try:
            yield from messages_in(path)
        except OSError as error:
            progress.wipe()
            complain(f"{path}: {error.strerror}")
            failed.append(path)
        progress.advance()


def _export(settings: Settings, target: Path, ask: Callable[[Fields], Fields]) -> Fields:
    name, path = _new_name(settings)
    with Files().create(target) as written:
        try:
            status = ask({"name": name})
            with open(path, "rb") as file:
                shutil.copyfileobj(file, written)
        except BaseException:
            target.unlink()
            raise
        finally:
            path.unlink(missing_ok=True)
    return status


def _import(settings: Settings, source: Path, ask: Callable[[Fields], Fields]) -> Fields:
    with _handed_over(settings, [source.read_bytes()]) as names:
        return ask({"name": names[0]})


@contextmanager
def _handed_over(settings: Settings, contents: Sequence[bytes]) -> Iterator[Sequence[str]]:
    """
    Put something into files that the gateway can read, as it may not be able to read ours.

    @return: their names.
    """
    files, names = Files(), []
    owner = os.stat(settings.data)
    try:
        for content in contents:
            name, path = _new_name(settings)
            names.append(name)
            with files.create(path) as file:
                files.write(file, content)
            if os.geteuid() == 0:
                os.chown(path, owner.st_uid, owner.st_gid)
        yield names
    finally:
        for name in names:
            files.remove(settings.data / "spool" / name)


def _new_name(settings: Settings) -> tuple[str, Path]:
    name = f"{HANDED_OVER}{uuid4().hex}"
    return name, settings.data / "spool" / name


def _tell(status: Fields) -> None:
    """
    Tell how much was learned, and what is still needed.
    """
    say(f"learned so far: {status['spam']:,} messages of spam, {status['ham']:,} of ham")
    if not status["is_trained"]:
        say(
            f"words count from {status['spam_needed']:,} of spam and {status['ham_needed']:,} of"
            " ham on; until then only the make of a message does"
        )
    if status.get("today"):
        told = ", ".join(f"{name} {number:,}" for name, number in sorted(status["today"].items()))
        most = status["lessons_per_teacher"]
        say(f"taught today by what was decided, of {most:,} messages each at most: {told}")
