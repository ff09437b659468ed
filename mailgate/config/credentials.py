"""
Files that systemd hands to the service alone (LoadCredential=), named in the place of a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

PREFIX = "credential:"
FOLDER = "CREDENTIALS_DIRECTORY"
"""The variable with the folder where they are; it is there for the service only."""

_NAME = re.compile(r"[\w-][\w.-]*", re.ASCII)


def resolve(path: Path) -> Path:
    """
    Give the path of a credential that is named as C{credential:} and its name; who does not run
    as the service gets that back as it is. Other paths are given back as well.

    @raise ValueError: it is no name of a credential.
    """
    text = str(path)
    if not text.startswith(PREFIX):
        return path
    name = text.removeprefix(PREFIX)
    if not _NAME.fullmatch(name):
        raise ValueError(f"must be {PREFIX} and the name of a credential, as in {PREFIX}tls-key")
    folder = os.environ.get(FOLDER)
    return path if folder is None else Path(folder, name)


def is_unread(path: Path) -> bool:
    """
    Tell whether a path of the settings is a credential that this process cannot find.
    """
    return str(path).startswith(PREFIX)


def unread(section: BaseModel, table: str = "") -> Iterator[tuple[str, str, Path]]:
    """
    Give the credentials in a section of the settings that this process cannot find: the table, the
    key, and what stands there.
    """
    for key in type(section).model_fields:
        value = getattr(section, key)
        inner = f"{table}.{key}" if table else key
        if isinstance(value, Path) and is_unread(value):
            yield f"[{table}]" if table else "", key, value
        elif isinstance(value, BaseModel):
            yield from unread(value, inner)
        elif isinstance(value, tuple):
            for each in value:
                if isinstance(each, BaseModel):
                    yield from unread(each, inner)
        elif isinstance(value, dict):
            for name, each in value.items():
                if isinstance(each, BaseModel):
                    yield from unread(each, f"{inner}.{name}")
