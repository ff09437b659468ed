"""
A data folder from a backup: whole, or not at all.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from attrs import frozen

from mailgate.hub.lock import DataLock
from mailgate.interfaces import IFiles
from mailgate.store import history, outbox
from mailgate.store.backup import (
    ACCOUNTS,
    CONFIGURATION,
    DATABASE,
    BadBackup,
    blob_name,
    unpack,
)
from mailgate.store.schema import migrate, migrations

BESIDE = "restored"
"""The folder for what does not belong into the data folder, for a person to take."""

_UNFINISHED = "restoring"
_LOCK = "lock"


class NotEmpty(Exception):
    """
    The data folder has something in it already; the message says what.
    """


@frozen
class Restored:
    """
    What was restored.
    """

    description: Mapping[str, Any]
    messages: int
    suspended: int
    """Copies in the outbox that wait for a person."""

    beside: tuple[Path, ...]
    """Files for a person to put into their place."""


def restore(
    source: BinaryIO, data: Path, files: IFiles, now: float, has_own_accounts: bool = True
) -> Restored:
    """
    Fill an empty data folder from a backup. Blocks.

    @param now: in seconds since the epoch.
    @param has_own_accounts: whether the accounts that may log in lie in the data folder.
    @raise InUse: a gateway runs.
    @raise NotEmpty: the folder is not empty.
    @raise BadBackup: the backup cannot be used; the folder is as empty as before.
    @raise SchemaTooNew: a newer program wrote it; likewise.
    @raise OSError: something cannot be written; likewise.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = DataLock(data)
    lock.acquire()
    try:
        found = sorted({each.name for each in data.iterdir()} - {_LOCK})
        if found:
            shown = ", ".join(found[:5]) + (" and more" if len(found) > 5 else "")
            raise NotEmpty(f"{data} is not empty (it has {shown}); a backup fills an empty one")
        folder = data / _UNFINISHED
        folder.mkdir(mode=0o700)
        try:
            restored = _fill(source, folder, files, now, has_own_accounts)
            _take_over(data)
            _move(folder, data, files)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()
    beside = tuple(data / path.relative_to(folder) for path in restored.beside)
    return Restored(restored.description, restored.messages, restored.suspended, beside)


def _fill(
    source: BinaryIO, folder: Path, files: IFiles, now: float, has_own_accounts: bool
) -> Restored:
    description = unpack(source, folder, files)
    _check(description)
    messages, suspended = _prepare(folder, description, now)
    beside = folder / BESIDE
    names = [CONFIGURATION] if has_own_accounts else [CONFIGURATION, ACCOUNTS]
    moved = []
    for name in names:
        if (folder / name).exists():
            beside.mkdir(mode=0o700, exist_ok=True)
            os.rename(folder / name, beside / name)
            moved.append(beside / name)
    return Restored(description, messages, suspended, tuple(moved))


def _check(description: Mapping[str, Any]) -> None:
    made, missing = description.get("made"), description.get("missing", [])
    is_right = isinstance(made, float) and isinstance(missing, list)
    if not is_right or not all(isinstance(each, str) for each in missing):
        raise BadBackup("its description is not what it should be")


def _prepare(folder: Path, description: Mapping[str, Any], now: float) -> tuple[int, int]:
    """
    Examine the database, and bring it to what may be started with.

    @return: how many messages there are, and how many copies wait for a person.
    """
    path = folder / DATABASE
    if not path.exists():
        raise BadBackup("it has no database")
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise BadBackup(f"its database is damaged: {verdict}")
            migrate(connection, migrations())
            connection.execute("BEGIN IMMEDIATE")
            for row in outbox.newest(connection):
                text = f"copy {row.id} for {row.recipient} was restored, and waits for a person"
                history.note(connection, row.message.trace, now, "outbox.restored", text)
            # Nobody knows whether they were delivered after the backup was made.
            suspended = outbox.suspend_all(connection)
            # Who has signed out since then must not be signed in again.
            connection.execute("DELETE FROM log_in")
            connection.execute("DELETE FROM log_in_link")
            connection.execute("COMMIT")
            messages = _examine(connection, folder, set(description.get("missing", [])))
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise BadBackup(f"its database is damaged: {error}") from error
    return messages, suspended


def _examine(connection: sqlite3.Connection, folder: Path, missing: set[str]) -> int:
    """
    See that each row has its message, and count them.
    """
    number = 0
    for identity, size in connection.execute("SELECT message, size FROM messages"):
        path = folder / blob_name(identity)
        if identity in missing:
            continue
        if not path.exists() or path.stat().st_size != size:
            raise BadBackup(f"it lacks the message {identity}")
        number += 1
    return number


def _take_over(data: Path) -> None:
    """
    Give all files the owner of the data folder, where root restores it for somebody else.
    """
    owner = data.stat()
    if os.geteuid() == 0:
        for path in (data, *_all_below(data)):
            os.chown(path, owner.st_uid, owner.st_gid)


def _all_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            yield Path(place, name)


def _move(folder: Path, data: Path, files: IFiles) -> None:
    """
    Put everything into its place, the database last: without it there is nothing.
    """
    for place, _, _ in os.walk(folder):
        files.sync_directory(Path(place))
    names = sorted((each.name for each in folder.iterdir()), key=lambda name: name == DATABASE)
    moved: list[Path] = []
    try:
        for name in names:
            files.rename(folder / name, data / name)
            moved.append(data / name)
        files.sync_directory(data)
    except BaseException:
        for path in moved:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        raise
