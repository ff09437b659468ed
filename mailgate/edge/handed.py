"""
Listening sockets that systemd has bound before the gateway began (socket activation).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from pathlib import Path
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_ACCEPTCONN,
    SO_TYPE,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)

from twisted.logger import Logger

from mailgate.config.values import UNIX, parse_endpoint, unix_path
from mailgate.edge.binding import NOBODY, Owner, bind

FIRST = 3
"""The first descriptor that systemd hands over; the others follow it."""


class HandedSockets:
    """
    Binds addresses, except those that have been bound already: these are taken as they are.

    Each keeps its place here until the process ends, so that a listener which a reload takes away
    and another one brings back gets it again; nobody else could bind it meanwhile.
    """

    log = Logger()

    def __init__(self, sockets: Mapping[str, socket] | None = None, owner: Owner = NOBODY) -> None:
        """
        @param sockets: by their places, as L{place_of} gives them.
        @param owner: whose the Unix sockets are that are made here.
        """
        self._sockets = sockets or {}
        self._owner = owner

    @classmethod
    def take(cls, environ: Mapping[str, str], pid: int, owner: Owner = NOBODY) -> HandedSockets:
        """
        Take what a process was handed.

        @param environ: the environment as the process got it, see L{first_environment}.
        @param pid: the number of the process.
        @raise SystemExit: one of them is not as it has to be; the message says what to change.
        """
        number = environ.get("LISTEN_FDS", "")
        if environ.get("LISTEN_PID") != str(pid) or not number.isdecimal():
            return cls(owner=owner)
        names = environ.get("LISTEN_FDNAMES", "").split(":")
        sockets: dict[str, socket] = {}
        for at in range(int(number)):
            os.set_inheritable(FIRST + at, False)
            name = names[at] if at < len(names) else ""
            handed = _listening(FIRST + at, name)
            sockets[place_of(handed)] = handed
        return cls(sockets, owner)

    def bind(self, place: str) -> socket:
        """
        Give a socket that listens at a place of the configuration: the one that was handed over for
        it, else a new one.

        @raise SystemExit: it is not possible; the message says why.
        """
        handed = self._sockets.get(_common(place))
        return bind(place, self._owner) if handed is None else handed.dup()

    def tell_unused(self, places: Collection[str]) -> None:
        """
        Tell of what was handed over and is none of the places where somebody listens.
        """
        for place in self._sockets.keys() - {_common(each) for each in places}:
            self.log.error(
                "{event} systemd listens at {place}, and no listener has this address, nor have "
                "the review pages; who connects there waits for ever",
                event="socket.unused",
                place=place,
            )


def first_environment() -> Mapping[str, str]:
    """
    Give the environment as this process got it, whatever has been taken out of it since: Twisted
    takes C{LISTEN_PID} and C{LISTEN_FDS} when it is imported.
    """
    pairs = Path("/proc/self/environ").read_bytes().split(b"\0")
    return dict(os.fsdecode(pair).split("=", 1) for pair in pairs if b"=" in pair)


def place_of(bound: socket) -> str:
    """
    Give the address of a socket as the configuration spells it.
    """
    name = bound.getsockname()
    if bound.family == AF_INET:
        return f"{name[0]}:{name[1]}"
    if bound.family == AF_INET6:
        return f"[{ip_address(name[0])}]:{name[1]}"
    if isinstance(name, bytes):
        return f"{UNIX}@{os.fsdecode(name[1:])}"
    return f"{UNIX}{os.path.realpath(name)}"


def _common(place: str) -> str:
    """
    Give a place of the configuration in the one way in which L{place_of} spells it.
    """
    path = unix_path(place)
    if path is not None:
        return f"{UNIX}{os.path.realpath(path)}"
    host, port = parse_endpoint(place)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listening(descriptor: int, name: str) -> socket:
    """
    Give the socket with a descriptor.

    @raise SystemExit: clients cannot be let in there.
    """
    where = f"descriptor {descriptor}{f' ({name})' if name else ''}"
    try:
        handed = socket(fileno=descriptor)
        is_stream = handed.getsockopt(SOL_SOCKET, SO_TYPE) == SOCK_STREAM
        listens = bool(handed.getsockopt(SOL_SOCKET, SO_ACCEPTCONN))
    except OSError as error:
        raise _wrong(where, f"is no socket: {error.strerror}") from error
    if handed.family not in (AF_INET, AF_INET6, AF_UNIX) or not is_stream or not listens:
        raise _wrong(where, "does not listen for connections; use ListenStream= and Accept=no")
    if handed.family == AF_INET6:
        is_for_all = ip_address(handed.getsockname()[0]).is_unspecified
        if is_for_all and not handed.getsockopt(IPPROTO_IPV6, IPV6_V6ONLY):
            # Their addresses would look like IPv6 ones, and fit no network of the configuration.
            raise _wrong(where, "takes IPv4 clients as well; use BindIPv6Only=ipv6-only")
    handed.setblocking(False)
    return handed


def _wrong(where: str, why: str) -> SystemExit:
    return SystemExit(f"mailgate: what systemd hands over as {where} {why}")
