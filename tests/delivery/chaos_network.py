"""
Chaos upstreams in memory, at the ends of connections whose bytes a test carries over.
"""

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.test.iosim import FakeTransport
from zope.interface import implementer

from tests.chaos import Chaos, Conversation
from tests.delivery.secure import Transport, certificate


class ServerTransport(Transport):
    """
    The server's end; what it writes arrives in the pieces in which it was written.
    """

    def getOutBuffer(self):
        """
        Give the first piece.
        """
        return self.stream.pop(0) if self.stream else None

    def cut(self):
        """
        Close the connection without a word.
        """
        FakeTransport.loseConnection(self)


class ServerProtocol(Protocol):
    """
    A chaos upstream on a transport.
    """

    def __init__(self, network):
        self._network = network
        self._conversation = None

    def connectionMade(self):
        """
        Greet.
        """
        network = self._network
        self._conversation = Conversation(
            network.chaos,
            lambda data: self.transport.write(data),
            self._close,
            network.clock.callLater,
            self._start_tls if network.has_tls else None,
        )
        self._conversation.begin()

    def dataReceived(self, data):
        """
        Answer.
        """
        self._conversation.hear(data)

    def connectionLost(self, reason):
        """
        Stop.
        """
        self._conversation.lost()

    def _close(self):
        if self._network.cuts:
            self.transport.cut()
        else:
            self.transport.loseConnection()

    def _start_tls(self):
        self.transport.startTLS(self._network.issued.context)


@define(eq=False)
class Line:
    """
    One connection.
    """

    client: Transport
    server: Transport

    @property
    def is_open(self):
        """
        Tell whether it is open at either end.
        """
        return not (self.client.disconnected and self.server.disconnected)

    def carry(self):
        """
        Carry over what there is at the moment; tell whether there was anything.
        """
        return any([self._carry(self.server, self.client), self._carry(self.client, self.server)])

    def _carry(self, source, target):
        if source.disconnected:
            return False
        if source.producer is not None and not (source.stream or source.streamingProducer):
            source.producer.resumeProducing()
        data = None if source.is_aborted else source.getOutBuffer()
        if data:
            if not (target.disconnected or target.disconnecting):
                target.bufferReceived(data)
        elif source.disconnecting:
            for end in (source, target):
                if not end.disconnected:
                    end.disconnected = end.disconnecting = True
                    end.reportDisconnect()
        else:
            return False
        return True


@implementer(IStreamClientEndpoint)
@define(eq=False)
class ChaosNetwork:
    """
    Where clients connect to, to reach a chaos upstream.
    """

    chaos: Chaos = field(factory=Chaos)
    clock: Clock = field(factory=Clock)
    error: Exception | None = None
    """Why nobody can connect, or C{None}."""

    is_unreachable: bool = False
    """Whether connecting takes for ever."""

    has_tls: bool = False
    """Whether it offers STARTTLS."""

    issued: object = field(factory=certificate)
    cuts: bool = False
    """Whether it closes without a word of TLS."""

    lines: list = field(factory=list)

    def connect(self, factory):
        """
        Connect.
        """
        if self.error is not None:
            return fail(self.error)
        if self.is_unreachable:
            return Deferred(lambda connecting: connecting.errback(ConnectingCancelledError(None)))
        client, server = factory.buildProtocol(None), ServerProtocol(self)
        line = Line(Transport(client, isServer=False), ServerTransport(server, isServer=True))
        self.lines.append(line)
        server.makeConnection(line.server)
        client.makeConnection(line.client)
        return succeed(client)

    def flush(self):
        """
        Carry all bytes over, and tell whether there were any.
        """
        has_carried = False
        while sum(line.carry() for line in self.lines):
            has_carried = True
        self.lines = [line for line in self.lines if line.is_open]
        return has_carried

    @property
    def open(self):
        """
        Count the connections that are open at either end.
        """
        return sum(line.is_open for line in self.lines)


def pass_time(clock, networks, seconds, step=1.0):
    """
    Let time pass, bytes being carried over whenever there are any.
    """
    until = clock.seconds() + seconds
    while True:
        while sum(network.flush() for network in networks):
            pass
        left = until - clock.seconds()
        if left <= 0:
            return
        clock.advance(min(step, left))
