"""
The resolver: it remembers answers, and lets the servers be asked once for all who want to know.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from zope.interface import implementer

from mailgate.config.model import Dns
from mailgate.interfaces import Asked, IResolvers
from mailgate.net.dns.breaker import Breaker
from mailgate.net.dns.cache import Cache, Key
from mailgate.net.dns.check import CheckResolver
from mailgate.net.dns.datagrams import UdpSocket, open_udp
from mailgate.net.dns.flight import UNREACHABLE, Flight
from mailgate.net.dns.gate import Gate
from mailgate.net.dns.noise import Noise
from mailgate.net.dns.query import Patience, Query
from mailgate.net.dns.remote import Around, Remote
from mailgate.net.dns.servers import LOCAL, Server
from mailgate.wire.dns.answer import NXDOMAIN, Answer, Nothing, RecordType, Trouble, Unknown
from mailgate.wire.dns.name import NoName, normal_text, pack_name

T = TypeVar("T")

TROUBLE_SECONDS = 10.0
"""How long it is remembered that an answer could not be found (RFC 9520 section 3.2)."""

_UNKNOWN: Mapping[Trouble, Asked] = {
    trouble: Asked(f"unknown {trouble.value}") for trouble in Trouble
}
_BUSY = Unknown(Trouble.BUSY, "too many look-ups of this check are waiting already")


@implementer(IResolvers)
class Resolver:
    """
    What looks up names for all checks of a process.
    """

    def __init__(
        self,
        settings: Dns,
        reactor: Any,
        fetch: Callable[[int], bytes] = os.urandom,
        open: Callable[[Server, int], UdpSocket] = open_udp,
    ) -> None:
        """
        Nothing is sent, and no socket opened, before something is asked.

        @param reactor: its clock, TCP, and what tells that something can be read.
        @param fetch: gives random bytes.
        @param open: opens a socket to a server, with a port of its own.
        """
        self.settings = settings
        self.reactor = reactor
        self.counts: Counter[Asked] = Counter()
        """What has happened so far."""

        self.remembered = 0
        """Look-ups that were answered from memory."""

        self.cache = Cache(settings.cache_bytes)
        self._around = Around(reactor, Noise(fetch), self.counts, open)
        self._patience = Patience(settings.reply_seconds, settings.tries)
        self._gate = Gate(settings.queries)
        self._flights: dict[Key, Flight] = {}
        self._breaker = Breaker(self._around, self._gate.empty)
        self._breaker.use((LOCAL,))

    @property
    def remotes(self) -> Sequence[Remote]:
        """
        Give the servers, as they are.
        """
        return self._breaker.remotes

    def use(self, servers: Sequence[Server]) -> None:
        """
        Ask these servers from now on.
        """
        if [remote.server for remote in self._breaker.remotes] != list(servers):
            self._breaker.use(servers)

    def for_check(self, check: str, seconds: float, queries: int | None = None) -> CheckResolver:
        """
        Give a resolver for one run of a check.
        """
        if queries is None:
            queries = self.settings.queries_per_check
        return CheckResolver(self, check, seconds, queries)

    def recall(self, name: str, type: RecordType[T]) -> Answer[T] | None:
        """
        Give what is remembered, at once.

        @param name: in small letters.
        """
        answer = self.cache.get((name, type.code), self.reactor.seconds())
        if answer is not None:
            self.remembered += 1
        return answer

    def ask(self, check: str, name: str, type: RecordType[T]) -> Answer[T] | Flight:
        """
        Ask the servers, unless somebody has done so already.

        @return: the answer, or what to wait for.
        """
        try:
            packed = pack_name(name)
        except NoName:
            return NXDOMAIN
        key = normal_text(name), type.code
        answer = self.recall(key[0], type)
        if answer is not None:
            return answer
        flight = self._flights.get(key)
        if flight is not None:
            self.counts[Asked.SHARED] += 1
            if not flight.has_begun and not self._gate.is_full(check):
                self._gate.enter(check, flight)
            return flight.answer or flight
        if not self._breaker.up:
            return self._unknown(UNREACHABLE)
        if self._gate.is_full(check):
            return self._unknown(_BUSY)
        self.counts[Asked.LOOKED_UP] += 1
        flight = self._flights[key] = Flight(self, key, packed, type)
        self._gate.enter(check, flight)
        return flight.answer or flight

    def close(self) -> None:
        """
        Look up nothing any more; whoever waits is told that it is not known.
        """
        # First, as whoever is told may ask the next thing.
        self._breaker.close()
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            self._gate.forget(flight)
            flight.stop()

    def take_counts(self) -> dict[str, int]:
        """
        Give what was counted since this was last asked.
        """
        counts: dict[str, int] = {each.value: number for each, number in self.counts.items()}
        if self.remembered:
            counts[Asked.REMEMBERED.value] = self.remembered
        self.counts.clear()
        self.remembered = 0
        return counts

    def _unknown(self, answer: Unknown) -> Unknown:
        self.counts[_UNKNOWN[answer.trouble]] += 1
        return answer

    # -- for the flights -------------------------------------------------------------------

    def query(self, flight: Flight) -> Query | None:
        """
        Make the query of a flight, unless there is nobody to be asked.
        """
        remotes = self._breaker.up
        if not remotes:
            return None
        return Query(
            self._around,
            remotes,
            flight.name,
            flight.type,
            self._patience,
            flight.is_wanted,
            flight.ended,
        )

    def has_ended(self, flight: Flight, answer: Answer[Any], seconds: int) -> None:
        """
        Remember an answer for as long as it holds, and let another query begin.
        """
        del self._flights[flight.key]
        settings = self.settings
        if isinstance(answer, Unknown):
            self._unknown(answer)
            # What was given up as nobody waited for it may be known at the next try.
            holds = TROUBLE_SECONDS if flight.is_wanted() else 0.0
        else:
            is_nothing = isinstance(answer, Nothing)
            most = settings.nothing_seconds if is_nothing else settings.longest_seconds
            holds = min(max(seconds, settings.shortest_seconds), most)
        if holds and answer is not UNREACHABLE:
            self.cache.put(flight.key, answer, self.reactor.seconds() + holds)
        self._gate.leave(flight.check)

    def has_no_waiter(self, flight: Flight) -> None:
        """
        Forget a flight that has not begun. One that has goes on until its next reply, for the sake
        of whoever asks next.
        """
        if not flight.has_begun and self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
            self._gate.forget(flight)
