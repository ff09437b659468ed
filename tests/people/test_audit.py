"""
Tests for L{mailgate.people.audit}.
"""

from __future__ import annotations

import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from mailgate.people.audit import Act, Actor, Audit
from tests.storage import NOW, WallClock, make_storage

ADA = Actor("Ada", "192.0.2.9")
BOB = Actor("Bob")
DAY = 86400


class AuditTests(SynchronousTestCase):
    """
    What was done stays written down.
    """

    def setUp(self):
        """
        Note three things, a day after each other.
        """
        self.now = WallClock()
        self.database = make_storage(self).database
        self.audit = self.keeping(400)
        for actor, act, held in (
            (ADA, Act.READ, "held-1"),
            (BOB, Act.RELEASED, "held-1"),
            (ADA, Act.SIGNED_IN, ""),
        ):
            self.successResultOf(self.audit.note(actor, act, f"{act} done", held))
            self.now.clock.advance(DAY)

    def keeping(self, days):
        """
        Give an audit that keeps what was done for some days.
        """
        return Audit(self.database, self.now, days)

    def noted(self, **asked):
        """
        Give who did what.
        """
        found = self.successResultOf(self.audit.newest(10, **asked))
        return [(noted.by, noted.act) for noted in found]

    def test_newest(self):
        """
        The newest is the first, and a cursor goes on.
        """
        found = self.successResultOf(self.audit.newest(2))
        self.assertEqual([noted.act for noted in found], [Act.SIGNED_IN, Act.RELEASED])
        self.assertEqual(found[0].at, NOW + 2 * DAY)
        self.assertEqual(found[0].client, "192.0.2.9")
        self.assertEqual(self.noted(before=found[1].number), [("Ada", Act.READ)])

    def test_of_somebody(self):
        """
        It can be asked for a person and for a message.
        """
        self.assertEqual(self.noted(by="Ada"), [("Ada", Act.SIGNED_IN), ("Ada", Act.READ)])
        self.assertEqual(self.noted(held="held-1"), [("Bob", Act.RELEASED), ("Ada", Act.READ)])

    def test_not_changed(self):
        """
        Nobody changes what is written, and nobody takes anything out of its middle.
        """
        for sql in (
            "UPDATE audit SET by = 'Eve'",
            "DELETE FROM audit WHERE by = 'Bob'",
            "DELETE FROM audit WHERE number = 3",
        ):
            self.failureResultOf(
                self.database.write(lambda connection, sql=sql: connection.execute(sql)),
                sqlite3.IntegrityError,
            )
        self.assertEqual(len(self.noted()), 3)

    def test_purge(self):
        """
        What is older than it is kept goes, from the beginning on.
        """
        self.assertEqual(self.successResultOf(self.keeping(3).purge()), 0)
        self.assertEqual(self.successResultOf(self.keeping(2).purge()), 1)
        self.assertEqual(self.noted(), [("Ada", Act.SIGNED_IN), ("Bob", Act.RELEASED)])
        self.assertEqual(self.successResultOf(self.keeping(0).purge()), 2)

    def test_clock_was_put_back(self):
        """
        What was noted after the clock was put back waits for what came before it.
        """
        self.now.start -= 30 * DAY
        self.successResultOf(self.audit.note(ADA, Act.READ, "again"))
        self.now.start += 30 * DAY
        self.assertEqual(self.successResultOf(self.keeping(10).purge()), 0)
