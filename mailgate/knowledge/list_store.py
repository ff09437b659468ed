"""
Where the allow and block lists are kept: what is added or removed is on the disk before it counts.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from mailgate.knowledge.entry import SCOPE, Entry, EntryKind, EntryRefused, ListName
from mailgate.knowledge.lists import Index, Lists
from mailgate.store.database import LAST_NUMBER, Database, count_rows, select

T = TypeVar("T")

MOST_ENTRIES = 100_000
"""How many entries there may be, so that memory and the time for a change stay small."""


class ListStore:
    """
    Adds, removes and shows entries, and keeps L{lists}, the copy in memory, up to date.
    """

    log = Logger()

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        domains: Collection[str],
        most: int = MOST_ENTRIES,
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param domains: the domains that mail is taken for, in lower case.
        @param most: how many entries there may be.
        """
        self._database = database
        self._now = now
        self.domains = domains
        self._most = most
        self.lists = Lists()
        """What counts, for the check; empty before L{load}."""

        self.changed: Callable[[Sequence[Entry], Sequence[Entry]], Deferred[Any]]
        self.changed = lambda added, removed: succeed(None)
        """Called with a change; it counts everywhere when the Deferred fires."""

    def load(self) -> Deferred[None]:
        """
        Read all entries. Only before the first change.
        """

        def work(connection: sqlite3.Connection) -> Index:
            return Index.of(map(_entry, select(connection, "SELECT * FROM list_entry")))

        def loaded(index: Index) -> None:
            self.lists.index = index

        return self._database.read(work).addCallback(loaded)

    # -- changes ----------------------------------------------------------------------

    def add(self, entry: Entry) -> Deferred[Entry]:
        """
        Add an entry. It counts when the Deferred fires.

        If the same thing is there for the same scope, that entry gets the new note, end and
        maker, and moves to the other list where it was on that.

        @return: the entry as it is stored.
        @raise EntryRefused: its scope is none of ours, its end is past, or the lists are full.
        """

        def work(connection: sqlite3.Connection) -> Entry:
            now = self._now()
            self._check(entry, now)
            stored = _insert(connection, evolve(entry, made=now))
            if count_rows(connection, "list_entry") > self._most:
                raise EntryRefused(f"The lists are full: they hold {self._most:,} entries.")
            return stored

        def committed(stored: Entry) -> Deferred[Entry]:
            self.log.info(
                "{event} {id} {list} {value} by {by}",
                event="list.added",
                id=stored.id,
                list=stored.list.value,
                kind=stored.kind.value,
                value=stored.value,
                scope=stored.scope,
                by=stored.by,
            )
            return self._change(stored, added=(stored,))

        return _regardless(self._database.write(work).addCallback(committed))

    def remove(self, identity: int, by: str) -> Deferred[Entry | None]:
        """
        Remove an entry. It does not count any more when the Deferred fires.

        @param by: who removes it, in words.
        @return: the entry as it was, or C{None} where there is none of that id.
        """

        def work(connection: sqlite3.Connection) -> Entry | None:
            gone = _delete(connection, "id = ?", identity)
            return gone[0] if gone else None

        def committed(gone: Entry | None) -> Entry | Deferred[Entry | None] | None:
            if gone is None:
                return None
            self.log.info(
                "{event} {id} {list} {value} by {by}",
                event="list.removed",
                id=gone.id,
                list=gone.list.value,
                kind=gone.kind.value,
                value=gone.value,
                scope=gone.scope,
                by=by,
            )
            return self._change(gone, removed=(gone,))

        return _regardless(self._database.write(work).addCallback(committed))

    def purge(self) -> Deferred[int]:
        """
        Remove the entries whose end has come, and count them.
        """
        now = self._now()

        def committed(gone: Sequence[Entry]) -> int | Deferred[int]:
            if not gone:
                return 0
            self.log.info("{event} {number} entries", event="list.purged", number=len(gone))
            return self._change(len(gone), removed=gone)

        writing = self._database.write(lambda connection: _delete(connection, "expires <= ?", now))
        return _regardless(writing.addCallback(committed))

    # -- looking ----------------------------------------------------------------------

    def newest(
        self,
        limit: int | None = None,
        before: int | None = None,
        list: ListName | None = None,
        scope: str | None = None,
        words: Sequence[str] = (),
        within: Collection[str] | None = None,
    ) -> Deferred[Sequence[Entry]]:
        """
        Give entries, the newest first, those that have ended too until they are purged.

        @param limit: at most so many; C{None} is all.
        @param before: the id of the last one seen, to go on from there.
        @param list: only those of one list.
        @param scope: only those of one scope, C{""} being that of everybody.
        @param within: only those of some addresses, some domains, and all addresses in these;
            C{None} is all.
        @param words: only those that have all of them in what they name, in their scope, their
            note or the name of who made them, without regard to the case of ASCII letters.
        """

        def work(connection: sqlite3.Connection) -> Sequence[Entry]:
            found = select(
                connection,
                f"SELECT * FROM list_entry WHERE {_WANTED} AND {_WITHIN} AND id < :before"
                f"{''.join(_FITS.format(at) for at in range(len(words)))}"
                " ORDER BY id DESC LIMIT :limit",
                {
                    "list": list,
                    "scope": scope,
                    "within": _encoded(within),
                    "before": LAST_NUMBER if before is None else before,
                    "limit": -1 if limit is None else limit,
                    **{f"word{at}": word for at, word in enumerate(words)},
                },
            )
            return [_entry(row) for row in found]

        return self._database.read(work)

    def count(
        self,
        list: ListName | None = None,
        scope: str | None = None,
        within: Collection[str] | None = None,
    ) -> Deferred[int]:
        """
        Count the entries that L{newest} would give.
        """
        return self._database.read(lambda connection: _count(connection, list, scope, within))

    def get(self, identity: int) -> Deferred[Entry | None]:
        """
        Give the entry of that id.
        """

        def work(connection: sqlite3.Connection) -> Entry | None:
            found = select(connection, "SELECT * FROM list_entry WHERE id = ?", (identity,))
            return next(map(_entry, found), None)

        return self._database.read(work)

    # -- inside -----------------------------------------------------------------------

    def _check(self, entry: Entry, now: float) -> None:
        domain = entry.scope.rpartition("@")[2]
        if domain and domain not in self.domains:
            raise EntryRefused(f"Whom it is for must be {SCOPE}; {domain} is none of your domains.")
        if entry.has_ended(now):
            raise EntryRefused("The end of an entry must lie ahead.")

    def _change(
        self, result: T, added: Sequence[Entry] = (), removed: Sequence[Entry] = ()
    ) -> Deferred[T]:
        """
        Give C{result} once the change counts everywhere.
        """
        # Writes are answered in the order of their commits, so memory and disk stay the same.
        self.lists.index = self.lists.index.changed(added, removed)
        return self.changed(added, removed).addCallback(lambda _: result)


def _regardless(changing: Deferred[T]) -> Deferred[T]:
    """
    Give the result of a change. Cancelling stops the waiting but not the change, which is
    committed all the same and has to reach the copy in memory.
    """
    waiting: Deferred[T] = Deferred()
    changing.chainDeferred(waiting)
    return waiting


_FITS = (
    " AND instr(lower(value || char(10) || scope || char(10) || note || char(10) || made_by),"
    " lower(:word{}))"
)
_WANTED = "(:list IS NULL OR list = :list) AND (:scope IS NULL OR scope = :scope)"

_WITHIN = (
    "(:within IS NULL OR scope IN (SELECT value FROM json_each(:within))"
    " OR substr(scope, instr(scope, '@') + 1) IN (SELECT value FROM json_each(:within)))"
)


def _encoded(within: Collection[str] | None) -> str | None:
    return None if within is None else json.dumps(sorted(within))


def _count(
    connection: sqlite3.Connection,
    list: ListName | None,
    scope: str | None,
    within: Collection[str] | None,
) -> int:
    (number,) = connection.execute(
        f"SELECT count(*) FROM list_entry WHERE {_WANTED} AND {_WITHIN}",
        {"list": list, "scope": scope, "within": _encoded(within)},
    ).fetchone()
    return int(number)


def _insert(connection: sqlite3.Connection, entry: Entry) -> Entry:
    (row,) = select(
        connection,
        "INSERT INTO list_entry (list, kind, value, scope, note, made_by, made, expires)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, value, scope) DO UPDATE SET"
        " list = excluded.list, note = excluded.note, made_by = excluded.made_by,"
        " made = excluded.made, expires = excluded.expires RETURNING *",
        (
            entry.list,
            entry.kind,
            entry.value,
            entry.scope,
            entry.note,
            entry.by,
            entry.made,
            entry.expires,
        ),
    )
    return _entry(row)


def _delete(connection: sqlite3.Connection, which: str, value: float) -> Sequence[Entry]:
    found = select(connection, f"DELETE FROM list_entry WHERE {which} RETURNING *", (value,))
    return [_entry(row) for row in found]


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        list=ListName(row["list"]),
        kind=EntryKind(row["kind"]),
        value=row["value"],
        scope=row["scope"],
        note=row["note"],
        by=row["made_by"],
        expires=row["expires"],
        made=row["made"],
        id=row["id"],
    )
