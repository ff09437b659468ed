"""
Tests of L{mailgate.store.schema}.
"""

import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from mailgate.store.schema import Migration, SchemaTooNew, migrate, migrations

FIRST = Migration(1, "first", "CREATE TABLE a (x TEXT); INSERT INTO a VALUES ('kept');")
SECOND = Migration(2, "second", "ALTER TABLE a ADD COLUMN y TEXT DEFAULT 'new';")
BROKEN = Migration(2, "broken", "CREATE TABLE b (x TEXT); INSERT INTO nowhere VALUES (1);")


class MigrateTests(SynchronousTestCase):
    """
    Tests of L{migrate}.
    """

    def setUp(self):
        """
        Make an empty database.
        """
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)

    def rows(self, sql):
        """
        Read rows.
        """
        return self.connection.execute(sql).fetchall()

    def test_steps(self):
        """
        Each step is taken once, and what was there before is kept.
        """
        self.assertEqual(migrate(self.connection, [FIRST]), 1)
        self.assertEqual(migrate(self.connection, [FIRST, SECOND]), 1)
        self.assertEqual(migrate(self.connection, [FIRST, SECOND]), 0)
        self.assertEqual(self.rows("SELECT * FROM a"), [("kept", "new")])
        self.assertEqual(self.rows("SELECT * FROM schema_version"), [(1, "first"), (2, "second")])

    def test_broken_step(self):
        """
        A step that fails leaves nothing of itself behind.
        """
        self.assertRaises(sqlite3.Error, migrate, self.connection, [FIRST, BROKEN])
        self.assertEqual(self.rows("SELECT version FROM schema_version"), [(1,)])
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name = 'b'"), [])

    def test_too_new(self):
        """
        A database beyond the last known step is refused unchanged.
        """
        migrate(self.connection, [FIRST, SECOND])
        self.assertRaises(SchemaTooNew, migrate, self.connection, [FIRST])


class MigrationsTests(SynchronousTestCase):
    """
    Tests of L{migrations}.
    """

    def test_all_apply(self):
        """
        The steps of the program are numbered from 1 and make a sound database.
        """
        connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(connection.close)
        steps = migrations()
        self.assertEqual(migrate(connection, steps), len(steps))
        self.assertEqual(steps[0].name, "spine")
        self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
