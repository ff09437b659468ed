"""
The client's side of a log-in (RFC 4954): one connection to a mail server, to ask it whether a
password is right.

No password is said before TLS is on and the server has proven its name. What the server says
behind AUTH is never repeated, as it may hold what was said to it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.delivery import UpstreamTls
from mailgate.delivery.opening import NotOpened, Opening
from mailgate.delivery.sasl import say_login, say_plain, told
from mailgate.delivery.tls import TlsDemand, why_lost
from mailgate.reply import Reply
from mailgate.wire.replies import ReplyParser

QUIT_SECONDS = 5.0
"""How long the server may take to say good-bye."""


class NotAsked(Exception):
    """
    It cannot be found out whether a password is right. The message says why in words that are
    fit for the log.
    """


@implementer(IHandshakeListener)
class LogInClient(Protocol):
    """
    One connection for one question.
    """

    def __init__(
        self,
        hostname: str,
        tls: IOpenSSLClientConnectionCreator,
        begins_with_tls: bool,
        clock: IReactorTime,
    ) -> None:
        """
        @param hostname: what we call ourselves.
        @param begins_with_tls: whether TLS comes before everything else, and not by STARTTLS.
        """
        self.transport: Any
        self.closed: Deferred[None] = Deferred()
        """Fires when the connection is gone."""

        self._hostname = hostname
        self._tls = tls
        self._begins_with_tls = begins_with_tls
        self._clock = clock
        self._parser = ReplyParser()
        self._reply: Deferred[Reply] | None = None
        self._handshake: Deferred[None] | None = None
        self._trouble: NotOpened | None = None
        self._good_bye: IDelayedCall | None = None

    async def ask(self, credentials: tuple[str, str] | None) -> bool:
        """
        Ask whether a name and a password belong together, then end the connection.

        @param credentials: C{None} asks only whether it could be asked.
        @return: whether the server said so.
        @raise NotAsked: it said something else than yes or no, or nothing.
        """
        try:
            mechanisms = await self._prepare()
            is_right = False
            if credentials is not None:
                is_right = await self._log_in(mechanisms, *credentials)
        except NotOpened as error:
            self.abort()
            raise NotAsked(str(error)) from error
        except BaseException:
            self.abort()
            raise
        self._quit()
        return is_right

    def abort(self) -> None:
        """
        Cut the connection.
        """
        self.transport.abortConnection()

    # -- what the transport says --------------------------------------------------------

    def connectionMade(self) -> None:
        """
        Send small things at once.
        """
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """
        Take the reply that is awaited; a byte beyond it is not of this conversation.
        """
        if self._trouble is not None:
            return
        if self._good_bye is not None:
            self.transport.loseConnection()
            return
        parser = self._parser
        replies = parser.feed(data)
        awaited = self._reply
        if parser.error:
            self._fail(NotOpened(parser.error))
        elif awaited is None or len(replies) > 1 or (replies and parser.is_amid):
            self._fail(NotOpened("it speaks out of turn"))
        elif replies:
            self._reply = None
            awaited.callback(replies[0])

    def handshakeCompleted(self) -> None:
        """
        TLS is on, with a certificate that is right.
        """
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            handshake.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Tell that the connection is gone.
        """
        if self._good_bye is not None and self._good_bye.active():
            self._good_bye.cancel()
        self._fail(NotOpened(why_lost(reason) or "it has closed the connection"))
        self.closed.callback(None)

    def _fail(self, trouble: NotOpened) -> None:
        if self._trouble is None:
            self._trouble = trouble
        awaited = self._reply or self._handshake
        self._reply = self._handshake = None
        if awaited is not None and not awaited.called:
            awaited.errback(self._trouble)

    # -- the conversation ---------------------------------------------------------------

    async def _prepare(self) -> frozenset[str]:
        """
        Go as far as AUTH.

        @return: the mechanisms that are offered.
        """
        demand = TlsDemand(UpstreamTls.VERIFIED, self._tls, self._begins_with_tls)
        opened = await Opening(self._hostname, demand).run(self)
        mechanisms = opened.parameters.get("AUTH", "").upper().split()
        if not {"PLAIN", "LOGIN"} & set(mechanisms):
            raise NotOpened("it offers neither AUTH PLAIN nor AUTH LOGIN")
        return frozenset(mechanisms)

    async def _log_in(self, mechanisms: frozenset[str], name: str, password: str) -> bool:
        if "PLAIN" in mechanisms:
            reply = await say_plain(self, name, password)
        else:
            reply = await say_login(self, name, password)
        if reply.code not in (235, 535):
            raise NotOpened(told(reply))
        return reply.code == 235

    def secure(self, demand: TlsDemand) -> Deferred[None]:
        """
        Begin TLS. What came before it is forgotten.
        """
        self._parser = ReplyParser()
        handshake: Deferred[None] = Deferred()
        self._handshake = handshake
        self.transport.startTLS(demand.tls)
        return handshake

    def say(self, command: bytes) -> Deferred[Reply]:
        """
        Say a command, and wait for the reply.
        """
        self.transport.write(command + b"\r\n")
        return self.listen()

    def listen(self) -> Deferred[Reply]:
        """
        Wait for a reply.
        """
        if self._trouble is not None:
            return fail(self._trouble)
        awaited: Deferred[Reply] = Deferred()
        self._reply = awaited
        return awaited

    def _quit(self) -> None:
        """
        Say good-bye, but do not wait for long.
        """
        self.transport.write(b"QUIT\r\n")
        self._good_bye = self._clock.callLater(QUIT_SECONDS, self.abort)
