"""
What a firewall is told of the penalty box: a file for nft or for ipset.

Loading one replaces what was loaded before in one step. Each element has a time-out, so that
whoever has served its time is let in again even if no new file ever comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from math import ceil

from attrs import frozen

from mailgate.wire.network import Network

MOST = 131_072
"""How many a set of ipset holds; as much as a penalty box can have, and more."""

LONGEST = 2_000_000
"""Seconds of the longest time-out: some 23 days. ipset knows no longer ones than 2,147,483."""


@frozen
class Ban:
    """
    Who is to be kept out, and for how long.
    """

    network: Network
    """A single address is the network of it alone."""

    seconds: int

    @classmethod
    def of(cls, name: str, seconds: float) -> Ban:
        """
        Make one of a name in the penalty box.
        """
        return cls(ip_network(name), min(LONGEST, max(1, ceil(seconds))))

    def __str__(self) -> str:
        """
        Name who it is: an address stands without its prefix.
        """
        network = self.network
        is_one = network.prefixlen == network.max_prefixlen
        return str(network.network_address if is_one else network)


def nftables(bans: Sequence[Ban]) -> str:
    """
    Write a file for C{nft -f}: the sets C{penalty4} and C{penalty6} in the table C{inet mailgate}.
    Rules that use them, which are the operator's, stay as they are.
    """
    lines = ["table inet mailgate {"]
    lines += [
        f"    set penalty{version} {{ type ipv{version}_addr; flags interval, timeout; }}"
        for version in (4, 6)
    ]
    lines.append("}")
    for version, chosen in _by_version(bans):
        lines.append(f"flush set inet mailgate penalty{version}")
        if chosen:
            lines.append(f"add element inet mailgate penalty{version} {{")
            lines += [f"    {ban} timeout {ban.seconds}s," for ban in chosen]
            lines.append("}")
    return _joined(lines)


def ipset(bans: Sequence[Ban]) -> str:
    """
    Write a file for C{ipset restore}: the sets C{mailgate-penalty4} and C{mailgate-penalty6}.
    """
    lines = []
    for version, chosen in _by_version(bans):
        name = f"mailgate-penalty{version}"
        kind = f"hash:net family inet{'6' if version == 6 else ''} timeout {LONGEST} maxelem {MOST}"
        lines += [
            f"create {name} {kind} -exist",
            f"create {name}-new {kind} -exist",
            f"flush {name}-new",
            *(f"add {name}-new {ban} timeout {ban.seconds}" for ban in chosen),
            f"swap {name}-new {name}",
            f"destroy {name}-new",
        ]
    return _joined(lines)


FORMATS: Mapping[str, Callable[[Sequence[Ban]], str]] = {"nftables": nftables, "ipset": ipset}
"""What writes a file, by the name of its format."""


def outermost(bans: Sequence[Ban]) -> Sequence[Ban]:
    """
    Leave out whoever lies within a network that is kept out anyhow: nft refuses to have both.
    """
    wide = {ban.network for ban in bans if ban.network.prefixlen < ban.network.max_prefixlen}
    prefixes = {(network.version, network.prefixlen) for network in wide}

    def is_covered(network: Network) -> bool:
        return any(
            version == network.version
            and prefix < network.prefixlen
            and network.supernet(new_prefix=prefix) in wide
            for version, prefix in prefixes
        )

    return [ban for ban in bans if not is_covered(ban.network)]


def _by_version(bans: Sequence[Ban]) -> Sequence[tuple[int, Sequence[Ban]]]:
    """
    Give the bans of each version in the order of their addresses.
    """
    kept = sorted(outermost(bans), key=lambda ban: int(ban.network.network_address))
    return [
        (version, [ban for ban in kept if ban.network.version == version]) for version in (4, 6)
    ]


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(
        ["# Written by mailgate penalty export; it replaces what was loaded before.", *lines, ""]
    )
