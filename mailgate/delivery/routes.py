"""
Which upstream takes the mail of a recipient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from mailgate.config.delivery import ANY_DOMAIN, Choice, MaildirUpstream, Route
from mailgate.config.model import Settings
from mailgate.delivery.alternatives import Alternative, Alternatives
from mailgate.delivery.groups import Groups
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
    @raise SystemExit: a file that one of them needs cannot be used.
    """
    deliveries: dict[str, IDelivery] = {}
    for name, upstream in settings.upstream.items():
        if isinstance(upstream, MaildirUpstream):
            deliveries[name] = MaildirDelivery(
                name, upstream.path, files, threads, settings.hostname, now, reactor
            )
            continue
        try:
            deliveries[name] = SmtpDelivery(
                name, upstream, settings.hostname, reactor, threads=threads
            )
        except (OSError, ValueError) as error:
            raise SystemExit(f"mailgate: [upstream.{name}] cannot be used: {error}") from error
    return deliveries


def make_routes(
    settings: Settings,
    deliveries: Mapping[str, IDelivery],
    clock: IReactorTime,
    threads: IThreads,
) -> Routes:
    """
    Make the routes of the configuration.

    @param threads: where the files of groups are read again.
    @raise SystemExit: a file of a group cannot be used.
    """
    try:
        groups = Groups(settings.group, threads)
    except ValueError as error:
        raise SystemExit(f"mailgate: {error}") from error
    return Routes(settings.route, deliveries, clock, groups)


class Routes:
    """
    The way from a recipient to an upstream: that of the address, else that of a group it is in,
    else that of its domain.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        deliveries: Mapping[str, IDelivery],
        clock: IReactorTime,
        groups: Groups | None = None,
    ) -> None:
        """
        @param deliveries: the upstreams by their names.
        @param clock: bounds the tries where a route has several upstreams.
        """
        self._routes = routes
        self._deliveries = deliveries
        self._clock = clock
        self._groups = groups
        self._made: dict[tuple[Choice, ...], IDelivery] = {}
        self._by_domain = {
            domain: self._delivery(route) for route in routes for domain in route.domains
        }
        self.default = self._by_domain.pop(ANY_DOMAIN, None)
        """The upstream for all other domains, for people and machines of ours, or C{None}."""

        self._by_address: dict[str, dict[str, IDelivery]] = {}
        """By domain, then by local part in lower case."""

        self._read_addresses()
        self.first_domain = next(chain(self._by_domain, self._by_address), "")
        """Whose C{postmaster} the one without a domain is (RFC 5321 section 4.5.1)."""

        # All of them, also those of a group that is empty now.
        self._all = list(dict.fromkeys(map(self._delivery, routes)))
        if groups is not None:
            groups.changed = self._read_addresses

    def refresh(self) -> Deferred[None]:
        """
        Take up what has changed in the files of groups.
        """
        assert self._groups is not None
        return self._groups.refresh()

    def full_address(self, recipient: Address) -> Address:
        """
        Give C{postmaster} without a domain the one of L{first_domain}.
        """
        if recipient.domain:
            return recipient
        return Address(recipient.local, self.first_domain, recipient.belongs_to)

    def route_for(self, recipient: Address) -> IDelivery | None:
        """
        Give the upstream for a recipient, or C{None} where it is not one of ours.

        What stands behind a C{+} in an address leads to the same place, unless it is named itself.
        """
        domain = recipient.host or self.first_domain
        if self._by_address and (local_parts := self._by_address.get(domain)):
            local = recipient.local.lower()
            delivery = local_parts.get(local) or local_parts.get(local.partition("+")[0])
            if delivery is not None:
                return delivery
        return self._by_domain.get(domain)

    def upstream_for(self, recipient: Address) -> IDelivery | None:
        """
        Give the upstream for a recipient who has been accepted, wherever that is.
        """
        if recipient.is_command:
            # It is queued, as all mail of people of ours, and only from there on goes its own way.
            return self._all[0]
        return self.route_for(recipient) or self.default

    def deliveries(self) -> Sequence[IDelivery]:
        """
        Give what each route leads to, once.
        """
        return self._all

    def _delivery(self, route: Route) -> IDelivery:
        """
        Give the upstream of a route, or what chooses between several, the same for the same.
        """
        choices = route.upstream
        if len(choices) == 1:
            return self._deliveries[choices[0].name]
        if choices not in self._made:
            self._made[choices] = Alternatives(
                [
                    Alternative(self._deliveries[each.name], each.preference, each.weight)
                    for each in choices
                ],
                self._clock,
            )
        return self._made[choices]

    def _read_addresses(self) -> None:
        found: dict[str, dict[str, IDelivery]] = {}

        def add(address: str, delivery: IDelivery) -> None:
            local, _, domain = address.rpartition("@")
            found.setdefault(domain, {}).setdefault(local, delivery)

        for route in self._routes:
            for address in route.addresses:
                add(address, self._delivery(route))
        # An address that is named comes before a group, and one group before a later one.
        if self._groups is not None:
            for route in self._routes:
                for name in route.groups:
                    for address in self._groups.members(name):
                        add(address, self._delivery(route))
        self._by_address = found
