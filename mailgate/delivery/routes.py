"""
Which upstream takes the mail of a recipient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mailgate.config.model import ANY_DOMAIN, MaildirUpstream, Route, Settings
from mailgate.delivery.maildir import MaildirDelivery
from mailgate.delivery.smtp_delivery import SmtpDelivery
from mailgate.interfaces import IDelivery, IFiles, IThreads
from mailgate.wire.address import Address


def make_deliveries(
    settings: Settings,
    reactor: Any,
    files: IFiles,
    threads: IThreads,
    now: Callable[[], float],
) -> Mapping[str, IDelivery]:
    """
    Make every upstream of the configuration.

    @param reactor: connects and keeps time.
    @param now: the time in seconds since the epoch.
    @return: them by their names.
    """
    deliveries: dict[str, IDelivery] = {}
    for name, upstream in settings.upstream.items():
        if isinstance(upstream, MaildirUpstream):
            deliveries[name] = MaildirDelivery(
                name, upstream.path, files, threads, settings.hostname, now, reactor
            )
        else:
            deliveries[name] = SmtpDelivery(name, upstream, settings.hostname, reactor)
    return deliveries


class Routes:
    """
    The way from a recipient's domain to an upstream.
    """

    def __init__(self, routes: Sequence[Route], deliveries: Mapping[str, IDelivery]) -> None:
        """
        @param deliveries: the upstreams by their names.
        """
        self._by_domain = {
            domain: deliveries[route.upstream] for route in routes for domain in route.domains
        }
        self.default = self._by_domain.pop(ANY_DOMAIN, None)
        """The upstream for all other domains, for people and machines of ours, or C{None}."""

        self.first_domain = next(iter(self._by_domain), "")
        """Whose C{postmaster} the one without a domain is (RFC 5321 section 4.5.1)."""

    def full_address(self, recipient: Address) -> Address:
        """
        Give C{postmaster} without a domain the one of L{first_domain}.
        """
        return recipient if recipient.domain else Address(recipient.local, self.first_domain)

    def route_for(self, recipient: Address) -> IDelivery | None:
        """
        Give the upstream for a recipient, or C{None} where its domain is not one of ours.
        """
        return self._by_domain.get(recipient.host or self.first_domain)

    def upstream_for(self, recipient: Address) -> IDelivery | None:
        """
        Give the upstream for a recipient who has been accepted, wherever that is.
        """
        return self.route_for(recipient) or self.default

    def deliveries(self) -> Sequence[IDelivery]:
        """
        Give each upstream that mail can go to, once.
        """
        found = [*self._by_domain.values(), *filter(None, [self.default])]
        return list(dict.fromkeys(found))
