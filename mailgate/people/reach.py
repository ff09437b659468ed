"""
Which mail somebody may see, as a value that SQL can filter by.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from attrs import frozen

from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address, normal_domain


@frozen
class Reach:
    """
    All mail, or that of some addresses and domains.
    """

    scopes: frozenset[str] | None
    """Normal addresses and normal domains; C{None} is everybody's."""

    def holds(self, recipient: Address) -> bool:
        """
        Tell whether mail for C{recipient} is within it.
        """
        return self.scopes is None or not self.scopes.isdisjoint(scopes_of(recipient))

    @property
    def where(self) -> str:
        """
        Give a condition for a query over C{held}, to stand behind another one; its values are
        L{values}.
        """
        if self.scopes is None:
            return ""
        return (
            " AND held.number IN (SELECT held FROM held_scope"
            " WHERE scope IN (SELECT value FROM json_each(:scopes)))"
        )

    @property
    def where_one(self) -> str:
        """
        Give the same condition for a query that finds few messages: what is within reach is not
        collected first.
        """
        if self.scopes is None:
            return ""
        return (
            " AND EXISTS (SELECT 1 FROM held_scope WHERE held_scope.held = held.number"
            " AND scope IN (SELECT value FROM json_each(:scopes)))"
        )

    @property
    def values(self) -> Mapping[str, str]:
        """
        Give the values of L{where} and L{where_one} by name.
        """
        return {} if self.scopes is None else {"scopes": json.dumps(sorted(self.scopes))}


EVERYTHING = Reach(None)
"""Everybody's mail."""


def scopes_of(recipient: Address) -> frozenset[str]:
    """
    Give whose mail a copy is: the normal forms of its recipient, of whom that belongs to, and the
    domains of both.
    """
    addresses = (recipient, recipient.person)
    named = {normal_address(address) for address in addresses}
    return frozenset(named | {normal_domain(address.host) for address in addresses} - {""})


def note_scopes(connection: sqlite3.Connection, number: int, recipient: Address) -> None:
    """
    Write down whose a held message is.

    @param number: of its row in C{held}.
    """
    connection.executemany(
        "INSERT INTO held_scope VALUES (?, ?)",
        [(scope, number) for scope in sorted(scopes_of(recipient))],
    )
