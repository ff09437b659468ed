"""
A network in memory: a test plays the upstream on each connection.
"""

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.delivery import SmtpUpstream

EXTENSIONS = ("PIPELINING", "SIZE 1000000", "8BITMIME", "ENHANCEDSTATUSCODES")


def make_settings(**more):
    """
    Give the settings of an upstream.
    """
    return SmtpUpstream(kind="smtp", host="127.0.0.1", **more)


class Transport(StringTransport):
    """
    A transport that tells its protocol that the connection is gone once it has closed it.
    """

    wire = None

    def loseConnection(self):
        """
        Close the connection.
        """
        if not self.disconnecting:
            self.disconnecting = True
            self.wire.is_closed = True
            self.wire.client.connectionLost(Failure(ConnectionDone()))


@define(eq=False)
class Wire:
    """
    One connection, seen from the upstream's end.
    """

    client: object
    transport: Transport = field(factory=Transport)
    is_closed: bool = False

    def __attrs_post_init__(self):
        self.transport.wire = self
        self.client.makeConnection(self.transport)

    def heard(self):
        """
        Give what the client has said since it was asked before.
        """
        data = self.transport.value()
        self.transport.clear()
        return data

    def say(self, *lines):
        """
        Say lines, in one piece.
        """
        self.client.dataReceived("".join(line + "\r\n" for line in lines).encode())

    def drop(self):
        """
        Be gone.
        """
        if not self.is_closed:
            self.is_closed = self.transport.disconnecting = True
            self.client.connectionLost(Failure(ConnectionDone()))

    def greet(self, *extensions):
        """
        Greet, and answer EHLO; without extensions those of an ordinary server.
        """
        self.say("220 mx.example.com ESMTP")
        lines = ["mx.example.com", *(extensions or EXTENSIONS)]
        self.say(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")
        self.heard()

    def take(self):
        """
        Take a message for one recipient, up to its dot.
        """
        self.say("250 2.1.0 ok", "250 2.1.5 ok", "354 go")

    def finish(self):
        """
        Accept what has been sent.
        """
        self.say("250 2.0.0 taken")


@implementer(IStreamClientEndpoint)
@define(eq=False)
class Network:
    """
    Where clients connect to.
    """

    is_waiting: bool = False
    """Whether connecting succeeds only when the test lets it."""

    wires: list = field(factory=list)
    waiting: list = field(factory=list)

    def connect(self, factory):
        """
        Connect.
        """
        if self.is_waiting:
            connected = Deferred()
            self.waiting.append(connected)
            return connected.addCallback(lambda _: self._connected(factory))
        return succeed(self._connected(factory))

    def _connected(self, factory):
        client = factory.buildProtocol(None)
        self.wires.append(Wire(client))
        return client

    def connected(self):
        """
        Let the first attempt succeed.
        """
        self.waiting.pop(0).callback(None)

    def refused(self, error):
        """
        Let the first attempt fail.
        """
        self.waiting.pop(0).errback(error)
