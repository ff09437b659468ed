"""
From a file to settings, with all its mistakes at once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mailgate.config import consistency
from mailgate.config.credentials import FOLDER, PREFIX, unread
from mailgate.config.explain import explain
from mailgate.config.model import Settings
from mailgate.config.problem import ConfigurationError, Problem, as_toml

QUICKSTART = Path("etc/quickstart.toml")
"""What counts where a checkout is tried out, seen from the present folder."""

INSTALLED = Path("/etc/mailgate/mailgate.toml")
"""What counts everywhere else."""

NOT_SEEN = "only the service has it; it was not looked at"
NOT_THERE = f"there is no ${FOLDER}; systemd makes it where the unit has LoadCredential= for it"


def default_path() -> Path:
    """
    Give the configuration file that counts where none is named.
    """
    return QUICKSTART if QUICKSTART.exists() else INSTALLED


def load(path: Path) -> Settings:
    """
    Read a configuration file.

    @raise ConfigurationError: it cannot be read or holds mistakes; it carries all of them.
    """
    settings, problems, _, _ = _examine(path)
    if settings is None or problems:
        raise ConfigurationError(problems)
    return settings


def load_to_run(path: Path) -> Settings:
    """
    Read a configuration file for the gateway itself, which needs the credentials that it names.

    @raise ConfigurationError: it cannot be read or holds mistakes; it carries all of them.
    """
    settings = load(path)
    problems = list(_unread(settings, path, NOT_THERE))
    if problems:
        raise ConfigurationError(problems)
    return settings


def check(path: Path) -> tuple[list[Problem], list[Problem]]:
    """
    Examine a configuration file.

    @return: the mistakes, with any of which the gateway does not start, except that it does with a
        certificate that does not hold; and what is allowed but perhaps not meant.
    """
    _, problems, lapses, warnings = _examine(path)
    return problems + lapses, warnings


def _examine(
    path: Path,
) -> tuple[Settings | None, list[Problem], list[Problem], list[Problem]]:
    try:
        tables = _parse(path)
    except ConfigurationError as error:
        return None, list(error.problems), [], []
    folder = path.absolute().parent.resolve()
    settings, problems = None, []
    try:
        settings = Settings.model_validate(tables, context={"folder": folder})
    except ValidationError as error:
        problems = explain(error, Settings, path)
    parts = consistency.Parts.read(tables, folder)
    # A credential that cannot be found here cannot be wrong either.
    mistakes = [each for each in consistency.mistakes(parts, path) if not _is_of_unread(each)]
    warnings = [] if settings is None else list(_unread(settings, path, NOT_SEEN))
    return (
        settings,
        problems + mistakes,
        list(consistency.lapses(parts, path)),
        [*consistency.warnings(parts, path), *warnings],
    )


def _unread(settings: Settings, path: Path, why: str) -> Iterator[Problem]:
    for table, key, value in unread(settings):
        yield Problem(path, table, key, as_toml(str(value)), why)


def _is_of_unread(problem: Problem) -> bool:
    return problem.value.startswith(f'"{PREFIX}')


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode()
        return tomllib.loads(text)
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        why = f"line {line}: is not UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        why = _syntax(str(error), text)
    raise ConfigurationError([Problem(path, "", "", "", why)])


def _syntax(message: str, text: str) -> str:
    """
    Put the place in front: "line 3, column 5: expected ...".
    """
    match = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    if match is None:
        return message
    what, place = match.groups()
    if place == "end of document":
        place = f"line {text.count(chr(10)) + 1}, at the end"
    return f"{place}: {what[:1].lower()}{what[1:]}"
