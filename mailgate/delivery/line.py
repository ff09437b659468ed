"""
One connection to an upstream, as a line on which something is said and replies are awaited.

Each time the number of replies is known that must come, and a byte beyond them means that the
upstream speaks out of turn: it is not believed any more.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from mailgate.delivery.deadline import Deadline
from mailgate.delivery.opening import NotOpened, TlsFailed
from mailgate.delivery.tls import TlsDemand
from mailgate.reply import Reply
from mailgate.wire.replies import ReplyParser


@implementer(IHandshakeListener)
class UpstreamLine(Protocol):
    """
    A connection that can be opened; what is said on it later is for whoever extends this.
    """

    def __init__(self, clock: IReactorTime, step_seconds: float) -> None:
        """
        @param step_seconds: how long each reply may take while it is opened, and TLS.
        """
        self.transport: Any
        self._clock = clock
        self._step_seconds = step_seconds
        self._parser = ReplyParser()
        self._awaited = 0
        self._replies: list[Reply] = []
        """Those that have come while others are awaited still."""
        self._step: Callable[[list[Reply]], None] = self._on_said
        self._saying: Deferred[Reply] | None = None
        self._handshake: Deferred[None] | None = None
        self._demand: TlsDemand | None = None
        self._is_closed = False
        self.is_late = False
        """Whether it was given up as nothing came in time."""
        self._deadline = Deadline(clock, self._on_late)
        self._latest = inf
        """When, on the reactor's clock, the connection is given up in any case."""

    # -- for whoever extends this -------------------------------------------------------

    def _break(self, reason: str, repeat: bool = False) -> None:
        """
        End the connection, on which something went wrong.
        """
        raise NotImplementedError

    def _on_excess(self, replies: list[Reply]) -> None:
        """
        End the connection, on which more has come than could have been asked for.
        """
        raise NotImplementedError

    def _leave(self) -> None:
        """
        Tell whoever waits that the connection is closed.
        """
        waiting = self._saying or self._handshake
        self._saying = self._handshake = None
        if waiting is not None:
            waiting.errback(NotOpened("it is closed"))

    # -- what the transport says --------------------------------------------------------

    def connectionMade(self) -> None:
        """
        Send small things at once.
        """
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """
        Take replies, and go on when all that are awaited have come.
        """
        if self._is_closed:
            return
        parser = self._parser
        replies = parser.feed(data)
        if self._replies:
            replies = self._replies + replies
        awaited = self._awaited
        if len(replies) < awaited:
            self._replies = replies
            if parser.error:
                self._break(parser.error)
            return
        if len(replies) > awaited or parser.is_amid or parser.error:
            self._on_excess(replies[:awaited])
            return
        self._replies = []
        self._awaited = 0
        self._deadline.clear()
        self._step(replies)

    def handshakeCompleted(self) -> None:
        """
        TLS is on. Whether it is the right server is seen before another word is said.
        """
        handshake, self._handshake = self._handshake, None
        if handshake is None or self._demand is None:
            return
        self._deadline.clear()
        why = self._demand.objection(self.transport.getHandle())
        if why:
            handshake.errback(TlsFailed(why))
        else:
            handshake.callback(None)

    # -- what is said -------------------------------------------------------------------

    def say(self, command: bytes) -> Deferred[Reply]:
        """
        Say a command, and wait for the reply.

        @raise NotOpened: the connection is gone.
        """
        saying = self.listen()
        if not self._is_closed:
            self.transport.write(command + b"\r\n")
        return saying

    def listen(self) -> Deferred[Reply]:
        """
        Wait for a reply.

        @raise NotOpened: the connection is gone.
        """
        saying: Deferred[Reply] = Deferred()
        if self._is_closed:
            saying.errback(NotOpened("it is closed"))
        else:
            self._saying = saying
            self._expect(1, self._on_said, self._step_seconds)
        return saying

    def secure(self, demand: TlsDemand) -> Deferred[None]:
        """
        Begin TLS. What came before it is forgotten.

        @raise TlsFailed: it did not come about, or it is not the right server.
        """
        self._parser = ReplyParser()
        self._demand = demand
        handshake: Deferred[None] = Deferred()
        self._handshake = handshake
        self._arm(self._step_seconds)
        self.transport.startTLS(demand.tls)
        return handshake

    def _on_said(self, replies: list[Reply]) -> None:
        saying, self._saying = self._saying, None
        assert saying is not None
        saying.callback(replies[0])

    # -- time ---------------------------------------------------------------------------

    def _expect(self, awaited: int, step: Callable[[list[Reply]], None], seconds: float) -> None:
        self._awaited = awaited
        self._step = step
        self._arm(seconds)

    def _arm(self, seconds: float) -> None:
        """
        Set the time at which the connection is given up.
        """
        at = self._clock.seconds() + seconds
        self._deadline.set(at if at < self._latest else self._latest)

    def _on_late(self) -> None:
        self.is_late = True
        if self._handshake is not None:
            self._break_handshake("no handshake in time")
        else:
            self._break("no reply in time")

    def _break_handshake(self, why: str) -> None:
        handshake, self._handshake = self._handshake, None
        assert handshake is not None
        handshake.errback(TlsFailed(why))
