"""
Addresses that nobody uses, and who has written to one of them lately.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

from attrs import frozen

from mailgate.config.checks import CheckMode
from mailgate.config.model import GatewayMode, Settings
from mailgate.config.values import parse_network
from mailgate.wire.address import Address
from mailgate.wire.network import Network, address_of, is_within, network_of
from mailgate.wire.normal import normal_address, normal_domain

MOST_CLIENTS = 10_000
"""How many clients are remembered; whoever has not written to a trap for longest is forgotten."""

RESERVED = frozenset(
    # RFC 2142, and those that are written to because of RFC 2821, 8058 and common use.
    (
        "abuse",
        "billing",
        "contact",
        "dmarc",
        "ftp",
        "help",
        "hostmaster",
        "info",
        "list",
        "mailer-daemon",
        "marketing",
        "news",
        "no-reply",
        "noc",
        "noreply",
        "office",
        "postmaster",
        "privacy",
        "root",
        "sales",
        "security",
        "support",
        "tlsrpt",
        "usenet",
        "uucp",
        "webmaster",
        "www",
    )
)
"""Local parts that people try in good faith, so that such an address never becomes a trap by
itself; nor does one that begins with it and C{-}, as of a mailing list."""


@frozen
class Trap:
    """
    An address that was made a trap, by somebody or because it was guessed often.
    """

    number: int
    address: str
    """As L{normal_address} gives it."""

    is_guessed: bool
    made: float
    """Seconds since the epoch."""

    by: str
    """Who has made it, in words."""

    note: str = ""
    hits: int = 0
    """How many messages came to it."""

    last: float | None = None
    """When the last one came, in seconds since the epoch."""


@frozen
class Trapped:
    """
    A client that has written to a trap.
    """

    client: str
    """Its IP address."""

    at: float
    """Seconds since the epoch."""


class Traps:
    """
    The traps that were made, as they are at any moment.
    """

    def __init__(self) -> None:
        self._traps: dict[str, Trap] = {}

    def __iter__(self) -> Iterator[Trap]:
        """
        Give all.
        """
        return iter(self._traps.values())

    def take(self, traps: Iterable[Trap]) -> None:
        """
        Take these in the place of all that were known.
        """
        self._traps = {trap.address: trap for trap in traps}

    def find(self, address: str) -> Trap | None:
        """
        Give the trap of an address as L{normal_address} gives it.
        """
        return self._traps.get(address)


class Bait(Enum):
    """
    What an address is as a trap.
    """

    SURE = "sure"
    """Somebody has said that it is one."""

    IF_NOBODY = "if nobody"
    """It was guessed often; should it come to exist, it is none any more."""

    @property
    def is_sure(self) -> bool:
        """
        Tell whether it is one whether it exists or not.
        """
        return self is Bait.SURE


@frozen
class TrapRule:
    """
    Which addresses are traps by a configuration, and whose mail to them is caught.
    """

    traps: Traps
    addresses: frozenset[str]
    domains: frozenset[str]
    separator: str
    exempt_networks: tuple[Network, ...]
    catches: bool
    """Whether mail to a trap that does not exist is taken; where not, it is refused as ever."""

    @classmethod
    def from_settings(cls, settings: Settings, traps: Traps) -> TrapRule:
        """
        Take it from a configuration.

        @param traps: those that were made.
        """
        section = settings.checks.traps
        named = [each.partition("@") for each in section.addresses]
        return cls(
            traps,
            frozenset(f"{local}@{normal_domain(host)}" for local, _, host in named if local),
            frozenset(normal_domain(host) for local, _, host in named if not local),
            settings.verification.separator,
            tuple(map(parse_network, section.exempt_networks)),
            section.mode is CheckMode.ENFORCE and settings.mode is GatewayMode.ACTIVE,
        )

    def bait(self, address: Address, client: str) -> Bait | None:
        """
        Tell what an address is for a client from outside; C{None} where it is no trap.

        @param client: its IP address, which may be exempt.
        """
        if address.is_protected:
            return None
        local, _, host = normal_address(address).rpartition("@")
        found = self._find(local, host)
        if found is None and self.separator and not local.startswith('"'):
            name, between, _ = local.partition(self.separator)
            if name and between:
                found = self._find(name, host)
        if found is None:
            return None
        known = address_of(client)
        return None if known is not None and is_within(known, self.exempt_networks) else found

    def _find(self, local: str, host: str) -> Bait | None:
        address = f"{local}@{host}"
        if address in self.addresses or host in self.domains:
            return Bait.SURE
        trap = self.traps.find(address)
        if trap is None:
            return None
        return Bait.IF_NOBODY if trap.is_guessed else Bait.SURE


class TrappedClients:
    """
    Who has written to a trap lately. Those who did so last push out the others.
    """

    def __init__(self, most: int = MOST_CLIENTS) -> None:
        """
        @param most: how many are remembered.
        """
        self._most = most
        self._clients: OrderedDict[bytes, Trapped] = OrderedDict()
        self._networks: OrderedDict[bytes, Trapped] = OrderedDict()

    def __len__(self) -> int:
        """
        Count them.
        """
        return len(self._clients)

    def __iter__(self) -> Iterator[Trapped]:
        """
        Give all, those first who did so longest ago.
        """
        return iter(self._clients.values())

    def take(self, trapped: Sequence[Trapped]) -> None:
        """
        Remember more of them.
        """
        for each in trapped:
            address = address_of(each.client)
            if address is None:
                continue
            for table, key in (
                (self._clients, address.packed),
                (self._networks, network_of(address)),
            ):
                table[key] = each
                table.move_to_end(key)
                if len(table) > self._most:
                    table.popitem(last=False)

    def find(self, client: str, since: float) -> tuple[Trapped, bool] | None:
        """
        Give the client that has written to a trap since then, or else one of its network, and
        whether it is the client itself.
        """
        if not self._clients:
            return None
        address = address_of(client)
        if address is None:
            return None
        for table, key, is_itself in (
            (self._clients, address.packed, True),
            (self._networks, network_of(address), False),
        ):
            found = table.get(key)
            if found is not None and found.at > since:
                return found, is_itself
        return None
