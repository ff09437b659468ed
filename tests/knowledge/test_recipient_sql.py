"""
Tests of recipients in a database.
"""

import sqlite3
import time
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.recipients import DatabaseTls, PostgresqlSource, SqliteSource
from mailgate.knowledge.recipient_asking import SourceFailed
from mailgate.knowledge.recipient_sql import Pool, PostgresqlDatabase, SqliteDatabase
from mailgate.store.threads import ImmediateThreads, immediate_result
from mailgate.wire.address import Address
from mailgate.wire.virtual import TARGETS
from tests.contracts.test_recipient_source import server
from tests.storage import temporary_folder

ADA = Address("ada", "example.com")
NUMBERS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT {})"


class FakeDatabase:
    """
    A database that fails when it is told to.
    """

    def __init__(self):
        self.journal = []
        self.has_failed = False
        self.fails = 0
        self.is_lost = False
        """Whether a connection that fails is gone."""

    def connect(self):
        """
        Make a connection.
        """
        self.journal.append("connect")
        return object()

    def is_current(self, connection):
        """
        Tell whether it is of use.
        """
        return not (self.is_lost and self.has_failed)

    def query(self, connection, parameters):
        """
        Answer or fail.
        """
        self.journal.append("query")
        self.has_failed = self.fails > 0
        if self.has_failed:
            self.fails -= 1
            raise SourceFailed("no")
        return [("ada@example.com",)]

    def close(self, connection):
        """
        Close it.
        """
        self.journal.append("close")


class PoolTests(SynchronousTestCase):
    """
    Tests of connections that are used again.
    """

    def setUp(self):
        """
        Make a pool.
        """
        self.database = FakeDatabase()
        self.pool = Pool(self.database, ImmediateThreads())

    def look(self):
        """
        Look somebody up.
        """
        return immediate_result(self.pool.look(ADA))

    def test_used_again(self):
        """
        A connection is used again, and closed at the end.
        """
        self.look()
        self.look()
        self.pool.close()
        self.assertEqual(self.database.journal, ["connect", "query", "query", "close"])

    def test_new_one_fails(self):
        """
        A query that fails on a new connection is not asked again.
        """
        self.database.fails = 1
        self.assertRaises(SourceFailed, self.look)
        self.assertEqual(self.database.journal, ["connect", "query", "close"])
        self.assertEqual(self.look(), (ADA,))

    def test_old_one_is_lost(self):
        """
        One that is lost although it was used before is made anew, once.
        """
        self.look()
        self.database.is_lost = True
        self.database.fails = 1
        self.assertEqual(self.look(), (ADA,))
        again = ["query", "close", "connect", "query"]
        self.assertEqual(self.database.journal, ["connect", "query", *again])

    def test_query_fails(self):
        """
        A query that the database refuses is not asked again: it may have been too slow.
        """
        self.look()
        self.database.fails = 1
        self.assertRaises(SourceFailed, self.look)
        self.assertEqual(self.database.journal, ["connect", "query", "query", "close"])

    def test_closed_while_in_use(self):
        """
        A connection that is in use while the pool is closed is closed afterwards.
        """
        query = self.database.query

        def closing(connection, parameters):
            self.pool.close()
            return query(connection, parameters)

        self.database.query = closing
        self.look()
        self.assertEqual(self.database.journal, ["connect", "query", "close"])


class RowTests(SynchronousTestCase):
    """
    Tests of what the rows say.
    """

    def look(self, query, seconds=10.0):
        """
        Ask a query of an empty file.
        """
        path = temporary_folder(self) / "x.db"
        sqlite3.connect(path).close()
        source = SqliteSource(kind="sqlite", file=path, query=query, answer_seconds=seconds)
        pool = Pool(SqliteDatabase(source), ImmediateThreads())
        self.addCleanup(pool.close)
        return immediate_result(pool.look(ADA))

    def test_rows(self):
        """
        The first column says what the address stands for, or only that it is there.
        """
        bob = Address("bob", "example.com")
        for values, expected in (
            ("('ada@example.com')", (ADA,)),
            ("('ada@example.com'), ('bob@example.com'), ('ada@example.com')", (ADA, bob)),
            ("('ada@example.com, bob@example.com')", (ADA, bob)),
            ("('ada@example.com', 'bob@example.com')", (ADA,)),
            ("('@example.org')", (Address("", "example.org"),)),
            ("(1)", ()),
            ("(NULL)", ()),
            ("('')", ()),
            ("('maildir/ada')", ()),
            ("(x'00')", ()),
        ):
            found = self.look(f"SELECT * FROM (VALUES {values}) WHERE :address = :address")
            self.assertEqual(found, expected, values)
        self.assertIsNone(self.look("SELECT 1 WHERE :address = 'x'"))

    def test_no_address(self):
        """
        What looks like an address and is none is a failure, not a recipient.
        """
        for value in ("ada@@example.com", "ada@example.com bob@example.com", "a@b>\r\nDATA"):
            query = f"SELECT '{value}' WHERE :address = :address"
            self.assertRaises(SourceFailed, self.look, query)

    def test_many(self):
        """
        So are more addresses than an alias may stand for.
        """
        for number, is_fine in ((TARGETS, True), (TARGETS + 1, False)):
            query = f"{NUMBERS.format(number)} SELECT x || '@a.example' FROM n WHERE :address <> 1"
            if is_fine:
                self.assertEqual(len(self.look(query)), number)
            else:
                self.assertRaises(SourceFailed, self.look, query)

    def test_slow(self):
        """
        A query that takes too long is broken off.
        """
        began = time.monotonic()
        query = f"{NUMBERS.format(10**12)} SELECT count(*) FROM n WHERE :address <> 1"
        error = self.assertRaises(SourceFailed, self.look, query, 0.2)
        self.assertEqual(str(error), "interrupted")
        self.assertLess(time.monotonic() - began, 5)


class SqliteTests(SynchronousTestCase):
    """
    Tests with a file.
    """

    def setUp(self):
        """
        Make one.
        """
        self.path = temporary_folder(self) / "recipients?.db"
        self.write(self.path, "ada@example.com")
        source = SqliteSource(
            kind="sqlite",
            file=self.path,
            query="SELECT a FROM r WHERE a = :local || '@' || :domain",
        )
        self.pool = Pool(SqliteDatabase(source), ImmediateThreads())
        self.addCleanup(self.pool.close)

    def write(self, path, address):
        """
        Make a file with one recipient.
        """
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE r (a TEXT)")
        connection.execute("INSERT INTO r VALUES (?)", (address,))
        connection.commit()
        connection.close()

    def look(self, local):
        """
        Look somebody up.
        """
        return immediate_result(self.pool.look(Address(local, "example.com")))

    def test_replaced(self):
        """
        A file that is made anew and put in its place is noticed.
        """
        self.assertEqual(self.look("ada"), (ADA,))
        other = self.path.with_suffix(".new")
        self.write(other, "bob@example.com")
        other.rename(self.path)
        self.assertIsNone(self.look("ada"))
        self.assertIsNotNone(self.look("bob"))

    def test_never_made(self):
        """
        A file that is not there is not made.
        """
        self.path.unlink()
        self.assertRaises(SourceFailed, self.look, "ada")
        self.assertFalse(self.path.exists())

    def test_read_only(self):
        """
        Nothing can be written, whatever the query is.
        """
        source = SqliteSource(
            kind="sqlite",
            file=self.path,
            query="WITH x AS (SELECT :address) DELETE FROM r RETURNING a",
        )
        pool = Pool(SqliteDatabase(source), ImmediateThreads())
        self.addCleanup(pool.close)
        with self.assertRaisesRegex(SourceFailed, "readonly"):
            immediate_result(pool.look(ADA))
        self.assertEqual(self.look("ada"), (ADA,))


class PostgresqlTests(SynchronousTestCase):
    """
    Tests with a server.
    """

    def make(self, query, **options):
        """
        Make a pool, on the server of this process.
        """
        try:
            import psycopg
        except ImportError:
            raise SkipTest("not installed: psycopg") from None
        from psycopg.conninfo import conninfo_to_dict

        self.psycopg = psycopg
        place = conninfo_to_dict(server().get_uri())
        place = {"host": place["host"], "database": place["dbname"], "user": place["user"]}
        source = PostgresqlSource(kind="postgresql", query=query, **{**place, **options})
        pool = Pool(PostgresqlDatabase(source), ImmediateThreads())
        self.addCleanup(pool.close)
        return pool

    def look(self, pool):
        """
        Look somebody up.
        """
        return immediate_result(pool.look(ADA))

    def test_restarted(self):
        """
        A connection that the server has ended is made anew, and nobody notices.
        """
        pool = self.make("SELECT pg_backend_pid(), :address")
        self.look(pool)
        with self.psycopg.connect(server().get_uri(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'mailgate'"
            )
        self.assertEqual(self.look(pool), ())

    def test_slow(self):
        """
        A query that takes too long is broken off.
        """
        pool = self.make("SELECT pg_sleep(30), :address", answer_seconds=0.2)
        with self.assertRaisesRegex(SourceFailed, "statement timeout"):
            self.look(pool)

    def test_read_only(self):
        """
        Nothing can be written.
        """
        pool = self.make("WITH x AS (SELECT :address) SELECT lo_create(0) FROM x")
        with self.assertRaisesRegex(SourceFailed, "read-only"):
            self.look(pool)

    def test_unreachable(self):
        """
        A server that is not there is a failure, in one line.
        """
        pool = self.make("SELECT :address", host="127.0.0.1", port=1)
        error = self.assertRaises(SourceFailed, self.look, pool)
        self.assertNotIn("\n", str(error))

    def test_tls(self):
        """
        Off this machine it is verified TLS, unless the address is this machine's own.
        """
        for host, tls, mode in (
            ("db.example.com", None, "verify-full"),
            ("192.0.2.1", None, "verify-full"),
            ("127.0.0.1", None, "disable"),
            ("/run/postgresql", None, "disable"),
            ("localhost", DatabaseTls.VERIFIED, "verify-full"),
        ):
            pool = self.make("SELECT :address", host=host, tls=tls)
            self.assertEqual(pool._database._tls()["sslmode"], mode, host)
