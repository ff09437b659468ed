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
)
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint

FORESEEN = (
    ConnectError,
    DNSLookupError,
    TimeoutError,
    CancelledError,
    ConnectingCancelledError,
)
"""How connecting fails without a mistake of ours."""


def make_endpoint(reactor: Any, host: str, port: int, seconds: float) -> IStreamClientEndpoint:
    """
    Make the way to a host; an address needs no look-up.

    @param seconds: how long connecting may take.
    """
    endpoint: IStreamClientEndpoint
    if isIPAddress(host):
        endpoint = TCP4ClientEndpoint(reactor, host, port, seconds)
    elif isIPv6Address(host):
        endpoint = TCP6ClientEndpoint(reactor, host, port, seconds)
    else:
        endpoint = HostnameEndpoint(reactor, host, port, seconds)
    return endpoint


def why_not_connected(error: BaseException | None) -> str:
    """
    Say why there is no connection, without naming a host.
    """
    if isinstance(error, TimeoutError):
        return "no connection in time"
    return str(getattr(error, "MESSAGE", "no connection")).lower()
