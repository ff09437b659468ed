"""
A person who may sign in, as it is stored.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from attrs import frozen

from mailgate.people.rights import USERS_RELEASE, Rights, Role
from mailgate.store.database import select
from mailgate.verdict import Kind
from mailgate.wire.address import Address
from mailgate.wire.normal import DOMAIN_NAME, NAME_LIMIT, TEXT, normal_address, normal_domain

_LOCAL = re.compile(rf'{TEXT}|"(?:[ !#-\[\]-~]|\\[ -~])+"')
_LOCAL_LIMIT = 64


class AccountRefused(ValueError):
    """
    What was to be kept of a person cannot be taken; its message is a sentence for whoever asked.
    """


@frozen
class Account:
    """
    A person who may sign in.
    """

    id: int
    name: str
    created: float
    """Seconds since the epoch."""

    role: Role = Role.ADMINISTRATOR
    addresses: frozenset[str] = frozenset()
    """Their own addresses, aliases and shared mailboxes, in normal form."""

    domains: frozenset[str] = frozenset()
    """What a manager looks after, in normal form."""

    reads_bodies: bool = True
    """Whether a manager or an auditor may read mail that is not their own."""

    is_disabled: bool = False
    language: str = ""
    """C{en} or C{de}; C{""} is what the browser asks for."""

    has_password: bool = True
    has_second_factor: bool = False

    def rights(self, releases: Collection[Kind] = USERS_RELEASE) -> Rights:
        """
        Give what they may see and do.

        @param releases: the kinds that people release themselves.
        """
        return Rights(self.role, self.addresses, self.domains, self.reads_bodies, releases)


def accounts(
    connection: sqlite3.Connection, where: str = "1", values: dict[str, Any] | None = None
) -> Sequence[Account]:
    """
    Give the accounts for which a condition over C{account} holds, by name.
    """
    found = select(
        connection,
        "SELECT id, name, created, role, reads_bodies, is_disabled, language,"
        " password <> '' AS has_password, totp <> '' AS has_totp,"
        " (SELECT json_group_array(scope) FROM account_scope WHERE account = id) AS scopes"
        f" FROM account WHERE {where} ORDER BY key",
        values or {},
    )
    return [_account(row) for row in found]


def put_scopes(connection: sqlite3.Connection, account: int, scopes: Iterable[str]) -> None:
    """
    Replace the addresses and domains of an account by C{scopes}, as L{read_scope} gives them.
    """
    connection.execute("DELETE FROM account_scope WHERE account = ?", (account,))
    connection.executemany(
        "INSERT INTO account_scope VALUES (?, ?)", [(account, scope) for scope in set(scopes)]
    )


def read_address(text: str) -> str:
    """
    Give the normal form of an address that a person has typed.

    @raise AccountRefused: it is none.
    """
    local, at, domain = text.strip().rpartition("@")
    host = _host(domain)
    if not at or host is None or not _LOCAL.fullmatch(local) or len(local) > _LOCAL_LIMIT:
        raise AccountRefused(f"{_shown(text)} is no address, as in ada@example.com.")
    return normal_address(Address(local, host))


def read_domain(text: str) -> str:
    """
    Give the normal form of a domain that a person has typed.

    @raise AccountRefused: it is none.
    """
    host = _host(text.strip().removeprefix("@"))
    if host is None:
        raise AccountRefused(f"{_shown(text)} is no domain, as in example.com.")
    return host


def _host(text: str) -> str | None:
    host = normal_domain(text)
    return host if len(host) <= NAME_LIMIT and DOMAIN_NAME.fullmatch(host) else None


def _shown(text: str) -> str:
    return f"“{text[:80]}”" if text.isprintable() else "What was typed"


def _account(row: sqlite3.Row) -> Account:
    scopes = frozenset(json.loads(row["scopes"]))
    addresses = frozenset(scope for scope in scopes if "@" in scope)
    return Account(
        id=row["id"],
        name=row["name"],
        created=row["created"],
        role=Role(row["role"]),
        addresses=addresses,
        domains=scopes - addresses,
        reads_bodies=bool(row["reads_bodies"]),
        is_disabled=bool(row["is_disabled"]),
        language=row["language"],
        has_password=bool(row["has_password"]),
        has_second_factor=bool(row["has_totp"]),
    )
