"""
Tests of L{mailgate.hub.health}.
"""

import sqlite3
from datetime import UTC, datetime

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.queue import Queue
from mailgate.edge.tls import make_self_signed
from mailgate.hub.commands import Commands
from mailgate.hub.health import PATIENCE, Around, Health
from mailgate.knowledge.entry import ListName, make_entry
from mailgate.net.sandbox import Sandbox
from mailgate.reporting.status import SandboxStatus, Stored
from mailgate.store import outbox
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.parameters import RcptParameters
from tests.reporting.statuses import STATUS
from tests.storage import ADA, BOB, ENVELOPE, NOW, hold, make_storage, message


class Sticking(ImmediateThreads):
    """
    Threads that may stick.
    """

    sticks = False

    def run(self, function, *args):
        """
        Do the work, or never.
        """
        return Deferred() if self.sticks else super().run(function, *args)


class HealthTests(SynchronousTestCase):
    """
    Tests of L{Health}.
    """

    def setUp(self):
        """
        Make a storage, and something that stands for workers.
        """
        self.clock = Clock()
        self.storage = make_storage(self)
        self.workers = succeed(STATUS.workers)
        self.asked_for = []
        self.has_room = True
        self.sandbox = Sandbox(self.clock, "tests.net.program")
        self.health = self.make()

    def make(self):
        """
        Make what is tested.
        """

        def look(seconds):
            self.asked_for.append(seconds)
            return self.workers

        around = Around(
            look,
            lambda: STATUS.upstreams,
            lambda: self.storage.settings,
            lambda: True,
            self.sandbox,
        )
        return Health(self.clock, self.storage, lambda: self.has_room, around)

    def status(self):
        """
        Find out how it is.
        """
        return self.successResultOf(self.health.status())

    def queue(self, queued, is_trying=False):
        """
        Queue two copies.
        """
        verdict = Verdict(Action.ACCEPT, (), 0.0, (ADA,))

        def insert(connection, stored):
            for number in range(2):
                identity = f"copy-{queued}-{number}"
                outbox.add(connection, identity, stored, verdict, RcptParameters(), queued, queued)
            if is_trying:
                outbox.begin(connection, [identity])

        self.successResultOf(self.storage.messages.keep(ENVELOPE, message(), insert))

    def test_stored(self):
        """
        What lies in the database is counted.
        """
        quarantine = self.storage.quarantine(lambda: None)
        self.successResultOf(
            quarantine.hold(ENVELOPE, message(), [hold(), hold(BOB, Kind.BULK)], False)
        )
        self.queue(NOW - 50, is_trying=True)
        self.queue(NOW - 70)
        entry = make_entry(ListName.BLOCK, "192.0.2.7", by="ada")
        self.successResultOf(self.storage.lists.add(entry))
        stored = self.status().stored
        size = message().size
        self.assertEqual(
            stored,
            Stored(
                held={"spam": 1, "bulk": 1},
                outbox_waiting=3,
                outbox_trying=1,
                outbox_suspended=0,
                outbox_stopped=0,
                outbox_oldest=NOW - 70,
                messages=3,
                message_bytes=3 * size,
                entries={"allow": 0, "block": 1},
            ),
        )

    def test_suspended(self):
        """
        Copies that wait for a person are counted apart, and are not late.
        """
        self.queue(NOW - 50)
        self.successResultOf(self.storage.database.write(outbox.suspend_all))
        stored = self.status().stored
        self.assertEqual((stored.outbox_waiting, stored.outbox_suspended), (0, 2))
        self.assertIsNone(stored.outbox_oldest)
        self.assertEqual(stored.outbox_stopped, 0)

    def test_stopped(self):
        """
        Copies that somebody has stopped are told from those that were restored.
        """
        self.queue(NOW - 50)

        def stop(connection):
            outbox.suspend(connection, outbox.newest(connection)[0], "Ada", NOW)

        self.successResultOf(self.storage.database.write(stop))
        stored = self.status().stored
        self.assertEqual(
            (stored.outbox_waiting, stored.outbox_suspended, stored.outbox_stopped), (1, 1, 1)
        )

    def test_around(self):
        """
        Workers, upstreams, room, the machine and what was learned are there.
        """
        now = datetime.fromtimestamp(NOW, UTC)
        make_self_signed(self.storage.settings.data / "tls", "mail.example.com", now)
        status = self.status()
        self.assertEqual(status.workers, STATUS.workers)
        self.assertEqual(self.asked_for, [PATIENCE])
        self.assertEqual(status.upstreams, STATUS.upstreams)
        self.assertEqual(status.sandbox, SandboxStatus(None, (), ""))
        self.assertEqual((status.now, status.started), (NOW, NOW))
        self.assertTrue(status.has_room)
        self.assertEqual(status.learned.spam, 0)
        self.assertGreater(status.machine.disk_bytes, status.machine.free_bytes)
        self.assertGreater(status.machine.state_bytes, 0)
        (certificate,) = status.machine.certificates
        self.assertEqual(certificate.begins, NOW - 86400)
        self.assertGreater(certificate.ends, NOW)

    def test_no_certificate(self):
        """
        A certificate that cannot be read has no end.
        """
        (certificate,) = self.status().machine.certificates
        self.assertIsNone(certificate.ends)

    def test_no_room(self):
        """
        Whether mail is taken is what counts for room.
        """
        self.has_room = False
        self.assertFalse(self.status().has_room)

    def test_reload(self):
        """
        The last reload is remembered.
        """
        self.assertIsNone(self.status().reload)
        self.health.reloaded("a mistake")
        self.assertEqual(self.status().reload.error, "a mistake")
        self.health.reloaded()
        self.assertEqual(self.status().reload.error, "")

    def test_database_fails(self):
        """
        A database that fails is told, and the rest is still there.
        """
        self.storage.database._idle.clear()

        def refuse(*args, **more):
            raise sqlite3.OperationalError("locked")

        self.storage.database._connect = refuse
        status = self.status()
        self.assertIn("locked", status.database_error)
        self.assertEqual((status.stored, status.learned), (None, None))
        self.assertIsNotNone(status.machine)
        self.assertIn("locked", self.successResultOf(self.health.is_alive()))

    def test_nothing_answers(self):
        """
        What does not answer is not waited for long.
        """
        self.storage.threads = self.storage.database._readers = threads = Sticking()
        threads.sticks = True
        asking, living = self.health.status(), self.health.is_alive()
        self.clock.advance(PATIENCE - 0.1)
        self.assertNoResult(asking)
        self.clock.advance(0.1)
        status = self.successResultOf(asking)
        self.assertIn("no answer", status.database_error)
        self.assertIsNone(status.machine)
        self.assertIn("no answer", self.successResultOf(living))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_alive(self):
        """
        The database answers.
        """
        self.assertEqual(self.successResultOf(self.health.is_alive()), "")

    def test_command(self):
        """
        The command of the same name gives it as a value of JSON.
        """
        commands = Commands(
            self.storage,
            self.storage.quarantine(lambda: None),
            Queue(self.storage.messages, self.storage.now),
        )
        commands.status = self.health.status
        answer = self.successResultOf(commands.run("status", {}))
        self.assertEqual(answer["hostname"], "mail.example.com")
        self.assertEqual(len(answer["workers"]), 2)
