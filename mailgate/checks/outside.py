"""
Whose mail is authenticated: that of strangers.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.message.envelope import Session
from mailgate.wire.network import Network, address_of, has_client


@frozen
class Outside:
    """
    Tells strangers from people and machines of ours.
    """

    exempt_networks: tuple[Network, ...]
    _is_exempt: Callable[[str], bool] = field(init=False, eq=False, repr=False)

    @_is_exempt.default
    def _remembering(self) -> Callable[[str], bool]:
        # Several checks ask this of each message.
        return has_client(self.exempt_networks)

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
        client = session.client
        return (
            not session.is_trusted
            and address_of(client) is not None
            and not self._is_exempt(client)
        )
