"""
The accounts that may log in to send mail, as their file has them at the moment.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from stat import S_IROTH, S_IWOTH
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from attrs import frozen
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.stamp import Stamp, stamp_of
from mailgate.edge.account_file import PASSWORD_LENGTHS, Table, make_hasher
from mailgate.interfaces import Account, AccountsUnavailable, IAccounts, IThreads
from mailgate.wire.saslprep import name_key, saslprep
from mailgate.wire.scram import ScramVerifier, decoy

T = TypeVar("T")

LOOK_SECONDS = 1.0
"""How long nobody looks whether the file has changed."""

AT_A_TIME = 2
"""Passwords that are verified at the same time: each takes 19 MiB and a core."""

QUEUE = 50
"""Passwords that wait to be verified; above it people have to come again."""

TOLD = 20
"""Lines with a mistake that are told of one by one."""


@frozen
class _Loaded:
    """
    What was read.
    """

    stamp: Stamp
    table: Table
    is_public: bool
    """Whether everybody on this machine may read or write it."""


@implementer(IAccounts)
class Accounts:
    """
    Verifies passwords against a file, which is read again when it has changed.

    While the file cannot be read nobody can log in. A name that nobody has costs the same time
    as a wrong password.
    """

    log = Logger()

    def __init__(
        self,
        path: Path,
        clock: IReactorTime,
        threads: IThreads,
        hasher: PasswordHasher | None = None,
    ) -> None:
        """
        @param threads: where the file is read and passwords are verified.
        """
        self._path = path
        self._clock = clock
        self._threads = threads
        self._hasher = hasher or make_hasher()
        self._turns = DeferredSemaphore(AT_A_TIME)
        self._nobodys = ""
        self._table: Table | None = None
        self._stamp: Stamp | None = None
        self._trouble = ""
        self._look_again = clock.seconds()
        self._looking: list[Deferred[None]] = []

    @property
    def has_scram(self) -> bool:
        """
        Tell whether some account has a verifier for SCRAM-SHA-256.
        """
        return self._table is not None and self._table.has_scram

    def load(self) -> Deferred[None]:
        """
        Read the file if it has changed, but not again within a second. It never fails: an event
        tells.
        """
        done: Deferred[None] = Deferred()
        if self._looking:
            self._looking.append(done)
        elif self._clock.seconds() < self._look_again:
            return succeed(None)
        else:
            self._look_again = self._clock.seconds() + LOOK_SECONDS
            self._looking = [done]
            reading = self._threads.run(_read, self._path, self._stamp)
            reading.addCallback(self._take)
            reading.addErrback(self._not_read)
            reading.addBoth(self._looked)
        return done

    def verify(self, name: str, password: str) -> Deferred[Account | None]:
        """
        Give the account of that name if the password is its own.

        @raise AccountsUnavailable: the file cannot be read, or too many others wait.
        """
        return Deferred.fromCoroutine(self._verify(name, password))

    def verifier(self, name: str) -> Deferred[ScramVerifier]:
        """
        Give the verifier of an account, or a decoy where it has none.

        @raise AccountsUnavailable: the file cannot be read.
        """
        return Deferred.fromCoroutine(self._verifier(name))

    def find(self, name: str) -> Account | None:
        """
        Give the account of that name, as the file had it when it was read.
        """
        entry = self._table and self._table.entries.get(name_key(name))
        return entry.account if entry else None

    # -- the file ---------------------------------------------------------------------

    async def _current(self) -> Table:
        await self.load()
        if self._table is None:
            raise AccountsUnavailable(self._trouble)
        return self._table

    def _take(self, loaded: _Loaded | None) -> None:
        if loaded is None:
            return
        self._stamp, self._table, self._trouble = loaded.stamp, loaded.table, ""
        path, problems = str(self._path), loaded.table.problems
        number = len(loaded.table.entries)
        self.log.info(
            "{event} {number} from {path}", event="accounts.read", number=number, path=path
        )
        if loaded.is_public:
            self.log.warn("{event} {path}: chmod it", event="accounts.public", path=path)
        for line, why in problems[:TOLD]:
            self.log.error(
                "{event} {path}, line {line}: {why}",
                event="accounts.bad_line",
                path=path,
                line=line,
                why=why,
            )

    def _not_read(self, failure: Failure) -> None:
        self._table = self._stamp = None
        trouble = failure.getErrorMessage()
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if failure.check(OSError):
            self.log.error(
                "{event} {path}: {error}",
                event="accounts.not_read",
                path=str(self._path),
                error=trouble,
            )
        else:
            self.log.failure(
                "{event} {path}", failure, event="accounts.broken", path=str(self._path)
            )

    def _looked(self, result: object) -> None:
        waiting, self._looking = self._looking, []
        for done in waiting:
            done.callback(None)

    # -- passwords --------------------------------------------------------------------

    async def _verifier(self, name: str) -> ScramVerifier:
        table = await self._current()
        key = name_key(name)
        made = decoy(table.secret, key, table.iterations)
        entry = table.entries.get(key)
        return entry.verifier if entry and entry.verifier else made

    async def _verify(self, name: str, password: str) -> Account | None:
        table = await self._current()
        if len(self._turns.waiting) >= QUEUE:
            raise AccountsUnavailable("too many log-ins at the same time")
        entry = table.entries.get(name_key(name))
        stored = entry.hashed if entry else None
        is_right = await self._in_turn(lambda: self._is_right(stored, password))
        return entry.account if entry and is_right else None

    def _in_turn(self, work: Callable[[], T]) -> Deferred[T]:
        """
        Do something in a thread when it is its turn. Nobody gets past the others by going away:
        cancelling only forgets the result.
        """
        done: Deferred[T] = Deferred()
        self._turns.run(self._threads.run, work).addCallbacks(done.callback, done.errback)
        return done

    def _is_right(self, stored: str | None, password: str) -> bool:
        """
        Verify a password against a hash; without one, against one that no password has, which
        takes as long.
        """
        self._nobodys = self._nobodys or self._hasher.hash(secrets.token_hex())
        try:
            self._hasher.verify(stored or self._nobodys, _prepared(password))
        except (VerificationError, InvalidHashError):
            return False
        return True


def _prepared(password: str) -> str:
    if len(password) > PASSWORD_LENGTHS.stop:
        return ""
    try:
        return saslprep(password)
    except ValueError:
        return ""


def _read(path: Path, known: Stamp | None) -> _Loaded | None:
    """
    Read the file, unless it is as it was.

    @raise OSError: it cannot be read.
    """
    found = os.stat(path)
    stamp = stamp_of(found)
    if stamp == known:
        return None
    return _Loaded(stamp, Table.parse(path.read_bytes()), bool(found.st_mode & (S_IROTH | S_IWOTH)))
