"""
The tables of a database: numbered SQL files that are run once each, in order.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from importlib.resources import files

from attrs import frozen


@frozen
class Migration:
    """
    One step from a schema to the next.
    """

    version: int
    name: str
    sql: str


class SchemaTooNew(Exception):
    """
    A newer program wrote the database; its message says so in words.
    """


def migrations() -> Sequence[Migration]:
    """
    Give the steps that this program knows, in order.

    @raise ValueError: their numbers are not 1, 2, 3 and so on.
    """
    found = []
    for entry in (files("mailgate.store") / "migrations").iterdir():
        name = re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name)
        if name is not None:
            found.append(Migration(int(name[1]), name[2], entry.read_text("utf-8")))
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations are not numbered without gaps: {found}")
    return found


def migrate(connection: sqlite3.Connection, steps: Sequence[Migration]) -> int:
    """
    Bring a database to the last of C{steps}, each step in a transaction of its own.

    @return: how many steps were taken.
    @raise SchemaTooNew: it is beyond the last step; nothing has been changed.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version"
        " (version INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT"
    )
    current: int
    (current,) = connection.execute(
        "SELECT coalesce(max(version), 0) FROM schema_version"
    ).fetchone()
    if current > len(steps):
        raise SchemaTooNew(
            f"it has schema {current} and this program knows schema {len(steps)}:"
            " a newer mailgate wrote it"
        )
    for step in steps[current:]:
        record = f"INSERT INTO schema_version VALUES ({step.version}, '{step.name}');"
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{step.sql}\n{record}\nCOMMIT;")
        except sqlite3.Error:
            connection.rollback()
            raise
    return len(steps) - current
