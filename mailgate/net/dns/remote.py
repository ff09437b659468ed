"""
A DNS server as it has been found to be, and the sockets to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

from attrs import define, frozen
from twisted.logger import Logger

from mailgate.interfaces import Asked
from mailgate.net.dns.datagrams import Datagrams, UdpSocket
from mailgate.net.dns.noise import Noise
from mailgate.net.dns.servers import Server

SOCKETS = 8
"""How many sockets to a server are used by turns."""

USES = 200
"""Queries after which a socket is replaced by one with another port."""

MISSES = 3
"""Queries in a row without a reply after which a server is doubted."""

HABIT_SECONDS = 3600.0
"""How long it is remembered what a server cannot do."""

CASE_MISSES = 5
"""Replies with letters in a wrong case after which a server that has no TCP is believed to keep
none."""


class Asks(Protocol):
    """
    What waits for a reply.
    """

    def received(self, attempt: Attempt, message: bytes) -> None:
        """
        Take a message that came from the server, and has the right id.
        """

    def failed(self, attempt: Attempt, why: str) -> None:
        """
        Be told that there will be no reply.
        """


@define(eq=False)
class Attempt:
    """
    One query to one server.
    """

    query: Asks
    remote: Remote
    question: bytes
    is_extended: bool
    """Whether it speaks EDNS."""

    sent: float = -inf
    """When, by the clock."""

    is_stream: bool = False
    is_for_case: bool = False
    """Whether it is over TCP as a reply over UDP had not kept the case."""

    withdraw: Callable[[], None] = lambda: None
    """Waits for the reply no longer."""


@frozen(eq=False)
class Around:
    """
    What everything in here needs.
    """

    reactor: Any
    """Its clock, TCP, and what tells that something can be read."""

    noise: Noise
    counts: Counter[Asked]
    open: Callable[[Server, int], UdpSocket]
    """Opens a socket to a server, with a port of its own."""

    def now(self) -> float:
        """
        Give the time by the clock.
        """
        now: float = self.reactor.seconds()
        return now


class Remote:
    """
    What is known of a server.
    """

    log = Logger()

    def __init__(
        self, server: Server, around: Around, doubt: Callable[[Remote], None] = lambda remote: None
    ) -> None:
        """
        @param doubt: called when it has not replied for some time.
        """
        self.server = server
        self.is_up = True
        self.heard_at = -inf
        """When it has replied last, by the clock."""

        self._around = around
        self._doubt = doubt
        self._misses = 0
        self._plain_until = -inf
        self._folds_until = -inf
        self._case_misses = 0
        self._has_kept_case = False
        self._sockets: list[Datagrams] = []
        self._is_closed = False

    # -- what it can do ------------------------------------------------------------------

    @property
    def speaks_edns(self) -> bool:
        """
        Tell whether it can be asked with EDNS.
        """
        return self._plain_until < self._around.now()

    @property
    def keeps_case(self) -> bool:
        """
        Tell whether it can be expected to repeat the name as it was asked.
        """
        return self._folds_until < self._around.now()

    def has_replied(self, attempt: Attempt, is_same_case: bool) -> None:
        """
        Take note of a reply to a question of ours.
        """
        now = self._around.now()
        self.heard_at = now
        self._misses = 0
        if is_same_case and not attempt.is_stream:
            self._has_kept_case = True
        elif not is_same_case and attempt.is_stream and self.keeps_case:
            self._folds(now)

    def has_missed_case(self) -> None:
        """
        Take note that it could not be asked over TCP whether it keeps the case.

        Who has kept it once will again: then it is somebody else who does not.
        """
        self._case_misses += 1
        if self._case_misses >= CASE_MISSES and not self._has_kept_case:
            self._case_misses = 0
            self._folds(self._around.now())

    def has_needed_plain(self) -> None:
        """
        Take note that it has replied only once EDNS was left out.
        """
        if self.speaks_edns:
            self._plain_until = self._around.now() + HABIT_SECONDS
            self.log.info("{event} {server}", event="dns.no_edns", server=str(self.server))

    def has_missed(self, sent: float) -> None:
        """
        Take note that it has not replied to what was sent at C{sent}.
        """
        if self.heard_at < sent:
            self._misses += 1
            if self._misses >= MISSES and self.is_up:
                self._doubt(self)

    def _folds(self, now: float) -> None:
        self._folds_until = now + HABIT_SECONDS
        self.log.warn("{event} {server}", event="dns.case_not_kept", server=str(self.server))

    # -- sockets -------------------------------------------------------------------------

    def send(self, attempt: Attempt) -> None:
        """
        Send a query over UDP.

        @raise OSError: it is not possible.
        """
        self._socket().send(attempt)
        if self._is_closed:
            self.close()

    def close(self) -> None:
        """
        Keep no sockets any more; those that wait for replies end when these are there.
        """
        self._is_closed = True
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            each.retire()

    def _socket(self) -> Datagrams:
        sockets, noise = self._sockets, self._around.noise
        if len(sockets) < SOCKETS:
            sockets.append(Datagrams(self.server, self._around))
            return sockets[-1]
        chosen = sockets[noise.below(SOCKETS)]
        if chosen.uses >= USES or not chosen.is_open:
            new = Datagrams(self.server, self._around)
            sockets[sockets.index(chosen)] = new
            chosen.retire()
            return new
        return chosen
