"""
The people who may sign in, and their passwords.
"""

from __future__ import annotations

import secrets
import sqlite3
import unicodedata
from collections.abc import Callable, Collection, Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from mailgate.interfaces import IThreads
from mailgate.people.account import (
    Account,
    AccountRefused,
    accounts,
    put_scopes,
    read_address,
    read_domain,
)
from mailgate.people.rights import Role
from mailgate.store.database import Database

__all__ = ["Account", "AccountRefused", "Accounts", "key_of"]

NAME_LENGTH = 100
PASSWORD_LENGTHS = range(10, 1001)
"""How many characters a password may have."""

_AT_A_TIME = 2
"""Passwords that are hashed at the same time: each takes 19 MiB and a core."""


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

    def add(
        self,
        name: str,
        password: str | None,
        role: Role = Role.ADMINISTRATOR,
        addresses: Collection[str] = (),
        domains: Collection[str] = (),
        reads_bodies: bool = True,
    ) -> Deferred[Account]:
        """
        Make an account.

        @param password: C{None} for somebody who signs in by links that are sent by mail.
        @param addresses: their own, as they are typed.
        @param domains: what a manager looks after, as they are typed.
        @param reads_bodies: whether a manager or an auditor may read mail of others.
        @raise AccountRefused: the name is taken, or something cannot be used.
        """
        return Deferred.fromCoroutine(
            self._add(name, password, role, addresses, domains, reads_bodies)
        )

    def add_first(self, name: str, password: str) -> Deferred[Account]:
        """
        Make an account if there is none at all.

        @raise AccountRefused: there is one, or the name or the password cannot be used.
        """
        return Deferred.fromCoroutine(self._add(name, password, is_first=True))

    def change(
        self,
        identity: int,
        role: Role,
        addresses: Collection[str],
        domains: Collection[str],
        reads_bodies: bool = True,
        is_disabled: bool = False,
    ) -> Deferred[Account | None]:
        """
        Replace what somebody may see and do; it counts from their next request on. Who is
        disabled is signed out everywhere.

        @return: the account as it is now, or C{None} where there is none of that number.
        @raise AccountRefused: something cannot be used, or nobody would be administrator any more.
        """
        scopes = _usable_scopes(role, addresses, domains)

        def work(connection: sqlite3.Connection) -> Account | None:
            connection.execute(
                "UPDATE account SET role = ?, reads_bodies = ?, is_disabled = ? WHERE id = ?",
                (role, reads_bodies, is_disabled, identity),
            )
            found = accounts(connection, "id = :id", {"id": identity})
            if not found:
                return None
            if not accounts(connection, "role = 'administrator' AND NOT is_disabled"):
                # What was done by then is undone with the request.
                raise AccountRefused("There would be no administrator any more.")
            put_scopes(connection, identity, scopes)
            if is_disabled:
                connection.execute("DELETE FROM log_in WHERE account = ?", (identity,))
                connection.execute("DELETE FROM log_in_link WHERE account = ?", (identity,))
            return accounts(connection, "id = :id", {"id": identity})[0]

        return self._database.write(work)

    def get(self, identity: int) -> Deferred[Account | None]:
        """
        Give the account of that number.
        """
        return self._database.read(
            lambda connection: next(iter(accounts(connection, "id = :id", {"id": identity})), None)
        )

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
        return self._database.read(accounts)

    def speak(self, account: Account, language: str) -> Deferred[None]:
        """
        Keep the language of somebody: C{en}, C{de}, or C{""} for what the browser asks for.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE account SET language = ? WHERE id = ?", (language, account.id)
            )

        return self._database.write(work)

    def count(self) -> Deferred[int]:
        """
        Count the accounts.
        """
        return self._database.read(_count)

    # -- inside -----------------------------------------------------------------------

    async def _add(
        self,
        name: str,
        password: str | None,
        role: Role = Role.ADMINISTRATOR,
        addresses: Collection[str] = (),
        domains: Collection[str] = (),
        reads_bodies: bool = True,
        is_first: bool = False,
    ) -> Account:
        name = _usable_name(name)
        scopes = _usable_scopes(role, addresses, domains)
        hashed = ""
        if password is None and read_address(name) not in scopes:
            raise AccountRefused("Who signs in by links has one of their addresses as name.")
        if password is not None:
            hashed = await self._hash(_usable_password(password, name))
        created = self._now()

        def work(connection: sqlite3.Connection) -> Account:
            if is_first and _count(connection):
                raise AccountRefused("There is an administrator already.")
            try:
                cursor = connection.execute(
                    "INSERT INTO account (name, key, password, created, role, reads_bodies)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (name, key_of(name), hashed, created, role, reads_bodies),
                )
            except sqlite3.IntegrityError:
                raise AccountRefused("There is an account of that name already.") from None
            assert cursor.lastrowid is not None
            put_scopes(connection, cursor.lastrowid, scopes)
            return accounts(connection, "id = :id", {"id": cursor.lastrowid})[0]

        account = await self._database.write(work)
        self.log.info("{event} {name}", event="account.created", name=name)
        return account

    async def _check(self, name: str, password: str) -> Account | None:
        key = key_of(name)

        def read(connection: sqlite3.Connection) -> tuple[Account, str] | None:
            row = connection.execute(
                "SELECT password FROM account WHERE key = ? AND NOT is_disabled", (key,)
            ).fetchone()
            if row is None:
                return None
            return accounts(connection, "key = :key", {"key": key})[0], row[0]

        found = await self._database.read(read)
        # Who has no password costs the same time as somebody who is not there.
        is_right = await self._verify(found[1] or None if found else None, password)
        return found[0] if found and is_right else None

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


def _usable_scopes(
    role: Role, addresses: Collection[str], domains: Collection[str]
) -> frozenset[str]:
    if domains and role is not Role.MANAGER:
        raise AccountRefused("Only a manager looks after domains.")
    if role is Role.MANAGER and not domains:
        raise AccountRefused("A manager looks after at least one domain.")
    if role is Role.USER and not addresses:
        raise AccountRefused("A user has at least one address.")
    return frozenset([*map(read_address, addresses), *map(read_domain, domains)])


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
