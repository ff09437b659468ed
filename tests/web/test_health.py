"""
Tests of L{mailgate.web.health}.
"""

from attrs import evolve
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailgate.reporting.measures import Sums
from mailgate.web.health import CONNECTIONS, HealthSite
from tests.reporting.statuses import STATUS
from tests.web.harness import parse


class HealthSiteTests(SynchronousTestCase):
    """
    Tests of L{HealthSite}.
    """

    def setUp(self):
        """
        All is well.
        """
        self.status = succeed(STATUS)
        self.database = succeed("")

    def site(self, *networks):
        """
        Make the server.
        """
        return HealthSite(networks, lambda: self.database, lambda: self.status, Sums(), Clock())

    def ask(self, path, client="127.0.0.1", method="GET", networks=(), site=None, body=""):
        """
        Send a request, and give the transport.
        """
        kind = IPv6Address if ":" in client else IPv4Address
        address = kind("TCP", client, 40000)
        self.channel = channel = (site or self.site(*networks)).buildProtocol(address)
        transport = StringTransport(peerAddress=address)
        channel.makeConnection(transport)
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        channel.dataReceived(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{length}\r\n{body}".encode())
        return transport

    def answer(self, *args, **keywords):
        """
        Send a request, and give the answer.
        """
        return parse(self.ask(*args, **keywords).value())

    def test_well(self):
        """
        Where all is well, both say so and nothing else.
        """
        for path in ("/healthz", "/readyz", "/readyz?verbose"):
            answer = self.answer(path)
            self.assertEqual((answer.code, answer.body), (200, b"ok\n"))
            self.assertEqual(answer.header("content-type"), "text/plain; charset=utf-8")
            self.assertEqual(answer.header("cache-control"), "no-store")

    def test_not_alive(self):
        """
        Without its database the gateway is not healthy; which file that is, nobody learns.
        """
        self.database = succeed("/var/lib/mailgate/state.db: locked")
        answer = self.answer("/healthz")
        self.assertEqual((answer.code, answer.body), (503, b"the database does not answer\n"))

    def test_not_ready(self):
        """
        The reasons are there in words, a line for each.
        """
        self.status = succeed(evolve(STATUS, workers=(), has_room=False))
        answer = self.answer("/readyz")
        self.assertEqual(answer.code, 503)
        self.assertEqual(answer.text, "no worker answers\nthe disk is full\n")

    def test_metrics(self):
        """
        The metrics are in the text format.
        """
        answer = self.answer("/metrics")
        self.assertEqual(answer.code, 200)
        self.assertRegex(answer.header("content-type"), "^text/plain; version=")
        self.assertIn("\nmailgate_ready 1.0\n", answer.text)
        self.assertEqual(answer.header("content-length"), str(len(answer.body)))

    def test_strangers(self):
        """
        Who is not of this machine learns nothing, not even what there is.
        """
        for path in ("/healthz", "/readyz", "/metrics", "/else"):
            for client in ("192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7"):
                answer = self.answer(path, client)
                self.assertEqual(answer.code, 403)
                self.assertNotIn("ok", answer.text)

    def test_networks(self):
        """
        Programs of this machine may always ask, others where their network is named.
        """
        for client, networks, code in (
            ("127.0.0.9", (), 200),
            ("::1", (), 200),
            ("::ffff:127.0.0.1", (), 200),
            ("192.0.2.7", ("192.0.2.0/24",), 200),
            ("::ffff:192.0.2.7", ("192.0.2.7",), 200),
            ("2001:db8::1", ("2001:db8::/32",), 200),
            ("192.0.3.7", ("192.0.2.0/24",), 403),
            ("127.0.0.1", ("192.0.2.0/24",), 200),
        ):
            self.assertEqual(self.answer("/healthz", client, networks=networks).code, code, client)

    def test_other_requests(self):
        """
        There is nothing else, and nothing can be sent.
        """
        self.assertEqual(self.answer("/").code, 404)
        answer = self.answer("/metrics", method="POST")
        self.assertEqual((answer.code, answer.header("allow")), (405, "GET, HEAD"))
        self.assertEqual(self.answer("/metrics", method="POST", body="x").code, 413)

    def test_head(self):
        """
        HEAD gives the same without the body.
        """
        answer = self.answer("/healthz", method="HEAD")
        self.assertEqual(
            (answer.code, answer.body, answer.header("content-length")), (200, b"", "3")
        )

    def test_failure(self):
        """
        What goes wrong is an answer, and an event.
        """
        self.status = fail(RuntimeError("a mistake"))
        answer = self.answer("/readyz")
        self.assertEqual(answer.code, 500)
        self.assertNotIn("mistake", answer.text)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_gone(self):
        """
        Who leaves before the answer gets none, and nothing breaks.
        """
        self.status = waiting = Deferred()
        transport = self.ask("/readyz")
        self.channel.connectionLost(Failure(ConnectionDone()))
        waiting.callback(STATUS)
        self.assertEqual(transport.value(), b"")

    def test_too_many(self):
        """
        There is an end to the connections, and one that ends makes room for another.
        """
        site = self.site()
        address = IPv4Address("TCP", "127.0.0.1", 1)
        channels = [site.buildProtocol(address) for _ in range(CONNECTIONS)]
        self.assertIsNone(site.buildProtocol(address))
        site.left()
        self.assertIsNotNone(site.buildProtocol(address))
        self.assertEqual(len(channels), CONNECTIONS)
