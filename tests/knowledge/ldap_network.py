"""
Directory servers in memory: those of ldaptor, with entries of a test's own.
"""

from io import BytesIO

from attrs import define, field
from ldaptor.inmemory import fromLDIFFile
from ldaptor.interfaces import IConnectedLDAPEntry
from ldaptor.protocols import pureldap
from ldaptor.protocols.ldap import ldaperrors
from ldaptor.protocols.ldap.ldapserver import LDAPServer
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Protocol
from twisted.python.components import registerAdapter
from twisted.test.iosim import connect

from tests.delivery.secure import Transport

LDIF = b"""dn: dc=example,dc=com
objectClass: top
dc: example

dn: uid=us,dc=example,dc=com
objectClass: account
uid: us
userPassword: correct horse battery

dn: uid=ada,dc=example,dc=com
objectClass: inetOrgPerson
uid: ada
mail: Ada@example.com
proxyAddresses: SMTP:Ada@example.com
proxyAddresses: smtp:info@example.com
proxyAddresses: x500:/o=Example/cn=ada

dn: uid=bob,dc=example,dc=com
objectClass: inetOrgPerson
uid: bob
proxyAddresses: smtp:robert@example.com
proxyAddresses: SMTP:bob@example.com

dn: uid=team,dc=example,dc=com
objectClass: group
uid: team
member: ada@example.com
member: bob@example.com
otherMail: team@example.com

"""


@define(eq=False)
class _Tree:
    root: object


registerAdapter(lambda tree: tree.root, _Tree, IConnectedLDAPEntry)


class Silent(Protocol):
    """
    A server that says nothing, or something that it was told to at the first word.
    """

    said = b""

    def dataReceived(self, data):
        """
        Answer.
        """
        if self.said:
            self.transport.write(self.said)


class Server(LDAPServer):
    """
    A server that writes down what it hears, and can begin TLS.
    """

    def __init__(self, network):
        super().__init__()
        self._network = network

    def handle(self, message):
        """
        Take a request.
        """
        name = type(message.value).__name__.replace("LDAPStartTLSRequest", "LDAPExtendedRequest")
        self._network.heard.append((name, self.transport.secured is not None))
        super().handle(message)

    def handle_LDAPExtendedRequest(self, request, controls, reply):
        """
        Begin TLS.
        """
        if self._network.context is None:
            raise ldaperrors.LDAPProtocolError("no TLS here")
        reply(pureldap.LDAPExtendedResponse(resultCode=0, responseName=request.requestName))
        if self._network.behind:
            self.transport.write(self._network.behind)
        self.transport.startTLS(self._network.context)


@define(eq=False)
class LdapNetwork:
    """
    Where clients connect to, to reach a server for each.
    """

    ldif: bytes = LDIF
    is_down: bool = False
    is_silent: bool = False
    is_slow: bool = False
    """Whether connecting takes for ever."""

    context: object = None
    """The TLS of the servers."""

    behind: bytes = b""
    """What is said behind the answer to STARTTLS."""

    heard: list = field(factory=list)
    """(name of the request, whether TLS was on) of all that was asked."""

    connections: int = 0
    pumps: list = field(factory=list)
    make: object = None
    """Makes the server of a connection, if it is none of ldaptor."""

    def connect(self, factory):
        """
        Connect.
        """
        self.connections += 1
        if self.is_down:
            return fail(ConnectionRefusedError())
        if self.is_slow:
            return Deferred()
        client = factory.buildProtocol(None)
        server = self.make() if self.make else (Silent() if self.is_silent else self._server())
        ends = Transport(server, isServer=True), Transport(client, isServer=False)
        self.pumps.append(connect(server, ends[0], client, ends[1], greet=False))
        return succeed(client)

    def _server(self):
        server = Server(self)
        reading = fromLDIFFile(BytesIO(self.ldif))
        read = []
        reading.addCallback(read.append)
        server.factory = _Tree(read[0])
        return server

    def flush(self):
        """
        Carry all bytes over.
        """
        for pump in self.pumps:
            pump.flush()

    def cut(self):
        """
        End all connections, as a server that is restarted does.
        """
        for pump in self.pumps:
            pump.serverIO.abortConnection()
            pump.flush()
        self.pumps.clear()
