"""
A socket for queries over UDP, with a random port, that takes nothing from anybody but its server.

It is no C{Port} of Twisted: that one writes a line into the log whenever it is closed, and is
closed without a word when the other machine says that nobody listens there.
"""

from __future__ import annotations

import socket
from errno import EADDRINUSE, ECONNREFUSED
from os import strerror
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.interfaces import Asked
from mailgate.net.dns.servers import Server
from mailgate.wire.dns.message import pack_query

if TYPE_CHECKING:
    from mailgate.net.dns.remote import Around, Attempt

PORTS = range(1 << 14, 1 << 16)
"""Those that a socket may have."""

PORT_TRIES = 10
SIZE_LIMIT = 4096
"""Bytes of a reply that are read; a longer one is cut off, and cannot be read."""

READS = 50
"""How many replies are taken before others have their turn."""


class UdpSocket(Protocol):
    """
    What is used of a socket.
    """

    def fileno(self) -> int:
        """
        Give its number.
        """

    def send(self, data: bytes, /) -> int:
        """
        Send.
        """

    def recvfrom(self, size: int, /) -> tuple[bytes, Any]:
        """
        Give what came, and from where.
        """

    def getpeername(self) -> Any:
        """
        Give the address of the server.
        """

    def getsockopt(self, level: int, option: int, /) -> int:
        """
        Give what is wrong.
        """

    def close(self) -> None:
        """
        Close it.
        """


def open_udp(server: Server, port: int) -> UdpSocket:
    """
    Open a socket that is connected to a server.

    @param port: its own port; 0 for any.
    @raise OSError: it is not possible.
    """
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        opened.bind(("", port))
        opened.connect((server.host, server.port))
    except OSError:
        opened.close()
        raise
    return opened


@implementer(IReadDescriptor)
class Datagrams:
    """
    The socket, and what waits for replies at it.
    """

    def __init__(self, server: Server, around: Around) -> None:
        """
        @raise OSError: no socket can be had.
        """
        self._around = around
        self._socket: UdpSocket | None = _open(server, around)
        self._peer = self._socket.getpeername()[:2]
        self._waiting: dict[bytes, Attempt] = {}
        self._is_retired = False
        self.uses = 0
        around.reactor.addReader(self)

    @property
    def is_open(self) -> bool:
        """
        Tell whether it can be used.
        """
        return self._socket is not None

    def send(self, attempt: Attempt) -> None:
        """
        Send a query, with an id that none has that waits.

        @raise OSError: it is not possible.
        """
        around, waiting = self._around, self._waiting
        assert self._socket is not None
        id = around.noise.take(2)
        while id in waiting:
            id = around.noise.take(2)
        attempt.sent = around.now()
        self.uses += 1
        try:
            self._socket.send(pack_query(id, attempt.question, attempt.is_extended))
        except OSError as error:
            if error.errno == ECONNREFUSED:
                # That was said to a query before this one.
                around.reactor.callLater(0, self._fail, error.errno)
            raise
        waiting[id] = attempt
        attempt.withdraw = lambda: self._withdraw(id)

    def retire(self) -> None:
        """
        Be closed as soon as nothing waits for a reply.
        """
        self._is_retired = True
        if not self._waiting:
            self._close()

    # -- for the reactor -------------------------------------------------------------------

    def fileno(self) -> int:
        """
        Give the number of the socket.
        """
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """
        Say what it is.
        """
        return "dns"

    def doRead(self) -> None:
        """
        Take the replies that have come.
        """
        for _ in range(READS):
            if self._socket is None:
                return
            try:
                datagram, address = self._socket.recvfrom(SIZE_LIMIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._fail(error.errno or 0)
                return
            self._received(datagram, address)

    def connectionLost(self, reason: Failure) -> None:
        """
        Be told that there is an error at the socket.
        """
        if self._socket is not None:
            error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._close()
            self._fail(error)

    def _received(self, datagram: bytes, address: Any) -> None:
        counts = self._around.counts
        if address[:2] != self._peer:
            counts[Asked.WRONG_SOURCE] += 1
            return
        attempt = self._waiting.get(datagram[:2])
        if attempt is None:
            counts[Asked.WRONG_ID] += 1
            return
        attempt.query.received(attempt, datagram)

    def _fail(self, error: int) -> None:
        """
        Tell all who wait that no reply will come.
        """
        why = "no DNS server is there" if error == ECONNREFUSED else _words(error)
        for id in list(self._waiting):
            attempt = self._waiting.pop(id, None)
            if attempt is not None:
                attempt.query.failed(attempt, why)
        self._end_if_retired()

    def _withdraw(self, id: bytes) -> None:
        self._waiting.pop(id, None)
        self._end_if_retired()

    def _end_if_retired(self) -> None:
        if self._is_retired:
            self.retire()

    def _close(self) -> None:
        if self._socket is not None:
            self._around.reactor.removeReader(self)
            self._socket.close()
            self._socket = None


def _words(error: int) -> str:
    return f"the server cannot be reached ({strerror(error)})"


def _open(server: Server, around: Around) -> UdpSocket:
    for _ in range(PORT_TRIES):
        try:
            return around.open(server, PORTS[around.noise.below(len(PORTS))])
        except OSError as error:
            if error.errno != EADDRINUSE:
                raise
    return around.open(server, 0)
