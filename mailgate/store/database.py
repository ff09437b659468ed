"""
SQLite as a service: one writer that commits in groups, and readers beside it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from attrs import Factory, define
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.interfaces import IThreads
from mailgate.store.schema import Migration, SchemaTooNew, migrate

T = TypeVar("T")
Connect = Callable[..., sqlite3.Connection]
Write = Callable[[sqlite3.Connection], T]

BUSY_SECONDS = 5.0
"""How long a lock that another program holds is waited for."""

COMPANY_SECONDS = 0.002
"""How long a write waits for others to share its commit."""

LAST_NUMBER = 2**63 - 1
"""Beyond every number that SQLite gives to a row."""

_GROUP = 1000
_IDLE_READERS = 2
_CALLERS_MISTAKES = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.NotSupportedError,
)


class StoreError(OSError):
    """
    The database could not be read or written: disk full, locked, damaged, read-only.
    """

    @classmethod
    def of(cls, error: sqlite3.Error, path: Path) -> StoreError:
        """
        Translate what SQLite said of the file C{path}.
        """
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        return cls(errno.ENOSPC if is_full else errno.EIO, str(error), str(path))

    def __str__(self) -> str:
        """
        Say it to a person, with the file it is about.
        """
        return f"{self.filename}: {self.strerror}" if self.filename else str(self.strerror)


class StoreClosed(StoreError):
    """
    The database was asked for something before its start or after its end.
    """


@define(eq=False)
class _Request(Generic[T]):
    function: Write[T]
    done: Deferred[T] = Factory(Deferred)
    result: T | None = None
    error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """
        Do what is asked so that its failure leaves the others of its group alone.
        """
        connection.execute("SAVEPOINT request")
        try:
            self.result = self.function(connection)
        except Exception as error:
            if not connection.in_transaction:
                # SQLite has undone the whole group by itself, as it does when the disk is full.
                raise
            connection.execute("ROLLBACK TO request")
            self.error = error
        connection.execute("RELEASE request")

    def answer(self) -> None:
        """
        Tell the caller how it went.
        """
        if self.error is not None:
            self.done.errback(self.error)
        else:
            self.done.callback(cast(T, self.result))


class Database:
    """
    One SQLite file in WAL mode with C{synchronous=FULL}.

    Writes are collected: one thread at a time runs all that wait, each in a savepoint of its
    own, and commits them together. A write is answered after its commit is on the disk.
    """

    log = Logger()

    def __init__(
        self,
        path: Path,
        writer: IThreads,
        readers: IThreads,
        connect: Connect = sqlite3.connect,
        company: float = COMPANY_SECONDS,
    ) -> None:
        """
        @param writer: where the writing is done; a pool of its own, so that nothing delays it.
        @param readers: where the reading is done.
        @param connect: makes a connection, as L{sqlite3.connect} does.
        @param company: seconds that a first write waits for others.
        """
        self.path = path
        self._writer = writer
        self._readers = readers
        self._connect = connect
        self._company = company
        self._connection: sqlite3.Connection | None = None
        self._waiting: deque[_Request[Any]] = deque()
        self._group: list[_Request[Any]] = []
        """What the writer's thread has taken of what waits."""
        self._is_open = False
        self._is_writing = False
        self._idle: list[sqlite3.Connection] = []
        self._drained: list[Deferred[None]] = []

    def start(self, migrations: Sequence[Migration]) -> Deferred[None]:
        """
        Open the file, or create it, and bring it to the present schema.

        @raise SchemaTooNew: a newer program wrote it.
        @raise StoreError: it cannot be read or written, or is no database.
        """
        return self._writer.run(self._open, migrations).addCallback(self._opened)

    def write(self, function: Write[T]) -> Deferred[T]:
        """
        Call C{function} with a connection inside a transaction, in the writer's thread.

        It must neither commit nor keep the connection. What it raises undoes what it did,
        and nothing else. Cancelling the Deferred forgets the result and undoes nothing.

        @return: what C{function} returned, once that is on the disk.
        @raise StoreError: it is not on the disk.
        """
        if not self._is_open:
            return fail(StoreClosed(errno.EBADF, f"{self.path} is not open"))
        request = _Request(function)
        self._waiting.append(request)
        if not self._is_writing:
            self._write_waiting(self._company)
        return request.done

    def read(self, function: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """
        Call C{function} with a connection that shows one state of the database, in a thread.

        @raise StoreError: it cannot be read.
        """
        if not self._is_open:
            return fail(StoreClosed(errno.EBADF, f"{self.path} is not open"))
        return self._readers.run(self._read, function)

    def is_there(self) -> Deferred[bool]:
        """
        Wait until the writer's thread has done what was asked of it so far. That the disk is full
        or the file damaged is no matter here: it answers.
        """

        def answered(failure: Failure) -> bool:
            failure.trap(StoreError)
            return True

        return self.write(lambda _: True).addErrback(answered)

    def close(self) -> Deferred[None]:
        """
        Wait for what has been asked for, and close the file.
        """
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> None:
        self._is_open = False
        if self._is_writing:
            drained: Deferred[None] = Deferred()
            self._drained.append(drained)
            await drained
        await self._writer.run(self._close)

    # -- in the reactor ---------------------------------------------------------------

    def _opened(self, steps: int) -> None:
        self._is_open = True
        if steps:
            self.log.info(
                "{event} {path} by {steps} steps",
                event="store.migrated",
                path=str(self.path),
                steps=steps,
            )

    def _write_waiting(self, company: float) -> None:
        self._is_writing = True
        writing = maybeDeferred(self._writer.run, self._commit_waiting, company)
        writing.addCallbacks(self._answer, self._not_run)

    def _answer(self, _: None) -> None:
        group, self._group = self._group, []
        for request in group:
            if request.error is not None:
                request.error = self._translated(request.error)
            request.answer()
        if self._waiting:
            self._write_waiting(0)
        else:
            self._rest()

    def _not_run(self, failure: Failure) -> None:
        """
        Let nobody wait for a thread that there is not, or that broke. The next write tries anew.
        """
        self.log.failure("{event} {path}", failure, event="store.not_written", path=str(self.path))
        group, self._group = [*self._group, *self._waiting], []
        self._waiting.clear()
        self._is_writing = False
        reason = f"the writer failed: {failure.getErrorMessage()}"
        for request in group:
            request.error = StoreError(errno.EIO, reason, str(self.path))
            request.answer()
        if not self._is_writing:
            self._rest()

    def _rest(self) -> None:
        self._is_writing = False
        drained, self._drained = self._drained, []
        for waiter in drained:
            waiter.callback(None)

    # -- in the writer's thread -------------------------------------------------------

    def _open(self, migrations: Sequence[Migration]) -> int:
        # SQLite would make it readable for everybody, and it holds the hashes of passwords.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            connection = self._new_connection()
            try:
                steps = migrate(connection, migrations)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise StoreError.of(error, self.path) from error
        except SchemaTooNew as error:
            raise SchemaTooNew(f"{self.path} cannot be used: {error}") from None
        self._connection = connection
        return steps

    def _new_connection(self) -> sqlite3.Connection:
        connection = self._connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def _commit_waiting(self, company: float) -> None:
        """
        Run a group of what waits. What goes wrong there is its answer.
        """
        if company:
            time.sleep(company)
        while self._waiting and len(self._group) < _GROUP:
            self._group.append(self._waiting.popleft())
        try:
            self._commit(self._group)
        except Exception as error:
            for request in self._group:
                request.error = error
            # The next group begins with a new connection, whatever state this one is in.
            self._close_writer()

    def _commit(self, group: Sequence[_Request[Any]]) -> None:
        if self._connection is None:
            self._connection = self._new_connection()
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        for request in group:
            request.run(connection)
        connection.execute("COMMIT")

    def _close(self) -> None:
        while self._idle:
            self._idle.pop().close()
        self._close_writer()

    def _close_writer(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _translated(self, error: Exception) -> Exception:
        """
        Turn what SQLite says of the file or the disk into a L{StoreError}.
        """
        if isinstance(error, sqlite3.Error) and not isinstance(error, _CALLERS_MISTAKES):
            return StoreError.of(error, self.path)
        return error

    # -- in a reader's thread ---------------------------------------------------------

    def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._read_once(function)
        except sqlite3.Error as error:
            translated = self._translated(error)
            if translated is error:
                raise
            raise translated from error

    def _read_once(self, function: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = None
        try:
            if connection is None:
                connection = self._new_connection()
                connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            result = function(connection)
            connection.execute("ROLLBACK")
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        if self._is_open and len(self._idle) < _IDLE_READERS:
            self._idle.append(connection)
        else:
            connection.close()
        return result


def select(
    connection: sqlite3.Connection, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()
) -> Iterator[sqlite3.Row]:
    """
    Run a statement and give its rows, whose columns can be asked for by name.
    """
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(sql, parameters)


def newest_rows(
    connection: sqlite3.Connection, tables: str, limit: int | None, before: int | None
) -> Iterator[sqlite3.Row]:
    """
    Give rows that have a C{number}, the newest first.

    @param tables: a table, or several as they are joined.
    @param limit: at most so many; C{None} is all.
    @param before: the number of the last one seen, to go on from there.
    """
    return select(
        connection,
        f"SELECT * FROM {tables} WHERE number < ? ORDER BY number DESC LIMIT ?",
        (LAST_NUMBER if before is None else before, -1 if limit is None else limit),
    )


def count_rows(connection: sqlite3.Connection, table: str, condition: str = "") -> int:
    """
    Count the rows of a table, or those for which a condition holds.
    """
    # All rows are counted several times as fast where there is no condition at all.
    where = f" WHERE {condition}" if condition else ""
    (number,) = connection.execute(f"SELECT count(*) FROM {table}{where}").fetchone()
    return int(number)
