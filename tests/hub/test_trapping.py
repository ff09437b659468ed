"""
Tests of L{mailgate.hub.trapping}.
"""

from attrs import evolve
from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding
from mailgate.hub.trapping import Trapping
from mailgate.message.record import Copy
from mailgate.store.database import StoreError
from mailgate.store.threads import immediate_result
from mailgate.verdict import Action, Verdict
from mailgate.wire.address import Address
from tests.pipeline.events import events
from tests.reporting.records import RECORD
from tests.storage import ENVELOPE, WallClock, hold, make_settings, make_storage, message

DAY = 86400.0
OLD = Address("old", "example.com")
ADA = Address("ada", "example.com")
FOUND = Finding("TRAP_RECIPIENT", 10.0, "A trap.")


class Learner:
    """
    Notes what it is to learn.
    """

    def __init__(self):
        self.lessons = []
        self.answer = None

    def learn(self, path, is_spam, by):
        """
        Learn.
        """
        self.lessons.append((path.read_bytes(), is_spam, by))
        return succeed(None) if self.answer is None else fail(self.answer)


class TrappingTests(SynchronousTestCase):
    """
    Tests of L{Trapping}.
    """

    def setUp(self):
        """
        Make one that notes who is marked.
        """
        self.now = WallClock()
        self.storage = make_storage(self, now=self.now)
        self.quarantine = self.storage.quarantine(lambda: None)
        self.learner = Learner()
        self.marked = []
        self.trapping = self.make()

    def make(self, relays=(), **options):
        """
        Make one with other settings.
        """
        settings = make_settings(
            self.storage.settings.data, checks={"traps": options}, relays={"networks": relays}
        )
        self.storage.traps.section = settings.checks.traps
        marks = (lambda client, reason: self.marked.append((client, reason)),)
        return Trapping(
            self.storage.traps, self.quarantine, self.learner, settings, marks, self.now
        )

    def record(self, *copies, findings=(FOUND,), client="192.0.2.7", role="mx", **more):
        """
        Give the record of a message to a trap that is held, and to others.
        """
        ids = immediate_result(self.quarantine.hold(ENVELOPE, message(), [hold(OLD)], False))
        verdicts = (Verdict(Action.QUARANTINE, findings, 10.0, (OLD,)),)
        session = evolve(RECORD.session, client=client, role=role)
        held = Copy(str(OLD), "held", "", ids[0])
        return evolve(RECORD, session=session, copies=(held, *copies), verdicts=verdicts, **more)

    def test_hit(self):
        """
        Whoever writes to a trap is marked, his message is learned, and an event tells.
        """
        with events() as seen:
            self.trapping.concluded(self.record())
        self.assertEqual(self.marked, [("192.0.2.7", "wrote to the trap old@example.com")])
        ((text, is_spam, by),) = self.learner.lessons
        self.assertIn(b"Subject:", text)
        self.assertEqual((is_spam, by), (True, "trap old@example.com"))
        self.assertEqual([event["event"] for event in seen], ["trap.hit"])

    def test_no_trap(self):
        """
        Nobody else is.
        """
        self.trapping.concluded(self.record(findings=()))
        self.trapping.concluded(RECORD)
        self.assertEqual((self.marked, self.learner.lessons), ([], []))

    def test_with_people(self):
        """
        A message that people got too marks its sender and teaches nothing.
        """
        for outcome in ("delivered", "held", "queued"):
            self.trapping.concluded(self.record(Copy(str(ADA), outcome, "", "x")))
        self.assertEqual((len(self.marked), self.learner.lessons), (3, []))
        self.trapping.concluded(self.record(Copy(str(ADA), "refused", "550 5.1.1 x")))
        self.assertEqual(len(self.learner.lessons), 1)

    def test_spared(self):
        """
        Notices, those whom somebody allows, those of ours, and relays that name nobody mark
        nobody, and teach nothing.
        """
        allowed = (FOUND, Finding("ALLOWED_CLIENT", -6.0, "Allowed."))
        self.trapping = self.make(relays=("198.51.100.0/24",))
        for record in (
            self.record(sender=""),
            self.record(findings=allowed),
            self.record(findings=(FOUND, Finding("REPUTATION_GOOD", -1.0, "Known."))),
            self.record(role="submission"),
            self.record(role="lmtp"),
            self.record(client="127.0.0.1"),
            self.record(client="198.51.100.7"),
            self.record(client="198.51.100.7", origin="127.0.0.1"),
            self.record(size=None),
        ):
            self.trapping.concluded(record)
        self.assertEqual((self.marked, self.learner.lessons), ([], []))

    def test_relay(self):
        """
        Of what a relay has brought the stranger is marked.
        """
        self.trapping = self.make(relays=("198.51.100.0/24",))
        self.trapping.concluded(self.record(client="198.51.100.7", origin="8.8.4.4"))
        self.assertEqual([client for client, _ in self.marked], ["8.8.4.4"])

    def test_poisoning(self):
        """
        So many lessons come from a network, and so many in a day, however many messages there are.
        """
        self.trapping = self.make(lessons_per_day=5, lessons_per_network=2)
        for number in range(4):
            for _ in range(10):
                self.trapping.concluded(self.record(client=f"192.0.{number}.{number}"))
        self.assertEqual((len(self.marked), len(self.learner.lessons)), (40, 5))
        self.now.start += DAY
        self.trapping.concluded(self.record())
        self.assertEqual(len(self.learner.lessons), 6)
        self.trapping = self.make(lessons_per_day=0)
        self.trapping.concluded(self.record())
        self.assertEqual(len(self.learner.lessons), 6)

    def test_not_learned(self):
        """
        A message that cannot be learned is told of, and the next one is learned.
        """
        self.learner.answer = OSError("no disk")
        self.trapping.concluded(self.record())
        (failure,) = self.flushLoggedErrors(OSError)
        self.assertEqual(str(failure.value), "no disk")
        self.trapping.concluded(self.record())
        self.assertEqual(len(self.learner.lessons), 2)
        self.flushLoggedErrors(OSError)

    def guess(self, *clients, reply="550 5.1.1 nobody (x)", **more):
        """
        Write to somebody unknown from some places.
        """
        for client in clients:
            session = evolve(RECORD.session, client=client, role=more.get("role", "mx"))
            origin = more.get("origin", "")
            copies = (Copy("eve@example.com", "refused", reply),)
            record = evolve(
                RECORD,
                session=session,
                origin=origin,
                copies=copies,
                verdicts=(),
                size=None,
                sender=more.get("sender", "x@example.org"),
            )
            self.trapping.concluded(record)
        self.successResultOf(self.trapping.write())

    def found(self):
        """
        Name the traps.
        """
        return [each.address for each in self.successResultOf(self.storage.traps.newest())]

    def test_guessed(self):
        """
        An address that is guessed from so many networks becomes a trap, if that is allowed.
        """
        places = [f"192.0.{number}.1" for number in range(3)]
        self.guess(*places)
        self.assertEqual(self.found(), [])
        self.trapping = self.make(learn_after_guesses=3)
        self.guess(*places[:2], *places[:2])
        self.guess(places[2], sender="")
        self.guess(places[2], reply="550 5.7.1 refused")
        self.guess(places[2], role="internal")
        self.assertEqual(self.found(), [])
        self.guess(places[2])
        self.assertEqual(self.found(), ["eve@example.com"])

    def test_guessed_by_way_of_a_relay(self):
        """
        What a relay brings is guessed from where the stranger is.
        """
        self.trapping = self.make(relays=("198.51.100.0/24",), learn_after_guesses=2)
        self.guess("198.51.100.7", "198.51.100.8", origin="8.8.4.4")
        self.guess("198.51.100.7")
        self.assertEqual(self.found(), [])
        self.guess("198.51.100.7", origin="8.8.8.8")
        self.assertEqual(self.found(), ["eve@example.com"])

    def test_real(self):
        """
        Who has got mail, has sent some, or has led to somebody who got it, never becomes one.
        """
        self.trapping = self.make(learn_after_guesses=1)
        for more in (
            {"copies": (Copy("eve@example.com", "delivered", "", "inbox"),)},
            {"named": ("eve@example.com",)},
            {"session": evolve(RECORD.session, role="submission"), "sender": "Eve@Example.com"},
        ):
            self.storage.database.write(lambda connection: connection.execute("DELETE FROM trap"))
            self.trapping.concluded(evolve(RECORD, verdicts=(), **more))
            self.successResultOf(self.trapping.write())
            self.guess("192.0.2.1")
            self.assertEqual(self.found(), [], more)
            self.storage.database.write(
                lambda connection: connection.execute("DELETE FROM never_trap")
            )
            self.trapping = self.make(learn_after_guesses=1)
        self.guess("192.0.2.1")
        self.assertEqual(self.found(), ["eve@example.com"])

    def test_others_are_not_ours(self):
        """
        Whom people of ours write to elsewhere is not remembered.
        """
        session = evolve(RECORD.session, role="submission")
        copies = (Copy("eve@example.org", "queued"),)
        self.trapping.concluded(
            evolve(RECORD, session=session, copies=copies, sender="bob@example.com", verdicts=())
        )
        self.successResultOf(self.trapping.write())

        def work(connection):
            return [row[0] for row in connection.execute("SELECT address FROM never_trap")]

        found = self.successResultOf(self.storage.database.read(work))
        self.assertEqual(found, ["bob@example.com"])

    def test_not_written(self):
        """
        What could not be written is written the next time, with what was seen meanwhile.
        """
        self.trapping = self.make(learn_after_guesses=1)
        self.successResultOf(self.storage.traps.add(str(OLD), "ada"))
        self.trapping.concluded(self.record(Copy("eve@example.com", "delivered")))
        write = self.storage.database.write
        self.storage.database.write = lambda work: fail(StoreError(28, "no space"))
        self.failureResultOf(self.trapping.write(), StoreError)
        self.storage.database.write = write
        self.trapping.concluded(self.record())
        self.guess("192.0.2.1")
        (trap,) = self.storage.traps.traps
        self.assertEqual((trap.address, trap.hits), (str(OLD), 2))

    def test_nothing_to_write(self):
        """
        Where nothing was seen, nothing is written.
        """
        self.assertIsNone(self.successResultOf(self.trapping.write()))
