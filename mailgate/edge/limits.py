"""
What one client may open and try, over all its sessions.

A client is counted by its address and by the network around it (/24 or /64), since whoever has
one address there often has them all. Memory is bounded, and every call takes the same short time
however many clients there are.
"""

from __future__ import annotations

from collections.abc import Hashable
from ipaddress import IPv4Address, IPv6Address

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailgate.config.model import ClientLimits
from mailgate.config.values import parse_network
from mailgate.edge.windows import SlidingWindow
from mailgate.interfaces import Counted, Share, share_with_nobody
from mailgate.reply import Reply
from mailgate.wire.network import address_of, is_within, network_of

TOO_BUSY = Reply(421, "4.3.2", "too many connections at the moment, try again later")
TOO_MANY_FROM_ADDRESS = Reply(421, "4.7.0", "too many connections from your address")
TOO_MANY_FROM_NETWORK = Reply(421, "4.7.0", "too many connections from your network")
TOO_FAST_FROM_ADDRESS = Reply(421, "4.7.0", "your address connects too often, try again later")
TOO_FAST_FROM_NETWORK = Reply(421, "4.7.0", "your network connects too often, try again later")
TOO_MANY_UNKNOWN = Reply(421, "4.7.0", "too many unknown recipients from your network")
TOO_MUCH_JUNK = Reply(421, "4.7.0", "too many commands without mail from your address")

TOO_MANY_HANDSHAKES = Reply(454, "4.7.0", "too many TLS handshakes at the moment, try again later")
TOO_MANY_HANDSHAKES_FROM_ADDRESS = Reply(
    454, "4.7.0", "too many TLS handshakes from your address at the same time"
)

MINUTE = 60.0
TEN_MINUTES = 600.0

KEYS = 10_000
"""
Addresses or networks that each window remembers, in at most 3 MiB. Who floods it must have as
many networks, and then makes it forget those only that were silent for the longest time.
"""


class ConnectionLimits:
    """
    The limits of all listeners together.
    """

    log = Logger()

    def __init__(
        self,
        settings: ClientLimits,
        clock: IReactorTime,
        possible: int | None = None,
        share: Share = share_with_nobody,
    ) -> None:
        """
        @param possible: how many connections this process can have, or C{None}: no less than the
            settings allow.
        @param share: tells others who count as well.
        """
        self._share = share
        self._settings = settings
        self._possible = settings.connections if possible is None else possible
        self._exempt = tuple(map(parse_network, settings.exempt_networks))
        self.admitted = 0
        """Connections that were admitted, since they were last counted."""

        self.turned_away = 0
        """Connections that were not, since they were last counted."""

        self.open = 0
        """Connections that are open here."""

        self._everywhere = 0
        self._open_by: dict[bytes, int] = {}
        self._handshakes = 0
        self._handshakes_by: dict[bytes, int] = {}
        self._address_rate = SlidingWindow(clock, settings.rate_per_address, MINUTE, KEYS)
        self._network_rate = SlidingWindow(clock, settings.rate_per_network, MINUTE, KEYS)
        self._unknown = SlidingWindow(clock, settings.unknown_recipients, TEN_MINUTES, KEYS)
        self._junk = SlidingWindow(clock, settings.junk_commands, TEN_MINUTES, KEYS)
        self._told = SlidingWindow(clock, 1, MINUTE, KEYS)

    def admit(self, client: str) -> Reply | None:
        """
        Count a new connection, if it may stay.

        Clients of the exempt networks always may; they count only among all connections.

        @param client: its IP address.
        @return: what to say to one that may not stay, which is not counted then.
        """
        address = self._counted(client)
        if address is not None:
            reply = self._refusal(address)
            if reply is not None:
                self.turned_away += 1
                self._tell(client, network_of(address), reply)
                return reply
        self._admitted(address)
        self._share(Counted.ADMITTED, client, "")
        self.admitted += 1
        self.open += 1
        return None

    def release(self, client: str) -> None:
        """
        Forget a connection that was admitted.
        """
        self.open -= 1
        self._released(self._counted(client))
        self._share(Counted.RELEASED, client, "")

    def begin_handshake(self, client: str) -> Reply | None:
        """
        Count a TLS handshake, if there is room for it. Each worker counts its own: they are short,
        and it is its own time and memory that they cost.

        @return: what to say to one for which there is none, which is not counted then.
        """
        address = self._counted(client)
        if address is not None:
            settings, key = self._settings, address.packed
            reply, number = None, self._handshakes_by.get(key, 0)
            if self._handshakes >= settings.handshakes:
                reply = TOO_MANY_HANDSHAKES
            elif number >= settings.handshakes_per_address:
                reply = TOO_MANY_HANDSHAKES_FROM_ADDRESS
            if reply is not None:
                self._tell(client, key, reply)
                return reply
            self._handshakes_by[key] = number + 1
        self._handshakes += 1
        return None

    def end_handshake(self, client: str, trouble: str = "") -> None:
        """
        Forget a handshake that was let begin.

        @param trouble: why it has failed, or C{""}; of each address it is told once a minute.
        """
        self._handshakes -= 1
        address = self._counted(client)
        if address is not None:
            key = address.packed
            self._handshakes_by[key] -= 1
            if not self._handshakes_by[key]:
                del self._handshakes_by[key]
        if trouble and self._is_untold((client, "handshake")):
            self.log.info(
                "{event} {client}: {reason}",
                event="tls.handshake_failed",
                client=client,
                reason=trouble,
            )

    def unknown_recipient(self, client: str) -> Reply | None:
        """
        Count a recipient that does not exist.

        @return: what to end the session with where the network has guessed too often.
        """
        address = self._counted(client)
        if address is None:
            return None
        self._share(Counted.UNKNOWN, client, "")
        return self._count(self._unknown, client, network_of(address), TOO_MANY_UNKNOWN)

    def junk_command(self, client: str) -> Reply | None:
        """
        Count a command that brings nothing forward.

        @return: what to end the session with where the address has sent too many.
        """
        address = self._counted(client)
        if address is None:
            return None
        self._share(Counted.JUNK, client, "")
        return self._count(self._junk, client, address.packed, TOO_MUCH_JUNK)

    def elsewhere(self, what: Counted, client: str) -> None:
        """
        Count what another worker has counted.
        """
        address = self._counted(client)
        if what is Counted.ADMITTED:
            self._admitted(address)
        elif what is Counted.RELEASED:
            self._released(address)
        elif address is not None and what is Counted.UNKNOWN:
            self._unknown.add(network_of(address))
        elif address is not None and what is Counted.JUNK:
            self._junk.add(address.packed)

    def open_elsewhere(self, client: str) -> None:
        """
        Count a connection that another worker has had before this one began: it is open, and not
        new.
        """
        self._opened(self._counted(client))

    def _admitted(self, address: IPv4Address | IPv6Address | None) -> None:
        self._opened(address)
        if address is not None:
            self._address_rate.add(address.packed)
            self._network_rate.add(network_of(address))

    def _opened(self, address: IPv4Address | IPv6Address | None) -> None:
        self._everywhere += 1
        if address is not None:
            for key in (address.packed, network_of(address)):
                self._open_by[key] = self._open_by.get(key, 0) + 1

    def _released(self, address: IPv4Address | IPv6Address | None) -> None:
        self._everywhere -= 1
        if address is not None:
            for key in (address.packed, network_of(address)):
                self._open_by[key] -= 1
                if not self._open_by[key]:
                    del self._open_by[key]

    def _counted(self, client: str) -> IPv4Address | IPv6Address | None:
        """
        Give the address by which a client is counted, or C{None} for one that is exempt.
        """
        address = address_of(client)
        return None if address is None or is_within(address, self._exempt) else address

    def _refusal(self, address: IPv4Address | IPv6Address) -> Reply | None:
        settings, key, network = self._settings, address.packed, network_of(address)
        # The files are those of this process, the connections those of all workers.
        if self._everywhere >= settings.connections or self.open >= self._possible:
            return TOO_BUSY
        if self._open_by.get(key, 0) >= settings.connections_per_address:
            return TOO_MANY_FROM_ADDRESS
        if self._open_by.get(network, 0) >= settings.connections_per_network:
            return TOO_MANY_FROM_NETWORK
        if self._address_rate.is_full(key):
            return TOO_FAST_FROM_ADDRESS
        if self._network_rate.is_full(network):
            return TOO_FAST_FROM_NETWORK
        return None

    def _count(self, window: SlidingWindow, client: str, key: bytes, reply: Reply) -> Reply | None:
        window.add(key)
        if not window.is_full(key):
            return None
        self._tell(client, key, reply)
        return reply

    def _tell(self, client: str, key: bytes, reply: Reply) -> None:
        """
        Tell once a minute, as a flood must not fill the log as well.
        """
        if self._is_untold((key, reply.text)):
            self.log.warn(
                "{event} {client}: {reply}",
                event="client.refused",
                client=client,
                reply=str(reply),
            )

    def _is_untold(self, what: Hashable) -> bool:
        if self._told.is_full(what):
            return False
        self._told.add(what)
        return True
