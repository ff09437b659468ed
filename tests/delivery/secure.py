"""
A mail server in memory that knows accounts, behind real TLS with certificates of a test's own.
"""

from base64 import b64decode
from functools import cache

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.test.iosim import FakeTransport, connect
from zope.interface import implementer

from tests.certificates import Issued, issue

HOST = "mail.example.com"


@cache
def authority():
    """
    Give the test's authority.
    """
    return issue("Test authority", is_authority=True)


@cache
def certificate(host=HOST, days=1):
    """
    Give a certificate of the authority for a host name or an address.
    """
    return issue(host, [host], authority(), days)


@cache
def self_signed():
    """
    Give a certificate for the right name that only vouches for itself.
    """
    return issue(HOST, [HOST])


class _Underneath:
    """
    What a TLS layer writes to.
    """

    def __init__(self, transport):
        self._transport = transport

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        plain = getattr(FakeTransport, name)
        return lambda *args: plain(self._transport, *args)


class Transport(FakeTransport):
    """
    An end of a connection in memory that can begin real TLS.
    """

    secured = None
    is_aborted = False

    def startTLS(self, context, normal=True):
        """
        Begin TLS, the server as a server.
        """
        factory = TLSMemoryBIOFactory(context, not self.isServer, None)
        self.secured = TLSMemoryBIOProtocol(factory, self.protocol, False)
        self.protocol = self.secured
        self.secured.makeConnection(_Underneath(self))

    def getHandle(self):
        """
        Give the TLS connection.
        """
        return self.secured.getHandle()

    def write(self, data):
        """
        Write, through TLS where it is on.
        """
        if self.secured is None:
            super().write(data)
        else:
            self.secured.write(data)

    def loseConnection(self):
        """
        Close, with a word of TLS where it is on.
        """
        if self.secured is None:
            super().loseConnection()
        else:
            self.secured.loseConnection()

    def abortConnection(self):
        """
        Cut it.
        """
        self.is_aborted = True
        if self.secured is None:
            super().abortConnection()
        else:
            self.secured.abortConnection()


@define(eq=False)
class Behaviour:
    """
    How the server behaves.
    """

    kind: str = "submissions"
    issued: Issued = field(factory=certificate)
    mechanisms: str = "PLAIN LOGIN"
    passwords: dict = field(factory=lambda: {"ada@example.com": "correct horse battery"})
    replies: dict = field(factory=dict)
    """
    What it says instead, by the verb (C{greeting} for the first word): text, raw bytes, or C{None}
    for nothing.
    """

    offers_starttls: bool = True
    heard: list = field(factory=list)
    """(whether TLS was on, line) of all that it was told."""

    @property
    def lines(self):
        """
        Give the lines that it was told.
        """
        return [line for _, line in self.heard]


class Server(Protocol):
    """
    The server's side of one connection.
    """

    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.is_secure = False
        self._rest = b""
        self._challenge = None
        self._name = b""

    def connectionMade(self):
        """
        Greet, over TLS where that comes first.
        """
        if self.behaviour.kind == "submissions":
            self._secure()
        self._say("greeting", "220 mail.example.com ESMTP")

    def dataReceived(self, data):
        """
        Take lines.
        """
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            self.take_line(line)

    def take_line(self, line):
        """
        Take a command, or the answer to a challenge.
        """
        self.behaviour.heard.append((self.is_secure, line))
        if self._challenge is not None:
            challenge, self._challenge = self._challenge, None
            challenge(b64decode(line))
        else:
            verb, _, argument = line.partition(b" ")
            getattr(self, f"_{verb.decode().lower()}")(argument)

    def _say(self, verb, default):
        reply = self.behaviour.replies.get(verb, default)
        if isinstance(reply, bytes):
            self.transport.write(reply)
        elif reply is not None:
            self.transport.write(reply.replace("\n", "\r\n").encode() + b"\r\n")

    def _secure(self):
        self.is_secure = True
        self.transport.startTLS(self.behaviour.issued.context)

    def _ehlo(self, argument):
        lines = ["mail.example.com"]
        if self.is_secure:
            lines.append(f"AUTH {self.behaviour.mechanisms}")
        elif self.behaviour.offers_starttls:
            lines.append("STARTTLS")
        lines.append("HELP")
        said = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        self._say("EHLO", "\n".join(said))

    def _starttls(self, argument):
        self._say("STARTTLS", "220 go on")
        self._secure()

    def _auth(self, argument):
        mechanism, _, word = argument.partition(b" ")
        if mechanism == b"PLAIN" and word:
            self._plain(b64decode(word))
        elif mechanism == b"PLAIN":
            self._challenge = self._plain
            self._say("challenge", "334 ")
        else:
            self._challenge = self._take_name
            self._say("challenge", "334 VXNlcm5hbWU6")

    def _plain(self, message):
        _, name, password = message.split(b"\0")
        self._judge(name, password)

    def _take_name(self, name):
        self._challenge = lambda password: self._judge(name, password)
        self._say("challenge", "334 UGFzc3dvcmQ6")

    def _judge(self, name, password):
        is_right = self.behaviour.passwords.get(name.decode()) == password.decode()
        self._say("AUTH", "235 2.7.0 yes" if is_right else "535 5.7.8 no")

    def _quit(self, argument):
        self._say("QUIT", "221 bye")
        if "QUIT" not in self.behaviour.replies:
            self.transport.loseConnection()


@implementer(IStreamClientEndpoint)
@define(eq=False)
class SecureNetwork:
    """
    Where clients connect to, to reach a L{Server} for each.
    """

    behaviour: Behaviour = field(factory=Behaviour)
    make: object = Server
    """Makes the server's side of a connection, of the behaviour."""

    error: Exception | None = None
    """Why nobody can connect, or C{None}."""

    is_slow: bool = False
    """Whether connecting takes for ever."""

    pumps: list = field(factory=list)
    cancelled: list = field(factory=list)

    def connect(self, factory):
        """
        Connect.
        """
        if self.error is not None:
            return fail(self.error)
        if self.is_slow:
            return Deferred(self._cancel)
        client, server = factory.buildProtocol(None), self.make(self.behaviour)
        ends = Transport(server, isServer=True), Transport(client, isServer=False)
        self.pumps.append(connect(server, ends[0], client, ends[1], greet=False))
        return succeed(client)

    def _cancel(self, connecting):
        # As the endpoints of TCP do it.
        self.cancelled.append(connecting)
        connecting.errback(ConnectingCancelledError(None))

    def flush(self):
        """
        Carry all bytes over.
        """
        for pump in self.pumps:
            pump.flush()

    @property
    def open(self):
        """
        Count the connections that the clients have open.
        """
        return sum(not pump.clientIO.disconnected for pump in self.pumps)
