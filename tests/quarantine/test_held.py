"""
Tests of L{mailgate.quarantine.held}.
"""

import errno

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Hold
from mailgate.message.message import MemoryMessage
from mailgate.quarantine.held import State
from mailgate.store import history, outbox
from mailgate.store.database import StoreError
from mailgate.verdict import Action, Kind, Verdict
from tests.pipeline.events import events
from tests.recording import Journal, RecordingFiles, recording_connect
from tests.storage import (
    ADA,
    BOB,
    ENVELOPE,
    FINDINGS,
    NOW,
    SESSION,
    TEXT,
    WallClock,
    content,
    envelope,
    hold,
    make_storage,
    message,
)

DAY = 86400


class QuarantineCase(SynchronousTestCase):
    """
    Has a quarantine.
    """

    def setUp(self):
        """
        Make it.
        """
        self.clock = Clock()
        self.now = WallClock(self.clock)
        self.journal = Journal()
        self.releases = []
        self.storage = make_storage(
            self,
            files=RecordingFiles(self.journal),
            now=self.now,
            connect=recording_connect(self.journal),
        )
        self.quarantine = self.storage.quarantine(lambda: self.releases.append(True))
        self.journal.clear()

    def hold(self, *holds, provisional=False, **more):
        """
        Hold a message, and give the ids.
        """
        return self.successResultOf(
            self.quarantine.hold(
                more.get("envelope", ENVELOPE), message(), holds or (hold(),), provisional
            )
        )

    def get(self, identity):
        """
        Get one held message.
        """
        return self.successResultOf(self.quarantine.get(identity))

    def listed(self, **how):
        """
        List ids.
        """
        return [held.id for held in self.successResultOf(self.quarantine.list(**how))]

    def queued(self):
        """
        Read the outbox.
        """
        return self.successResultOf(self.storage.database.read(outbox.newest))

    def files(self):
        """
        List the files of messages.
        """
        return [path for path in self.storage.blobs._directory.rglob("*") if path.is_file()]

    def past(self):
        """
        Read what happened to the message.
        """
        notes = self.storage.database.read(
            lambda connection: history.notes(connection, ENVELOPE.trace)
        )
        return [(note.event, note.text) for note in self.successResultOf(notes)]


class HoldTests(QuarantineCase):
    """
    Tests of holding.
    """

    def test_all_that_is_known(self):
        """
        A held message tells all about its transaction, and its findings with it.
        """
        (identity,) = self.hold()
        held = self.get(identity)
        self.assertEqual(
            (held.state, held.kind, held.recipient, held.owner),
            (State.HELD, Kind.SPAM, ADA, "ada@example.com"),
        )
        self.assertEqual(
            (held.action, held.total, held.findings, held.reason, held.held),
            (Action.QUARANTINE, 8.5, FINDINGS, "", NOW),
        )
        of = held.message
        self.assertEqual(
            (of.trace, of.sender, of.received, of.size),
            (ENVELOPE.trace, ENVELOPE.sender, NOW, len(TEXT)),
        )
        self.assertEqual(
            (of.session, of.listener, of.client, of.port, of.helo, of.tls),
            (SESSION.id, "mx", "192.0.2.7", 40001, SESSION.helo, SESSION.tls),
        )
        self.assertEqual(
            (of.from_header, of.subject, of.message_id),
            ("Eve <eve@example.org>", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "<1@e>"),
        )
        self.assertEqual((held.acted, held.acted_by), (None, ""))

    def test_order(self):
        """
        The answer comes after write, fsync, rename, fsync of the directory and COMMIT.
        """
        holding = self.quarantine.hold(ENVELOPE, message(), (hold(),), False)
        holding.addCallback(lambda _: self.journal.add("answer"))
        self.successResultOf(holding)
        self.assertEqual(
            self.journal.names(),
            [
                "sync_directory",
                "create",
                "write",
                "sync",
                "rename",
                "sync_directory",
                "commit",
                "answer",
            ],
        )

    def test_several_recipients(self):
        """
        Copies for several recipients are rows of their own that share one file.
        """
        ids = self.hold(hold(ADA), hold(BOB, Kind.BULK))
        self.assertEqual(
            [(self.get(i).recipient, self.get(i).kind) for i in ids],
            [(ADA, Kind.SPAM), (BOB, Kind.BULK)],
        )
        self.assertEqual(len(self.files()), 1)

    def test_received_bytes(self):
        """
        What is held is the message as it was received.
        """
        (identity,) = self.hold()
        kept = self.successResultOf(self.quarantine.open(identity))
        self.assertEqual(
            (content(self, kept), kept.head(5), kept.size), (TEXT, TEXT[:5], len(TEXT))
        )
        kept.close()
        self.assertEqual(len(self.files()), 1)

    def test_hostile_headers(self):
        """
        Headers that decode to what no database takes, or to megabytes, are kept in part.
        """
        text = b"From: \0\xff\r\nSubject: =?utf-7?q?+2D0-?=" + b"x" * 100_000 + b"\r\n\r\n"
        (identity,) = self.successResultOf(
            self.quarantine.hold(ENVELOPE, MemoryMessage((text,)), (hold(),), False)
        )
        held = self.get(identity)
        self.assertLessEqual(len(held.message.subject), 500)
        held.message.subject.encode("utf-8")

    def test_reason(self):
        """
        An undeliverable copy is held with what the upstream said.
        """
        verdict = Verdict(Action.ACCEPT, (), 0.0, (ADA,))
        (identity,) = self.hold(Hold(ADA, Kind.UNDELIVERABLE, verdict, "550 5.1.1 nobody"))
        self.assertEqual(self.get(identity).reason, "550 5.1.1 nobody")

    def test_f4_no_row(self):
        """
        Where the row cannot be committed, the file goes too and the failure is an OSError.
        """

        def fail(function):
            failed = Deferred()
            failed.errback(StoreError(errno.ENOSPC, "full"))
            return failed

        self.patch(self.storage.database, "write", fail)
        self.failureResultOf(self.quarantine.hold(ENVELOPE, message(), (hold(),), False), OSError)
        self.assertEqual(self.files(), [])

    def test_cancelled(self):
        """
        What is cancelled while it is being stored is taken back.
        """
        written = Deferred()
        database = self.storage.database
        write = database.write

        def late(function):
            database.write = write
            return written.addCallback(lambda _: write(function))

        database.write = late
        holding = self.quarantine.hold(ENVELOPE, message(), (hold(),), False)
        holding.cancel()
        self.failureResultOf(holding, CancelledError)
        written.callback(None)
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.files(), [])


class ProvisionalTests(QuarantineCase):
    """
    Tests of provisional holds.
    """

    def test_shown_to_nobody(self):
        """
        A provisional hold is neither listed, counted, shown, released nor deleted.
        """
        (identity,) = self.hold(provisional=True)
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.successResultOf(self.quarantine.count()), {})
        self.assertIsNone(self.get(identity))
        self.assertIsNone(self.successResultOf(self.quarantine.open(identity)))
        self.assertFalse(self.successResultOf(self.quarantine.release(identity, "ada")))
        self.assertFalse(self.successResultOf(self.quarantine.delete(identity, "ada")))
        self.assertEqual(len(self.files()), 1)

    def test_confirm(self):
        """
        A confirmed one is an ordinary held message.
        """
        (identity,) = self.hold(provisional=True)
        self.successResultOf(self.quarantine.confirm([identity]))
        self.assertEqual(self.listed(), [identity])

    def test_withdraw(self):
        """
        A withdrawn one is gone with its file; what is confirmed stays.
        """
        first, second = self.hold(hold(ADA), hold(BOB), provisional=True)
        self.successResultOf(self.quarantine.confirm([second]))
        self.successResultOf(self.quarantine.withdraw([first, second]))
        self.assertEqual(self.listed(), [second])
        self.assertEqual(len(self.files()), 1)
        (third,) = self.hold(provisional=True)
        self.successResultOf(self.quarantine.withdraw([third]))
        self.assertEqual(len(self.files()), 1)

    def test_recover(self):
        """
        What is found at the start becomes an ordinary one, and its history says so.
        """
        (identity,) = self.hold(provisional=True)
        self.assertEqual(self.successResultOf(self.quarantine.recover()), 1)
        self.assertEqual(self.listed(), [identity])
        self.assertEqual([event for event, _ in self.past()], ["quarantine.recovered"])
        self.assertEqual(self.successResultOf(self.quarantine.recover()), 0)


class ListTests(QuarantineCase):
    """
    Tests of listing.
    """

    def test_newest_first(self):
        """
        The newest comes first, and a listing goes on from where it stopped.
        """
        ids = [self.hold()[0] for _ in range(5)]
        ids.reverse()
        self.assertEqual(self.listed(), ids)
        page = self.successResultOf(self.quarantine.list(limit=2))
        self.assertEqual([held.id for held in page], ids[:2])
        # Even where the one it stopped at is gone.
        self.successResultOf(self.quarantine.delete(page[-1].id, "ada"))
        self.assertEqual(self.listed(before=page[-1].number), ids[2:])

    def test_kind(self):
        """
        One kind can be asked for, and each is counted.
        """
        _, bulk = self.hold(hold(ADA), hold(BOB, Kind.BULK))
        self.hold()
        self.assertEqual(self.listed(kind=Kind.BULK), [bulk])
        self.assertEqual(
            self.successResultOf(self.quarantine.count()), {Kind.SPAM: 2, Kind.BULK: 1}
        )

    def test_unknown(self):
        """
        An id that nothing has gives nothing.
        """
        self.assertIsNone(self.get("none"))
        self.assertIsNone(self.successResultOf(self.quarantine.open("none")))


class ReleaseTests(QuarantineCase):
    """
    Tests of releasing.
    """

    def test_queued_once(self):
        """
        A release queues the copy exactly once, in one commit, and then tells the outbox.
        """
        (identity,) = self.hold()
        self.journal.clear()
        released = self.quarantine.release(identity, "ada").addCallback(
            lambda is_queued: (is_queued, self.journal.names(), self.releases)
        )
        self.assertEqual(self.successResultOf(released), (True, ["commit"], [True]))
        self.assertFalse(self.successResultOf(self.quarantine.release(identity, "bob")))
        (row,) = self.queued()
        self.assertEqual(
            (row.recipient, row.action, row.total, row.findings, row.released_from, row.next_try),
            (ADA, Action.ACCEPT, 8.5, FINDINGS, identity, NOW),
        )
        self.assertEqual((row.message.trace, row.message.size), (ENVELOPE.trace, len(TEXT)))
        self.assertEqual(len(self.files()), 1)

    def test_who_and_when(self):
        """
        A released message is listed no more, but tells who released it and when.
        """
        (identity,) = self.hold()
        self.clock.advance(60)
        self.successResultOf(self.quarantine.release(identity, "ada"))
        held = self.get(identity)
        self.assertEqual((held.state, held.acted_by, held.acted), (State.RELEASED, "ada", NOW + 60))
        self.assertEqual(self.listed(), [])
        self.assertEqual(
            self.past(),
            [
                (
                    "quarantine.released",
                    f"copy {identity} for ada@example.com released by ada",
                )
            ],
        )

    def test_no_copy_of_others(self):
        """
        A release for one recipient leaves the copies of the others held.
        """
        first, second = self.hold(hold(ADA), hold(BOB))
        self.successResultOf(self.quarantine.release(first, "ada"))
        self.assertEqual(self.listed(), [second])
        self.assertEqual([row.recipient for row in self.queued()], [ADA])

    def test_unknown(self):
        """
        What is not there cannot be released.
        """
        self.assertFalse(self.successResultOf(self.quarantine.release("none", "ada")))
        self.assertEqual(self.queued(), [])


class DeleteTests(QuarantineCase):
    """
    Tests of deleting and purging.
    """

    def test_delete(self):
        """
        A deleted message is gone with its file; its history tells who did it.
        """
        (identity,) = self.hold()
        self.assertTrue(self.successResultOf(self.quarantine.delete(identity, "ada")))
        self.assertFalse(self.successResultOf(self.quarantine.delete(identity, "ada")))
        self.assertIsNone(self.get(identity))
        self.assertEqual(self.files(), [])
        self.assertEqual([event for event, _ in self.past()], ["quarantine.deleted"])

    def test_file_after_commit(self):
        """
        The file goes after the commit that took its last row away.
        """
        (identity,) = self.hold()
        self.journal.clear()
        self.successResultOf(self.quarantine.delete(identity, "ada"))
        self.assertEqual(self.journal.names(), ["commit", "remove"])

    def test_shared_file(self):
        """
        A file stays as long as a copy for another recipient is there.
        """
        first, second = self.hold(hold(ADA), hold(BOB))
        self.successResultOf(self.quarantine.delete(first, "ada"))
        self.assertEqual(len(self.files()), 1)
        self.successResultOf(self.quarantine.delete(second, "bob"))
        self.assertEqual(self.files(), [])

    def test_released(self):
        """
        A released message that is deleted stays in the outbox, and so does its file.
        """
        (identity,) = self.hold()
        self.successResultOf(self.quarantine.release(identity, "ada"))
        self.assertTrue(self.successResultOf(self.quarantine.delete(identity, "ada")))
        self.assertEqual(len(self.queued()), 1)
        self.assertEqual(len(self.files()), 1)

    def test_purge(self):
        """
        What has been held for 30 days goes, released or not; what came later stays.
        """
        (first,) = self.hold()
        (second,) = self.hold()
        self.successResultOf(self.quarantine.release(second, "ada"))
        self.clock.advance(DAY)
        (third,) = self.hold(envelope=envelope("late"))
        self.clock.advance(29 * DAY)
        self.assertEqual(self.successResultOf(self.quarantine.purge()), 0)
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(self.quarantine.purge()), 2)
        self.assertEqual(
            [self.get(identity) is None for identity in (first, second, third)],
            [True, True, False],
        )
        self.assertEqual(len(self.files()), 2)
        self.assertEqual(
            [event for event, _ in self.past()],
            ["quarantine.released", "quarantine.purged", "quarantine.purged"],
        )

    def test_f13_clock_jumps(self):
        """
        A clock that jumps by a day, also beyond 2038, removes nothing before its time but that day,
        and what was held then is found, released and removed as everything else.
        """
        self.now.start = 2**31 - DAY / 2
        (first,) = self.hold()
        for jump in (DAY, -2 * DAY, DAY):
            self.now.start += jump
            self.assertEqual(self.successResultOf(self.quarantine.purge()), 0)
        (second,) = self.hold(envelope=envelope("late"))
        self.now.start += DAY
        self.assertTrue(self.successResultOf(self.quarantine.release(first, "ada")))
        self.assertFalse(self.successResultOf(self.quarantine.release(first, "ada")))
        self.now.start += 30 * DAY
        self.assertEqual(self.successResultOf(self.quarantine.purge()), 2)
        self.assertIsNone(self.get(second))

    def test_purge_of_many(self):
        """
        Many are purged in groups, so that no one else waits long for the writer.
        """
        for _ in range(3):
            self.hold(*[hold()] * 200)
        self.clock.advance(31 * DAY)
        self.journal.clear()
        self.assertEqual(self.successResultOf(self.quarantine.purge()), 600)
        self.assertEqual([step for step, _ in self.journal.steps].count("commit"), 2)
        self.assertEqual(self.files(), [])


class EventTests(QuarantineCase):
    """
    Tests of the events.
    """

    def test_release_and_delete(self):
        """
        A release and a deletion are events that name who did it.
        """
        (identity,) = self.hold()
        with events() as told:
            self.successResultOf(self.quarantine.release(identity, "ada"))
            self.successResultOf(self.quarantine.delete(identity, "bob"))
        self.assertEqual(
            [(event["event"], event["id"], event["by"], event["log_level"]) for event in told],
            [
                ("quarantine.released", identity, "ada", LogLevel.info),
                ("quarantine.deleted", identity, "bob", LogLevel.info),
            ],
        )
