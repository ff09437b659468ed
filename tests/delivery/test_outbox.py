"""
Tests of L{mailgate.delivery.outbox}.
"""

import errno

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailgate.config.model import Outbox as Settings
from mailgate.delivery.answer import lost, not_reached
from mailgate.delivery.outbox import TOGETHER, Outbox
from mailgate.delivery.queue import Outcome, Queue
from mailgate.interfaces import Capabilities, IDelivery, IRewriter, Outgoing
from mailgate.quarantine.rows import add_undeliverable
from mailgate.reply import Reply
from mailgate.store import history
from mailgate.store.database import StoreError
from mailgate.verdict import Action, Kind
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters
from tests.pipeline.events import events
from tests.recording import Journal, RecordingFiles, recording_connect
from tests.storage import (
    ADA,
    BOB,
    ENVELOPE,
    FINDINGS,
    NOW,
    TEXT,
    WallClock,
    content,
    hold,
    make_storage,
    message,
    sending,
)

TAKEN = Reply(250, "2.0.0", "taken")
LATER = Reply(451, "4.3.0", "later")
NEVER = Reply(550, "5.1.1", "nobody of that name")
LOST = lost("the connection was closed")
UNREACHED = not_reached("nobody there")


@define(eq=False)
class Asked:
    """
    What an upstream was given.
    """

    envelope: object
    recipients: list
    message: object
    answer: Deferred = field(factory=Deferred)


@implementer(IDelivery)
@define(eq=False)
class ScriptedDelivery:
    """
    An upstream that answers when it is told to.
    """

    name: str = "inbox"
    capabilities: Capabilities = field(factory=Capabilities)
    failures: int = 0
    is_open: bool = False
    asked: list[Asked] = field(factory=list)
    has_begun: bool = False
    """Whether it takes no notice of being cancelled any more."""

    def deliver(self, envelope, recipients, message, within=None):
        """
        Take a message.
        """
        asked = Asked(envelope, recipients, message)
        self.asked.append(asked)
        return Deferred.fromCoroutine(self._deliver(asked))

    async def _deliver(self, asked):
        while True:
            try:
                reply = await asked.answer
                if isinstance(reply, Reply):
                    return [reply] * len(asked.recipients)
                return list(reply)
            except CancelledError:
                if not self.has_begun:
                    raise
                asked.answer = Deferred()

    def answer(self, reply, at=0):
        """
        Answer what was asked: all alike, or with a reply for each recipient.
        """
        self.asked.pop(at).answer.callback(reply)

    def probe(self):
        """
        Know everything already.
        """
        return succeed(None)

    def verify(self, sender, recipient):
        """
        Not asked here.
        """

    def close(self):
        """
        Not asked here.
        """


@implementer(IRewriter)
class Rewriter:
    """
    Puts the verdict on top.
    """

    def apply(self, trace, verdict, message):
        """
        Rewrite.
        """
        verdict = f"X: {trace} {verdict.action} {verdict.total}\r\n"
        return message.prepend(verdict.encode("ascii"))


class OutboxCase(SynchronousTestCase):
    """
    Has an outbox.
    """

    settings = Settings()

    def setUp(self):
        """
        Make it.
        """
        self.clock = Clock()
        self.journal = Journal()
        self.storage = make_storage(
            self,
            files=RecordingFiles(self.journal),
            now=WallClock(self.clock),
            connect=recording_connect(self.journal),
        )
        self.upstream = ScriptedDelivery()
        self.routes = {"example.com": self.upstream}
        self.outbox = self.make()
        self.queue = Queue(self.storage.messages, self.storage.now, self.kick)
        self.quarantine = self.storage.quarantine(self.kick)
        self.journal.clear()

    def kick(self):
        """
        Let the outbox of the moment look for what is due.
        """
        self.outbox.kick()

    def make(self):
        """
        Make an outbox, as after a restart.
        """
        return Outbox(
            self.clock,
            self.storage.now,
            self.storage.messages,
            self.storage.threads,
            self.settings,
            self.sending(),
            Rewriter(),
            add_undeliverable,
        )

    def sending(self, **more):
        """
        Give what it needs to tell somebody something.
        """
        return sending(
            lambda who: self.routes.get(who.host) or self.routes.get("*"),
            keeps=frozenset(("mailbox",)),
            **more,
        )

    def enqueue(self, *recipients, reason=""):
        """
        Queue copies.
        """
        copies = [Outgoing(each, Action.TAG, 5.5, reason) for each in recipients or (ADA,)]
        return self.successResultOf(self.outbox.enqueue(ENVELOPE, message(), copies))

    def start(self):
        """
        Start the outbox.
        """
        self.successResultOf(self.outbox.start())

    def rows(self):
        """
        Read the outbox.
        """
        return self.successResultOf(self.queue.list())

    def held(self):
        """
        Read the quarantine.
        """
        return self.successResultOf(self.quarantine.list())

    def past(self):
        """
        Read what happened to the message.
        """
        notes = self.storage.database.read(
            lambda connection: history.notes(connection, ENVELOPE.trace)
        )
        return [(note.event, note.text) for note in self.successResultOf(notes)]

    def files(self):
        """
        List the files of messages.
        """
        return [path for path in self.storage.blobs._directory.rglob("*") if path.is_file()]


class EnqueueTests(OutboxCase):
    """
    Tests of queueing.
    """

    def test_order(self):
        """
        The answer comes after write, fsync, rename, fsync of the directory and COMMIT.
        """
        queueing = self.outbox.enqueue(ENVELOPE, message(), [Outgoing(ADA, Action.TAG, 5.5)])
        queueing.addCallback(lambda _: self.journal.add("answer"))
        self.successResultOf(queueing)
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

    def test_findings(self):
        """
        What has led to the total is kept, for the header of the copy.
        """
        copy = Outgoing(ADA, Action.TAG, 5.5, findings=FINDINGS)
        self.successResultOf(self.outbox.enqueue(ENVELOPE, message(), [copy]))
        (row,) = self.rows()
        self.assertEqual(row.findings, FINDINGS)

    def test_row(self):
        """
        Each recipient has a row that tells all that the delivery needs, and one file is shared.
        """
        ids = self.enqueue(ADA, BOB)
        second, first = self.rows()
        self.assertEqual([first.id, second.id], ids)
        self.assertEqual(
            (first.recipient, first.action, first.total, first.tries, first.next_try),
            (ADA, Action.TAG, 5.5, 0, NOW),
        )
        self.assertEqual(first.message.sender, ENVELOPE.sender)
        self.assertEqual(first.message.subject, "caf\N{LATIN SMALL LETTER E WITH ACUTE}")
        self.assertEqual(self.successResultOf(self.queue.show(ids[1])), second)
        self.assertIsNone(self.successResultOf(self.queue.show("none")))
        self.assertEqual(len(self.files()), 1)

    def test_list(self):
        """
        A listing begins with the newest and goes on from where it stopped.
        """
        ids = list(reversed(self.enqueue(ADA, BOB, ADA)))
        page = self.successResultOf(self.queue.list(limit=2))
        self.assertEqual([row.id for row in page], ids[:2])
        page = self.successResultOf(self.queue.list(before=page[-1].number))
        self.assertEqual([row.id for row in page], ids[2:])

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
        queueing = self.outbox.enqueue(ENVELOPE, message(), [Outgoing(ADA, Action.TAG, 5.5)])
        queueing.cancel()
        self.failureResultOf(queueing, CancelledError)
        written.callback(None)
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.files(), [])


class DeliveryTests(OutboxCase):
    """
    Tests of delivering.
    """

    def test_at_once(self):
        """
        What is queued is delivered at once: the stored bytes, rewritten, by the old envelope.
        """
        self.start()
        self.enqueue()
        (asked,) = self.upstream.asked
        self.assertEqual((asked.envelope, asked.recipients), (ENVELOPE, [ADA]))
        self.assertEqual(content(self, asked.message), TEXT)
        lines = asked.message.prepended.decode("ascii").split("\r\n")
        self.assertEqual(lines[0], "X: trac-trac-trac tag 5.5")
        self.assertRegex(lines[1], r"^Received: from \S+ \(\[\S+\]\)$")
        self.assertIn("by mail.example.com (mailgate)", asked.message.prepended.decode("ascii"))
        self.assertIn(f"for <{ADA}>;", asked.message.prepended.decode("ascii"))

    def test_delivered(self):
        """
        A 2xx takes the row and the file away, and the history tells it.
        """
        self.start()
        self.enqueue()
        self.upstream.answer(TAKEN)
        self.assertEqual((self.rows(), self.files()), ([], []))
        self.assertEqual(
            self.past(), [("outbox.delivered", "delivered to ada@Example.com: 250 2.0.0 taken")]
        )

    def test_released(self):
        """
        A released message is delivered, as accepted.
        """
        self.start()
        (identity,) = self.successResultOf(
            self.quarantine.hold(ENVELOPE, message(), (hold(),), False)
        )
        self.successResultOf(self.quarantine.release(identity, "ada"))
        (asked,) = self.upstream.asked
        self.assertEqual(asked.recipients, [ADA])
        self.assertTrue(asked.message.prepended.startswith(b"X: trac-trac-trac accept 8.5\r\n"))
        self.upstream.answer(TAKEN)
        self.assertEqual(self.rows(), [])
        # The quarantine still shows what was released.
        self.assertEqual(len(self.files()), 1)

    def test_back_off(self):
        """
        A 4xx is tried again after 5 and 15 minutes, one and four hours, then each four hours.
        """
        self.start()
        self.enqueue()
        for wait in (300, 900, 3600, 14400, 14400, 14400):
            self.upstream.answer(LATER)
            (row,) = self.rows()
            self.assertEqual((row.reason, row.is_trying), ("451 4.3.0 later", False))
            self.clock.pump([50] * (wait // 50 - 1))
            self.assertEqual(self.upstream.asked, [])
            self.clock.advance(50)
        self.assertEqual(self.rows()[0].tries, 6)
        self.assertEqual(len(self.upstream.asked), 1)

    def test_queued_with_reason(self):
        """
        What has just failed waits for its first further try.
        """
        self.start()
        self.enqueue(reason="451 4.3.0 later")
        self.assertEqual(self.upstream.asked, [])
        self.clock.pump([60] * 5)
        self.assertEqual(len(self.upstream.asked), 1)

    def test_refused(self):
        """
        A 5xx makes the copy a held message, in one commit, and is an event.
        """
        self.start()
        self.enqueue()
        self.journal.clear()
        with events() as told:
            self.upstream.answer(NEVER)
        (held,) = self.held()
        self.assertEqual(
            (held.kind, held.recipient, held.reason, held.message.trace),
            (Kind.UNDELIVERABLE, ADA, "550 5.1.1 nobody of that name", ENVELOPE.trace),
        )
        self.assertEqual((self.rows(), len(self.files())), ([], 1))
        (event,) = told
        self.assertEqual((event["event"], event["held"]), ("outbox.failed", held.id))
        ((name, text),) = self.past()
        self.assertEqual(name, "outbox.failed")
        self.assertTrue(text.endswith(f"held as {held.id}: 550 5.1.1 nobody of that name"))

    def test_refused_release(self):
        """
        A released copy that is refused is held again with all its findings.
        """
        self.start()
        (first,) = self.successResultOf(self.quarantine.hold(ENVELOPE, message(), (hold(),), False))
        self.successResultOf(self.quarantine.release(first, "ada"))
        self.upstream.answer(NEVER)
        (held,) = self.held()
        self.assertNotEqual(held.id, first)
        self.assertEqual(held.findings, hold().verdict.findings)

    def test_given_up(self):
        """
        After five days the last try is made, and its failure is final.
        """
        self.start()
        self.enqueue()
        tries = 0
        while self.rows():
            if self.upstream.asked:
                tries += 1
                self.upstream.answer(LATER)
            self.clock.advance(60)
        self.assertEqual(self.storage.now(), NOW + 5 * 86400 + 60)
        (held,) = self.held()
        self.assertEqual((held.kind, held.reason), (Kind.UNDELIVERABLE, "451 4.3.0 later"))
        self.assertGreater(tries, 30)

    def test_unknown_outcome(self):
        """
        A lost reply is tried again, and the history says that there may be a duplicate.
        """
        self.start()
        self.enqueue()
        self.upstream.answer(LOST)
        self.assertEqual(self.rows()[0].tries, 1)
        ((event, text),) = self.past()
        self.assertEqual(event, "outbox.unknown")
        self.assertIn("duplicate possible", text)

    def test_no_route(self):
        """
        A domain that is configured no more is tried again later, as it may come back.
        """
        self.start()
        self.routes.clear()
        self.enqueue()
        self.assertIn("no route", self.rows()[0].reason)
        self.routes["example.com"] = self.upstream
        self.clock.pump([60] * 5)
        self.assertEqual(len(self.upstream.asked), 1)

    def test_file_gone(self):
        """
        A stored message that cannot be read is an event, and stays in the outbox.
        """
        self.start()
        self.enqueue(reason="451 later")
        self.files()[0].unlink()
        self.clock.pump([60] * 5)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertIn("could not be read", self.rows()[0].reason)

    def test_at_most_n(self):
        """
        No more than the configured number go to one upstream at the same time; it begins with two,
        and each delivery makes room for one more.
        """
        self.start()
        for _ in range(25):
            self.enqueue(ADA)
        most = []
        while self.upstream.asked:
            most.append(len(self.upstream.asked))
            self.upstream.answer(TAKEN)
        self.assertEqual(most[:12], [2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10])
        self.assertEqual(len(most), 25)
        self.assertEqual(self.rows(), [])

    def test_together(self):
        """
        Recipients of one message go in one transaction, a limited number of them, and each has a
        result of its own.
        """
        people = [Address(f"p{number}", "example.com") for number in range(TOGETHER + 1)]
        self.start()
        self.enqueue(*people)
        self.assertEqual(
            [asked.recipients for asked in self.upstream.asked], [people[:-1], people[-1:]]
        )
        self.assertNotIn(b"for <", self.upstream.asked[0].message.prepended)
        self.upstream.answer([NEVER, LATER, *[TAKEN] * (TOGETHER - 2)])
        self.assertEqual([row.recipient for row in self.rows()], [people[-1], people[1]])
        self.assertEqual([held.recipient for held in self.held()], [people[0]])

    def test_together_only_alike(self):
        """
        A copy with another verdict, and a second one for somebody, go by themselves.
        """
        self.start()
        copies = [
            Outgoing(ADA, Action.TAG, 5.5),
            Outgoing(BOB, Action.ACCEPT, 5.5),
            Outgoing(ADA, Action.TAG, 5.5),
        ]
        self.successResultOf(self.outbox.enqueue(ENVELOPE, message(), copies))
        for _ in range(3):
            self.assertEqual(len(self.upstream.asked[0].recipients), 1)
            self.upstream.answer(TAKEN)
        self.assertEqual(self.rows(), [])

    def test_one_blocks_no_other(self):
        """
        While one copy waits for its upstream, others go out.
        """
        self.start()
        self.enqueue(ADA)
        self.enqueue(BOB)
        self.upstream.answer(TAKEN, at=1)
        self.assertEqual([row.recipient for row in self.rows()], [ADA])

    def test_dead_holds_up_no_other(self):
        """
        However much waits for an upstream that is dead, and however long each try takes there, what
        is for another one goes out at once.
        """
        self.start()
        self.routes["dead.example"] = dead = ScriptedDelivery("dead")
        for number in range(100):
            self.enqueue(Address(f"p{number}", "dead.example"))
        self.assertEqual(len(dead.asked), 2)
        for number in range(5):
            self.enqueue(Address(f"p{number}", "example.com"))
            self.assertEqual(len(self.upstream.asked), 1)
            self.upstream.answer(TAKEN)

    def test_unreached_is_tried_by_one(self):
        """
        One copy finds out that an upstream cannot be reached, and the others for it wait as if they
        had been tried; after their wait again one tries.
        """
        self.start()
        for number in range(50):
            self.enqueue(Address(f"p{number}", "example.com"))
        self.upstream.answer(UNREACHED)
        self.upstream.answer(UNREACHED)
        self.assertEqual(self.upstream.asked, [])
        self.assertEqual({row.next_try for row in self.rows()}, {NOW + 300})
        self.assertEqual({row.reason for row in self.rows()}, {str(UNREACHED)})
        self.assertEqual({row.tries for row in self.rows()}, {1})
        self.clock.pump([60] * 5)
        self.assertEqual(len(self.upstream.asked), 1)
        self.upstream.answer(UNREACHED)
        self.assertEqual({row.next_try for row in self.rows()}, {NOW + 300 + 900})
        self.assertEqual({row.tries for row in self.rows()}, {2})

    def test_reached_again(self):
        """
        As soon as one copy gets through, those that had not reached the upstream are tried too, and
        not those that it had deferred.
        """
        self.start()
        self.enqueue(ADA)
        self.upstream.answer(LATER)
        for number in range(3):
            self.enqueue(Address(f"p{number}", "example.com"))
        self.upstream.answer(UNREACHED)
        self.upstream.answer(UNREACHED)
        self.assertEqual(self.upstream.asked, [])
        self.enqueue(BOB)
        self.upstream.answer(TAKEN)
        tried = []
        while self.upstream.asked:
            tried += [who.local for who in self.upstream.asked[0].recipients]
            self.upstream.answer(TAKEN)
        self.assertEqual(sorted(tried), ["p0", "p1", "p2"])
        self.assertEqual([row.recipient for row in self.rows()], [ADA])

    def test_given_up_together(self):
        """
        What has waited for five days for a dead upstream is given up without a try for each.
        """
        self.upstream.failures = 1
        self.start()
        for number in range(30):
            self.enqueue(Address(f"p{number}", "example.com"))
        tries = 0
        for _ in range(5 * 24 * 6 + 5):
            while self.upstream.asked:
                tries += 1
                self.upstream.answer(UNREACHED)
            self.clock.advance(600)
        self.assertEqual((self.rows(), len(self.held())), ([], 30))
        self.assertLess(tries, 60)

    def test_new_route(self):
        """
        When the routes change, what waits goes where its recipient's mail goes now.
        """
        self.start()
        self.enqueue(ADA)
        self.upstream.answer(LATER)
        self.routes["example.com"] = other = ScriptedDelivery("other")
        self.successResultOf(self.outbox.take_up(self.settings, self.sending(), Rewriter()))
        self.assertEqual([row.destination for row in self.rows()], ["other"])
        self.successResultOf(self.queue.retry_all())
        self.assertEqual((len(self.upstream.asked), len(other.asked)), (0, 1))

    def test_new_route_meanwhile(self):
        """
        Copies that were to go together, and whose ways have parted just before their try, go their
        own ways.
        """
        carol = Address("carol", "example.net")
        self.routes["example.net"] = self.upstream
        self.start()
        self.enqueue(ADA, carol, reason="451 4.3.0 later")
        self.routes["example.net"] = other = ScriptedDelivery("other")
        self.clock.pump([60] * 5)
        self.assertEqual([asked.recipients for asked in self.upstream.asked], [[ADA]])
        self.assertEqual([asked.recipients for asked in other.asked], [[carol]])
        other.answer(TAKEN)
        self.assertEqual([row.destination for row in self.rows()], ["inbox"])

    def test_words_of_an_upstream(self):
        """
        An upstream that says of one recipient that it cannot reach a server behind it is reached
        itself: nobody else waits for that, and no duplicate is feared.
        """
        self.start()
        for number in range(3):
            self.enqueue(Address(f"p{number}", "example.com"))
        self.upstream.answer(Reply(451, "4.4.1", "cannot be delivered now"))
        self.upstream.answer(Reply(451, "4.4.2", "timeout with a server behind"))
        self.upstream.answer(TAKEN)
        self.assertEqual(
            [(row.recipient.local, row.tries) for row in self.rows()], [("p1", 1), ("p0", 1)]
        )
        self.assertNotIn("outbox.unknown", [event for event, _ in self.past()])

    def test_alias(self):
        """
        Two addresses of one person go together, each with what its sender wished for it.
        """
        alias = Address("info", "example.com", BOB)
        never, success = RcptParameters("NEVER"), RcptParameters("SUCCESS", "rfc822;bob@x.example")
        envelope = evolve(ENVELOPE, wishes={alias.key: never, BOB.key: success})
        copies = [Outgoing(each, Action.ACCEPT, 0.0) for each in (alias, BOB)]
        self.start()
        self.successResultOf(self.outbox.enqueue(envelope, message(), copies))
        (asked,) = self.upstream.asked
        self.assertEqual(asked.recipients, [alias, BOB])
        self.assertEqual(asked.envelope.wishes, envelope.wishes)

    def test_stopped_by_somebody(self):
        """
        What somebody has stopped is tried at no time, also after a restart, until it is let go.
        """
        self.start()
        self.enqueue()
        self.upstream.answer(LATER)
        (row,) = self.rows()
        self.assertEqual(self.successResultOf(self.queue.hold(row.id, "Ada")), Outcome.DONE)
        self.clock.pump([3600] * 200)
        self.successResultOf(self.outbox.stop(0))
        self.outbox = self.make()
        self.start()
        self.successResultOf(self.queue.retry_all())
        self.assertEqual(self.upstream.asked, [])
        self.assertEqual(self.successResultOf(self.queue.retry(row.id, "Bob")), Outcome.DONE)
        self.assertEqual(len(self.upstream.asked), 1)
        outcome = self.successResultOf(self.queue.delete(row.id, "Bob"))
        self.assertEqual(outcome, Outcome.TRYING)
        self.upstream.answer(TAKEN)
        self.assertEqual(
            [(name, text.rpartition(" ")[2]) for name, text in self.past()[:2]],
            [("outbox.stopped", "Ada"), ("outbox.resumed", "Bob")],
        )
        self.assertEqual(self.successResultOf(self.queue.hold(row.id, "Ada")), Outcome.GONE)

    def test_f13_clock_put_back(self):
        """
        A clock that is put back by a day delays no try by a day.
        """
        self.start()
        self.enqueue()
        self.upstream.answer(LATER)
        self.storage.now.start -= 86400
        self.clock.pump([60] * 6)
        self.assertEqual(len(self.upstream.asked), 1)


class RestartTests(OutboxCase):
    """
    Tests of what stops and starts.
    """

    def test_not_started(self):
        """
        Before the start nothing is delivered; at the start what waits is.
        """
        self.enqueue()
        self.clock.advance(1000)
        self.assertEqual(self.upstream.asked, [])
        self.start()
        self.assertEqual(len(self.upstream.asked), 1)

    def test_crash_while_delivering(self):
        """
        A copy whose delivery a crash interrupted is tried again, and its history says so.
        """
        self.start()
        self.enqueue()
        self.upstream.asked.clear()
        self.outbox = self.make()
        self.start()
        self.assertEqual(len(self.upstream.asked), 1)
        ((event, text),) = self.past()
        self.assertEqual(event, "outbox.unknown")
        self.assertIn("duplicate possible", text)

    def test_stop_cancels(self):
        """
        A stop cancels a delivery that has not begun; it is tried at the next start, unharmed.
        """
        self.start()
        self.enqueue()
        self.successResultOf(self.outbox.stop(30))
        (row,) = self.rows()
        self.assertEqual((row.tries, row.is_trying, row.next_try), (0, False, NOW))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.outbox = self.make()
        self.upstream.asked.clear()
        self.start()
        self.assertEqual(len(self.upstream.asked), 1)
        self.assertEqual(self.past(), [])

    def test_stop_waits(self):
        """
        A stop waits for a delivery that has begun.
        """
        self.upstream.has_begun = True
        self.start()
        self.enqueue()
        stopped = self.outbox.stop(30)
        self.assertNoResult(stopped)
        self.upstream.answer(TAKEN)
        self.successResultOf(stopped)
        self.assertEqual(self.rows(), [])

    def test_stop_does_not_wait_for_ever(self):
        """
        A stop leaves a delivery alone that has no outcome in time; the next start notes that
        nobody knows how it ended.
        """
        self.upstream.has_begun = True
        self.start()
        self.enqueue()
        stopped = self.outbox.stop(30)
        self.clock.advance(29)
        self.assertNoResult(stopped)
        self.clock.advance(1)
        self.successResultOf(stopped)
        self.assertTrue(self.rows()[0].is_trying)
        self.outbox = self.make()
        self.start()
        ((event, _),) = self.past()
        self.assertEqual(event, "outbox.unknown")

    def test_stopped(self):
        """
        After a stop nothing new is begun.
        """
        self.start()
        self.successResultOf(self.outbox.stop(30))
        self.enqueue()
        self.clock.advance(1000)
        self.assertEqual(self.upstream.asked, [])


class TroubleTests(OutboxCase):
    """
    Tests of a disk that fails (F4).
    """

    def break_writes(self):
        """
        Let all writes fail, and give what mends it.
        """
        database = self.storage.database
        write = database.write
        database.write = lambda function: fail(StoreError(errno.ENOSPC, "full"))

        def mend():
            database.write = write

        return mend

    def test_f4_outcome_not_written(self):
        """
        A copy is not delivered again because its outcome could not be written down: that is
        repeated until the disk takes it.
        """
        self.start()
        self.enqueue()
        mend = self.break_writes()
        self.upstream.answer(TAKEN)
        self.clock.pump([60] * 10)
        self.assertEqual(self.upstream.asked, [])
        mend()
        self.clock.advance(60)
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.upstream.asked, [])
        self.assertGreater(len(self.flushLoggedErrors(StoreError)), 1)

    def test_f4_stop_meanwhile(self):
        """
        A stop does not wait for such a disk.
        """
        self.start()
        self.enqueue()
        mend = self.break_writes()
        self.upstream.answer(TAKEN)
        self.successResultOf(self.outbox.stop(30))
        mend()
        self.flushLoggedErrors(StoreError)
        self.assertTrue(self.rows()[0].is_trying)

    def test_f4_cannot_look(self):
        """
        An outbox that cannot be read looks again after a minute.
        """
        self.start()
        mend = self.break_writes()
        self.outbox.kick()
        mend()
        self.assertEqual(len(self.flushLoggedErrors(StoreError)), 1)
        self.enqueue(reason="451 later")
        self.clock.pump([60] * 6)
        self.assertEqual(len(self.upstream.asked), 1)
