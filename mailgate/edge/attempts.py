"""
How often may be tried to log in.

Every attempt counts before the truth is asked for, so that many at the same time do not get
past; one that succeeds is taken back. Nothing but time makes the others forgotten: else whoever
has one account could guess at all others without end.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailgate.config.model import ClientLimits
from mailgate.config.values import parse_network
from mailgate.edge.windows import SlidingWindow
from mailgate.interfaces import Counted, Share, share_with_nobody
from mailgate.reply import Reply
from mailgate.wire.network import address_of, is_within, network_of
from mailgate.wire.saslprep import name_key

TOO_MANY = Reply(454, "4.7.0", "too many failed log-ins, try again later")

SECONDS = 600.0
"""The span in which failures count."""

KNOWN_SECONDS = 7 * 86400.0
"""For how long it is remembered that an account was used from an address."""

KEYS = 10_000
"""Addresses, accounts and pairs of them that are remembered."""


class Attempts:
    """
    The failures of each address and of each account in the last ten minutes.

    An address is all of an IPv6 client's /64 network. Who has logged in to an account lately is
    not kept out by what others did to it.
    """

    log = Logger()

    def __init__(
        self, settings: ClientLimits, clock: IReactorTime, share: Share = share_with_nobody
    ) -> None:
        """
        @param share: tells others who count as well.
        """
        self._share = share
        self._exempt = tuple(map(parse_network, settings.exempt_networks))
        self._addresses = SlidingWindow(clock, settings.failures_per_address, SECONDS, KEYS)
        self._accounts = SlidingWindow(clock, settings.failures_per_account, SECONDS, KEYS)
        self._known = SlidingWindow(clock, 1, KNOWN_SECONDS, KEYS)

    def refusal(self, client: str, name: str | None = None) -> Reply | None:
        """
        Give what to answer to one who has failed too often, whatever it says next.

        @param client: its IP address.
        @param name: as whom it wants to log in, once that is known.
        """
        address = self._address(client)
        if address is not None and self._addresses.is_full(address):
            why = "address"
        elif name is not None and self._is_besieged(address, name_key(name)):
            why = "account"
        else:
            return None
        self.log.warn(
            "{event} {client}: too many failures of its {limit}",
            event="login.limited",
            client=client,
            limit=why,
        )
        return TOO_MANY

    def begin(self, client: str, name: str) -> Reply | None:
        """
        Count an attempt, before the truth is asked for.

        @return: what to answer instead, where there were too many; then nothing is counted.
        """
        reply = self.refusal(client, name)
        if reply is None:
            self._begin(client, name)
            self._share(Counted.LOGGING_IN, client, name)
        return reply

    def take_back(self, client: str, name: str) -> None:
        """
        Forget an attempt of which it could not be found out whether it was right.
        """
        self._take_back(client, name)
        self._share(Counted.LOGIN_UNDECIDED, client, name)

    def succeeded(self, client: str, name: str) -> None:
        """
        Forget an attempt that was right, and remember from where.
        """
        self._succeeded(client, name)
        self._share(Counted.LOGGED_IN, client, name)

    def elsewhere(self, what: Counted, client: str, name: str) -> None:
        """
        Count what another worker has counted.
        """
        if what is Counted.LOGGING_IN:
            self._begin(client, name)
        elif what is Counted.LOGIN_UNDECIDED:
            self._take_back(client, name)
        elif what is Counted.LOGGED_IN:
            self._succeeded(client, name)

    def _begin(self, client: str, name: str) -> None:
        address = self._address(client)
        if address is not None:
            self._addresses.add(address)
        self._accounts.add(name_key(name))

    def _take_back(self, client: str, name: str) -> None:
        address = self._address(client)
        if address is not None:
            self._addresses.take_back(address)
        self._accounts.take_back(name_key(name))

    def _succeeded(self, client: str, name: str) -> None:
        self._take_back(client, name)
        self._known.add((self._address(client), name_key(name)))

    def _is_besieged(self, address: bytes | None, key: str) -> bool:
        return self._accounts.is_full(key) and not self._known.is_full((address, key))

    def _address(self, client: str) -> bytes | None:
        """
        Give what a client is counted by, or C{None} for one that is exempt: many people may log
        in through one of our own machines.
        """
        address = address_of(client)
        if address is None or is_within(address, self._exempt):
            return None
        return address.packed if address.version == 4 else network_of(address)
