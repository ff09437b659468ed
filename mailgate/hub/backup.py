"""
What a backup is made of, put aside at one moment while the gateway goes on.

The files lie in a folder of the spool until the command that makes the backup has read them. No
message is copied for it: each gets a second name there.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex

from attrs import frozen

from mailgate.classify.learning import Learner
from mailgate.hub.storage import Storage
from mailgate.store.backup import DATABASE

FOLDER = "command-backup-"
"""How the name of such a folder begins."""

TOKENS = "tokens"


@frozen
class PutAside:
    """
    What was put aside.
    """

    name: str
    """Of the folder, in the spool."""

    messages: Sequence[str]
    """Ids of the stored messages; each is a file of that name in the folder."""

    missing: Sequence[str]
    """Ids of those whose file is gone."""

    made: float
    """When, in seconds since the epoch."""


async def put_aside(storage: Storage, learner: Learner | None) -> PutAside:
    """
    Put aside what must survive.

    @param learner: knows what was learned; C{None} where that cannot be read.
    @raise OSError: it is not possible; nothing is left of it.
    """
    folder = storage.spool / f"{FOLDER}{token_hex(8)}"
    made = storage.now()
    await storage.threads.run(folder.mkdir, 0o700)
    try:
        # What a row names must not be removed before it has its second name.
        identities, missing = await storage.blobs.undisturbed(lambda: _copy(storage, folder))
        if learner is not None:
            await learner.export(folder / TOKENS)
    except BaseException:
        await storage.threads.run(shutil.rmtree, folder)
        raise
    return PutAside(folder.name, identities, missing, made)


async def _copy(storage: Storage, folder: Path) -> tuple[Sequence[str], Sequence[str]]:
    target = folder / DATABASE
    with storage.files.create(target):
        pass

    def work(connection: sqlite3.Connection) -> Sequence[str]:
        # This query begins the transaction whose state is then copied.
        found = connection.execute("SELECT message FROM messages ORDER BY message").fetchall()
        copy = sqlite3.connect(target, isolation_level=None)
        try:
            connection.backup(copy)
            # One file, not a database with a log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
        return [identity for (identity,) in found]

    identities = await storage.database.read(work)
    missing = await storage.threads.run(_link, storage, folder, identities)
    return [each for each in identities if each not in missing], sorted(missing)


def _link(storage: Storage, folder: Path, identities: Sequence[str]) -> set[str]:
    missing = set()
    for identity in identities:
        source, target = storage.blobs.path(identity), folder / identity
        try:
            storage.files.link(source, target)
        except FileNotFoundError:
            missing.add(identity)
        except OSError:
            # Where the folders lie on two file systems.
            shutil.copyfile(source, target)
    return missing
