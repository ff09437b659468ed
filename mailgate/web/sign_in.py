"""
Log-ins: who is signed in, how often one may try, and how the first administrator gets in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv6Address, ip_address

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailgate.people.account import accounts
from mailgate.people.audit import Act, Actor, note
from mailgate.people.rights import USERS_RELEASE, Rights
from mailgate.store.database import Database
from mailgate.verdict import Kind
from mailgate.web.accounts import Account, AccountRefused, Accounts

LINK_SECONDS = 15 * 60
"""How long the link for the first administrator works."""

_PROGRAM_LENGTH = 200

_SEEN_EVERY = 60
"""Seconds after which it is written down again that a log-in was used."""


@frozen
class LogIn:
    """
    One person, signed in with one browser.
    """

    account: Account
    token: bytes
    """The SHA-256 of what the browser holds."""

    began: float
    """Seconds since the epoch."""

    seen: float
    """When it was last used, give or take a minute."""

    rights: Rights
    """What they may see and do, as it is now."""


@frozen
class Session:
    """
    A log-in as its owner sees it.
    """

    number: int
    began: float
    seen: float
    client: str
    program: str
    means: str
    is_this: int
    """Whether it is the one that asks."""


class LogIns:
    """
    The log-ins, as rows. A token is known to its browser alone: what is stored is its hash.
    """

    log = Logger()

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        idle: float,
        longest: float,
        releases: Collection[Kind] = USERS_RELEASE,
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param idle: seconds without a visit after which a log-in has ended.
        @param longest: seconds after which it has ended in any case.
        @param releases: the kinds of held mail that people release themselves.
        """
        self._releases = releases
        self._database = database
        self._now = now
        self._idle = idle
        self._longest = longest

    def begin(
        self, account: Account, client: str = "", program: str = "", means: str = ""
    ) -> Deferred[str]:
        """
        Sign a person in, and forget the log-ins that have ended.

        @param client: from where.
        @param program: with what, as the browser calls itself.
        @param means: by what, in words.
        @return: the token for the browser.
        """
        token = secrets.token_urlsafe(32)
        now = self._now()

        def work(connection: sqlite3.Connection) -> str:
            connection.execute(
                "DELETE FROM log_in WHERE seen < ? OR began < ?",
                (now - self._idle, now - self._longest),
            )
            connection.execute(
                "INSERT INTO log_in (token, account, began, seen, client, program, means, number)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM log_in))",
                (_hashed(token), account.id, now, now, client, program[:_PROGRAM_LENGTH], means),
            )
            note(connection, now, Actor(account.name, client), Act.SIGNED_IN, "signed in")
            return token

        return self._database.write(work)

    def find(self, token: str) -> Deferred[LogIn | None]:
        """
        Give the log-in of a token if it has not ended.
        """
        return Deferred.fromCoroutine(self._find(_hashed(token)))

    def end(self, log_in: LogIn) -> Deferred[None]:
        """
        Sign a browser out.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM log_in WHERE token = ?", (log_in.token,))

        return self._database.write(work)

    def of(self, log_in: LogIn) -> Deferred[Sequence[Session]]:
        """
        Give all log-ins of the same account, the latest first.
        """
        now = self._now()

        def work(connection: sqlite3.Connection) -> Sequence[Session]:
            rows = connection.execute(
                "SELECT number, began, seen, client, program, means, token = ? FROM log_in"
                " WHERE account = ? AND seen >= ? AND began >= ? ORDER BY number DESC",
                (log_in.token, log_in.account.id, now - self._idle, now - self._longest),
            )
            return [Session(*row) for row in rows]

        return self._database.read(work)

    def end_other(self, log_in: LogIn, number: int | None = None) -> Deferred[int]:
        """
        End one other log-in of the same account, or all others, and count them.

        @param number: its number; C{None} is all of them.
        """

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM log_in WHERE account = :account AND token <> :token"
                " AND (:number IS NULL OR number = :number)",
                {"account": log_in.account.id, "token": log_in.token, "number": number},
            ).rowcount

        return self._database.write(work)

    def others(self, log_in: LogIn) -> Deferred[int]:
        """
        Count the other log-ins of the same account.
        """
        now = self._now()

        def work(connection: sqlite3.Connection) -> int:
            (number,) = connection.execute(
                "SELECT count(*) FROM log_in WHERE account = ? AND token <> ?"
                " AND seen >= ? AND began >= ?",
                (log_in.account.id, log_in.token, now - self._idle, now - self._longest),
            ).fetchone()
            return int(number)

        return self._database.read(work)

    async def _find(self, hashed: bytes) -> LogIn | None:
        def read(connection: sqlite3.Connection) -> LogIn | None:
            row = connection.execute(
                "SELECT account, began, seen FROM log_in WHERE token = ?", (hashed,)
            ).fetchone()
            if row is None:
                return None
            found = accounts(connection, "id = :id AND NOT is_disabled", {"id": row[0]})
            if not found:
                return None
            (account,) = found
            return LogIn(account, hashed, row[1], row[2], account.rights(self._releases))

        log_in = await self._database.read(read)
        if log_in is None:
            return None
        now = self._now()
        # A log-in from the future was begun before the clock was put back; it ends as well.
        if not (
            -_SEEN_EVERY <= now - log_in.seen <= self._idle
            and -_SEEN_EVERY <= now - log_in.began <= self._longest
        ):
            return None
        if now - log_in.seen >= _SEEN_EVERY:
            await self._touch(hashed, now)
        return log_in

    async def _touch(self, hashed: bytes, now: float) -> None:
        try:
            await self._database.write(
                lambda connection: (
                    connection.execute(
                        "UPDATE log_in SET seen = ? WHERE token = ?", (now, hashed)
                    ).rowcount
                )
            )
        except OSError:
            # What can be read must be shown even where nothing can be written any more.
            self.log.failure("{event} a log-in ends early", event="web.not_seen")


class FirstAdministrator:
    """
    The link with which the first account is made. It works once, for 15 minutes.

    Only its hash is kept, in memory; a new link replaces the one before.
    """

    def __init__(self, clock: IReactorTime, accounts: Accounts, base_url: str) -> None:
        self._clock = clock
        self._accounts = accounts
        self._base_url = base_url
        self._hashed = b""
        self._until = 0.0

    def new_link(self) -> str:
        """
        Make a link, to be shown to whoever starts the gateway.
        """
        token = secrets.token_urlsafe(32)
        self._hashed = _hashed(token)
        self._until = self._clock.seconds() + LINK_SECONDS
        return f"{self._base_url}/setup/{token}"

    def works(self, token: str) -> Deferred[bool]:
        """
        Tell whether a link of that token would make an account now.
        """
        return Deferred.fromCoroutine(self._works(token))

    def create(self, token: str, name: str, password: str) -> Deferred[Account | None]:
        """
        Make the first account.

        @return: C{None} where the link does not work, or no longer.
        @raise AccountRefused: the name or the password cannot be used; the link still works.
        """
        return Deferred.fromCoroutine(self._create(token, name, password))

    async def _works(self, token: str) -> bool:
        return self._is_current(token) and await self._accounts.count() == 0

    async def _create(self, token: str, name: str, password: str) -> Account | None:
        if not await self._works(token):
            return None
        try:
            account = await self._accounts.add_first(name, password)
        except AccountRefused:
            if await self._accounts.count():
                return None
            raise
        self._hashed = b""
        return account

    def _is_current(self, token: str) -> bool:
        is_known = hmac.compare_digest(_hashed(token), self._hashed)
        return is_known and self._clock.seconds() < self._until


class Tries:
    """
    Counts tries by a key, within a span of time, for a bounded number of keys.
    """

    def __init__(
        self, clock: IReactorTime, most: int, seconds: float = 15 * 60, keys: int = 10_000
    ) -> None:
        """
        @param most: how many are allowed before one has to wait until the span is over.
        """
        self._clock = clock
        self._most = most
        self._seconds = seconds
        self._keys = keys
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """
        Give the seconds until the next try is allowed; 0 is now.
        """
        count, until = self._counts.get(key, (0, 0.0))
        return max(0.0, until - self._clock.seconds()) if count >= self._most else 0.0

    def add(self, key: str) -> None:
        """
        Count a try. The key that was counted least recently makes room for a new one.
        """
        now = self._clock.seconds()
        count, until = self._counts.pop(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + self._seconds
        self._counts[key] = (count + 1, until)
        if len(self._counts) > self._keys:
            self._counts.popitem(last=False)

    def take_back(self, key: str) -> None:
        """
        Count one try less.
        """
        count, until = self._counts.get(key, (0, 0.0))
        if count:
            self._counts[key] = (count - 1, until)

    def forget(self, key: str) -> None:
        """
        Begin anew for C{key}.
        """
        self._counts.pop(key, None)


def network_of(client: str) -> str:
    """
    Name what a client is counted by: its IPv4 address, or the /64 network of its IPv6 address.
    """
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
