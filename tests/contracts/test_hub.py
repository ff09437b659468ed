"""
What every L{mailgate.interfaces.IHub} promises.
"""

import errno

from attrs import define, evolve
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailgate.checks.known import Known
from mailgate.config.checks import RateOf
from mailgate.finding import Finding
from mailgate.hub.border import RemoteHub, served
from mailgate.hub.hub import Hub
from mailgate.hub.link import Link
from mailgate.hub.orders import EXCEEDED, PENALIZED
from mailgate.hub.storage import Storage
from mailgate.interfaces import (
    Attempt,
    Contact,
    IHub,
    IRewriter,
    Outgoing,
    Question,
    Reputation,
    Standing,
)
from mailgate.knowledge.excess import Amount
from mailgate.message.record import Copy
from mailgate.message.spool import FileMessage
from mailgate.message.stored import envelope_of
from mailgate.store import outbox
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Kind
from mailgate.wire.parameters import RcptParameters
from tests.hub.joined import join
from tests.recording import Journal, RecordingFiles, recording_connect
from tests.reporting.records import RECORD
from tests.storage import (
    ADA,
    BOB,
    ENVELOPE,
    NOW,
    SESSION,
    TEXT,
    WallClock,
    hold,
    make_settings,
    message,
    temporary_folder,
)

WISH = RcptParameters("FAILURE,DELAY", "rfc822;ada@example.com")
STORING = [
    "sync_directory",
    "create",
    "write",
    "sync",
    "rename",
    "sync_directory",
    "commit",
    "answer",
]


@implementer(IRewriter)
class AsItIs:
    """
    Rewrites nothing.
    """

    def apply(self, trace, verdict, message):
        """
        Give the message as it is.
        """
        return message


@define
class Subject:
    """
    A hub under test, and a look behind it.
    """

    hub: object
    storage: Storage
    """What lies behind it."""

    journal: Journal
    """The steps of its file layer and database."""

    wall_clock: WallClock
    clock: MemoryReactorClock
    """Drives what it does from time to time."""

    known: Known
    """What those know who judge."""


class FullDisk(Files):
    """
    A disk without room.
    """

    def create(self, path):
        """
        Refuse.
        """
        raise OSError(errno.ENOSPC, "no space")


def hub_contract(make):
    """
    Make the test case for an implementation.

    @param make: called with a test, a journal and perhaps files; gives a Deferred of a
        L{Subject} that is stopped with the test.
    """

    class HubContract(TestCase):
        async def start(self, files=None):
            self.journal = Journal()
            self.subject = await make(self, self.journal, files)
            self.hub = self.subject.hub
            self.quarantine = self.subject.storage.quarantine(lambda: None)
            self.journal.clear()

        async def held(self):
            return [held.id for held in await self.quarantine.list()]

        def answered(self, result):
            self.journal.add("answer")
            return result

        async def test_interface(self):
            """
            It has all methods.
            """
            await self.start()
            verifyObject(IHub, self.hub)

        async def test_hold(self):
            """
            A hold is answered once message and row are stable, with an id for each recipient.
            """
            await self.start()
            holding = self.hub.hold(ENVELOPE, message(), [hold(ADA), hold(BOB, Kind.BULK)], False)
            ids = await holding.addCallback(self.answered)
            self.assertEqual(self.journal.names(), STORING)
            found = [await self.quarantine.get(identity) for identity in ids]
            self.assertEqual([each.recipient for each in found], [ADA, BOB])
            self.assertEqual([each.kind for each in found], [Kind.SPAM, Kind.BULK])
            self.assertEqual([each.message.trace for each in found], [ENVELOPE.trace] * 2)

        async def test_owner(self):
            """
            Whom a recipient belongs to is kept with a hold.
            """
            await self.start()
            mine = evolve(hold(ADA), recipient=evolve(ADA, belongs_to=BOB))
            (identity,) = await self.hub.hold(ENVELOPE, message(), [mine], False)
            found = await self.quarantine.get(identity)
            self.assertEqual((found.recipient, found.owner), (ADA, BOB.owner))

        async def test_hold_of_spool_file(self):
            """
            A message in a spool file is held as well, and still there for its delivery.
            """
            await self.start()
            path = self.subject.storage.spool / "spooled"
            path.write_bytes(TEXT)
            spooled = FileMessage(path, len(TEXT), TEXT, ImmediateThreads())
            (identity,) = await self.hub.hold(ENVELOPE, spooled, [hold()], False)
            self.assertEqual(path.read_bytes(), TEXT)
            path.unlink()
            kept = await self.quarantine.open(identity)
            self.assertEqual(kept.head(1000), TEXT)

        async def test_provisional(self):
            """
            A provisional hold is as stable, but nobody sees it until it is confirmed.
            """
            await self.start()
            holding = self.hub.hold(ENVELOPE, message(), [hold()], True)
            ids = await holding.addCallback(self.answered)
            self.assertEqual(self.journal.names(), STORING)
            self.assertEqual(await self.held(), [])
            self.journal.clear()
            await self.hub.confirm(ids).addCallback(self.answered)
            self.assertEqual(self.journal.names(), ["commit", "answer"])
            self.assertEqual(await self.held(), ids)

        async def test_withdraw(self):
            """
            What is withdrawn is gone; withdrawing again is fine.
            """
            await self.start()
            ids = await self.hub.hold(ENVELOPE, message(), [hold()], True)
            await self.hub.withdraw(ids)
            await self.hub.withdraw(ids)
            await self.hub.confirm(ids)
            self.assertEqual(await self.held(), [])

        async def test_no_room(self):
            """
            Where the disk has no room, holding and queueing fail with an OSError, and nothing
            has been stored.
            """
            await self.start(FullDisk())
            copies = [Outgoing(ADA, Action.ACCEPT, 0.0)]
            for asked in (
                self.hub.hold(ENVELOPE, message(), [hold()], False),
                self.hub.enqueue(ENVELOPE, message(), copies),
            ):
                error = await self.assertFailure(asked, OSError)
                self.assertEqual(error.errno, errno.ENOSPC)
            self.assertEqual(await self.held(), [])
            self.assertEqual(await self.subject.storage.database.read(_count), 0)

        async def test_enqueue(self):
            """
            What is queued is answered once message and row are stable, with an id for each.
            """
            await self.start()
            copies = [Outgoing(to, Action.TAG, 5.5, "451 not now") for to in (ADA, BOB)]
            queueing = self.hub.enqueue(ENVELOPE, message(), copies)
            ids = await queueing.addCallback(self.answered)
            self.assertEqual(self.journal.names(), STORING)
            rows = await self.subject.storage.database.read(outbox.newest)
            self.assertEqual(
                [(row.id, row.recipient) for row in reversed(rows)], [(ids[0], ADA), (ids[1], BOB)]
            )

        async def test_what_was_said(self):
            """
            What is held and what is queued keeps what was said at MAIL, and of each recipient what
            was said at its RCPT.
            """
            await self.start()
            said = evolve(
                ENVELOPE,
                session=evolve(SESSION, account="ada"),
                utf8=True,
                ret="HDRS",
                envid="QQ314159",
                wishes={ADA.owner: WISH},
            )
            await self.hub.hold(said, message(), [hold(ADA), hold(BOB)], False)
            copies = [Outgoing(to, Action.TAG, 5.5, "451 not now") for to in (ADA, BOB)]
            await self.hub.enqueue(said, message(), copies)
            for kept in (
                await self.quarantine.list(),
                await self.subject.storage.database.read(outbox.newest),
            ):
                bob, ada = (envelope_of(row.message, row.recipient, row.wish) for row in kept)
                self.assertEqual(ada, said)
                self.assertEqual(bob, evolve(said, wishes={}))

        async def test_record(self):
            """
            A record is found by its id.
            """
            await self.start()
            self.assertIsNone(self.hub.record(RECORD))
            (found,) = await self.subject.storage.traces.find(RECORD.trace)
            self.assertEqual(found["reply"], RECORD.reply)

        async def test_look_up(self):
            """
            Attempts are answered in their order, once they are on the disk.
            """
            await self.start()
            attempts = [Attempt("192.0.2.0/24", "eve@example.org", str(to)) for to in (ADA, BOB)]
            looking = self.hub.look_up(attempts)
            self.assertEqual(
                list(await looking.addCallback(self.answered)), [Standing(False), Standing(False)]
            )
            self.assertEqual(self.journal.names(), ["commit", "answer"])
            self.subject.wall_clock.start += 300
            found = await self.hub.look_up(attempts)
            self.assertEqual(list(found), [Standing(True, 300.0), Standing(True)])

        async def test_excess(self):
            """
            Who has sent too much by what was recorded is known to those who judge.
            """
            await self.start()
            session = evolve(SESSION, role="submission", account="ada")
            sent = evolve(RECORD, session=session)
            for _ in range(500):
                self.hub.record(sent)
            found = self.subject.known.excesses.find((RateOf.ACCOUNT, "ada"), NOW)
            self.assertEqual([(e.amount, e.number) for e in found], [(Amount.MESSAGES, 500)])

        async def test_penalty(self):
            """
            Who has done something bad by what was recorded is known to those who judge a moment
            later, and so is that it is forgiven.
            """
            await self.start()
            unknown = Copy("x@example.com", "refused", "550 5.1.1 no such recipient here")
            self.hub.record(evolve(RECORD, size=None, copies=(unknown,) * 10, verdicts=()))
            self.assertEqual(list(self.subject.known.penalties), [])
            self.subject.clock.advance(1)
            names = {penalty.name: penalty.bad for penalty in self.subject.known.penalties}
            self.assertEqual(names, {"192.0.2.7": 5.0, "192.0.2.0/24": 5.0})
            await self.subject.storage.penalty_box.clear("ada", "192.0.2.7")
            names = [penalty.name for penalty in self.subject.known.penalties]
            self.assertEqual(names, ["192.0.2.0/24"])

        async def test_reputations(self):
            """
            From whom mail was delivered is known once it is written, and senders are answered in
            their order.
            """
            await self.start()
            finding = Finding("REPUTATION_NEW", 0.0, "New.", names=("example.org",))
            verdict = evolve(RECORD.verdicts[0], findings=(finding,))
            self.hub.record(evolve(RECORD, verdicts=(verdict,)))
            await self.subject.storage.reputations.flush()
            found = await self.hub.reputations(["example.net", "example.org"])
            at = RECORD.started
            self.assertEqual(
                list(found),
                [Reputation("example.net"), Reputation("example.org", first=at, last=at)],
            )

        async def test_contact(self):
            """
            From whom authenticated mail was delivered, and to whom somebody here has written, is
            known once it is written.
            """
            await self.start()
            finding = Finding("CORRESPONDENT_NEW", 0.0, "New.", check="correspondents")
            verdict = evolve(RECORD.verdicts[0], findings=(finding,))
            self.hub.record(evolve(RECORD, author="eve@example.org", verdicts=(verdict,)))
            await self.subject.storage.correspondents.flush()
            at = RECORD.started
            for author, heard in (("eve@example.org", at), ("bob@example.org", 0.0)):
                found = await self.hub.contact(Question(author, ("ada@example.com",)))
                self.assertEqual(found, Contact(author, heard))

        async def test_room(self):
            """
            Whether there is room is known at once.
            """
            await self.start()
            self.assertIs(self.hub.has_room(), True)

    return HubContract


def local_hub(test, journal, files):
    """
    Make a hub in this process whose work is done at once.
    """
    threads, now = ImmediateThreads(), WallClock()
    storage = Storage(
        make_settings(temporary_folder(test)),
        threads,
        threads,
        RecordingFiles(journal, files),
        now,
        recording_connect(journal),
        company=0,
    )
    clock = MemoryReactorClock()
    hub = Hub(clock, storage, lambda address: None, AsItIs())
    test.addCleanup(hub.stop)
    known = Known(excesses=hub.rates.excesses, penalties=hub.penalty_box.penalties)
    return hub.start().addCallback(lambda _: Subject(hub, storage, journal, now, clock, known))


class LocalHubTests(hub_contract(local_hub)):
    """
    The hub in the same process.
    """


def remote_hub(test, journal, files):
    """
    Make a hub as a worker knows it: the same, behind a link.
    """

    def joined(subject):
        storage = subject.storage
        remote = RemoteHub()
        known = Known()
        here = Link({EXCEEDED: known.excesses.add, PENALIZED: known.penalties.take})
        there = Link(served(subject.hub, storage.spool, storage.threads))
        join(here, there)
        subject.hub.rates.changed = lambda excess: there.tell(EXCEEDED, excess)
        subject.hub.penalty_box.changed = lambda changes: there.tell(PENALIZED, tuple(changes))
        remote.link = here
        test.addCleanup(here.lose)
        return evolve(subject, hub=remote, known=known)

    return local_hub(test, journal, files).addCallback(joined)


class RemoteHubTests(hub_contract(remote_hub)):
    """
    The hub across the border between processes.
    """


def _count(connection):
    """
    Count the stored messages.
    """
    return connection.execute("SELECT count(*) FROM messages").fetchone()[0]
