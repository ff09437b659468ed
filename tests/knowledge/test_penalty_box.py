"""
Tests of L{mailgate.knowledge.penalty_box}.
"""

import tracemalloc

from attrs import evolve
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import PenaltyCheck as Section
from mailgate.finding import Finding
from mailgate.interfaces import Deed
from mailgate.knowledge import penalty_box
from mailgate.knowledge.penalty import HOUR, Penalty
from mailgate.knowledge.penalty_box import LEAST_POINTS, MOST_DEEDS, PenaltyBox
from mailgate.message.record import Copy
from mailgate.store.database import StoreError
from mailgate.verdict import Action, Kind, Verdict
from tests.pipeline.events import events
from tests.reporting.records import RECORD, REFUSED
from tests.storage import NOW, SESSION, WallClock, make_storage

CLIENT, NETWORK = "192.0.2.7", "192.0.2.0/24"
DELIVERED = (Copy("ada@example.com", "delivered", "250 2.0.0 taken", "inbox"),)
SEEN = (Finding("SEEN", 9.0, "Seen.", check="bayes"),)
SPAM = Verdict(Action.QUARANTINE, SEEN, 9.0, kind=Kind.SPAM)
REJECT = Verdict(Action.REJECT, SEEN, 20.0)
GOOD = evolve(RECORD, copies=DELIVERED, verdicts=(Verdict(Action.ACCEPT, (), 0.0),))
BAD = evolve(RECORD, verdicts=(SPAM,))


class BoxCase(SynchronousTestCase):
    """
    Has an empty box.
    """

    def setUp(self):
        """
        Make it.
        """
        self.now = WallClock()
        self.storage = make_storage(self, now=self.now)
        self.box = self.make()

    def make(self, section=None, relays=(), **more):
        """
        Make a box, and hear what it tells.
        """
        box = PenaltyBox(
            self.storage.database, self.now, section or Section(from_points=5.0), relays, **more
        )
        self.told = []
        box.changed = self.told.extend
        self.successResultOf(box.load())
        return box

    def points(self, name=CLIENT, box=None):
        """
        Give the good and the bad points of a name now.
        """
        found = self.successResultOf((self.box if box is None else box).newest(is_boxed=False))
        return next(((each.good, each.bad) for _, each in found if each.name == name), (0.0, 0.0))

    def boxed(self, box=None):
        """
        Name those in the box.
        """
        found = self.successResultOf((self.box if box is None else box).newest())
        return [penalty.name for _, penalty in found]


class CountTests(BoxCase):
    """
    Tests of what gives points.
    """

    def count(self, record, **more):
        """
        Give the good and bad points for a transaction.
        """
        box = self.make(**more)
        box.count(record)
        return self.points(box=box)

    def test_good(self):
        """
        A message that is delivered speaks for its client; one that is held for its content's sake
        alone says nothing.
        """
        self.assertEqual(self.count(GOOD), (1.0, 0.0))
        held = (Copy("ada@example.com", "held", "", "held-held-held"),)
        policy = Verdict(Action.QUARANTINE, SEEN, 9.0, kind=Kind.POLICY)
        self.assertEqual(self.count(evolve(GOOD, copies=held, verdicts=(policy,))), (0.0, 0.0))

    def test_network(self):
        """
        What a client does counts for its network as well.
        """
        self.box.count(BAD)
        self.box.count(evolve(BAD, session=evolve(SESSION, client="192.0.2.8")))
        self.assertEqual(self.points(NETWORK), (0.0, 2.0))
        self.assertEqual(self.points(CLIENT), (0.0, 1.0))

    def test_spam(self):
        """
        A message that is held as spam or refused at its end is bad, whatever became of other
        recipients' copies, and also where the gateway only watches.
        """
        for verdict in (
            SPAM,
            evolve(SPAM, kind=Kind.PHISHING),
            evolve(SPAM, kind=Kind.MALWARE),
            REJECT,
            Verdict(Action.ACCEPT, SEEN, 20.0, would=Action.REJECT),
        ):
            record = evolve(GOOD, verdicts=(*GOOD.verdicts, verdict))
            self.assertEqual(self.count(record), (0.0, 1.0), verdict)

    def test_refused(self):
        """
        Who is refused before has done something bad; who is to come again has not.
        """
        refused = evolve(REFUSED, verdicts=(REJECT,))
        self.assertEqual(self.count(refused, section=Section(refused_points=3.0)), (0.0, 3.0))
        deferred = evolve(REFUSED, verdicts=(Verdict(Action.DEFER, SEEN, 5.0),))
        self.assertEqual(self.count(deferred), (0.0, 0.0))

    def test_unknown(self):
        """
        Each recipient that does not exist counts, up to ten of them.
        """
        unknown = Copy("x@example.com", "refused", "550 5.1.1 no such recipient here")
        other = Copy("y@example.com", "refused", "550 5.7.1 not here")
        record = evolve(RECORD, size=None, verdicts=(), copies=(unknown, unknown, other))
        self.assertEqual(self.count(record), (0.0, 1.0))
        many = evolve(record, copies=(unknown,) * 100)
        self.assertEqual(self.count(many), (0.0, 0.5 * MOST_DEEDS))

    def test_login(self):
        """
        A wrong password counts, on every listener; a log-in that could not be asked does not.
        """
        notes = (
            "log-in as ada failed: 535 5.7.8 wrong",
            "log-in failed: 535 5.7.8 wrong",
            "log-in as ada failed: 454 4.7.0 later",
            "3 more log-ins failed",
        )
        session = evolve(SESSION, role="submission")
        record = evolve(REFUSED, session=session, notes=notes, verdicts=())
        self.assertEqual(self.count(record), (0.0, 1.0))

    def test_account(self):
        """
        That somebody can log in and send speaks for where they are; what they send does not speak
        against it.
        """
        session = evolve(SESSION, role="submission", account="ada")
        self.assertEqual(self.count(evolve(GOOD, session=session)), (1.0, 0.0))
        self.assertEqual(self.count(evolve(REFUSED, session=session, verdicts=(REJECT,)))[1], 0.0)

    def test_ours(self):
        """
        Machines of ours are not judged.
        """
        for role in ("internal", "lmtp"):
            session = evolve(SESSION, role=role)
            self.assertEqual(self.count(evolve(BAD, session=session)), (0.0, 0.0))

    def test_exempt(self):
        """
        Exempt networks are not counted, nor is anything where the check is off.
        """
        for section in (Section(exempt_networks=(NETWORK,)), Section(mode="off")):
            self.assertEqual(self.count(BAD, section=section), (0.0, 0.0))
            box = self.make(section)
            box.mark(CLIENT, Deed.TRAP)
            self.assertEqual(len(box), 0)

    def test_relay(self):
        """
        What a relay brings counts for the stranger from whom it came, and for nobody where none is
        known.
        """
        box = self.make(relays=(NETWORK,))
        box.count(BAD)
        self.assertEqual(len(box), 0)
        box.count(evolve(BAD, origin="203.0.113.9"))
        self.assertEqual(self.points("203.0.113.9", box), (0.0, 1.0))
        self.assertEqual(self.points(CLIENT, box), (0.0, 0.0))

    def test_own_finding(self):
        """
        Nobody stays in the box for being in it, nor for coming often, nor for what single people
        have blocked; and a trap has its own points.
        """
        own = Finding("PENALTY_ADDRESS", 3.0, "Boxed.", check="penalty")
        for check, score, is_bad in (
            ("penalty", 1.0, False),
            ("greylist", 9.0, False),
            ("rates", 9.0, False),
            ("reputation", 9.0, False),
            ("lists", 10.0, False),
            ("traps", 9.0, False),
            ("bayes", 2.9, False),
            ("bayes", 3.0, True),
        ):
            other = Finding("SEEN", score, "Seen.", check=check)
            record = evolve(REFUSED, verdicts=(evolve(REJECT, findings=(own, other)),))
            self.assertEqual(self.count(record), (0.0, float(is_bad)), (check, score))

    def test_mark(self):
        """
        Others can mark an address; what is none is left alone.
        """
        counted = []
        self.box.counted = lambda *what: counted.append(what)
        self.box.mark(CLIENT, Deed.TRAP)
        self.box.mark("", Deed.TRAP)
        self.assertEqual(self.points(), (0.0, 5.0))
        self.assertEqual(counted, [(Deed.TRAP, 1)])
        self.assertEqual(self.boxed(), [NETWORK, CLIENT])


class BoxTests(BoxCase):
    """
    Tests of L{PenaltyBox}.
    """

    def mark(self, client=CLIENT, times=1, box=None):
        """
        Give somebody five bad points each time.
        """
        for _ in range(times):
            (self.box if box is None else box).mark(client, Deed.TRAP)

    def test_begun(self):
        """
        An event tells once that somebody is in the box.
        """
        with events() as told:
            self.mark(times=3)
        found = [(event["event"], event["name"], event["bad"], event["good"]) for event in told]
        self.assertEqual(
            found, [("penalty.begun", CLIENT, 5.0, 0.0), ("penalty.begun", NETWORK, 5.0, 0.0)]
        )

    def test_told(self):
        """
        The checks and others hear of the box together once in a while, of each name once, and
        nothing where nothing has changed.
        """
        self.mark(times=2)
        self.assertEqual((self.told, len(self.box.penalties)), ([], 0))
        self.box.tell()
        expected = [Penalty(name, 0.0, 10.0, NOW) for name in (CLIENT, NETWORK)]
        self.assertEqual(self.told, expected)
        self.assertEqual(list(self.box.penalties), expected)
        self.box.tell()
        self.assertEqual(self.told, expected)

    def test_good_ones(self):
        """
        Enough good mail takes somebody out of the box, and that is told.
        """
        self.mark()
        self.box.tell()
        for _ in range(6):
            self.box.mark(CLIENT, Deed.GOOD)
        self.box.tell()
        self.assertEqual((self.boxed(), len(self.box.penalties)), ([], 0))
        self.assertEqual([each.bad for each in self.told], [5.0, 5.0, 0.0, 0.0])

    def test_decay(self):
        """
        With time somebody is out of the box, and forgotten in the end.
        """
        self.mark(times=2)
        self.box.tell()
        self.told.clear()
        self.now.start = NOW + 24 * HOUR
        self.assertEqual(self.boxed(), [NETWORK, CLIENT])
        self.assertEqual(self.successResultOf(self.box.purge()), 0)
        self.assertEqual(self.told, [])
        self.now.start = NOW + 25 * HOUR
        self.assertEqual(self.boxed(), [])
        self.assertEqual(self.successResultOf(self.box.purge()), 0)
        self.assertEqual(len(self.box.penalties), 0)
        self.now.start = NOW + 5 * 24 * HOUR
        self.assertLess(10 / 2**5, LEAST_POINTS)
        self.assertEqual(self.successResultOf(self.box.purge()), 2)
        self.assertEqual(len(self.box), 0)
        self.assertEqual(self.rows(), [])

    def test_purged_in_turns(self):
        """
        A purge looks at some only, and the next one at others, until all were looked at.
        """
        self.patch(penalty_box, "PURGED", 3)
        self.mark()
        for number in range(4):
            self.box.mark(f"198.51.{100 + number}.7", Deed.SPAM)
        self.now.start = NOW + 30 * 24 * HOUR
        left = [len(self.box)]
        while left[-1]:
            self.assertLessEqual(self.successResultOf(self.box.purge()), 3)
            left.append(len(self.box))
        self.assertEqual(left, [10, 7, 4, 1, 0])

    def rows(self):
        """
        Name those on the disk.
        """
        return self.successResultOf(
            self.storage.database.read(
                lambda connection: [
                    row[0] for row in connection.execute("SELECT name FROM penalty ORDER BY name")
                ]
            )
        )

    def test_kept(self):
        """
        What was written is there after a restart, and goes on from there.
        """
        self.mark(times=2)
        self.assertEqual(self.successResultOf(self.box.write()), 2)
        self.assertEqual(self.successResultOf(self.box.write()), 0)
        with events() as told:
            again = self.make()
        self.assertEqual(told, [])
        self.assertEqual(self.boxed(again), [NETWORK, CLIENT])
        self.assertEqual(len(again.penalties), 2)
        self.mark("203.0.113.9", box=again)
        self.mark(box=again)
        self.assertEqual(self.points(box=again), (0.0, 15.0))
        self.successResultOf(again.write())
        self.assertEqual(
            self.boxed(self.make()), ["203.0.113.0/24", "203.0.113.9", NETWORK, CLIENT]
        )

    def test_kept_with_few_points(self):
        """
        Whoever is in the box is kept, with however few points that is.
        """
        section = Section(from_points=1.0)
        box = self.make(section)
        box.mark(CLIENT, Deed.REFUSED)
        self.successResultOf(box.write())
        self.assertEqual(self.boxed(self.make(section)), [NETWORK, CLIENT])

    def test_not_written(self):
        """
        What could not be written is written the next time.
        """
        self.mark()
        write = self.storage.database.write
        self.storage.database.write = lambda work: fail(StoreError(28, "no space"))
        self.failureResultOf(self.box.write(), StoreError)
        self.storage.database.write = write
        self.assertEqual(self.successResultOf(self.box.write()), 2)
        self.assertEqual(self.rows(), [NETWORK, CLIENT])

    def test_clear(self):
        """
        An address is forgotten alone, a network with all in it; the checks know at once, and an
        event tells who did it.
        """
        self.mark()
        self.mark("192.0.2.8")
        self.mark("203.0.113.9")
        self.box.tell()
        self.successResultOf(self.box.write())
        with events() as told:
            self.assertEqual(self.successResultOf(self.box.clear("ada", CLIENT)), 1)
        (event,) = told
        self.assertEqual(
            (event["event"], event["number"], event["name"], event["by"]),
            ("penalty.cleared", 1, CLIENT, "ada"),
        )
        self.assertIsNone(self.box.penalties.find(CLIENT))
        self.assertEqual(self.successResultOf(self.box.clear("ada", "192.0.2.9/24")), 2)
        self.assertEqual(self.rows(), ["203.0.113.0/24", "203.0.113.9"])
        self.assertEqual(self.successResultOf(self.box.clear("ada")), 2)
        self.assertEqual((self.rows(), list(self.box.penalties)), ([], []))
        self.assertRaises(ValueError, self.box.clear, "ada", "example.org")

    def test_pages(self):
        """
        A listing goes on where the one before ended.
        """
        for at in range(5):
            self.mark(f"192.0.{at}.7")
        first = self.successResultOf(self.box.newest(3))
        rest = self.successResultOf(self.box.newest(None, first[-1][0]))
        names = [penalty.name for _, penalty in (*first, *rest)]
        self.assertEqual(names, self.boxed())
        self.assertEqual(len(names), self.successResultOf(self.box.number()))
        self.box.mark("198.51.100.1", Deed.UNKNOWN)
        self.assertEqual(self.successResultOf(self.box.number(is_boxed=False)), 12)

    def test_reload(self):
        """
        Other settings count at once.
        """
        self.mark()
        self.box.take_up(Section(from_points=6.0), ())
        self.box.tell()
        self.assertEqual((self.boxed(), len(self.box.penalties)), ([], 0))
        self.box.take_up(Section(from_points=5.0), (NETWORK,))
        self.box.tell()
        self.assertEqual(len(self.box.penalties), 2)
        self.box.count(BAD)
        self.assertEqual(self.points(), (0.0, 5.0))

    def test_clock(self):
        """
        Whatever the clock does, points never become more by it.
        """
        self.mark()
        self.now.start = NOW - 7 * 86400
        self.assertEqual(self.points(), (0.0, 5.0))
        self.mark()
        self.assertEqual(self.points(), (0.0, 10.0))

    def test_a35_random_keys(self):
        """
        Whoever comes from ever new addresses makes nobody forgotten who is known, writes nothing,
        and takes bounded memory.
        """
        box = self.make(most=1000)
        self.mark(box=box)
        self.successResultOf(box.write())
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for at in range(10_000):
            box.mark(f"10.{at // 256}.{at % 256}.1", Deed.UNKNOWN)
        size, _ = tracemalloc.get_traced_memory()
        self.assertEqual(len(box), 1002)
        self.assertLess(size, 1e6)
        self.assertEqual(self.points(box=box), (0.0, 5.0))
        self.assertEqual(self.successResultOf(box.write()), 0)
        self.assertEqual(self.rows(), [NETWORK, CLIENT])

    def test_a35_ipv6(self):
        """
        All addresses of an IPv6 network are one.
        """
        for at in range(100):
            self.box.mark(f"2001:db8::{at:x}", Deed.UNKNOWN)
        self.assertEqual(len(self.box), 1)
        self.assertEqual(self.boxed(), ["2001:db8::/64"])

    def test_a35_known(self):
        """
        Of those that are known only so many are kept either; who is forgotten leaves the box and
        the disk.
        """
        box = self.make(most=4)
        self.mark(box=box)
        self.successResultOf(box.write())
        box.tell()
        for at in range(2):
            self.mark(f"10.0.{at}.1", box=box)
        box.tell()
        self.successResultOf(box.write())
        self.assertEqual(len(box.penalties), 4)
        self.assertEqual(self.rows(), ["10.0.0.0/24", "10.0.0.1", "10.0.1.0/24", "10.0.1.1"])
