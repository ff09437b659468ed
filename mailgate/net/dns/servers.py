"""
Which DNS servers are asked: those of the configuration, else those of the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

from attrs import frozen

from mailgate.config.values import parse_server

PORT = 53
SIZE_LIMIT = 64 * 1024
"""Bytes of the file that are read."""

SERVERS_LIMIT = 8

_PUBLIC = tuple(
    map(
        ip_network,
        (
            # Google
            "8.8.8.8/32",
            "8.8.4.4/32",
            "2001:4860:4860::/48",
            # Cloudflare
            "1.1.1.0/29",
            "1.0.0.0/29",
            "2606:4700:4700::/48",
            # Quad9
            "9.9.9.0/24",
            "149.112.112.0/24",
            "2620:fe::/48",
            # Cisco OpenDNS
            "208.67.220.0/24",
            "208.67.222.0/24",
            "2620:119:35::/48",
            "2620:119:53::/48",
            # Level 3
            "4.2.2.0/29",
            # AdGuard
            "94.140.14.0/24",
            "94.140.15.0/24",
            "2a10:50c0::/32",
            # Verisign, Vercara
            "64.6.64.6/32",
            "64.6.65.6/32",
            "2620:74:1b::/48",
            "2620:74:1c::/48",
            # CleanBrowsing
            "185.228.168.0/24",
            "185.228.169.0/24",
            # Control D
            "76.76.2.0/24",
            "76.76.10.0/24",
            # DNS0, DNS4EU
            "193.110.81.0/24",
            "185.253.5.0/24",
            "86.54.11.0/24",
            # Comodo
            "8.26.56.26/32",
            "8.20.247.20/32",
            # Yandex
            "77.88.8.0/24",
            "2a02:6b8::feed:0/112",
            # DNS.WATCH
            "84.200.69.80/32",
            "84.200.70.40/32",
            # Hurricane Electric
            "74.82.42.42/32",
            "2001:470:20::2/128",
            # Alibaba, Tencent, 114DNS
            "223.5.5.5/32",
            "223.6.6.6/32",
            "2400:3200::/48",
            "119.29.29.29/32",
            "114.114.114.0/24",
        ),
    )
)


@frozen
class Server:
    """
    A DNS server.
    """

    host: str
    """Its IP address; of an IPv6 one with its zone, as in C{fe80::1%eth0}, where it needs one."""

    port: int = PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host and self.port != PORT else self.host
        return host if self.port == PORT else f"{host}:{self.port}"

    @property
    def is_public(self) -> bool:
        """
        Tell whether it serves everybody: DNS lists refuse to answer it.
        """
        address = ip_address(self.host)
        return any(address in network for network in _PUBLIC)


LOCAL = Server("127.0.0.1")


def find_servers(configured: Iterable[str], file: Path) -> Sequence[Server]:
    """
    Give the servers to ask. Blocks while the file is read.

    @param configured: as in C{[dns] servers}; if there are any, these are asked.
    @param file: C{resolv.conf} otherwise. Where it is missing, cannot be read or names no server,
        it is the one on this machine, as it is for every program (resolv.conf(5)).
    """
    servers = [Server(*parse_server(text)) for text in configured]
    return servers[:SERVERS_LIMIT] or _read(file) or [LOCAL]


def _read(file: Path) -> Sequence[Server]:
    try:
        with file.open("rb") as opened:
            content = opened.read(SIZE_LIMIT)
    except OSError:
        return []
    servers: dict[Server, None] = {}
    for line in content.decode("latin-1").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                servers[Server(str(ip_address(words[1])))] = None
            except ValueError:
                continue  # as every program does
    return list(servers)[:SERVERS_LIMIT]
