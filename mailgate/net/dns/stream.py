"""
One query over TCP (RFC 7766): for replies that are too long, and where UDP is not to be trusted.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from mailgate.net.dns.remote import Around, Attempt
from mailgate.wire.dns.message import pack_query

_LENGTH_SIZE = 2


def send(attempt: Attempt, around: Around, seconds: float) -> None:
    """
    Connect to the server, and ask it.

    @param seconds: how long it may take until the connection is there.
    """
    id = around.noise.take(2)
    factory = _Factory(attempt, id)
    server = attempt.remote.server
    attempt.sent = around.now()
    connector = around.reactor.connectTCP(server.host, server.port, factory, seconds)

    def withdraw() -> None:
        factory.is_over = True
        connector.disconnect()

    attempt.withdraw = withdraw


class _Factory(ClientFactory):
    """
    What connects.
    """

    noisy = False

    def __init__(self, attempt: Attempt, id: bytes) -> None:
        self.attempt = attempt
        self.id = id
        self.is_over = False

    def buildProtocol(self, address: IAddress | None) -> Protocol:
        """
        Make the connection.
        """
        return _Connection(self)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """
        Be told that there is none.
        """
        self.fail("no connection over TCP is possible")

    def fail(self, why: str) -> None:
        """
        Say that there is no reply, unless nobody waits for it.
        """
        if not self.is_over:
            self.is_over = True
            self.attempt.query.failed(self.attempt, why)


class _Connection(Protocol):
    """
    A connection for one query.
    """

    def __init__(self, factory: _Factory) -> None:
        self.transport: Any
        self._wanted = factory
        self._buffer = bytearray()

    def connectionMade(self) -> None:
        """
        Ask.
        """
        attempt = self._wanted.attempt
        query = pack_query(self._wanted.id, attempt.question, attempt.is_extended)
        self.transport.write(len(query).to_bytes(_LENGTH_SIZE, "big") + query)

    def dataReceived(self, data: bytes) -> None:
        """
        Take the reply; whatever follows it is of no use.
        """
        wanted = self._wanted
        if wanted.is_over:
            return
        self._buffer += data
        length = _LENGTH_SIZE + int.from_bytes(self._buffer[:_LENGTH_SIZE], "big")
        if len(self._buffer) < _LENGTH_SIZE or len(self._buffer) < length:
            return
        message = bytes(self._buffer[_LENGTH_SIZE:length])
        self._buffer.clear()
        if message[:2] != wanted.id:
            wanted.fail("the reply over TCP is to another query")
        else:
            wanted.is_over = True
            wanted.attempt.query.received(wanted.attempt, message)
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Be told that nothing more comes.
        """
        self._wanted.fail("the connection over TCP was closed too early")
