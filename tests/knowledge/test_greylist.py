"""
Tests of L{mailgate.knowledge.greylist}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import GreylistCheck as Section
from mailgate.interfaces import Attempt, Standing
from mailgate.knowledge.greylist import (
    RETRY_SECONDS,
    SLACK,
    Greylist,
    attempt_of,
    network_named,
    untagged,
)
from mailgate.wire.address import NULL_SENDER, Address
from tests.pipeline.events import events
from tests.storage import WallClock, make_storage

DAY = 86400.0
NEW, KNOWN = Standing(False), Standing(True)


class AttemptTests(SynchronousTestCase):
    """
    Tests of what counts as one attempt.
    """

    def test_network(self):
        """
        What counts is the /24 of an IPv4 address, however it is spelled, and the /64 of an IPv6
        address.
        """
        for client, network in (
            ("192.0.2.7", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.0/24"),
            ("2001:DB8::1:2:3:4", "2001:db8::/64"),
            ("nobody", None),
        ):
            self.assertEqual(network_named(client), network)

    def test_untagged(self):
        """
        What is new in each message is no part of the sender.
        """
        for local, same in (
            ("Ada", "ada"),
            ('"ada"', "ada"),
            ("ada+lists", "ada"),
            ("+ada", "+ada"),
            ("prvs=1234abcdef=ada", "ada"),
            ("prvs=ada/1234abcdef", "ada"),
            ("msprvs1=18347AbcDe=ada", "ada"),
            ("SRS0=AbCd=5W=example.net=ada", "srs=example.net=ada"),
            ("SRS0+AbCd=5W=example.net=ada", "srs=example.net=ada"),
            (
                "SRS1=AbCd=relay.example==XyZw=5W=example.net=ada",
                "srs=relay.example=example.net=ada",
            ),
            ("news-ada=example.com", "news"),
            ("news-return-17-ada=example.com", "news-return-#"),
            ("bounces+17-ab3-ada=example.com", "bounces"),
            ("0102018d1a2b-3c4d-90ab-000000", "#"),
            ("bounce-4711_html-99", "bounce-#_html-#"),
        ):
            self.assertEqual(
                untagged(Address(local, "Lists.Example.ORG")), f"{same}@lists.example.org"
            )
        self.assertEqual(untagged(NULL_SENDER), "")

    @given(st.text(max_size=100), st.text(max_size=40))
    def test_hostile(self, local, domain):
        """
        Whatever stands in an address, it has one form.
        """
        sender = Address(local, domain)
        self.assertEqual(untagged(sender), untagged(sender))

    def test_attempt(self):
        """
        The recipient counts as the person it belongs to.
        """
        alias = Address("sales", "example.com", Address("Ada", "Example.com"))
        self.assertEqual(
            attempt_of("192.0.2.7", Address("eve+1", "example.org"), alias),
            Attempt("192.0.2.0/24", "eve@example.org", "ada@example.com"),
        )
        self.assertIsNone(attempt_of("", NULL_SENDER, alias))


class GreylistTests(SynchronousTestCase):
    """
    Tests of L{Greylist}.
    """

    def setUp(self):
        """
        Make a storage.
        """
        self.now = WallClock()
        self.database = make_storage(self, now=self.now).database
        self.greylist = self.make()

    def make(self, **more):
        """
        Make a greylist, as a start of the gateway does.
        """
        return Greylist(self.database, self.now, Section(), **more)

    def pass_(self, seconds):
        """
        Let time pass.
        """
        self.now.start += seconds

    def ask(self, network="192.0.2.0/24", sender="eve@example.org", recipient="ada@example.com"):
        """
        Attempt something, and give the answer.
        """
        looking = self.greylist.look_up([Attempt(network, sender, recipient)])
        (standing,) = self.successResultOf(looking)
        return standing

    def make_known(self, network):
        """
        Come from a network, and come again.
        """
        self.ask(network)
        self.pass_(300)
        self.assertTrue(self.ask(network).is_known)

    def rows(self):
        """
        Give what is remembered.
        """
        return self.successResultOf(self.greylist.newest())

    def test_again(self):
        """
        Who comes again after 5 minutes is known, and not before; coming in between takes no time.
        """
        self.assertEqual(self.ask(), NEW)
        self.pass_(299)
        self.assertEqual(self.ask(), Standing(False, 299.0))
        self.pass_(1)
        self.assertEqual(self.ask(), Standing(True, 300.0))
        self.assertEqual(self.ask(), KNOWN)

    def test_each_alone(self):
        """
        Another sender, recipient or network waits for itself.
        """
        self.ask()
        self.pass_(300)
        self.assertEqual(self.ask(sender="mallory@example.org"), NEW)
        self.assertEqual(self.ask(recipient="bob@example.com"), NEW)
        self.assertEqual(self.ask(network="198.51.100.0/24"), NEW)
        self.assertTrue(self.ask().is_known)

    def test_known_network(self):
        """
        Once somebody has come again all of the network are known, and none of another.
        """
        self.make_known("192.0.2.0/24")
        self.assertEqual(self.ask(sender="bob@example.net", recipient="bob@example.com"), KNOWN)
        self.assertEqual(self.ask(network="198.51.100.0/24"), NEW)
        self.assertEqual([row.is_known for row in self.rows()], [False, True])

    def test_how_long(self):
        """
        A network is known until nobody has come from it for 36 days.
        """
        self.make_known("192.0.2.0/24")
        self.pass_(35 * DAY)
        self.assertEqual(self.ask(), KNOWN)
        self.pass_(35 * DAY)
        self.assertEqual(self.ask(), KNOWN)
        self.pass_(36 * DAY)
        self.assertEqual(self.ask(), NEW)

    def test_too_late(self):
        """
        Who has not come again for 4 days begins anew.
        """
        self.ask()
        self.pass_(RETRY_SECONDS)
        self.assertEqual(self.ask(), NEW)
        self.pass_(300)
        self.assertTrue(self.ask().is_known)

    def test_batch(self):
        """
        Several attempts are one transaction, answered in their order.
        """
        attempts = [Attempt("192.0.2.0/24", "", to) for to in ("ada@x", "bob@x", "ada@x")]
        self.assertEqual(list(self.successResultOf(self.greylist.look_up(attempts))), [NEW] * 3)
        self.assertEqual(len(self.rows()), 2)

    def test_restart(self):
        """
        A restart forgets nothing.
        """
        self.make_known("192.0.2.0/24")
        self.ask("198.51.100.0/24")
        self.greylist = self.make()
        self.assertEqual(self.ask(), KNOWN)
        self.pass_(300)
        self.assertTrue(self.ask("198.51.100.0/24").is_known)

    def test_f13_clock(self):
        """
        A clock that jumps by a day forgets nobody, and lets nobody wait longer than twice the time.
        """
        for jump in (DAY, -DAY):
            self.make_known("192.0.2.0/24")
            self.ask("198.51.100.0/24")
            self.pass_(jump)
            self.successResultOf(self.greylist.purge())
            self.assertEqual(self.ask(), KNOWN)
            self.assertTrue(self.ask("198.51.100.0/24").is_known)
            self.successResultOf(self.greylist.clear("test"))
        self.ask()
        self.pass_(-200)
        self.assertEqual(self.ask(), NEW)
        self.pass_(500)
        self.assertTrue(self.ask().is_known)

    def test_a35_random_senders(self):
        """
        Who makes up senders pushes out what waits of its own network, and of no other.
        """
        self.greylist = self.make(most_of_network=10)
        self.make_known("192.0.2.0/24")
        self.ask("198.51.100.0/24")
        for number in range(500):
            self.ask("203.0.113.0/24", sender=f"{number}@example.net")
        self.assertEqual(len(self.rows()), 12)
        self.assertEqual(self.ask(), KNOWN)
        self.pass_(300)
        self.assertTrue(self.ask("198.51.100.0/24").is_known)

    def test_a35_random_networks(self):
        """
        Attempts from random networks stay bounded, and push out none that is known.
        """
        self.greylist = self.make(most=50)
        self.make_known("192.0.2.0/24")
        most = 0
        for number in range(1000):
            self.ask(f"2001:db8:{number:x}::/64", sender=f"{number}@example.net")
            most = max(most, self.successResultOf(self.greylist.count()))
        self.assertLessEqual(most, 51 + SLACK)
        self.assertEqual(self.ask(), KNOWN)

    def test_a35_known(self):
        """
        What is known stays bounded as well: what was not seen for longest goes.
        """
        self.greylist = self.make(most=20)
        for number in range(200):
            self.make_known(f"10.0.{number}.0/24")
        known = [row.network for row in self.rows() if row.is_known]
        self.assertLessEqual(len(known), 20 + SLACK)
        self.assertEqual(known[0], "10.0.199.0/24")
        self.assertNotIn("10.0.0.0/24", known)

    def test_purge(self):
        """
        What has expired is removed.
        """
        self.make_known("192.0.2.0/24")
        self.ask("198.51.100.0/24")
        self.assertEqual(self.successResultOf(self.greylist.purge()), 0)
        self.pass_(RETRY_SECONDS)
        self.assertEqual(self.successResultOf(self.greylist.purge()), 1)
        self.assertTrue(self.rows()[0].is_known)
        self.pass_(36 * DAY)
        self.assertEqual(self.successResultOf(self.greylist.purge()), 1)
        self.assertEqual(self.rows(), [])

    def test_newest(self):
        """
        A listing has the newest first and goes on page by page.
        """
        for to in ("ada@x", "bob@x", "eve@x"):
            self.ask(recipient=to)
        first = self.successResultOf(self.greylist.newest(2))
        self.assertEqual([row.recipient for row in first], ["eve@x", "bob@x"])
        rest = self.successResultOf(self.greylist.newest(2, first[-1].number))
        self.assertEqual([row.recipient for row in rest], ["ada@x"])

    def test_clear(self):
        """
        One network is forgotten, or all; an event tells.
        """
        for network in ("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/64"):
            self.ask(network)
        with events() as seen:
            self.assertEqual(self.successResultOf(self.greylist.clear("ada", "192.0.2.99")), 1)
            self.assertEqual(self.successResultOf(self.greylist.clear("ada", "2001:DB8::/64")), 1)
            self.assertEqual(self.successResultOf(self.greylist.clear("ada")), 1)
        self.assertEqual(
            [(each["event"], each["network"], each["number"], each["by"]) for each in seen],
            [
                ("greylist.cleared", "192.0.2.0/24", 1, "ada"),
                ("greylist.cleared", "2001:db8::/64", 1, "ada"),
                ("greylist.cleared", "all", 1, "ada"),
            ],
        )
        for wrong in ("example.org", "192.0.2.0/16", ""):
            self.assertRaises(ValueError, self.greylist.clear, "ada", wrong)
