"""
A machine in memory, with a clock, UDP and TCP to some DNS servers.
"""

from errno import EADDRINUSE, ECONNREFUSED, ENETUNREACH

from attrs import define, field
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Dns
from mailgate.net.dns.resolver import Resolver
from mailgate.net.dns.servers import Server
from tests.net.misbehaving import Misbehaving

ONE = Server("192.0.2.53")
OTHER = Server("198.51.100.53")
ELSEWHERE = ("203.0.113.66", 53)


@define(eq=False)
class Socket:
    """
    A socket for UDP.
    """

    machine: object
    port: int
    peer: tuple
    inbox: list = field(factory=list)
    is_open: bool = True
    error: int = 0

    def fileno(self):
        """
        Give a number.
        """
        return id(self)

    def getpeername(self):
        """
        Give the address of the server.
        """
        return self.peer

    def getsockopt(self, level, option):
        """
        Give what is wrong.
        """
        return self.error

    def send(self, datagram):
        """
        Send.
        """
        assert self.is_open
        if self.machine.is_unplugged:
            raise OSError(ENETUNREACH, "Network is unreachable")
        if self.error:
            error, self.error = self.error, 0
            raise OSError(error, "Connection refused")
        self.machine.sent.append((self, datagram))
        self.machine.callLater(0.01, self.machine.arrived, self, datagram)

    def recvfrom(self, size):
        """
        Give what has come.
        """
        if not self.inbox:
            raise BlockingIOError
        datagram, source = self.inbox.pop(0)
        return datagram[:size], source

    def close(self):
        """
        Close.
        """
        assert self.is_open
        self.is_open = False
        self.machine.sockets.remove(self)


@define(eq=False)
class Connector:
    """
    A connection that is made, or is there.
    """

    machine: object
    address: tuple
    factory: object
    protocol: object = None
    transport: StringTransport = field(factory=StringTransport)
    is_over: bool = False

    def begin(self):
        """
        Connect, or not.
        """
        if self.is_over:
            return
        if self.machine.servers.get(self.address) is None or not self.machine.has_tcp:
            self.is_over = True
            reason = Failure(ConnectionRefusedError(ECONNREFUSED))
            self.factory.clientConnectionFailed(self, reason)
            return
        self.protocol = self.factory.buildProtocol(None)
        self.transport.loseConnection = self.disconnect
        self.protocol.makeConnection(self.transport)
        query = self.transport.value()
        assert int.from_bytes(query[:2], "big") == len(query) - 2
        said = self.machine.servers[self.address].replies(query[2:], is_stream=True)
        data = b"".join(len(each.message).to_bytes(2, "big") + each.message for each in said)
        for at in range(0, len(data), 1000):
            if not self.is_over:
                self.protocol.dataReceived(data[at : at + 1000])
        if self.machine.hangs_up and not self.is_over:
            self.is_over = True
            self.protocol.connectionLost(Failure(ConnectionLost()))

    def disconnect(self):
        """
        Hang up.
        """
        if not self.is_over:
            self.is_over = True
            if self.protocol is not None:
                self.protocol.connectionLost(Failure(ConnectionDone()))


class Machine(Clock):
    """
    The machine. A server of C{None} is there, but says nothing; one that is missing refuses.
    """

    def __init__(self, *servers):
        super().__init__()
        self.servers = {(each.host, each.port): Misbehaving() for each in servers}
        self.is_unplugged = False
        self.has_tcp = True
        self.hangs_up = False
        self.taken = set()
        """Ports that somebody else has."""

        self.sockets = []
        self.readers = {}
        self.connectors = []
        self.sent = []
        """Datagrams, each with its socket."""

    def open(self, server, port):
        """
        Open a socket.
        """
        if self.is_unplugged:
            raise OSError(ENETUNREACH, "Network is unreachable")
        if port in self.taken:
            raise OSError(EADDRINUSE, "Address in use")
        self.sockets.append(Socket(self, port, (server.host, server.port)))
        return self.sockets[-1]

    def addReader(self, reader):
        """
        Tell a reader what has come.
        """
        self.readers[reader.fileno()] = reader

    def removeReader(self, reader):
        """
        Tell it no more.
        """
        self.readers.pop(reader.fileno(), None)

    def connectTCP(self, host, port, factory, timeout=30, bindAddress=None):
        """
        Connect.
        """
        connector = Connector(self, (host, port), factory)
        self.connectors.append(connector)
        self.callLater(0.01, connector.begin)
        return connector

    def arrived(self, socket, datagram):
        """
        Let a server answer.
        """
        if socket.peer not in self.servers:
            self.break_off(socket, ECONNREFUSED)
            return
        server = self.servers[socket.peer]
        for said in () if server is None else server.replies(datagram):
            source = ELSEWHERE if said.is_from_elsewhere else socket.peer
            self.callLater(said.after, self.deliver, socket, said.message, source)

    def deliver(self, socket, message, source):
        """
        Let a datagram arrive.
        """
        if socket.is_open:
            socket.inbox.append((message, source))
            self.readers[socket.fileno()].doRead()

    def break_off(self, socket, error):
        """
        Let an error come to a socket, as the reactor tells it.
        """
        if socket.is_open:
            socket.error = error
            self.readers.pop(socket.fileno()).connectionLost(Failure(ConnectionDone()))

    def pass_time(self, seconds):
        """
        Let so many seconds pass, in small steps.
        """
        for _ in range(round(seconds * 100)):
            self.advance(0.01)


class Noise:
    """
    Bytes that are foretold by the number that it begins with.
    """

    def __init__(self, seed=1):
        self._state = seed

    def __call__(self, size):
        """
        Give so many.
        """
        out = bytearray()
        for _ in range(size):
            self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
            out.append(self._state >> 56)
        return bytes(out)


def make_resolver(machine, *servers, **options):
    """
    Give a resolver on a machine.
    """
    resolver = Resolver(Dns(**options), machine, Noise(), machine.open)
    resolver.use(servers)
    return resolver


class DnsCase(SynchronousTestCase):
    """
    A resolver with two servers that do the same.
    """

    def setUp(self):
        """
        Make it.
        """
        self.use(ONE, OTHER)

    def use(self, *servers, **options):
        """
        Begin anew with other servers.
        """
        self.machine = Machine(*servers)
        self.server = self.machine.servers[ONE.host, ONE.port]
        self.resolver = make_resolver(self.machine, *servers, **options)
