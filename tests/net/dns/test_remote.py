"""
Tests of L{mailgate.net.dns.remote}.
"""

from collections import Counter
from errno import ECONNREFUSED, EHOSTUNREACH

from twisted.trial.unittest import SynchronousTestCase

from mailgate.net.dns.remote import Around, Attempt, Remote
from tests.net.dns.network import ONE, Machine


class Few:
    """
    Random bytes of which there are few.
    """

    def __init__(self, ids):
        self._ids = iter(ids)

    def take(self, size):
        """
        Give the next.
        """
        return next(self._ids)

    def below(self, limit):
        """
        Give the least.
        """
        return 0


class Waits:
    """
    What waits for a reply.
    """

    def __init__(self):
        self.received_ids = []
        self.reasons = []

    def received(self, attempt, message):
        """
        Note it.
        """
        self.received_ids.append(message[:2])

    def failed(self, attempt, why):
        """
        Note it.
        """
        self.reasons.append(why)


class RemoteTests(SynchronousTestCase):
    """
    Tests of queries over UDP.
    """

    def make(self, *ids):
        """
        Make a server that is there and says nothing.
        """
        self.machine = Machine(ONE)
        self.machine.servers[ONE.host, ONE.port] = None
        self.query = Waits()
        return Remote(ONE, Around(self.machine, Few(ids), Counter(), self.machine.open))

    def send(self, remote):
        """
        Send a query.
        """
        attempt = Attempt(self.query, remote, b"\0\0\1\0\1", True)
        remote.send(attempt)
        return attempt

    def test_ids(self):
        """
        No two queries that wait on a socket have the same id.
        """
        remote = self.make(*([b"aa"] * 9), b"aa", b"bb")
        for _ in range(8):
            self.send(remote)
        ninth = self.send(remote)
        socket, datagram = self.machine.sent[-1]
        self.assertEqual((socket, datagram[:2]), (self.machine.sockets[0], b"bb"))
        ninth.withdraw()
        for id in (b"bb", b"aa"):
            self.machine.deliver(socket, id + bytes(10), (ONE.host, ONE.port))
        self.assertEqual(self.query.received_ids, [b"aa"])

    def test_closed(self):
        """
        What is closed stays open for those who wait, and no longer.
        """
        remote = self.make(b"aa", b"bb")
        one, other = self.send(remote), self.send(remote)
        remote.close()
        self.assertEqual(len(self.machine.sockets), 2)
        one.withdraw()
        self.assertEqual(len(self.machine.sockets), 1)
        other.withdraw()
        other.withdraw()
        self.assertEqual(self.machine.sockets, [])

    def test_refused(self):
        """
        Where nobody listens, all who wait on that socket are told, and another is used.
        """
        remote = self.make(*([b"aa"] * 8), b"bb", b"cc")
        for _ in range(8):
            self.send(remote)
        first = self.machine.sockets[0]
        self.send(remote)
        self.machine.break_off(first, ECONNREFUSED)
        self.assertEqual(self.query.reasons, ["no DNS server is there"] * 2)
        self.assertFalse(first.is_open)
        self.send(remote)
        self.assertEqual(len(self.machine.sockets), 8)
        self.assertIs(self.machine.sent[-1][0], self.machine.sockets[-1])

    def test_refused_while_sending(self):
        """
        Who sends is told what was said to a query before, and so are those who wait.
        """
        remote = self.make(*([b"aa"] * 8), b"bb")
        for _ in range(8):
            self.send(remote)
        self.machine.sockets[0].error = ECONNREFUSED
        self.assertRaises(OSError, self.send, remote)
        self.assertEqual(self.query.reasons, [])
        self.machine.advance(0)
        self.assertEqual(self.query.reasons, ["no DNS server is there"])

    def test_error_while_reading(self):
        """
        Any other error of the network is told in the words of the system.
        """
        remote = self.make(b"aa")
        self.send(remote)
        self.machine.break_off(self.machine.sockets[0], EHOSTUNREACH)
        self.assertEqual(self.query.reasons, ["the server cannot be reached (No route to host)"])

    def test_unplugged(self):
        """
        Where no socket can be had, it is an error of the system, and nothing is left open.
        """
        remote = self.make(b"aa")
        self.machine.is_unplugged = True
        self.assertRaises(OSError, self.send, remote)
        self.assertEqual(self.machine.sockets, [])
        self.machine.is_unplugged = False
        self.machine.taken = range(2**16)
        self.assertRaises(OSError, self.send, remote)
