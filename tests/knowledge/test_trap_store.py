"""
Tests of L{mailgate.knowledge.trap_store}.
"""

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import TrapsCheck as Section
from mailgate.knowledge.trap_store import (
    MOST_OF_NETWORK,
    Guess,
    News,
    TrapRefused,
    TrapStore,
    is_reserved,
)
from mailgate.store.schema import migrations
from mailgate.store.threads import immediate_result
from mailgate.wire.address import Address
from tests.pipeline.events import events
from tests.storage import ENVELOPE, WallClock, hold, make_storage, message

DAY = 86400.0


class StoreCase(SynchronousTestCase):
    """
    Has a store in which three networks make a trap.
    """

    def setUp(self):
        """
        Make one.
        """
        self.now = WallClock()
        self.storage = make_storage(self, now=self.now)
        self.store = self.make()

    def make(self, **options):
        """
        Make another one on the same database.
        """
        section = options.pop("section", Section(learn_after_guesses=3))
        return TrapStore(self.storage.database, self.now, section, {"example.com"}, **options)

    def guess(self, local, *networks, store=None):
        """
        Have somebody written to from networks.
        """
        guesses = [Guess(f"{local}@example.com", f"192.0.{each}.0/24") for each in networks]
        self.successResultOf((store or self.store).take(News({}, guesses, ())))

    def take(self, **news):
        """
        Take other news.
        """
        self.successResultOf(self.store.take(evolve(News({}, (), ()), **news)))

    def found(self):
        """
        Name all traps.
        """
        return [each.address for each in self.successResultOf(self.store.newest())]

    def number(self, table):
        """
        Count the rows of a table.
        """

        def work(connection):
            return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

        return self.successResultOf(self.storage.database.read(work))


class MadeTests(StoreCase):
    """
    Tests of traps that somebody has made.
    """

    def test_add(self):
        """
        It counts once everybody has been told, is told of, and outlasts a restart.
        """
        waiting = Deferred()
        told = []
        self.store.changed = lambda traps: told.append([each.address for each in traps]) or waiting
        with events() as seen:
            adding = self.store.add("Old@Example.com", "ada", "gone")
        self.assertNoResult(adding)
        waiting.callback(None)
        trap, was_used = self.successResultOf(adding)
        self.assertEqual(
            (trap.address, trap.note, trap.is_guessed), ("old@example.com", "gone", False)
        )
        self.assertFalse(was_used)
        self.assertEqual(told, [["old@example.com"]])
        self.assertEqual([event["event"] for event in seen], ["trap.added"])
        other = self.make()
        self.successResultOf(other.load())
        self.assertEqual(list(other.traps), [trap])

    def test_refused(self):
        """
        What is no address of ours, or where people complain, is refused; so is one too many.
        """
        for text in (
            "old",
            "@example.com",
            "a b@example.com",
            "old@example.net",
            "Abuse@example.com",
        ):
            self.failureResultOf(self._add(text), TrapRefused)
        self.store = self.make(most=1)
        self.successResultOf(self.store.add("a@example.com", "ada"))
        self.successResultOf(self.store.add("a@example.com", "ada"))
        self.failureResultOf(self.store.add("b@example.com", "ada"), TrapRefused)

    def _add(self, text):
        async def add():
            await self.store.add(text, "ada")

        return Deferred.fromCoroutine(add())

    def test_was_used(self):
        """
        It is told of an address that has had mail.
        """
        self.take(real=("old@example.com",))
        self.assertTrue(self.successResultOf(self.store.add("old@example.com", "ada"))[1])

    def test_delete(self):
        """
        It is none any more, and never becomes one by itself again.
        """
        self.successResultOf(self.store.add("old@example.com", "ada"))
        gone = self.successResultOf(self.store.delete("OLD@example.com", "bob"))
        self.assertEqual(gone.address, "old@example.com")
        self.assertIsNone(self.successResultOf(self.store.delete("old@example.com", "bob")))
        self.guess("old", 1, 2, 3, 4)
        self.assertEqual(self.found(), [])
        self.assertIsNone(self.store.traps.find("old@example.com"))

    def test_hits(self):
        """
        How many messages came there is counted, and when the last one did.
        """
        self.successResultOf(self.store.add("old@example.com", "ada"))
        self.take(hits={"old@example.com": 2, "other@example.com": 1})
        (trap,) = self.successResultOf(self.store.newest())
        self.assertEqual((trap.hits, trap.last), (2, self.now()))


class GuessedTests(StoreCase):
    """
    Tests of addresses that become traps by themselves.
    """

    def test_made(self):
        """
        From so many networks, however often from each, it becomes a trap, and all are told.
        """
        told = []
        self.store.changed = lambda traps: told.append(len(traps)) or succeed(None)
        self.guess("eve", 1, 1, 1, 2)
        self.guess("eve", 1, 2)
        self.assertEqual(self.found(), [])
        with events() as seen:
            self.guess("eve", 3)
        self.assertEqual(self.found(), ["eve@example.com"])
        self.assertTrue(self.store.traps.find("eve@example.com").is_guessed)
        self.assertEqual(told, [1])
        self.assertEqual([event["event"] for event in seen], ["trap.made"])
        self.assertEqual(self.number("trap_guess"), 0)

    def test_off(self):
        """
        Unless it is allowed, nothing is remembered and nothing becomes one.
        """
        store = self.make(section=Section())
        self.guess("eve", *range(100), store=store)
        self.assertEqual((self.found(), self.number("trap_guess")), ([], 0))

    def test_too_slow(self):
        """
        What was guessed longer ago does not count, and is forgotten.
        """
        self.guess("eve", 1, 2)
        self.now.start += 15 * DAY
        self.guess("eve", 3)
        self.assertEqual(self.found(), [])
        self.assertEqual(self.successResultOf(self.store.purge()), 2)
        self.guess("eve", 4, 5)
        self.assertEqual(self.found(), ["eve@example.com"])

    def test_never(self):
        """
        None that ever existed, be it known by a copy or from before, and none that people try in
        good faith.
        """
        self.take(real=("bob@example.com",))
        for local in ("bob", "info", "postmaster", "sales-emea", "abuse", "mailer-daemon"):
            self.guess(local, 1, 2, 3, 4)
        self.assertEqual(self.found(), [])
        self.assertTrue(is_reserved("webmaster@example.com"))
        self.assertFalse(is_reserved("webmasters@example.com"))

    def test_exists_now(self):
        """
        One that has become somebody's ceases to be a trap; one that somebody has made does not.
        """
        self.guess("eve", 1, 2, 3)
        self.successResultOf(self.store.add("old@example.com", "ada"))
        with events() as seen:
            self.take(real=("eve@example.com", "old@example.com"))
        self.assertEqual(self.found(), ["old@example.com"])
        self.assertEqual([event["event"] for event in seen], ["trap.deleted"])
        self.guess("eve", 1, 2, 3)
        self.assertEqual(self.found(), ["old@example.com"])

    def test_bounded(self):
        """
        A35: guesses are bounded, in all and of one network, so that none pushes out the others.
        """
        store = self.make(most_guesses=250)
        self.guess("eve", 1, 2, store=store)
        many = [Guess(f"x{each}@example.com", "198.51.100.0/24") for each in range(1000)]
        self.successResultOf(store.take(News({}, many, ())))
        self.assertEqual(self.number("trap_guess"), MOST_OF_NETWORK + 2)
        self.guess("eve", 3, store=store)
        self.assertEqual(self.found(), ["eve@example.com"])
        for network in range(10):
            from_there = f"203.0.{network}.0/24"
            more = [Guess(f"y{network}-{each}@example.com", from_there) for each in range(90)]
            self.successResultOf(store.take(News({}, more, ())))
        self.assertEqual(self.number("trap_guess"), 250)

    def test_too_many_traps(self):
        """
        A35: no more become traps than there may be.
        """
        store = self.make(most=2)
        for local in ("a", "b", "c"):
            self.guess(local, 1, 2, 3, store=store)
        self.assertEqual(self.number("trap"), 2)

    def test_full(self):
        """
        Where it cannot be remembered any more who exists, nothing becomes a trap by itself.
        """
        store = self.make(most_never=2)
        real = [f"u{each}@example.com" for each in range(5)]
        self.successResultOf(store.take(News({}, (), real)))
        self.assertEqual(self.number("never_trap"), 2)
        self.guess("eve", 1, 2, 3, store=store)
        self.assertEqual(self.found(), [])

    def test_held_before(self):
        """
        Recipients that were held or queued before there were traps have existed.
        """
        ada = Address("Ada", "Example.com")
        quarantine = self.storage.quarantine(lambda: None)
        immediate_result(quarantine.hold(ENVELOPE, message(), [hold(ada)], False))

        def again(connection):
            sql = next(step.sql for step in migrations() if step.name == "traps")
            connection.execute(sql[sql.index("INSERT OR IGNORE") :].rstrip().rstrip(";"))

        self.successResultOf(self.storage.database.write(again))
        self.guess("ada", 1, 2, 3)
        self.assertEqual(self.found(), [])
