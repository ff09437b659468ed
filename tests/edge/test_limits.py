"""
Tests of L{mailgate.edge.limits}.
"""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import ClientLimits
from mailgate.edge import limits
from mailgate.edge.limits import (
    KEYS,
    TOO_BUSY,
    TOO_FAST_FROM_ADDRESS,
    TOO_FAST_FROM_NETWORK,
    TOO_MANY_FROM_ADDRESS,
    TOO_MANY_FROM_NETWORK,
    TOO_MANY_UNKNOWN,
    TOO_MUCH_JUNK,
    ConnectionLimits,
)
from mailgate.interfaces import Counted

MANY = 1_000_000
OPEN = {
    "connections_per_address": MANY,
    "connections_per_network": MANY,
    "rate_per_address": MANY,
    "rate_per_network": MANY,
}
"""Settings under which none of these limits is met."""


class ConnectionLimitsTests(SynchronousTestCase):
    """
    Tests of what one client may open.
    """

    def setUp(self):
        """
        Make a clock.
        """
        self.clock = Clock()

    def make(self, possible=None, **settings):
        """
        Make limits.
        """
        return ConnectionLimits(ClientLimits(**{**OPEN, **settings}), self.clock, possible)

    def test_address(self):
        """
        An address has so many connections at the same time, its neighbours have theirs, and one
        that ends makes room.
        """
        made = self.make(connections_per_address=2)
        self.assertIsNone(made.admit("192.0.2.7"))
        self.assertIsNone(made.admit("::ffff:192.0.2.7"))
        self.assertEqual(made.admit("192.0.2.7"), TOO_MANY_FROM_ADDRESS)
        self.assertIsNone(made.admit("192.0.2.8"))
        self.assertEqual(made.open, 3)
        made.release("192.0.2.7")
        self.assertIsNone(made.admit("192.0.2.7"))
        self.assertEqual(made.admit("192.0.2.7"), TOO_MANY_FROM_ADDRESS)

    def test_counted(self):
        """
        Who was let in and who was turned away is counted.
        """
        made = self.make(connections_per_address=2)
        for _ in range(3):
            made.admit("192.0.2.7")
        made.release("192.0.2.7")
        self.assertEqual((made.admitted, made.turned_away, made.open), (2, 1, 1))

    def test_network(self):
        """
        A /24 and a /64 have so many connections together.
        """
        made = self.make(connections_per_network=2)
        for network in ("192.0.2.%d", "2001:db8::%x:1"):
            self.assertIsNone(made.admit(network % 1))
            self.assertIsNone(made.admit(network % 200))
            self.assertEqual(made.admit(network % 3), TOO_MANY_FROM_NETWORK)
            made.release(network % 200)
            self.assertIsNone(made.admit(network % 3))
        self.assertIsNone(made.admit("192.0.3.1"))
        self.assertIsNone(made.admit("2001:db8:0:1::1"))

    def test_all(self):
        """
        All together have so many connections; clients of the exempt networks are let in still,
        and the others find less room for it.
        """
        made = self.make(connections=3)
        self.assertIsNone(made.admit("192.0.2.7"))
        self.assertIsNone(made.admit("127.0.0.1"))
        self.assertIsNone(made.admit("198.51.100.1"))
        self.assertEqual(made.admit("203.0.113.1"), TOO_BUSY)
        self.assertIsNone(made.admit("127.0.0.1"))
        made.release("127.0.0.1")
        self.assertEqual(made.admit("203.0.113.1"), TOO_BUSY)
        made.release("127.0.0.1")
        self.assertIsNone(made.admit("203.0.113.1"))

    def test_possible(self):
        """
        The machine may allow fewer connections than the settings, and never gives more.
        """
        for possible, most in ((1, 1), (5, 2)):
            made = self.make(possible, connections=2)
            for _ in range(most):
                self.assertIsNone(made.admit("192.0.2.7"))
            self.assertEqual(made.admit("192.0.2.7"), TOO_BUSY)

    def test_possible_here(self):
        """
        What this process can have says nothing of what others have.
        """
        made = self.make(2, connections=4)
        for _ in range(3):
            made.elsewhere(Counted.ADMITTED, "192.0.2.7")
        self.assertIsNone(made.admit("192.0.2.7"))
        self.assertEqual(made.admit("192.0.2.7"), TOO_BUSY)

    def test_rate_of_an_address(self):
        """
        An address connects so many times a minute, however short its connections are; what was
        refused does not count, so it is let in again as soon as there is room.
        """
        made = self.make(rate_per_address=2)
        for _ in range(2):
            self.assertIsNone(made.admit("192.0.2.7"))
            made.release("192.0.2.7")
            self.clock.advance(20)
        self.assertEqual(made.admit("192.0.2.7"), TOO_FAST_FROM_ADDRESS)
        self.assertIsNone(made.admit("192.0.2.8"))
        self.clock.advance(19)
        self.assertEqual(made.admit("192.0.2.7"), TOO_FAST_FROM_ADDRESS)
        self.clock.advance(1)
        self.assertIsNone(made.admit("192.0.2.7"))

    def test_rate_of_a_network(self):
        """
        So does a network.
        """
        made = self.make(rate_per_network=2)
        for last in (1, 2):
            self.assertIsNone(made.admit(f"192.0.2.{last}"))
            made.release(f"192.0.2.{last}")
        self.assertEqual(made.admit("192.0.2.3"), TOO_FAST_FROM_NETWORK)
        self.assertIsNone(made.admit("192.0.3.1"))
        self.clock.advance(60)
        self.assertIsNone(made.admit("192.0.2.3"))

    def test_unknown_recipients(self):
        """
        A12: the 30th unknown recipient from a network within ten minutes ends the session, and so
        does every one after it until ten minutes are over.
        """
        made = self.make()
        for number in range(29):
            self.assertIsNone(made.unknown_recipient(f"192.0.2.{number}"))
        self.assertEqual(made.unknown_recipient("192.0.2.77"), TOO_MANY_UNKNOWN)
        self.assertEqual(made.unknown_recipient("192.0.2.78"), TOO_MANY_UNKNOWN)
        self.assertIsNone(made.unknown_recipient("192.0.3.1"))
        self.clock.advance(600)
        self.assertIsNone(made.unknown_recipient("192.0.2.77"))

    def test_junk_commands(self):
        """
        So do commands without mail, counted for an address.
        """
        made = self.make(junk_commands=3)
        self.assertIsNone(made.junk_command("192.0.2.7"))
        self.assertIsNone(made.junk_command("192.0.2.7"))
        self.assertEqual(made.junk_command("192.0.2.7"), TOO_MUCH_JUNK)
        self.assertIsNone(made.junk_command("192.0.2.8"))

    def test_exempt(self):
        """
        For clients of our own machine, for those of configured networks and for those without an
        address no limit holds.
        """
        strict = {name: 1 for name in ClientLimits.model_fields if name != "exempt_networks"}
        made = self.make(
            **{**strict, "exempt_networks": ("127.0.0.0/8", "::1/128", "192.0.2.0/28")}
        )
        for client in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "192.0.2.15", ""):
            for _ in range(3):
                self.assertIsNone(made.admit(client), client)
                self.assertIsNone(made.unknown_recipient(client), client)
                self.assertIsNone(made.junk_command(client), client)
        self.assertEqual(made.admit("192.0.2.16"), TOO_BUSY)
        self.assertEqual(made.unknown_recipient("192.0.2.16"), TOO_MANY_UNKNOWN)

    def test_f17(self):
        """
        F17: of 1,000 connections of an address, and 100 a second from new addresses of its
        network, the defaults let in what one client may have, and others still come in.
        """
        made = ConnectionLimits(ClientLimits(), self.clock)
        admitted = sum(made.admit("192.0.2.7") is None for _ in range(1000))
        self.assertEqual(admitted, 50)
        for second in range(100):
            admitted += sum(made.admit(f"192.0.2.{second + 8}") is None for _ in range(100))
            self.clock.advance(1)
        self.assertEqual(admitted, 200)
        self.assertIsNone(made.admit("198.51.100.1"))

    def test_bounded(self):
        """
        A35: whatever comes, no more than so many addresses and networks are remembered, and of
        connections none that have ended.
        """
        self.patch(limits, "KEYS", 100)
        made = self.make()
        for number in range(1000):
            client = f"10.{number >> 8}.{number & 255}.1"
            made.admit(client)
            made.release(client)
            made.unknown_recipient(client)
            made.junk_command(client)
        for window in (made._address_rate, made._network_rate, made._unknown, made._junk):
            self.assertEqual(len(window), 100)
        self.assertEqual((made.open, dict(made._open_by)), (0, {}))
        self.assertLessEqual(KEYS, 10_000)

    def test_refused_leaves_nothing(self):
        """
        Who is refused is not remembered as somebody with connections.
        """
        made = self.make(connections_per_network=1)
        made.admit("192.0.2.7")
        for number in range(10, 20):
            self.assertEqual(made.admit(f"192.0.2.{number}"), TOO_MANY_FROM_NETWORK)
        self.assertEqual((made.open, len(made._open_by)), (1, 2))
        self.assertEqual(len(made._address_rate), 1)

    def test_told(self):
        """
        A flood is told of once a minute for each network and limit.
        """
        made = self.make(connections_per_address=1)
        made.admit("192.0.2.7")
        with capturedLogs() as events:
            for _ in range(10):
                made.admit("192.0.2.7")
            (event,) = events
            self.assertEqual((event["event"], event["client"]), ("client.refused", "192.0.2.7"))
            self.assertIn("too many connections", event["reply"])
            self.clock.advance(60)
            made.admit("192.0.2.7")
        self.assertEqual(len(events), 2)
