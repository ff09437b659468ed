"""
How people want their digests, as it is stored.
"""

from __future__ import annotations

import sqlite3

from attrs import frozen


@frozen
class DigestChoice:
    """
    What somebody has chosen; C{""} is what is configured.
    """

    schedule: str = ""
    zone: str = ""


def choice_of(connection: sqlite3.Connection, owner: str) -> DigestChoice:
    """
    Give what was chosen for an address.

    @param owner: in lower case; so in the other.
    """
    found = connection.execute("SELECT schedule, zone FROM digest_choice WHERE owner = ?", (owner,))
    return next((DigestChoice(*row) for row in found), DigestChoice())


def choose(connection: sqlite3.Connection, owner: str, choice: DigestChoice) -> None:
    """
    Keep what was chosen for an address.
    """
    connection.execute(
        "INSERT OR REPLACE INTO digest_choice VALUES (?, ?, ?)",
        (owner, choice.schedule, choice.zone),
    )
