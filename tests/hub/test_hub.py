"""
Tests of L{mailgate.hub.hub}.
"""

from pathlib import Path

from attrs import evolve
from twisted.internet.defer import fail, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.alike import alike_file_of, load_index
from mailgate.config.checks import Checks
from mailgate.config.delivery import SmtpUpstream
from mailgate.config.model import AccountFile, AccountUpstream
from mailgate.hub.hub import Hub
from mailgate.hub.jobs import Job
from mailgate.hub.learning import FOLDER
from mailgate.hub.lock import InUse
from mailgate.hub.storage import Storage
from mailgate.interfaces import Capabilities, Deed, Marks, Outgoing
from mailgate.knowledge.entry import ListName, make_entry
from mailgate.reply import Reply
from mailgate.store import history
from mailgate.store.database import StoreError
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Kind
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters
from tests.contracts.test_hub import AsItIs
from tests.delivery.test_results import read_now
from tests.pipeline.events import events
from tests.reporting.records import RECORD
from tests.storage import (
    ADA,
    BOB,
    ENVELOPE,
    NOW,
    WallClock,
    hold,
    make_settings,
    make_storage,
    message,
    temporary_folder,
)

DAY = 86400


class Upstream:
    """
    An upstream that takes everything.
    """

    name = "inbox"
    capabilities = Capabilities()

    failures = 0
    is_open = False

    def __init__(self):
        self.taken = []
        self.messages = []
        self.reply = Reply(250, "2.0.0", "taken")

    def deliver(self, envelope, recipients, message):
        """
        Take it, or answer what a test wants.
        """
        self.taken += recipients
        self.messages.append(message.prepended + b"".join(map(read_now, message.chunks())))
        return succeed([self.reply for _ in recipients])

    def probe(self):
        """
        Be there.
        """
        return succeed(None)


class HubTests(SynchronousTestCase):
    """
    Tests of L{Hub}.
    """

    def setUp(self):
        """
        Name the data folder.
        """
        self.data = temporary_folder(self)
        self.reactor = MemoryReactorClock()
        self.upstream = Upstream()
        self.ran = []

    def make(self, **settings):
        """
        Make a hub.
        """
        threads = ImmediateThreads()
        storage = Storage(
            make_settings(self.data, **settings),
            threads,
            threads,
            Files(),
            WallClock(self.reactor),
            company=0,
        )
        job = Job("mine", 100, lambda: succeed(self.ran.append(self.reactor.seconds())))
        return Hub(self.reactor, storage, lambda address: self.upstream, AsItIs(), [job])

    def start(self, hub):
        """
        Start a hub.
        """
        self.successResultOf(hub.start())
        self.addCleanup(lambda: self.successResultOf(hub.stop()))

    def alike(self):
        """
        Count the structures and files that workers find.
        """
        return len(load_index(alike_file_of(self.data / FOLDER), Files()).things)

    def test_alike(self):
        """
        What is compared is written at the start, within a minute of a lesson, and when it has
        become too old.
        """
        storage = make_storage(self, self.data)
        self.successResultOf(storage.fuzzy.remember({1: Marks(structure=7)}, True))
        self.successResultOf(storage.close())
        alike_file_of(self.data / FOLDER).unlink()
        hub = self.make()
        self.start(hub)
        self.assertEqual(self.alike(), 1)
        self.reactor.advance(DAY)
        fuzzy = hub._storage.fuzzy
        self.successResultOf(fuzzy.remember({2: Marks(structure=8)}, True))
        self.reactor.advance(61)
        self.assertEqual(self.alike(), 2)
        self.reactor.advance(90 * DAY)
        self.reactor.advance(61)
        self.assertEqual(self.alike(), 1)

    def held(self, hub):
        """
        List the ids of what is held.
        """
        return [held.id for held in self.successResultOf(hub.quarantine.list())]

    def test_one_at_a_time(self):
        """
        A second hub on the same folder is refused; after the first one's end it starts.
        """
        first, second = self.make(), self.make()
        self.successResultOf(first.start())
        self.failureResultOf(second.start(), InUse)
        self.successResultOf(first.stop())
        self.successResultOf(second.start())
        self.successResultOf(second.stop())

    def test_retry(self):
        """
        What is retried on the command line is tried at once, and not at its time.
        """
        hub = self.make()
        self.start(hub)
        late = Outgoing(ADA, Action.ACCEPT, 0.0, "451 4.3.0 later")
        ids = self.successResultOf(hub.enqueue(ENVELOPE, message(), [late, late]))
        self.assertEqual(self.upstream.taken, [])
        self.successResultOf(hub.commands.run("outbox.retry", {"id": ids[0]}))
        self.assertEqual(self.upstream.taken, [ADA])
        self.successResultOf(hub.commands.run("outbox.retry", {}))
        self.assertEqual(self.upstream.taken, [ADA, ADA])

    def test_starts_again_after_failure(self):
        """
        A start that failed halfway leaves nothing locked.
        """
        storage = make_storage(self, self.data)
        self.successResultOf(storage.close())
        hub = self.make()
        (self.data / "state.db").rename(self.data / "kept")
        (self.data / "state.db").write_bytes(b"no database at all" * 100)
        self.failureResultOf(hub.start(), StoreError)
        (self.data / "kept").rename(self.data / "state.db")
        self.start(self.make())

    def test_starts_again_after_later_failure(self):
        """
        A start that failed after the storage was open closes it again.
        """
        hub = self.make()
        start, hub.outbox.start = hub.outbox.start, lambda: fail(StoreError(5, "no disk"))
        self.failureResultOf(hub.start(), StoreError)
        hub.outbox.start = start
        self.start(hub)

    def test_recovers(self):
        """
        At the start provisional holds become ordinary ones, with an event.
        """
        storage = make_storage(self, self.data)
        quarantine = storage.quarantine(lambda: None)
        ids = self.successResultOf(quarantine.hold(ENVELOPE, message(), (hold(),), True))
        self.successResultOf(storage.close())
        hub = self.make()
        with events() as told:
            self.start(hub)
        self.assertEqual(self.held(hub), ids)
        self.assertIn("quarantine.recovered", [event["event"] for event in told])

    def test_release_is_delivered(self):
        """
        What is released goes out.
        """
        hub = self.make()
        self.start(hub)
        (identity,) = self.successResultOf(hub.hold(ENVELOPE, message(), (hold(),), False))
        self.successResultOf(hub.quarantine.release(identity, "ada"))
        self.assertEqual(self.upstream.taken, [ADA])

    def test_owner(self):
        """
        Whom a copy belongs to is known on all its ways: held, released, queued, and held again when
        the upstream refuses it.
        """
        hub = self.make()
        self.start(hub)
        refused = [Reply(550, "5.1.1", "nobody of that name")]
        self.upstream.deliver = lambda envelope, recipients, message: succeed(refused)
        ada = evolve(ADA, belongs_to=BOB)
        queued = Outgoing(ada, Action.ACCEPT, 0.0)
        (identity,) = self.successResultOf(
            hub.hold(ENVELOPE, message(), (evolve(hold(), recipient=ada),), False)
        )
        self.successResultOf(hub.quarantine.release(identity, "ada"))
        self.successResultOf(hub.enqueue(ENVELOPE, message(), [queued]))
        held = self.successResultOf(hub.quarantine.list())
        self.assertEqual([each.kind for each in held], [Kind.UNDELIVERABLE] * 2)
        for each in held:
            self.assertEqual(each.recipient, ADA)
            self.assertEqual((each.owner, each.recipient.owner), (BOB.owner, BOB.owner))

    def test_enqueued_is_delivered(self):
        """
        What is queued goes out.
        """
        hub = self.make()
        self.start(hub)
        self.successResultOf(hub.enqueue(ENVELOPE, message(), [Outgoing(ADA, Action.TAG, 5.5)]))
        self.assertEqual(self.upstream.taken, [ADA])

    def test_lists(self):
        """
        What is on the lists counts from the start on, and goes when its time is over.
        """
        storage = make_storage(self, self.data)
        for value, expires in (("a.example", None), ("b.example", NOW + DAY)):
            entry = make_entry(ListName.BLOCK, value, by="ada", expires=expires)
            self.successResultOf(storage.lists.add(entry))
        self.successResultOf(storage.close())
        hub = self.make()
        self.start(hub)
        self.assertEqual(len(hub.lists.lists), 2)
        for _ in range(25):
            self.reactor.advance(3600)
        (left,) = self.successResultOf(hub.lists.newest())
        self.assertEqual((left.value, len(hub.lists.lists)), ("a.example", 1))

    def test_stop_writes_traces(self):
        """
        What was recorded just before the end is in the trace and in the log.
        """
        hub = self.make()
        self.successResultOf(hub.start())
        hub.record(RECORD)
        self.successResultOf(hub.stop())
        self.assertEqual((self.data / "transactions.jsonl").read_text().count("\n"), 1)
        storage = make_storage(self, self.data)
        self.assertEqual(len(self.successResultOf(storage.traces.find(RECORD.trace))), 1)

    def test_f4_no_room(self):
        """
        A disk with too little room is seen within ten seconds, and so is the room to come.
        """
        hub = self.make(limits={"free_bytes": 1 << 60})
        self.start(hub)
        self.assertFalse(hub.has_room())
        hub.room.minimum = 1
        self.reactor.advance(10)
        self.assertTrue(hub.has_room())

    def test_take_up(self):
        """
        A changed configuration counts for what the hub does from then on.
        """
        hub = self.make(limits={"free_bytes": 1 << 60})
        self.start(hub)
        given = hub._storage.settings
        changed = given.model_copy(
            update={
                "limits": given.limits.model_copy(update={"free_bytes": 1}),
                "policy": given.policy.model_copy(update={"tag": 4.0}),
                "route": (given.route[0].model_copy(update={"domains": ("other.example",)}),),
            }
        )
        rewriter = AsItIs()
        hub.take_up(changed, rewriter)
        self.reactor.advance(10)
        self.assertTrue(hub.has_room())
        self.assertIs(hub.outbox.rewriter, rewriter)
        self.assertEqual(hub.commands.policy.tag, 4.0)
        self.assertEqual(hub.lists.domains, {"other.example"})

    def test_take_up_senders(self):
        """
        Other limits and another penalty box count from then on as well.
        """
        hub = self.make(checks={"rates": {"address_messages": 1}})
        self.start(hub)
        hub.record(RECORD)
        self.assertEqual(len(hub.rates.excesses), 1)
        hub.penalty_box.mark("192.0.2.7", Deed.TRAP)
        self.reactor.advance(1)
        self.assertEqual(len(hub.penalty_box.penalties), 2)
        checks = Checks(rates={"address_messages": 2}, penalty={"from_points": 6.0})
        hub.take_up(hub._storage.settings.model_copy(update={"checks": checks}), AsItIs())
        self.reactor.advance(1)
        self.assertEqual((len(hub.rates.excesses), len(hub.penalty_box.penalties)), (0, 0))
        self.assertEqual(hub.sums.excesses, {("address", "messages"): 1})
        self.assertEqual(hub.sums.deeds[Deed.TRAP], 1)

    def test_penalty_box_at_the_end(self):
        """
        What was counted last is in the penalty box after a restart.
        """
        hub = self.make()
        self.successResultOf(hub.start())
        hub.penalty_box.mark("192.0.2.7", Deed.TRAP)
        self.successResultOf(hub.stop())
        hub = self.make()
        self.start(hub)
        self.assertIsNotNone(hub.penalty_box.penalties.find("192.0.2.7"))

    def reloaded(self, hub, **sections):
        """
        Let a hub take up a configuration in which some sections have changed.
        """
        given = hub._storage.settings
        changed = {
            name: getattr(given, name).model_copy(update=update)
            for name, update in sections.items()
        }
        hub.take_up(given.model_copy(update=changed), AsItIs())

    def test_take_up_outbox(self):
        """
        Times, numbers and what is told of the outbox are taken up, for what waits already too.
        """
        hub = self.make()
        self.start(hub)
        self.upstream.reply = Reply(451, "4.3.0", "later")
        self.send(hub)
        self.reloaded(hub, outbox={"retry_seconds": (7.0,), "deliveries": 3})
        self.assertEqual(len(self.upstream.taken), 2)
        self.reactor.advance(6)
        self.assertEqual(len(self.upstream.taken), 2)
        self.reactor.advance(2)
        self.assertEqual(len(self.upstream.taken), 3)

    def test_take_up_postmaster(self):
        """
        Another postmaster is told of what fails from then on, and is whom notices are from; so are
        other pauses and whether recipients are told at all, and where the pages are.
        """
        hub = self.make()
        self.start(hub)
        self.reloaded(
            hub,
            notices={"postmaster": "ops@example.com", "tell_recipients": False},
            web={"base_url": "https://mail.example.com"},
        )
        self.upstream.reply = Reply(550, "5.7.1", "no")
        self.send(hub)
        self.upstream.reply = Reply(250, "2.0.0", "taken")
        self.reactor.advance(61)
        self.assertEqual([str(who) for who in self.upstream.taken[1:]], ["ops@example.com"])
        notice = self.upstream.messages[-1]
        self.assertIn(b"ops@example.com", notice.partition(b"\r\n\r\n")[0])
        self.assertIn(b"https://mail.example.com/quarantine", notice)

    def test_take_up_backlog(self):
        """
        From when on somebody is told that mail piles up is taken up.
        """
        hub = self.make()
        self.start(hub)
        self.upstream.reply = Reply(451, "4.3.0", "later")
        self.send(hub)
        with events() as said:
            self.reactor.advance(120)
            self.reloaded(hub, outbox={"alert_seconds": 60.0})
            self.reactor.advance(60)
        self.assertIn("outbox.backlog", [each["event"] for each in said])

    def test_take_up_told(self):
        """
        Whether an upstream has put mail into a mailbox, and what address an account has, is taken
        up as well.
        """
        hub = self.make()
        self.start(hub)
        given = hub._storage.settings
        changed = {
            "upstream": {"inbox": SmtpUpstream(kind="smtp", host="inbox.example.com")},
            "accounts": AccountFile(
                upstream=AccountUpstream(host="imap.example.com", domain="example.com")
            ),
        }
        for settings, told, action in (
            (given, "carol@example.com", "delivered"),
            (given.model_copy(update=changed), "ada@example.com", "relayed"),
        ):
            hub.take_up(settings, AsItIs())
            session = evolve(ENVELOPE.session, role="submission", account="ada")
            wishes = {BOB.owner: RcptParameters("SUCCESS")}
            carol = Address("carol", "example.com")
            envelope = evolve(ENVELOPE, session=session, sender=carol, wishes=wishes)
            self.upstream.taken.clear()
            self.send(hub, envelope, BOB)
            self.assertEqual([str(who) for who in self.upstream.taken], [str(BOB), told])
            self.assertIn(f"Action: {action}".encode(), self.upstream.messages[-1])

    def send(self, hub, envelope=ENVELOPE, who=ADA):
        """
        Queue a copy.
        """
        copies = [Outgoing(who, Action.ACCEPT, 0.0)]
        self.successResultOf(hub.enqueue(envelope, message(), copies))

    def test_jobs(self):
        """
        What is too old is purged while the hub runs, and further jobs run as well.
        """
        hub = self.make()
        self.start(hub)
        self.successResultOf(hub.hold(ENVELOPE, message(), (hold(),), False))
        hub.record(RECORD)
        database = hub._storage.database
        for _ in range(32):
            self.reactor.advance(DAY)
        self.assertEqual(self.held(hub), [])
        self.assertEqual(list(self.data.glob("trace-20270115*")), [])
        past = database.read(lambda connection: history.notes(connection, ENVELOPE.trace))
        self.assertEqual(len(self.successResultOf(past)), 1)
        for _ in range(31):
            self.reactor.advance(DAY)
        past = database.read(lambda connection: history.notes(connection, ENVELOPE.trace))
        self.assertEqual(self.successResultOf(past), [])
        self.assertGreater(len(self.ran), 50)

    def test_stop_goes_on(self):
        """
        A part that cannot be stopped keeps none of the others from it: the lock is given back.
        """
        hub = self.make()
        self.start(hub)
        hub._traces.stop = lambda: 1 // 0
        self.successResultOf(hub.stop())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        del hub._traces.stop
        self.successResultOf(hub._traces.stop())
        second = self.make()
        self.start(second)

    def test_stop_without_start(self):
        """
        A hub that never started can be stopped.
        """
        self.successResultOf(self.make().stop())

    def test_listens(self):
        """
        The running hub listens on its control socket.
        """
        self.start(self.make())
        ((path, *_),) = self.reactor.unixServers
        self.assertEqual(Path(path).name, "control")
