"""
Tests of L{mailgate.store.database}.
"""

import errno
import sqlite3
import threading
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, execute
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from mailgate.interfaces import IThreads
from mailgate.store.database import Database, StoreClosed, StoreError, select
from mailgate.store.schema import Migration, SchemaTooNew, migrations
from mailgate.store.threads import ImmediateThreads, Threads
from tests.pipeline.events import events
from tests.recording import Journal, recording_connect
from tests.storage import temporary_folder

TABLE = Migration(1, "first", "CREATE TABLE things (name TEXT PRIMARY KEY) STRICT;")


@implementer(IThreads)
class LateThreads:
    """
    Threads that do their work when they are told to.
    """

    def __init__(self):
        self._work = []

    def run(self, function, *args):
        """
        Remember the work.
        """
        done = Deferred()
        self._work.append((done, function, args))
        return done

    def work(self):
        """
        Do what is there to be done, once.
        """
        work, self._work = self._work, []
        for done, function, args in work:
            execute(function, *args).addBoth(done.callback)


class ScarceThreads(LateThreads):
    """
    Threads of which there may be none.
    """

    is_scarce = False

    def run(self, function, *args):
        """
        Begin to do the work.
        """
        if self.is_scarce:
            raise RuntimeError("no more threads")
        return super().run(function, *args)


def add(name):
    """
    Give a write that adds a thing.
    """
    return lambda connection: connection.execute("INSERT INTO things VALUES (?)", (name,)).rowcount


def names(connection):
    """
    Read all things.
    """
    return [name for (name,) in connection.execute("SELECT name FROM things ORDER BY name")]


def fail(connection):
    """
    Add a thing, then fail.
    """
    add("undone")(connection)
    raise ValueError("no")


class DatabaseCase(SynchronousTestCase):
    """
    Has a database whose work is done at once.
    """

    def setUp(self):
        """
        Make the folder.
        """
        self.path = temporary_folder(self) / "state.db"
        self.journal = Journal()

    def database(self, writer=None, connect=None, steps=(TABLE,)):
        """
        Open a database.
        """
        database = Database(
            self.path,
            writer or ImmediateThreads(),
            ImmediateThreads(),
            connect or recording_connect(self.journal),
            company=0,
        )
        opened = database.start(steps)
        if writer:
            writer.work()
        self.successResultOf(opened)
        return database


class WriteTests(DatabaseCase):
    """
    Tests of writing.
    """

    def test_answered_after_commit(self):
        """
        A write is answered with its result, and not before its commit.
        """
        database = self.database()
        self.journal.clear()
        written = database.write(add("one")).addCallback(
            lambda result: (result, self.journal.names())
        )
        self.assertEqual(self.successResultOf(written), (1, ["commit"]))
        self.assertEqual(self.successResultOf(database.read(names)), ["one"])

    def test_group(self):
        """
        What is asked for meanwhile shares one commit.
        """
        threads = LateThreads()
        database = self.database(threads)
        written = [database.write(add(name)) for name in "abc"]
        self.assertNoResult(written[0])
        self.journal.clear()
        threads.work()
        self.assertEqual([self.successResultOf(each) for each in written], [1, 1, 1])
        self.assertEqual(len(self.journal.steps), 1)

    def test_asked_during_commit(self):
        """
        What is asked for while a group is answered goes into the next one.
        """
        threads = LateThreads()
        database = self.database(threads)
        both = database.write(add("a")).addCallback(lambda _: database.write(add("b")))
        threads.work()
        self.assertNoResult(both)
        threads.work()
        self.assertEqual(self.successResultOf(both), 1)

    def test_failure_harms_no_other(self):
        """
        A failing write is undone and fails, and the others of its group succeed.
        """
        threads = LateThreads()
        database = self.database(threads)
        first, failing, last = map(database.write, (add("a"), fail, add("b")))
        threads.work()
        self.failureResultOf(failing, ValueError)
        self.assertEqual([self.successResultOf(first), self.successResultOf(last)], [1, 1])
        self.assertEqual(self.successResultOf(database.read(names)), ["a", "b"])

    def test_callers_mistake(self):
        """
        A broken constraint is the caller's affair and reaches it as it is.
        """
        database = self.database()
        self.successResultOf(database.write(add("a")))
        self.failureResultOf(database.write(add("a")), sqlite3.IntegrityError)

    def test_cancelled(self):
        """
        A cancelled write is written all the same.
        """
        threads = LateThreads()
        database = self.database(threads)
        database.write(add("a")).addErrback(lambda _: None).cancel()
        threads.work()
        self.assertEqual(self.successResultOf(database.read(names)), ["a"])

    def test_is_there(self):
        """
        The writer is there once it has answered, also where the file is of no use; not before.
        """
        threads = LateThreads()
        database = self.database(threads)
        found = database.is_there()
        self.assertNoResult(found)
        threads.work()
        self.assertIs(self.successResultOf(found), True)
        closing = database.close()
        threads.work()
        self.successResultOf(closing)
        self.assertIs(self.successResultOf(database.is_there()), True)

    def test_durable(self):
        """
        The connection syncs each commit, keeps a write-ahead log, and holds to foreign keys.
        """
        database = self.database()
        pragmas = ("synchronous", "journal_mode", "foreign_keys")
        found = database.write(
            lambda connection: [
                connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas
            ]
        )
        self.assertEqual(self.successResultOf(found), [2, "wal", 1])


class ReadTests(DatabaseCase):
    """
    Tests of reading.
    """

    def test_one_state(self):
        """
        A read sees the database as it was when it began, and may go on during a write.
        """
        database = self.database()

        def work(connection):
            before = names(connection)
            self.successResultOf(database.write(add("new")))
            return before, names(connection)

        self.assertEqual(self.successResultOf(database.read(work)), ([], []))
        self.assertEqual(self.successResultOf(database.read(names)), ["new"])

    def test_changes_nothing(self):
        """
        A read cannot write.
        """
        database = self.database()
        self.failureResultOf(database.read(add("a")), StoreError)

    def test_by_name(self):
        """
        The rows of a selection give their columns by name.
        """
        database = self.database()
        self.successResultOf(database.write(add("a")))
        found = database.read(
            lambda connection: [row["name"] for row in select(connection, "SELECT * FROM things")]
        )
        self.assertEqual(self.successResultOf(found), ["a"])

    def test_connections_are_kept(self):
        """
        One read after the other uses the same connection.
        """
        opened = []

        def connect(*args, **keywords):
            opened.append(args)
            return sqlite3.connect(*args, **keywords)

        database = self.database(connect=connect)
        for _ in range(3):
            self.successResultOf(database.read(names))
        self.assertEqual(len(opened), 2)


class TroubleTests(DatabaseCase):
    """
    Tests of disks and files that fail (F4, F12).
    """

    def test_f12_locked(self):
        """
        A database that another program has locked is an error, and works again after it.
        """
        database = self.database(
            connect=lambda path, timeout, **more: sqlite3.connect(path, timeout=0, **more)
        )
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        failure = self.failureResultOf(database.write(add("a")), StoreError)
        self.assertIn("locked", str(failure.value))
        other.execute("COMMIT")
        other.close()
        self.assertEqual(self.successResultOf(database.write(add("a"))), 1)

    def test_f4_full(self):
        """
        A full disk fails the write with ENOSPC, keeps what was there, and recovers alone.
        """
        database = self.database()
        self.successResultOf(database.write(add("before")))

        def fill(connection):
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
            connection.executemany(
                "INSERT INTO things VALUES (?)", [(f"{n} {'x' * 2000}",) for n in range(50)]
            )

        failure = self.failureResultOf(database.write(fill), StoreError)
        self.assertEqual(failure.value.errno, errno.ENOSPC)
        self.assertEqual(self.successResultOf(database.read(names)), ["before"])
        self.assertEqual(self.successResultOf(database.write(add("after"))), 1)

    def test_failed_commit(self):
        """
        A commit that fails is the answer to all of its group; the next group is written.
        """

        class Connection(sqlite3.Connection):
            is_failing = True

            def execute(self, sql, *parameters):
                if sql == "COMMIT" and Connection.is_failing:
                    raise sqlite3.OperationalError("disk I/O error")
                return super().execute(sql, *parameters)

        threads = LateThreads()
        database = self.database(
            threads, lambda *args, **more: sqlite3.connect(*args, factory=Connection, **more)
        )
        written = [database.write(add(name)) for name in "ab"]
        threads.work()
        for each in written:
            self.failureResultOf(each, StoreError)
        Connection.is_failing = False
        again = database.write(add("c"))
        threads.work()
        self.assertEqual(self.successResultOf(again), 1)
        self.assertEqual(self.successResultOf(database.read(names)), ["c"])

    def test_f12_damaged(self):
        """
        A file that is no database is refused at the start, and is left as it is.
        """
        self.path.write_bytes(b"This was a database once." * 100)
        database = Database(self.path, ImmediateThreads(), ImmediateThreads(), company=0)
        failure = self.failureResultOf(database.start([TABLE]), StoreError)
        self.assertEqual(str(failure.value), f"{self.path}: file is not a database")
        self.assertTrue(self.path.read_bytes().startswith(b"This was"))

    def test_f12_damaged_later(self):
        """
        Damage that shows only when a row is read or written is told with the file, too.
        """
        database = self.database()

        def meet_damage(connection):
            raise sqlite3.DatabaseError("database disk image is malformed")

        for asked in (database.read(meet_damage), database.write(meet_damage)):
            failure = self.failureResultOf(asked, StoreError)
            self.assertEqual(str(failure.value), f"{self.path}: database disk image is malformed")

    def test_no_thread(self):
        """
        Where no thread can be had the write fails, and so does what waits; the next one is
        written.
        """
        threads = ScarceThreads()
        database = self.database(threads)
        threads.is_scarce = True
        with events() as told:
            failed = database.write(add("a"))
        self.assertIn("no more threads", str(self.failureResultOf(failed, StoreError).value))
        self.assertEqual(
            [(e["event"], e["path"]) for e in told], [("store.not_written", str(self.path))]
        )
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        threads.is_scarce = False
        written = database.write(add("b"))
        threads.work()
        self.assertEqual(self.successResultOf(written), 1)

    def test_broken_thread(self):
        """
        Where the writer breaks, all that it had taken or that waits fails, and the end does not
        wait for it.
        """

        class Connection(sqlite3.Connection):
            def execute(self, sql, *parameters):
                if sql == "COMMIT":
                    raise sqlite3.OperationalError("disk I/O error")
                return super().execute(sql, *parameters)

            def close(self):
                raise RuntimeError("no end")

        threads = LateThreads()
        database = self.database(
            threads, lambda *args, **more: sqlite3.connect(*args, factory=Connection, **more)
        )
        taken = database.write(add("a"))
        later = taken.addBoth(lambda result: (result, database.write(add("b"))))
        closed = database.close()
        threads.work()
        result, refused = self.successResultOf(later)
        self.assertIsInstance(result.value, StoreError)
        self.failureResultOf(refused, StoreClosed)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        threads.work()
        self.successResultOf(closed)

    def test_written_again_at_once(self):
        """
        Who writes again as soon as it hears of the failure is written.
        """
        threads = ScarceThreads()
        database = self.database(threads)
        threads.is_scarce = True

        def again(failure):
            threads.is_scarce = False
            return database.write(add("a"))

        written = database.write(add("a")).addErrback(again)
        self.flushLoggedErrors(RuntimeError)
        closed = database.close()
        threads.work()
        self.assertEqual(self.successResultOf(written), 1)
        threads.work()
        self.successResultOf(closed)

    def test_f12_newer(self):
        """
        A database of a newer program is refused in words that name it.
        """
        later = Migration(2, "later", "CREATE TABLE more (name TEXT) STRICT;")
        self.successResultOf(self.database(steps=[TABLE, later]).close())
        old = Database(self.path, ImmediateThreads(), ImmediateThreads(), company=0)
        failure = self.failureResultOf(old.start([TABLE]), SchemaTooNew)
        self.assertIn(str(self.path), str(failure.value))
        self.assertIn("schema 2", str(failure.value))

    def test_closed(self):
        """
        What is asked before the start or after the end is refused as a failure of the store.
        """
        database = Database(self.path, ImmediateThreads(), ImmediateThreads(), company=0)
        self.failureResultOf(database.write(add("a")), StoreClosed)
        self.successResultOf(database.start([TABLE]))
        self.successResultOf(database.close())
        self.failureResultOf(database.read(names), OSError)

    def test_close_waits(self):
        """
        Closing waits for the writes that were asked for.
        """
        threads = LateThreads()
        database = self.database(threads)
        written = database.write(add("a"))
        closed = database.close()
        threads.work()
        self.assertEqual(self.successResultOf(written), 1)
        self.assertNoResult(closed)
        threads.work()
        self.successResultOf(closed)


class ThreadedTests(TestCase):
    """
    Tests with threads.
    """

    def test_writer_and_readers(self):
        """
        Many writes and reads at the same time are all answered, each group in one thread.
        """
        pool = ThreadPool(0, 4)
        pool.start()
        self.addCleanup(pool.stop)
        writer = ThreadPool(0, 1)
        writer.start()
        self.addCleanup(writer.stop)
        path = temporary_folder(self) / "state.db"
        database = Database(path, Threads(reactor, writer), Threads(reactor, pool))
        seen = set()

        def work(name):
            def insert(connection):
                seen.add(threading.get_ident())
                return add(name)(connection)

            return insert

        async def run():
            await database.start([TABLE])
            await DeferredList(
                [database.write(work(f"{n:03}")) for n in range(200)]
                + [database.read(names) for _ in range(20)],
                fireOnOneErrback=True,
                consumeErrors=True,
            )
            found = await database.read(names)
            await database.close()
            return found

        def check(found):
            self.assertEqual(found, [f"{n:03}" for n in range(200)])
            self.assertEqual(len(seen), 1)
            self.assertNotIn(threading.get_ident(), seen)

        return Deferred.fromCoroutine(run()).addCallback(check)


class ModeTests(SynchronousTestCase):
    """
    Tests of who may read the file.
    """

    def test_private(self):
        """
        Only the gateway's own user may read the database.
        """
        path = Path(self.mktemp())
        threads = ImmediateThreads()
        database = Database(path, threads, threads, company=0)
        self.successResultOf(database.start(migrations()))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.successResultOf(database.close())
