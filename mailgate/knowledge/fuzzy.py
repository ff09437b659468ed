"""
By what the messages are known again that were learned: a row for each message.

What somebody takes back is gone from here, so whatever is counted of the rows is as if it had never
been learned.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred

from mailgate.config.checks import FuzzyCheck as Section
from mailgate.interfaces import Marks, Remembered
from mailgate.store.database import Database, count_rows, select

DAY = 86400

MOST = 20_000
"""How many messages of spam are known at most, and how many of ham: those learned last."""

SLACK = 500
"""By how many there may be more, so that not each one that comes pushes one out."""

_LEARN = """
INSERT OR REPLACE INTO fuzzy (identity, is_spam, day, sketch, numbers) VALUES (?, ?, ?, ?, ?)
"""


class FuzzyStore:
    """
    Remembers the marks of what was learned, and forgets them after a while.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        section: Section,
        most: int = MOST,
        slack: int = SLACK,
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        """
        self._database = database
        self._now = now
        self.section = section
        """How long it is remembered."""

        self._most = most
        self._slack = slack
        self.changes = 0
        """Goes up with each change."""

    def remember(self, messages: Mapping[int, Marks], is_spam: bool | None) -> Deferred[None]:
        """
        Remember messages in place of what was remembered of them.

        @param messages: the marks by the identity of the message.
        @param is_spam: what they are; C{None} forgets them.
        @raise StoreError: it cannot be written.
        """
        day = int(self._now() // DAY)

        def work(connection: sqlite3.Connection) -> None:
            for identity, marks in messages.items():
                name = _signed(identity)
                if is_spam is None or marks == Marks():
                    connection.execute("DELETE FROM fuzzy WHERE identity = ?", (name,))
                else:
                    numbers = _packed((marks.structure, *marks.files))
                    connection.execute(_LEARN, (name, is_spam, day, marks.sketch, numbers))
            if is_spam is not None:
                self._make_room(connection, is_spam)

        return self._database.write(work).addCallback(self._has_changed)

    def _make_room(self, connection: sqlite3.Connection, is_spam: bool) -> None:
        excess = count_rows(connection, "fuzzy", f"is_spam = {is_spam:d}") - self._most
        if excess > self._slack:
            connection.execute(
                "DELETE FROM fuzzy WHERE identity IN (SELECT identity FROM fuzzy WHERE is_spam = ?"
                " ORDER BY day, identity LIMIT ?)",
                (is_spam, excess),
            )

    def all(self) -> Deferred[Sequence[Remembered]]:
        """
        Give what is remembered of all messages, in no order.

        @raise StoreError: the database cannot be read.
        """
        since = self._oldest()

        def work(connection: sqlite3.Connection) -> Sequence[Remembered]:
            rows = select(
                connection,
                "SELECT is_spam, day, sketch, numbers FROM fuzzy WHERE day >= ?",
                (since,),
            )
            return [
                Remembered(bool(row["is_spam"]), row["day"], _marks(row["sketch"], row["numbers"]))
                for row in rows
            ]

        return self._database.read(work)

    def purge(self) -> Deferred[int]:
        """
        Forget what was learned long ago, and count the messages.
        """
        since = self._oldest()

        def purged(number: int) -> int:
            if number:
                self._has_changed()
            return number

        return self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM fuzzy WHERE day < ?", (since,)).rowcount
            )
        ).addCallback(purged)

    def _oldest(self) -> int:
        return int(self._now() // DAY - self.section.forget_days)

    def _has_changed(self, _: None = None) -> None:
        self.changes += 1


def _marks(sketch: bytes, numbers: bytes) -> Marks:
    structure, *files = struct.unpack(f"<{len(numbers) // 8}Q", numbers)
    return Marks(sketch, structure, tuple(files))


def _packed(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def _signed(number: int) -> int:
    """
    Give a number of 64 bits as the database can hold it.
    """
    return number - (1 << 64) if number >> 63 else number
