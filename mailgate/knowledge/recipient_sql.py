"""
Recipients in a database: SQLite, or PostgreSQL.

The operator's query is asked with the address as its parameters. No row: nobody has the address.
The first column of the rows says what it stands for: addresses, also several with commas between
them. Where it says something else, as a number or NULL, the address is only known to exist.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from attrs import frozen
from twisted.internet.defer import Deferred

from mailgate.config.queries import for_psycopg
from mailgate.config.recipients import DatabaseTls, PostgresqlSource, SqliteSource
from mailgate.config.sources import read_password
from mailgate.config.values import is_this_machine
from mailgate.interfaces import IThreads
from mailgate.knowledge.recipient_asking import Found, SourceFailed
from mailgate.wire.address import Address
from mailgate.wire.virtual import TARGETS, parse_address

C = TypeVar("C")
Rows = Sequence[Sequence[Any]]
Parameters = Mapping[str, str]


class IsDatabase(Protocol[C]):
    """
    A database that blocks. What goes wrong is a L{SourceFailed}.
    """

    def connect(self) -> C:
        """
        Make a connection.
        """

    def is_current(self, connection: C) -> bool:
        """
        Tell whether a connection that has been idle still leads to the right place.
        """

    def query(self, connection: C, parameters: Parameters) -> Rows:
        """
        Ask the query, and give at most one row more than L{TARGETS}.
        """

    def close(self, connection: C) -> None:
        """
        Close a connection.
        """


class Pool(Generic[C]):
    """
    Connections to a database, each used by one thread at a time, and used again.
    """

    def __init__(self, database: IsDatabase[C], threads: IThreads) -> None:
        """
        @param threads: where it is asked: as many of them as there may be connections.
        """
        self._database = database
        self._threads = threads
        self._idle: deque[C] = deque()
        self._is_closed = False

    def look(self, address: Address) -> Deferred[Found]:
        """
        Look an address up.

        @raise SourceFailed: it is not possible.
        """
        text = f"{address.local}@{address.domain}"
        parameters = {"address": text, "local": address.local, "domain": address.domain}
        return self._threads.run(self._ask, parameters).addCallback(_stands_for)

    def close(self) -> None:
        """
        Close all connections; those in use at the end of their query.
        """
        self._is_closed = True
        while self._idle:
            self._database.close(self._idle.pop())

    def _ask(self, parameters: Parameters) -> Rows:
        connection, is_new = self._take()
        try:
            rows = self._database.query(connection, parameters)
        except SourceFailed:
            is_open = self._database.is_current(connection)
            self._database.close(connection)
            if is_new or is_open:
                raise
            # The server was restarted, or has closed what was idle.
            connection = self._database.connect()
            try:
                rows = self._database.query(connection, parameters)
            except SourceFailed:
                self._database.close(connection)
                raise
        self._idle.append(connection)
        if self._is_closed:
            self.close()
        return rows

    def _take(self) -> tuple[C, bool]:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._database.connect(), True
            if self._database.is_current(connection):
                return connection, False
            self._database.close(connection)


@frozen(eq=False)
class _Opened:
    connection: sqlite3.Connection
    file: tuple[int, int]
    """The device and the number of the file."""


class SqliteDatabase:
    """
    A file of SQLite, that is only read. One that takes its place by rename is noticed.
    """

    def __init__(self, source: SqliteSource, clock: Callable[[], float] = time.monotonic) -> None:
        """
        @param clock: seconds, for the time a query may take.
        """
        self._source = source
        self._clock = clock

    def connect(self) -> _Opened:
        """
        Open the file.
        """
        path = self._source.file
        try:
            connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro",
                uri=True,
                timeout=self._source.answer_seconds,
                check_same_thread=False,
                isolation_level=None,
            )
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            return _Opened(connection, self._file())
        except (sqlite3.Error, OSError) as error:
            raise SourceFailed(str(error)) from error

    def is_current(self, connection: _Opened) -> bool:
        """
        Tell whether the file is still the one that was opened.
        """
        try:
            return self._file() == connection.file
        except OSError:
            return False

    def query(self, connection: _Opened, parameters: Parameters) -> Rows:
        """
        Ask the query.
        """
        until = self._clock() + self._source.answer_seconds
        opened = connection.connection
        opened.set_progress_handler(lambda: self._clock() > until, 10_000)
        try:
            return opened.execute(self._source.query, parameters).fetchmany(TARGETS + 1)
        except sqlite3.Error as error:
            raise SourceFailed(str(error)) from error

    def close(self, connection: _Opened) -> None:
        """
        Close the file.
        """
        connection.connection.close()

    def _file(self) -> tuple[int, int]:
        found = os.stat(self._source.file)
        return found.st_dev, found.st_ino


class PostgresqlDatabase:
    """
    A server of PostgreSQL, in which nothing is written.
    """

    def __init__(self, source: PostgresqlSource) -> None:
        """
        @raise ImportError: psycopg is not installed.
        """
        import psycopg

        self._psycopg = psycopg
        self._source = source
        self._query = for_psycopg(source.query)

    def connect(self) -> Any:
        """
        Connect to the server.
        """
        source = self._source
        milliseconds = int(source.answer_seconds * 1000)
        try:
            path = source.password_file
            return self._psycopg.connect(
                host=source.host,
                port=source.port,
                dbname=source.database,
                user=source.user,
                password=None if path is None else read_password(path),
                autocommit=True,
                # With a pooler between us a statement may be asked where it was not prepared.
                prepare_threshold=None,
                application_name="mailgate",
                connect_timeout=max(2, int(source.answer_seconds)),
                tcp_user_timeout=milliseconds,
                keepalives_idle=30,
                keepalives_interval=5,
                keepalives_count=2,
                options=f"-c statement_timeout={milliseconds} -c default_transaction_read_only=on",
                **self._tls(),
            )
        except (self._psycopg.Error, OSError, ValueError) as error:
            raise SourceFailed(_one_line(error)) from error

    def is_current(self, connection: Any) -> bool:
        """
        Tell whether the connection is open.
        """
        return not connection.closed

    def query(self, connection: Any, parameters: Parameters) -> Rows:
        """
        Ask the query.
        """
        try:
            with connection.cursor() as cursor:
                cursor.execute(self._query, dict(parameters))
                rows: Rows = cursor.fetchmany(TARGETS + 1)
                return rows
        except self._psycopg.Error as error:
            raise SourceFailed(_one_line(error)) from error

    def close(self, connection: Any) -> None:
        """
        Close the connection.
        """
        connection.close()

    def _tls(self) -> dict[str, Any]:
        source = self._source
        tls = source.tls
        if tls is None:
            tls = DatabaseTls.NONE if is_this_machine(source.host) else DatabaseTls.VERIFIED
        if tls is DatabaseTls.NONE:
            return {"sslmode": "disable", "gssencmode": "disable"}
        authorities = "system" if source.ca_file is None else str(source.ca_file)
        return {
            "sslmode": "verify-full",
            "sslrootcert": authorities,
            "ssl_min_protocol_version": "TLSv1.2",
            "gssencmode": "disable",
        }


def _stands_for(rows: Rows) -> Found:
    if not rows:
        return None
    found: dict[Address, None] = {}
    for row in rows:
        value = row[0] if row else None
        if not isinstance(value, str) or "@" not in value:
            continue
        for each in filter(None, map(str.strip, value.split(","))):
            try:
                found[parse_address(each)] = None
            except ValueError as error:
                raise SourceFailed(f"the query has given what is no address: {error}") from error
    if len(found) > TARGETS:
        raise SourceFailed(f"an address stands for more than {TARGETS} addresses")
    return tuple(found)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
