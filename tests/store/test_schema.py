"""
Tests of L{mailgate.store.schema}.
"""

import sqlite3

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.stored import envelope_of
from mailgate.people.account import accounts
from mailgate.people.reach import Reach
from mailgate.people.rights import Role
from mailgate.quarantine import rows
from mailgate.store import history, outbox
from mailgate.store.schema import Migration, SchemaTooNew, migrate, migrations
from tests.storage import ADA, ENVELOPE

FIRST = Migration(1, "first", "CREATE TABLE a (x TEXT); INSERT INTO a VALUES ('kept');")
SECOND = Migration(2, "second", "ALTER TABLE a ADD COLUMN y TEXT DEFAULT 'new';")
BROKEN = Migration(2, "broken", "CREATE TABLE b (x TEXT); INSERT INTO nowhere VALUES (1);")

BEFORE_THE_ENVELOPE = """
INSERT INTO messages VALUES (
    'aa01', 60, 'trac-trac-trac', 'sess-sess-sess', 'mx', 'mx', '192.0.2.7', 40001, 1799999999.0,
    'client.example.org', 1, 'TLSv1.3 TLS_AES_256_GCM_SHA384', 'sender', 'Example.ORG',
    1800000000.0, 500, '8BITMIME', 'Eve <eve@example.org>', 'Hello', '<1@e>'
);
INSERT INTO held (
    id, message, state, kind, owner, recipient_local, recipient_domain, action, total, findings,
    reason, held, words
) VALUES (
    'held-held-held', 'aa01', 'held', 'spam', 'ada@example.com', 'ada', 'Example.com',
    'quarantine', 8.5, '[]', '', 1800000000.0, 'hello'
);
INSERT INTO outbox (
    id, message, recipient_local, recipient_domain, action, total, findings, released_from,
    reason, queued, next_try
) VALUES (
    'queu-queu-queu', 'aa01', 'ada', 'Example.com', 'tag', 5.5, '[]', '', '451 later',
    1800000000.0, 1800000300.0
);
INSERT INTO history VALUES
    ('trac-trac-trac', 1.0, 'quarantine.deleted',
     'copy gone-gone-gone for ada@example.com deleted by ada'),
    ('trac-trac-trac', 2.0, 'outbox.deleted',
     'copy queu-queu-gone for ada@example.com deleted from the outbox by ada'),
    ('trac-trac-trac', 3.0, 'outbox.delivered', 'delivered to ada@example.com: 250 taken');
"""
"""What a store of the fourth schema may hold."""


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

    def test_from_before_the_envelope(self):
        """
        What was kept before there was all of the envelope is there still, with nothing said; and
        a held message that was deleted then is found by its id.
        """
        connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(connection.close)
        steps = migrations()
        migrate(connection, steps[:4])
        connection.executescript(BEFORE_THE_ENVELOPE)
        migrate(connection, steps)
        held = rows.get(connection, "held-held-held")
        queued = outbox.get(connection, "queu-queu-queu")
        self.assertEqual((held.recipient, queued.recipient), (ADA, ADA))
        self.assertEqual((held.total, queued.reason), (8.5, "451 later"))
        for copy in (held, queued):
            self.assertEqual(
                envelope_of(copy.message, copy.recipient, copy.wish), evolve(ENVELOPE, wishes={})
            )
        self.assertEqual(history.trace_of(connection, "gone-gone-gone"), ENVELOPE.trace)
        self.assertIsNone(history.trace_of(connection, "queu-queu-gone"))
        self.assertIsNone(history.trace_of(connection, ""))
        self.assertEqual(
            [note.event for note in history.notes(connection, ENVELOPE.trace)],
            ["quarantine.deleted", "outbox.deleted", "outbox.delivered"],
        )

    def test_from_before_roles(self):
        """
        Who could sign in before there were roles is an administrator, and what was held already
        is found by whom it is for.
        """
        connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(connection.close)
        connection.execute("PRAGMA foreign_keys = ON")
        steps = migrations()
        migrate(connection, steps[:4])
        connection.executescript(BEFORE_THE_ENVELOPE)
        connection.execute("INSERT INTO account VALUES (1, 'Ada', 'ada', 'hash', 0)")
        migrate(connection, steps)
        (account,) = accounts(connection)
        self.assertEqual((account.name, account.role), ("Ada", Role.ADMINISTRATOR))
        for scope, is_found in (
            ("ada@example.com", True),
            ("example.com", True),
            ("bob@example.com", False),
            ("example.org", False),
        ):
            held = rows.get(connection, "held-held-held", Reach(frozenset({scope})))
            self.assertEqual(held is not None, is_found, scope)
        scopes = {scope for (scope,) in connection.execute("SELECT scope FROM held_scope")}
        self.assertEqual(scopes, {"ada@example.com", "example.com"})
