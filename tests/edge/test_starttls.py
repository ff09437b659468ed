"""
Tests of the SMTP edge over real TLS in memory: names, clients' certificates, limits, trouble.
"""

from pathlib import Path

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Protocol
from twisted.logger import capturedLogs
from twisted.test.iosim import connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailgate.config.model import ClientLimits, Limits
from mailgate.edge.tls import Contexts, Demand, ListenerTls, ServerConnection
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.certificates import issue
from tests.delivery.secure import Transport
from tests.edge.handshakes import client_context
from tests.edge.harness import Edge
from tests.edge.test_tls import pair

READY = "220 2.0.0 ready for TLS\r\n"
STRICT = Limits(clients=ClientLimits(handshakes=3, handshakes_per_address=2))


@implementer(IOpenSSLClientConnectionCreator)
class ClientTls:
    """
    The TLS of a client.
    """

    def __init__(self, name=None, context=None):
        self.name = name
        self.context = context or client_context()

    def clientConnectionForTLS(self, protocol):
        """
        Begin a connection.
        """
        connection = SSL.Connection(self.context)
        if self.name is not None:
            connection.set_tlsext_host_name(self.name)
        return connection


class Client(Protocol):
    """
    One that writes down what it hears.
    """

    def __init__(self):
        self.heard = b""
        self.reason = None

    def dataReceived(self, data):
        """
        Write it down.
        """
        self.heard += data

    def connectionLost(self, reason):
        """
        Remember why.
        """
        self.reason = reason


class Call:
    """
    A client and its connection to an edge.
    """

    def __init__(self, edge, address="192.0.2.7", first=None):
        """
        @param first: the TLS that the client begins with.
        """
        self.edge = edge
        self.client, self.server = Client(), edge.factory.buildProtocol(None)
        self.server_side = Transport(
            self.server,
            isServer=True,
            hostAddress=IPv4Address("TCP", "192.0.2.1", 25),
            peerAddress=IPv4Address("TCP", address, 40001),
        )
        self.client_side = Transport(self.client, isServer=False)
        self.pump = connect(
            self.server, self.server_side, self.client, self.client_side, greet=False
        )
        if first is not None:
            self.client_side.startTLS(first)
        self.greeting = self.hear()

    def hear(self):
        """
        Give what the edge has said since the last time.
        """
        self.pump.flush()
        said, self.client.heard = self.client.heard.decode("ascii"), b""
        return said

    def say(self, text):
        """
        Say something, and give the answer.
        """
        self.client.transport.write(text.replace("\n", "\r\n").encode())
        return self.hear()

    def ask_for_tls(self):
        """
        Say STARTTLS, but do not begin it.
        """
        self.say("EHLO client.example.org\n")
        return self.say("STARTTLS\n")

    def starttls(self, tls=None):
        """
        Begin TLS.
        """
        said = self.ask_for_tls()
        assert said == READY, said
        self.client_side.startTLS(tls or ClientTls())
        return self.hear()

    def send(self):
        """
        Send a message, and give the last reply.
        """
        self.say("EHLO client.example.org\n")
        self.say("MAIL FROM:<sender@example.org>\nRCPT TO:<ada@example.com>\nDATA\n")
        return self.say("Subject: x\n\ntext\n.\n")

    def hang_up(self):
        """
        Cut the connection, where it has not ended.
        """
        if not self.is_over:
            self.client.transport.abortConnection()
        self.pump.flush()

    @property
    def is_over(self):
        """
        Tell whether the connection has ended.
        """
        return self.client.reason is not None


class SecureTestCase(SynchronousTestCase):
    """
    A test case with an edge that has two certificates.
    """

    def setUp(self):
        """
        Make the certificates.
        """
        self.authority = issue("authority", is_authority=True)
        self.pairs = [
            pair(issue("default"), "mail.example.com"),
            pair(issue("further"), "mx.example.net"),
        ]

    def edge(self, listener=(), limits=None, is_strict=False):
        """
        Make an edge.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        asks = dict(listener).get("client_certificate", "none") != "none"
        demand = Demand([self.authority.certificate], is_strict) if asks else None
        tls = ListenerTls(Contexts.make(self.pairs, demand))
        edge = Edge(
            Files(),
            ImmediateThreads(),
            directory,
            limits=limits or Limits(),
            listener=dict(listener),
            tls=tls,
        )
        edge.connect()
        edge.lose()
        return edge

    def events(self, call, name):
        """
        Call something, and give the events of a name.
        """
        with capturedLogs() as events:
            call()
        return [event for event in events if event.get("event") == name]


class SessionTests(SecureTestCase):
    """
    Tests of whole sessions.
    """

    def test_starttls(self):
        """
        A message comes in over TLS, with the certificate of the name that was asked for; its record
        and its header say by what.
        """
        edge = self.edge()
        call = Call(edge)
        self.assertEqual(call.starttls(ClientTls(b"mx.example.net")), "")
        shown = call.client_side.getHandle().get_peer_certificate(as_cryptography=True)
        self.assertEqual(shown.subject.rfc4514_string(), "CN=further")
        self.assertIn("250 2.0.0 accepted", call.send())
        ((_, _, header, _),) = edge.dispatcher.messages
        tls = edge.hub.records[-1].session.tls
        self.assertEqual(tls.partition(" ")[0], "TLSv1.3")
        self.assertIn(f"({tls})".encode(), header)
        self.assertIn("221", call.say("QUIT\n"))

    def test_tls_first(self):
        """
        So it does where TLS comes first.
        """
        edge = self.edge({"role": "submissions"})
        call = Call(edge, first=ClientTls())
        self.assertTrue(call.greeting.startswith("220 "), call.greeting)
        call.say("EHLO c\n")
        call.say("MAIL FROM:<a@example.org>\n")
        self.assertEqual(edge.hub.records[-1].session.tls.partition(" ")[0], "TLSv1.3")


class ClientCertificateTests(SecureTestCase):
    """
    Tests of clients that are asked for a certificate.
    """

    def tls(self, issued):
        """
        Give the TLS of a client that shows a certificate.
        """
        return ClientTls(context=client_context(issued))

    def test_requested(self):
        """
        Whom a client's certificate is for stands in the record and in the header. It may not do
        more than others.
        """
        edge = self.edge({"client_certificate": "request"})
        call = Call(edge)
        call.starttls(self.tls(issue("gw.example.org", issuer=self.authority)))
        self.assertIn("250 2.0.0 accepted", call.send())
        ((_, _, header, _),) = edge.dispatcher.messages
        tls = edge.hub.records[-1].session.tls
        self.assertTrue(tls.endswith(", client certificate CN=gw.example.org"), tls)
        self.assertIn(f"({tls})".encode(), header)
        call.say("MAIL FROM:<sender@example.org>\n")
        self.assertTrue(call.say("RCPT TO:<eve@example.net>\n").startswith("550 5.7.1"))

    def test_requested_in_vain(self):
        """
        Whoever shows none, or one that nobody here has signed, is as welcome as everybody.
        """
        edge = self.edge({"client_certificate": "request"})
        for issued in (None, issue("stranger")):
            call = Call(edge)
            call.starttls(self.tls(issued))
            self.assertIn("250 2.0.0 accepted", call.send())
            self.assertNotIn("certificate", edge.hub.records[-1].session.tls)

    def test_required(self):
        """
        Where one is required there is no mail before STARTTLS, and with one there is.
        """
        edge = self.edge({"client_certificate": "require"})
        call = Call(edge)
        call.say("EHLO c\n")
        said = call.say("MAIL FROM:<sender@example.org>\n")
        self.assertTrue(said.startswith("530 5.7.0 say STARTTLS first"), said)
        self.assertEqual(len(edge.hub.records), 1)
        call.starttls(self.tls(issue("gw.example.org", issuer=self.authority)))
        self.assertIn("250 2.0.0 accepted", call.send())

    def test_required_in_vain(self):
        """
        Without one each command but QUIT is refused (RFC 3207 section 4.1), and that is recorded.
        """
        edge = self.edge({"client_certificate": "require"})
        for issued in (None, issue("stranger"), issue("old", issuer=self.authority, days=-1)):
            edge.hub.records.clear()
            call = Call(edge)
            call.starttls(self.tls(issued))
            for command in ("EHLO c", "MAIL FROM:<a@example.org>", "NOOP", "DATA", "RSET"):
                said = call.say(f"{command}\n")
                self.assertTrue(said.startswith("554 5.7.0 a certificate is required"), said)
            self.assertTrue(call.say("QUIT\n").startswith("221"))
            (record,) = edge.hub.records
            self.assertTrue(record.reply.startswith("554 5.7.0"), record.reply)
            self.assertEqual(edge.dispatcher.messages, [])

    def test_required_first(self):
        """
        Where TLS comes first, the handshake fails without one, which an event tells.
        """
        listener = {"role": "submissions", "client_certificate": "require"}
        edge = self.edge(listener, is_strict=True)
        (event,) = self.events(
            lambda: Call(edge, "192.0.2.9", self.tls(None)).hang_up(), "tls.handshake_failed"
        )
        self.assertEqual(event["client"], "192.0.2.9")
        self.assertEqual(event["reason"], "peer did not return a certificate")
        self.assertNotIn(("connected",), edge.pipeline.calls)
        issued = issue("gw.example.org", issuer=self.authority)
        call = Call(edge, first=self.tls(issued))
        self.assertTrue(call.greeting.startswith("220 "), call.greeting)
        self.assertTrue(call.say("EHLO c\n").startswith("250"))


class HandshakeTests(SecureTestCase):
    """
    Tests of handshakes: how many, how long, and what becomes of those that fail.
    """

    def test_per_address(self):
        """
        One address has so many handshakes at the same time. Further ones are asked to come again,
        and the session goes on; each that ends makes room, however it ends.
        """
        edge = self.edge(limits=STRICT)
        calls = [Call(edge) for _ in range(3)]
        self.assertEqual([call.ask_for_tls() for call in calls[:2]], [READY] * 2)
        (event,) = self.events(calls[2].ask_for_tls, "client.refused")
        self.assertTrue(event["reply"].startswith("454 4.7.0 too many TLS handshakes from"))
        self.assertTrue(calls[2].ask_for_tls().startswith("454 4.7.0 "))
        self.assertTrue(calls[2].say("NOOP\n").startswith("250"))
        self.assertEqual(Call(edge, "192.0.2.8").ask_for_tls(), READY)
        calls[0].client_side.startTLS(ClientTls())
        calls[0].hear()
        self.assertEqual(calls[2].ask_for_tls(), READY)
        self.assertTrue(Call(edge).ask_for_tls().startswith("454"))
        calls[1].hang_up()
        self.assertEqual(Call(edge).ask_for_tls(), READY)

    def test_buffers(self):
        """
        What a handshake needed is given back at its end, with STARTTLS and where TLS comes first.
        """
        given_back = []
        release = ServerConnection.release_buffers

        def note(connection):
            given_back.append(connection)
            release(connection)

        self.patch(ServerConnection, "release_buffers", note)
        call = Call(self.edge())
        call.ask_for_tls()
        self.assertEqual(given_back, [])
        call.client_side.startTLS(ClientTls())
        call.hear()
        self.assertEqual(len(given_back), 1)
        self.assertTrue(call.say("EHLO c\n").startswith("250"))
        Call(self.edge({"role": "submissions"}), first=ClientTls())
        self.assertEqual(len(given_back), 2)

    def test_in_all(self):
        """
        All together have so many; those of exempt networks count, and are never refused.
        """
        edge = self.edge(limits=STRICT)
        for address in ("127.0.0.1", "192.0.2.7", "192.0.2.8", "127.0.0.1", "127.0.0.1"):
            self.assertEqual(Call(edge, address).ask_for_tls(), READY)
        said = Call(edge, "192.0.2.9").ask_for_tls()
        self.assertTrue(said.startswith("454 4.7.0 too many TLS handshakes at the moment"), said)

    def test_tls_first(self):
        """
        Where TLS comes first whoever is one too many is sent away in the clear, and recorded.
        """
        edge = self.edge({"role": "submissions"}, limits=STRICT)
        calls = [Call(edge) for _ in range(2)]
        self.assertEqual([call.greeting for call in calls], ["", ""])
        third = Call(edge)
        self.assertTrue(third.greeting.startswith("421 4.7.0 too many TLS"), third.greeting)
        self.assertTrue(third.is_over)
        self.assertTrue(edge.hub.records[-1].reply.startswith("421 4.7.0"))
        calls[0].hang_up()
        self.assertTrue(Call(edge, first=ClientTls()).greeting.startswith("220 "))

    def test_a13_slow(self):
        """
        A handshake has 30 seconds in all, however it is dragged out: then the connection is cut.
        """
        edge = self.edge()
        call = Call(edge)
        call.ask_for_tls()
        hello = b"\x16\x03\x01\x02\x00\x01"
        for byte in hello:
            call.client_side.write(bytes([byte]))
            call.pump.flush()
            edge.clock.advance(4)
        self.assertFalse(call.is_over)
        (event,) = self.events(
            lambda: [edge.clock.advance(7), call.pump.flush()], "tls.handshake_failed"
        )
        self.assertTrue(call.is_over)
        self.assertEqual(event["client"], "192.0.2.7")
        self.assertTrue(edge.hub.records[-1].reply.startswith("421 4.4.2"))

    def test_failed(self):
        """
        A handshake that fails is told with its reason, of each address once a minute.
        """
        edge = self.edge()
        old = client_context(most=SSL.TLS1_1_VERSION, least=SSL.TLS1_VERSION)

        def fail():
            call = Call(edge)
            call.starttls(ClientTls(context=old))
            self.assertTrue(call.is_over)

        (event,) = self.events(fail, "tls.handshake_failed")
        self.assertEqual(event["reason"], "unsupported protocol")
        self.assertEqual(self.events(fail, "tls.handshake_failed"), [])
        edge.clock.advance(60)
        self.assertEqual(len(self.events(fail, "tls.handshake_failed")), 1)

    def test_stop(self):
        """
        A gateway that stops does not wait for handshakes.
        """
        edge = self.edge()
        call = Call(edge)
        call.ask_for_tls()
        stopping = edge.factory.finish(30)
        call.client_side.startTLS(ClientTls())
        self.assertEqual(call.hear(), "421 4.3.2 shutting down, try again in a minute\r\n")
        call.hang_up()
        self.successResultOf(stopping)
