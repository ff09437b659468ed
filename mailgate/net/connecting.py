"""
Connecting a protocol to an endpoint, without a word in the log for each connection.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol

P = TypeVar("P", bound=Protocol)


class _Once(Factory):
    """
    Gives the one protocol. Twisted's own C{connectProtocol} has no such switch.
    """

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        Give it.
        """
        return self._protocol


def connect_protocol(endpoint: IStreamClientEndpoint, protocol: P) -> Deferred[P]:
    """
    Connect C{protocol}.

    @return: fires with it, or fails as the endpoint does.
    """
    return endpoint.connect(_Once(protocol)).addCallback(lambda _: protocol)
