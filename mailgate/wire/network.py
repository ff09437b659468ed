"""
What a client is counted by: its address, and the network around it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IPV4_PREFIX = 24
IPV6_PREFIX = 64
"""The networks that are as good as one client: whoever has an address there has them all."""

_LONGEST = 100
"""Characters of an address at most, with what may stand behind it for a zone."""

Network = IPv4Network | IPv6Network


def address_of(client: str) -> IPv4Address | IPv6Address | None:
    """
    Read the address of a client, or C{None} where it is none. An IPv4 address inside an IPv6
    one is given as what it is.
    """
    return _address_of(client) if len(client) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _address_of(client: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(client)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


def canonical_ipv6(text: str | bytes) -> str:
    """
    Write an IPv6 address in its one form, and an IPv4 address inside it as what it is.

    @param text: the address in words, or its 16 bytes.
    @raise ValueError: it is none, or has a zone, which means nothing to others.
    """
    address = IPv6Address(text)
    if address.scope_id is not None:
        raise ValueError("an address with a zone")
    return str(address.ipv4_mapped or address)


def network_of(address: IPv4Address | IPv6Address) -> bytes:
    """
    Give the beginning of an address that all of its /24 or /64 network share, as bytes.
    """
    prefix = IPV4_PREFIX if address.version == 4 else IPV6_PREFIX
    return address.packed[: prefix // 8]


def is_within(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    """
    Tell whether an address lies in one of some networks.
    """
    return any(address in network for network in networks)
