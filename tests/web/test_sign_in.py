"""
Tests for L{mailgate.web.sign_in}.
"""

from __future__ import annotations

import hashlib

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.web.accounts import AccountRefused
from mailgate.web.sign_in import LINK_SECONDS, Tries, network_of
from tests.web.harness import BASE_URL, NAME, PASSWORD, World


class LogInsTests(SynchronousTestCase):
    """
    Who is signed in.
    """

    def setUp(self):
        """
        Make an account and sign in.
        """
        self.world = World(self, idle_seconds=3600, session_seconds=12 * 3600)
        self.account = self.world.add_account()
        self.token = self.begin()

    def begin(self):
        """
        Begin a log-in and give its token.
        """
        return self.successResultOf(self.world.log_ins.begin(self.account))

    def find(self, token=None):
        """
        Find a log-in.
        """
        return self.successResultOf(self.world.log_ins.find(token or self.token))

    def test_found(self):
        """
        A token gives its log-in, and another one none.
        """
        self.assertEqual(self.find().account, self.account)
        self.assertIsNone(self.find("x" * 43))

    def test_only_its_hash_is_stored(self):
        """
        The store does not hold the token, but its SHA-256.
        """
        ((stored, *_),) = self.world.rows("log_in")
        self.assertEqual(stored, hashlib.sha256(self.token.encode()).digest())

    def test_tokens_differ(self):
        """
        Each log-in has a token of its own with 256 random bits.
        """
        self.assertNotEqual(self.begin(), self.begin())
        self.assertEqual(len(self.token), 43)

    def test_idle(self):
        """
        A log-in that is not used for an hour has ended.
        """
        self.world.clock.advance(3600)
        self.assertIsNotNone(self.find())
        self.world.clock.advance(3601)
        self.assertIsNone(self.find())

    def test_longest(self):
        """
        A log-in ends after twelve hours, however often it is used.
        """
        for _ in range(24):
            self.assertIsNotNone(self.find())
            self.world.clock.advance(1800)
        self.assertIsNotNone(self.find())
        self.world.clock.advance(1)
        self.assertIsNone(self.find())

    def test_f13_clock_put_back(self):
        """
        A log-in that seems to come from the future has ended, so that none is good for ever.
        """
        self.world.now.start -= 86400
        self.assertIsNone(self.find())

    def test_end(self):
        """
        Signing out ends this log-in and no other.
        """
        other = self.begin()
        self.successResultOf(self.world.log_ins.end(self.find()))
        self.assertIsNone(self.find())
        self.assertIsNotNone(self.find(other))

    def test_changed_password_ends_the_others(self):
        """
        A changed password ends the other log-ins of the account, and only those.
        """
        other = self.begin()
        bob = self.successResultOf(self.world.accounts.add("bob", PASSWORD))
        bobs = self.successResultOf(self.world.log_ins.begin(bob))
        self.assertEqual(self.successResultOf(self.world.log_ins.others(self.find())), 1)
        self.successResultOf(
            self.world.accounts.change_password(
                self.account, PASSWORD, "another password", self.find().token
            )
        )
        self.assertIsNotNone(self.find())
        self.assertIsNone(self.find(other))
        self.assertIsNotNone(self.find(bobs))
        self.assertEqual(self.successResultOf(self.world.log_ins.others(self.find())), 0)

    def test_ended_ones_are_forgotten(self):
        """
        The next log-in removes the rows of those that have ended.
        """
        self.world.clock.advance(3601)
        self.begin()
        self.assertEqual(len(self.world.rows("log_in")), 1)

    def test_use_is_written_once_a_minute(self):
        """
        That a log-in is used is not written at each visit.
        """
        writes = []
        write = self.world.storage.database.write
        self.patch(
            self.world.storage.database, "write", lambda work: writes.append(1) or write(work)
        )
        for _ in range(10):
            self.find()
            self.world.clock.advance(10)
        self.assertEqual(len(writes), 1)

    def test_store_that_cannot_be_written(self):
        """
        Where nothing can be written a log-in still shows what can be read.
        """

        def fail(work):
            raise OSError(28, "no room")

        self.patch(self.world.storage.database, "write", fail)
        self.world.clock.advance(120)
        self.assertIsNotNone(self.find())
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class FirstAdministratorTests(SynchronousTestCase):
    """
    The link for the first administrator.
    """

    def setUp(self):
        """
        Make a link.
        """
        self.world = World(self)
        self.first = self.world.first
        self.link = self.first.new_link()
        self.token = self.link.rpartition("/")[2]

    def works(self, token=None):
        """
        Ask whether a link works.
        """
        return self.successResultOf(self.first.works(token or self.token))

    def create(self, name=NAME, password=PASSWORD):
        """
        Make the account.
        """
        return self.first.create(self.token, name, password)

    def test_link(self):
        """
        The link begins with the configured base URL and cannot be guessed.
        """
        self.assertEqual(self.link, f"{BASE_URL}/setup/{self.token}")
        self.assertEqual(len(self.token), 43)
        self.assertTrue(self.works())

    def test_other_token(self):
        """
        No other token works, and none before a link was made.
        """
        for token in ("x" * 43, "ü", self.token + "x", self.token[:-1]):
            self.assertFalse(self.works(token))
        fresh = World(self).first
        self.assertFalse(self.successResultOf(fresh.works(self.token)))

    def test_is_not_kept(self):
        """
        What is kept of the token is its hash.
        """
        self.assertNotIn(self.token, repr(vars(self.first)))

    def test_once(self):
        """
        The link makes one account.
        """
        self.assertEqual(self.successResultOf(self.create()).name, NAME)
        self.assertFalse(self.works())
        self.assertIsNone(self.successResultOf(self.create("bob")))

    def test_fifteen_minutes(self):
        """
        The link works for 15 minutes.
        """
        self.world.clock.advance(LINK_SECONDS - 1)
        self.assertTrue(self.works())
        self.world.clock.advance(1)
        self.assertFalse(self.works())
        self.assertIsNone(self.successResultOf(self.create()))

    def test_new_link(self):
        """
        A new link takes the place of the one before.
        """
        self.first.new_link()
        self.assertFalse(self.works())

    def test_only_without_accounts(self):
        """
        Once there is an account, however it was made, the link does nothing.
        """
        self.world.add_account("bob")
        self.assertFalse(self.works())
        self.assertIsNone(self.successResultOf(self.create()))

    def test_unusable_password(self):
        """
        After an unusable password the link still works.
        """
        self.failureResultOf(self.create(password="short"), AccountRefused)
        self.assertTrue(self.works())
        self.assertIsNotNone(self.successResultOf(self.create()))

    def test_race(self):
        """
        Of two that use the link at the same time one gets the account.
        """
        hashed = self.world.accounts._hasher.hash

        def race(password):
            if password == PASSWORD:
                self.successResultOf(self.world.accounts.add_first("bob", "another password"))
            return hashed(password)

        self.patch(
            self.world.accounts,
            "_hasher",
            type("Hasher", (), {"hash": staticmethod(race), "verify": None})(),
        )
        self.assertIsNone(self.successResultOf(self.create()))
        self.assertEqual([row[1] for row in self.world.rows("account")], ["bob"])


class TriesTests(SynchronousTestCase):
    """
    How often one may try.
    """

    def setUp(self):
        """
        Allow three tries within a minute, for five keys.
        """
        self.clock = Clock()
        self.tries = Tries(self.clock, most=3, seconds=60, keys=5)

    def add(self, key, times):
        """
        Try several times.
        """
        for _ in range(times):
            self.tries.add(key)

    def test_limit(self):
        """
        After as many tries as are allowed one has to wait for the rest of the span.
        """
        self.add("a", 2)
        self.assertEqual(self.tries.wait("a"), 0)
        self.clock.advance(20)
        self.add("a", 1)
        self.assertEqual(self.tries.wait("a"), 40)
        self.assertEqual(self.tries.wait("b"), 0)
        self.clock.advance(40)
        self.assertEqual(self.tries.wait("a"), 0)
        self.add("a", 1)
        self.assertEqual(self.tries.wait("a"), 0)

    def test_forget(self):
        """
        What is forgotten or taken back does not count.
        """
        self.add("a", 3)
        self.tries.take_back("a")
        self.assertEqual(self.tries.wait("a"), 0)
        self.add("a", 1)
        self.assertEqual(self.tries.wait("a"), 60)
        self.tries.forget("a")
        self.tries.take_back("a")
        self.assertEqual(self.tries.wait("a"), 0)

    def test_bounded(self):
        """
        No more keys are counted than were allowed; the one seen least recently goes.
        """
        self.add("a", 3)
        for number in range(1000):
            self.add(str(number), 1)
            self.tries.add("a")
        self.assertEqual(len(self.tries._counts), 5)
        self.assertGreater(self.tries.wait("a"), 0)


class Networks(SynchronousTestCase):
    """
    What a client is counted by.
    """

    def test_networks(self):
        """
        An IPv4 address counts as itself, an IPv6 address with its /64 network.
        """
        for client, expected in (
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::7", "2001:db8:1:2::"),
            ("", ""),
        ):
            self.assertEqual(network_of(client), expected)
