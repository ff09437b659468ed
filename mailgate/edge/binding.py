"""
The sockets at which clients are waited for.
"""

from __future__ import annotations

import errno
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

from mailgate.config.values import parse_endpoint, unix_path

BACKLOG = 1024
"""Connections that may wait in the kernel to be accepted."""

SOCKET_MODE = 0o660
"""Rights of a Unix socket: for the gateway's own user and group."""

FREE_PORT = 1024
"""The first port that everybody may bind."""

Owner = tuple[int, int]
"""A user and a group, by their numbers."""

NOBODY: Owner = (-1, -1)
"""The owner that changes none."""


def bind(place: str, owner: Owner = NOBODY) -> socket:
    """
    Bind and listen at an endpoint or, for C{unix:} and a path, a Unix socket.

    An IPv6 address is only that: C{[::]} does not take the IPv4 clients, so that both can be
    listeners. A Unix socket at which nobody listens any more is replaced.

    @param owner: whose a Unix socket is, where that is somebody else: the one as whom the process
        goes on after it has bound its addresses.
    @raise SystemExit: it is not possible; the message says why.
    """
    path = unix_path(place)
    try:
        bound = _endpoint(place) if path is None else _unix(path, owner)
    except OSError as error:
        raise SystemExit(f"mailgate: cannot listen on {place}: {_reason(place, error)}") from error
    bound.setblocking(False)
    return bound


def _reason(place: str, error: OSError) -> str:
    words = error.strerror or str(error)
    if error.errno != errno.EACCES or unix_path(place) or parse_endpoint(place)[1] >= FREE_PORT:
        return words
    return (
        f"{words}; a port below {FREE_PORT} is for root and for who has CAP_NET_BIND_SERVICE, and "
        "twistd --uid gives both away after the start: then only a restart can bind it"
    )


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


def _unix(path: Path, owner: Owner) -> socket:
    _remove_left(path)
    bound = socket(AF_UNIX, SOCK_STREAM)
    # Not open to others for the moment between its making and the change of its mode.
    before = os.umask(0o777 & ~SOCKET_MODE)
    try:
        bound.bind(str(path))
        if owner != NOBODY:
            os.chown(path, *owner)
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
