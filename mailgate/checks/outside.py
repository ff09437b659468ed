"""
Whose mail is authenticated: that of strangers.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from attrs import frozen

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
        address = address_of(session.client)
        return (
            not session.is_trusted
            and address is not None
            and not any(address in network for network in self.exempt_networks)
        )
