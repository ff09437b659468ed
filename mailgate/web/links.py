"""
Links to sign in with: sent by mail to those who have no password, or made by an administrator.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from textwrap import fill

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.people.account import Account, AccountRefused, accounts, read_address
from mailgate.store.database import Database
from mailgate.wire.address import Address

LINK_SECONDS = 15 * 60
"""How long a link works."""

_WIDTH = 72
_AT_A_TIME = 5
"""How many links of one account work at the same time."""

Mail = Callable[[Address, str, Sequence[str]], Awaitable[None]]
"""Sends paragraphs under a subject to an address."""


class LogInLinks:
    """
    Makes links, of which each works once and for a quarter of an hour.
    """

    log = Logger()

    def __init__(
        self, database: Database, now: Callable[[], float], base_url: str, mail: Mail
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param base_url: where the review pages are; no link leads anywhere else.
        """
        self._database = database
        self._now = now
        self._base_url = base_url
        self._mail = mail

    def ask(self, text: str) -> Deferred[None]:
        """
        Send a link to whoever has the name C{text}, if that is an address of theirs and they have
        no password. Nobody is told whether there is such a person: whoever asks need not wait.

        A link goes only to the address that is the name, and never to one that others may read,
        too, such as that of a shared mailbox.
        """
        sending = Deferred.fromCoroutine(self._ask(text))
        return sending.addErrback(self._not_sent)

    def new(self, account: Account) -> Deferred[str]:
        """
        Make a link for an account.
        """
        token = secrets.token_urlsafe(32)
        now = self._now()

        def work(connection: sqlite3.Connection) -> str:
            connection.execute("DELETE FROM log_in_link WHERE until <= ?", (now,))
            connection.execute(
                "DELETE FROM log_in_link WHERE account = :account AND token NOT IN (SELECT token"
                " FROM log_in_link WHERE account = :account ORDER BY until DESC LIMIT :others)",
                {"account": account.id, "others": _AT_A_TIME - 1},
            )
            connection.execute(
                "INSERT INTO log_in_link VALUES (?, ?, ?)",
                (_hashed(token), account.id, now + LINK_SECONDS),
            )
            return f"{self._base_url}/sign-in/{token}"

        return self._database.write(work)

    def find(self, token: str) -> Deferred[Account | None]:
        """
        Give the account that a link is for, if it works. It works afterwards as before.
        """
        return self._database.read(lambda connection: self._account(connection, token))

    def use(self, token: str) -> Deferred[bool]:
        """
        Let a link work no more, and tell whether it did.
        """

        def work(connection: sqlite3.Connection) -> bool:
            found = self._account(connection, token)
            connection.execute("DELETE FROM log_in_link WHERE token = ?", (_hashed(token),))
            return found is not None

        return self._database.write(work)

    def _account(self, connection: sqlite3.Connection, token: str) -> Account | None:
        found = accounts(
            connection,
            "NOT is_disabled AND id = (SELECT account FROM log_in_link"
            " WHERE token = :token AND until > :now)",
            {"token": _hashed(token), "now": self._now()},
        )
        return found[0] if found else None

    async def _ask(self, text: str) -> None:
        try:
            address = read_address(text)
        except AccountRefused:
            return
        found = await self._database.read(
            lambda connection: accounts(
                connection,
                "key = :key AND password = '' AND NOT is_disabled",
                {"key": address},
            )
        )
        if not found or address not in found[0].addresses:
            return
        link = await self.new(found[0])
        local, _, host = address.rpartition("@")
        await self._mail(
            Address(local, host),
            "Your link to sign in",
            [
                fill(
                    "Somebody, you as it seems, wants to see the held mail for this address. With"
                    " this link you sign in; it works once, for 15 minutes:",
                    _WIDTH,
                ),
                link,
                "If it was not you, do nothing. Opening the link alone changes nothing.",
            ],
        )
        self.log.info("{event} {name}", event="web.link_sent", name=found[0].name)

    def _not_sent(self, failure: Failure) -> None:
        self.log.failure("{event}", failure, event="web.link_not_sent")


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
