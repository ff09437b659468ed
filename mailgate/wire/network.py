"""
What a client is counted by: its address, and the network around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

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


def network_name(address: IPv4Address | IPv6Address) -> str:
    """
    Name its /24 or /64 network: C{192.0.2.0/24}, C{2001:db8::/64}.
    """
    # Not ip_network(), which takes five times as long, for each message.
    prefix = IPV4_PREFIX if address.version == 4 else IPV6_PREFIX
    other = address.max_prefixlen - prefix
    return f"{type(address)(int(address) >> other << other)}/{prefix}"


def has_client(networks: Sequence[Network]) -> Callable[[str], bool]:
    """
    Give what tells whether a client lies in one of some networks, and remembers it for those that
    were asked for last. What is no IP address lies nowhere.
    """

    @lru_cache(1000)
    def has(client: str) -> bool:
        address = address_of(client)
        return address is not None and is_within(address, networks)

    return has


@lru_cache(1000)  # it is asked several times for each message
def client_names(client: str) -> tuple[str, ...]:
    """
    Name by what a client is counted: an IPv4 client by itself and its network, an IPv6 client by
    its network alone, since whoever has one address there has them all; nothing where C{client} is
    no IP address.
    """
    address = address_of(client)
    if address is None:
        return ()
    network = network_name(address)
    return (str(address), network) if address.version == 4 else (network,)


def named(text: str) -> str:
    """
    Name what somebody calls by an address or a network.

    @raise ValueError: it is none of those by which clients are counted.
    """
    address, slash, _ = text.partition("/")
    names = client_names(address)
    name = "" if not names else names[-1 if slash else 0]
    if not name or (slash and str(_network(text)) != name):
        raise ValueError(f"{text} must be an IP address, or a network as the listing shows it")
    return name


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def is_within(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    """
    Tell whether an address lies in one of some networks.
    """
    return any(address in network for network in networks)
