"""
What is known of senders, as rows: what each of the happenings does to them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from attrs import asdict, define, evolve, frozen

from mailgate.interfaces import Reputation
from mailgate.store.database import count_rows, newest_rows, select

KEPT = 0.25
"""What a day counts on which mail was delivered and nobody has complained."""

WRITTEN = 1.0
"""What a day counts on which somebody here has written to the sender."""

RELEASED = 2.0
"""What a held message counts that was released, or a message that was learned as wanted."""

SPAM = 2.0
"""What a message counts that was marked as spam."""

LIGHT = 1.0
"""Of whom less than this is known goes first where there are too many."""

DAY = 86400.0
_PUT = """
INSERT INTO reputation (name, good, bad, changed, first, last, written, touched)
VALUES (:name, :good, :bad, :changed, :first, :last, :written, :changed)
ON CONFLICT (name) DO UPDATE SET
    good = :good, bad = :bad, changed = :changed, first = :first, last = :last,
    written = :written, touched = iif(:is_touched, :changed, touched)
"""


@define
class Noted:
    """
    What has happened to a sender since it was last written.
    """

    delivered: float = 0.0
    written: float = 0.0
    """When it last was, in seconds since the epoch; 0: not."""


@frozen
class Remembered:
    """
    A sender in the listing.
    """

    number: int
    reputation: Reputation


@frozen
class Rows:
    """
    The rows at one moment, in the thread of the database.
    """

    connection: sqlite3.Connection
    now: float
    half_life: float
    """Seconds after which what is known counts half."""

    def find(self, name: str) -> Reputation | None:
        """
        Give what is known of a sender.
        """
        query = "SELECT * FROM reputation WHERE name = ?"
        row = next(select(self.connection, query, (name,)), None)
        return None if row is None else self._read(row)

    def newest(self, limit: int | None, before: int | None) -> Sequence[Remembered]:
        """
        Give the senders that are known, the newest first.
        """
        found = newest_rows(self.connection, "reputation", limit, before)
        return [Remembered(row["number"], self._read(row)) for row in found]

    def note(self, name: str, noted: Noted) -> None:
        """
        Write what has happened to a sender.
        """
        known = self.find(name) or Reputation(name)
        if noted.delivered:
            known = evolve(
                known,
                first=known.first or noted.delivered,
                last=max(known.last, noted.delivered),
            )
            self.connection.execute(
                "INSERT OR IGNORE INTO reputation_day VALUES (?, ?)",
                (name, int(noted.delivered // DAY)),
            )
        if noted.written:
            is_new_day = noted.written // DAY > known.written // DAY
            known = evolve(
                known,
                good=known.good + (WRITTEN if is_new_day else 0.0),
                written=max(known.written, noted.written),
            )
        self._put(known)

    def rate(self, names: Sequence[str], is_spam: bool, trace: str) -> bool:
        """
        Let what was said of a message count, and tell whether anything has changed: the last word
        counts, once.
        """
        before = self.connection.execute(
            "SELECT is_spam FROM reputation_rated WHERE trace = ?", (trace,)
        ).fetchone()
        if before is not None and bool(before[0]) is is_spam:
            return False
        self.connection.execute(
            "INSERT OR REPLACE INTO reputation_rated VALUES (?, ?, ?)", (trace, is_spam, self.now)
        )
        for name in dict.fromkeys(names):
            self._rate(name, is_spam, before is not None)
        return True

    def ripen(self, day: int) -> None:
        """
        Let the days count on which nobody has complained.

        @param day: the last one that counts, in days since the epoch.
        """
        for name, days in self.connection.execute(
            "SELECT name, count(*) FROM reputation_day WHERE day <= ? GROUP BY name", (day,)
        ).fetchall():
            known = self.find(name)
            if known is not None:
                self._put(evolve(known, good=known.good + KEPT * days), is_touched=False)
        self.connection.execute("DELETE FROM reputation_day WHERE day <= ?", (day,))

    def forget_ratings(self, seconds: float, most: int) -> None:
        """
        Forget what was said so long ago, and all but the last ones.
        """
        self.connection.execute("DELETE FROM reputation_rated WHERE at <= ?", (self.now - seconds,))
        self.connection.execute(
            "DELETE FROM reputation_rated WHERE trace IN"
            " (SELECT trace FROM reputation_rated ORDER BY at DESC LIMIT -1 OFFSET ?)",
            (most,),
        )

    def make_room(self, most: int, slack: int) -> None:
        """
        Forget those that are too many: first of whom little is known, so that nobody who makes up
        domains pushes out those that have a name.
        """
        excess = count_rows(self.connection, "reputation") - most
        if excess > slack:
            forget(
                self.connection,
                "number IN (SELECT number FROM reputation"
                " ORDER BY good + bad >= ? OR written > 0, touched, number LIMIT ?)",
                (LIGHT, excess),
            )

    def _rate(self, name: str, is_spam: bool, is_changed: bool) -> None:
        known = self.find(name) or Reputation(name)
        good, bad = known.good, known.bad
        if is_spam:
            good, bad = max(0.0, good - RELEASED * is_changed), bad + SPAM
            # What was delivered in the last days has been complained of.
            self.connection.execute("DELETE FROM reputation_day WHERE name = ?", (name,))
        else:
            good, bad = good + RELEASED, max(0.0, bad - SPAM * is_changed)
        self._put(evolve(known, good=good, bad=bad))

    def _read(self, row: sqlite3.Row) -> Reputation:
        left = 0.5 ** (max(0.0, self.now - row["changed"]) / self.half_life)
        return Reputation(
            row["name"],
            row["good"] * left,
            row["bad"] * left,
            row["first"],
            row["last"],
            row["written"],
        )

    def _put(self, known: Reputation, is_touched: bool = True) -> None:
        """
        Write what is known.

        @param is_touched: whether something was heard of the sender.
        """
        values = {**asdict(known), "changed": self.now, "is_touched": is_touched}
        self.connection.execute(_PUT, values)


def forget(connection: sqlite3.Connection, condition: str, parameters: Sequence[Any] = ()) -> int:
    """
    Forget the senders for which a condition holds, and count them.
    """
    gone = connection.execute(
        f"DELETE FROM reputation WHERE {condition} RETURNING name", parameters
    ).fetchall()
    connection.executemany("DELETE FROM reputation_day WHERE name = ?", gone)
    return len(gone)
