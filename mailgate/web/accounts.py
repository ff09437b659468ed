"""
The people who may sign in, and their passwords.
"""

from __future__ import annotations

import secrets
import sqlite3
import unicodedata
from collections.abc import Callable, Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from attrs import frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from mailgate.interfaces import IThreads
from mailgate.store.database import Database

NAME_LENGTH = 100
PASSWORD_LENGTHS = range(10, 1001)
"""How many characters a password may have."""

_AT_A_TIME = 2
"""Passwords that are hashed at the same time: each takes 19 MiB and a core."""


@frozen
class Account:
    """
    A person who may sign in.
    """

    id: int
    name: str
    created: float
    """Seconds since the epoch."""


class AccountRefused(ValueError):
    """
    A name or a password that cannot be taken; its message is a sentence for the person.
    """


class Accounts:
    """
    Makes accounts and checks passwords.

    Passwords are hashed with Argon2id (19 MiB, two passes), in a thread and never more than two
    at a time. A name that nobody has costs the same time as a wrong password.
    """

    log = Logger()

    def __init__(
        self,
        database: Database,
        threads: IThreads,
        now: Callable[[], float],
        hasher: PasswordHasher | None = None,
    ) -> None:
        """
        @param threads: where passwords are hashed.
        @param now: the time in seconds since the epoch.
        """
        self._database = database
        self._threads = threads
        self._now = now
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._turns = DeferredSemaphore(_AT_A_TIME)
        self._nobodys = ""

    def add(self, name: str, password: str) -> Deferred[Account]:
        """
        Make an account.

        @raise AccountRefused: the name is taken, or one of the two cannot be used.
        """
        return Deferred.fromCoroutine(self._add(name, password, is_first=False))

    def add_first(self, name: str, password: str) -> Deferred[Account]:
        """
        Make an account if there is none at all.

        @raise AccountRefused: there is one, or the name or the password cannot be used.
        """
        return Deferred.fromCoroutine(self._add(name, password, is_first=True))

    def check(self, name: str, password: str) -> Deferred[Account | None]:
        """
        Give the account of that name if the password is its own.
        """
        return Deferred.fromCoroutine(self._check(name, password))

    def change_password(
        self, account: Account, current: str, new: str, keep: bytes
    ) -> Deferred[bool]:
        """
        Replace a password and end all log-ins of the account but one.

        @param keep: the hashed token of the log-in that goes on.
        @return: whether C{current} was right.
        @raise AccountRefused: C{new} cannot be used.
        """
        return Deferred.fromCoroutine(self._change_password(account, current, new, keep))

    def list(self) -> Deferred[Sequence[Account]]:
        """
        Give all accounts by name.
        """

        def work(connection: sqlite3.Connection) -> Sequence[Account]:
            rows = connection.execute("SELECT id, name, created FROM account ORDER BY key")
            return [Account(*row) for row in rows]

        return self._database.read(work)

    def count(self) -> Deferred[int]:
        """
        Count the accounts.
        """
        return self._database.read(_count)

    # -- inside -----------------------------------------------------------------------

    async def _add(self, name: str, password: str, is_first: bool) -> Account:
        name = _usable_name(name)
        hashed = await self._hash(_usable_password(password, name))
        created = self._now()

        def work(connection: sqlite3.Connection) -> Account:
            if is_first and _count(connection):
                raise AccountRefused("There is an administrator already.")
            try:
                cursor = connection.execute(
                    "INSERT INTO account (name, key, password, created) VALUES (?, ?, ?, ?)",
                    (name, key_of(name), hashed, created),
                )
            except sqlite3.IntegrityError:
                raise AccountRefused("There is an account of that name already.") from None
            assert cursor.lastrowid is not None
            return Account(cursor.lastrowid, name, created)

        account = await self._database.write(work)
        self.log.info("{event} {name}", event="account.created", name=name)
        return account

    async def _check(self, name: str, password: str) -> Account | None:
        key = key_of(name)
        found = await self._database.read(
            lambda connection: connection.execute(
                "SELECT id, name, created, password FROM account WHERE key = ?", (key,)
            ).fetchone()
        )
        is_right = await self._verify(found[3] if found else None, password)
        return Account(*found[:3]) if found and is_right else None

    async def _change_password(self, account: Account, current: str, new: str, keep: bytes) -> bool:
        _usable_password(new, account.name)
        if await self._check(account.name, current) is None:
            return False
        hashed = await self._hash(new)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE account SET password = ? WHERE id = ?", (hashed, account.id))
            connection.execute(
                "DELETE FROM log_in WHERE account = ? AND token <> ?", (account.id, keep)
            )

        await self._database.write(work)
        self.log.info("{event} {name}", event="account.password_changed", name=account.name)
        return True

    def _hash(self, password: str) -> Deferred[str]:
        return self._turns.run(self._threads.run, self._hasher.hash, _normal(password))

    def _verify(self, stored: str | None, password: str) -> Deferred[bool]:
        if len(password) > PASSWORD_LENGTHS.stop:
            password = ""
        return self._turns.run(self._threads.run, self._verify_now, stored, _normal(password))

    def _verify_now(self, stored: str | None, password: str) -> bool:
        """
        Check a password against a hash; without one, take as long and say no.
        """
        self._nobodys = self._nobodys or self._hasher.hash(secrets.token_hex())
        try:
            self._hasher.verify(stored or self._nobodys, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None


def _count(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("SELECT count(*) FROM account").fetchone()
    return int(number)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def key_of(name: str) -> str:
    """
    Give a name as it is compared: without regard to case, width and space around it.
    """
    return _normal(name).strip().casefold()


def _usable_name(name: str) -> str:
    name = _normal(name).strip()
    if not name:
        raise AccountRefused("A name is needed.")
    if len(name) > NAME_LENGTH:
        raise AccountRefused(f"A name has at most {NAME_LENGTH} characters.")
    if not name.isprintable():
        raise AccountRefused("A name holds no characters that cannot be seen.")
    return name


def _usable_password(password: str, name: str) -> str:
    if len(password) not in PASSWORD_LENGTHS:
        shortest, longest = PASSWORD_LENGTHS.start, PASSWORD_LENGTHS.stop - 1
        raise AccountRefused(f"A password has {shortest} to {longest:,} characters.")
    if key_of(password) == key_of(name):
        raise AccountRefused("The password is the name. Take another one.")
    return password
