"""
The sockets at which clients are waited for.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_REUSEADDR,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure

from mailgate.config.values import parse_endpoint, unix_path

BACKLOG = 1024
"""Connections that may wait in the kernel to be accepted."""

SOCKET_MODE = 0o660
"""Rights of a Unix socket: for the gateway's own user and group."""


def bind(place: str) -> socket:
    """
    Bind and listen at an endpoint or, for C{unix:} and a path, a Unix socket.

    An IPv6 address is only that: C{[::]} does not take the IPv4 clients, so that both can be
    listeners. A Unix socket at which nobody listens any more is replaced.

    @raise SystemExit: it is not possible; the message says why.
    """
    path = unix_path(place)
    try:
        bound = _endpoint(place) if path is None else _unix(path)
    except OSError as error:
        raise SystemExit(
            f"mailgate: cannot listen on {place}: {error.strerror or error}"
        ) from error
    bound.setblocking(False)
    return bound


class UnixPort(unix.Port):
    """
    A Unix socket at which other processes listen too: where this one lets nobody in any more, it
    is neither shut down nor removed. It keeps its rights, which Twisted would give to everybody.
    """

    _shouldShutdown = False

    def startListening(self) -> None:
        """
        Let clients in.
        """
        self.backlog, self.mode = BACKLOG, SOCKET_MODE
        super().startListening()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:
        """
        Leave the file where it is.
        """
        tcp.Port.connectionLost(self, reason)


def let_in(reactor: Any, bound: socket, factory: IProtocolFactory) -> IListeningPort:
    """
    Let clients in at a socket that is bound. This process does it in a port of its own, and
    C{bound} is closed here.
    """
    port: IListeningPort
    with bound:
        if bound.family == AF_UNIX:
            port = UnixPort._fromListeningDescriptor(  # type: ignore[no-untyped-call]
                reactor, bound.fileno(), factory
            )
            port.startListening()
        else:
            port = reactor.adoptStreamPort(bound.fileno(), bound.family, factory)
    return port


def _endpoint(endpoint: str) -> socket:
    host, port = parse_endpoint(endpoint)
    family = AF_INET6 if ":" in host else AF_INET
    bound = socket(family, SOCK_STREAM)
    try:
        bound.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        if family == AF_INET6:
            bound.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except BaseException:
        bound.close()
        raise
    return bound


def _unix(path: Path) -> socket:
    _remove_left(path)
    bound = socket(AF_UNIX, SOCK_STREAM)
    # Not open to others for the moment between its making and the change of its mode.
    before = os.umask(0o777 & ~SOCKET_MODE)
    try:
        bound.bind(str(path))
        bound.listen(BACKLOG)
    except BaseException:
        bound.close()
        raise
    finally:
        os.umask(before)
    return bound


def _remove_left(path: Path) -> None:
    """
    Remove a socket that a process has left which is gone.

    @raise OSError: somebody listens there.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.stat().st_mode):
            return
        with socket(AF_UNIX, SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise OSError("another process listens there")
