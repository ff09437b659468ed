"""
Whose mail is authenticated: that of strangers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network

from attrs import field, frozen

from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.message.envelope import Session
from mailgate.wire.network import address_of


@frozen
class Outside:
    """
    Tells strangers from people and machines of ours.
    """

    exempt_networks: tuple[IPv4Network | IPv6Network, ...]
    _is_foreign: Callable[[str], bool] = field(init=False, eq=False, repr=False)

    @_is_foreign.default
    def _remembering(self) -> Callable[[str], bool]:
        # Several checks ask this of each message, and to read an address takes a while.
        networks = self.exempt_networks

        def is_foreign(client: str) -> bool:
            address = address_of(client)
            return address is not None and not any(address in network for network in networks)

        return lru_cache(maxsize=1000)(is_foreign)

    @classmethod
    def from_settings(cls, settings: Settings) -> Outside:
        """
        Take the networks of a configuration: those of SPF hold for DKIM, ARC and DMARC too, as
        these mean something only together.
        """
        return cls(tuple(map(parse_network, settings.checks.spf.exempt_networks)))

    def has(self, session: Session) -> bool:
        """
        Tell whether a client is a stranger.
        """
        return not session.is_trusted and self._is_foreign(session.client)
