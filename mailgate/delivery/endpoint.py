"""
The way to a mail server, and why there is none.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import CancelledError, TimeoutError
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint

from mailgate.config.values import unix_path

FORESEEN = (
    ConnectError,
    DNSLookupError,
    TimeoutError,
    CancelledError,
    ConnectingCancelledError,
)
"""How connecting fails without a mistake of ours."""


def make_endpoint(
    reactor: Any, host: str, port: int, seconds: float, source: str | None = None
) -> IStreamClientEndpoint:
    """
    Make the way to a host; an address needs no look-up.

    @param host: or C{unix:} and the path of a socket.
    @param seconds: how long connecting may take.
    @param source: the IP address of ours to connect from, if it matters.
    """
    path = unix_path(host)
    bind = None if source is None else (source, 0)
    endpoint: IStreamClientEndpoint
    if path is not None:
        endpoint = UNIXClientEndpoint(reactor, str(path), seconds)
    elif isIPAddress(host):
        endpoint = TCP4ClientEndpoint(reactor, host, port, seconds, bind)
    elif isIPv6Address(host):
        endpoint = TCP6ClientEndpoint(reactor, host, port, seconds, bind)
    else:
        endpoint = HostnameEndpoint(reactor, host, port, seconds, bind)
    return endpoint


def why_not_connected(error: BaseException | None) -> str:
    """
    Say why there is no connection, without naming a host.
    """
    if isinstance(error, TimeoutError):
        return "no connection in time"
    return str(getattr(error, "MESSAGE", "no connection")).lower()
