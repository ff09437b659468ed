"""
How clients are let in at a socket that several processes have, one after the other.
"""

from __future__ import annotations

import os
from socket import AF_UNIX, socket
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReadDescriptor
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

ACCEPTS = 100
"""How many clients are let in before others get their turn."""

PAUSE = 1.0
"""Seconds until it is tried again where nobody could be let in."""


def listen(reactor: Any, bound: socket, factory: Factory[Any]) -> IListeningPort:
    """
    Let clients in at a socket that listens, which stays open for others; C{bound} can be closed.
    """
    port: IListeningPort
    if bound.family == AF_UNIX:
        # Its own way to make another one would let it wait, and those of other processes as well.
        port = UnixPort(socket(fileno=os.dup(bound.fileno())), factory, reactor)
        port.startListening()
    else:
        port = reactor.adoptStreamPort(bound.fileno(), bound.family, factory)
    return port


@implementer(IListeningPort, IReadDescriptor)
class UnixPort:
    """
    Lets clients in at a Unix socket.

    Twisted's own port opens the socket's file to everybody when it adopts it, and removes it at the
    end, when others let clients in there already. This one leaves the file alone.
    """

    log = Logger()

    def __init__(self, bound: socket, factory: Factory[Any], reactor: Any) -> None:
        self._socket = bound
        self._factory = factory
        self._reactor = reactor
        self._pause: IDelayedCall | None = None

    def startListening(self) -> None:
        """
        Begin.
        """
        self._factory.doStart()
        self._reactor.addReader(self)

    def stopListening(self) -> None:
        """
        Let nobody in any more.
        """
        if self._socket.fileno() < 0:
            return
        self._reactor.removeReader(self)
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._socket.close()
        self._factory.doStop()

    def getHost(self) -> UNIXAddress:
        """
        Give the address.
        """
        return UNIXAddress(self._socket.getsockname())

    def fileno(self) -> int:
        """
        Give the descriptor.
        """
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """
        Name it for the log.
        """
        return type(self).__name__

    def doRead(self) -> None:
        """
        Let in who waits.
        """
        for _ in range(ACCEPTS):
            try:
                connection, _ = self._socket.accept()
                with connection:
                    connection.setblocking(False)
                    self._reactor.adoptStreamConnection(connection.fileno(), AF_UNIX, self._factory)
            except (BlockingIOError, ConnectionError):
                # Nobody waits any more, or somebody has gone at once.
                return
            except OSError as error:
                self._rest(error)
                return

    def connectionLost(self, reason: Failure) -> None:
        """
        End with the reactor.
        """
        self.stopListening()

    def _rest(self, error: OSError) -> None:
        """
        Try again in a while: who waits would call at once again.
        """
        self.log.error("{event} {error}", event="edge.paused", error=str(error))
        self._reactor.removeReader(self)
        self._pause = self._reactor.callLater(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._reactor.addReader(self)
