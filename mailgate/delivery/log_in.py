"""
The client's side of a log-in (RFC 4954): one connection to a mail server, to ask it whether a
password is right.

No password is said before TLS is on and the server has proven its name. What the server says
behind AUTH is never repeated, as it may hold what was said to it.
"""

from __future__ import annotations

from typing import Any

from OpenSSL.SSL import Error as TlsError
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import VerificationError
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.reply import Reply
from mailgate.wire.base64 import b64encode
from mailgate.wire.replies import ReplyParser

COMMAND_LIMIT = 512
"""Bytes of a command line (RFC 5321 section 4.5.3.1.4); a longer answer is sent at the 334."""

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
        self._trouble: NotAsked | None = None
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
            self._fail(NotAsked(parser.error))
        elif awaited is None or len(replies) > 1 or (replies and parser.is_amid):
            self._fail(NotAsked("it speaks out of turn"))
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
        self._fail(NotAsked(_why_lost(reason)))
        self.closed.callback(None)

    def _fail(self, trouble: NotAsked) -> None:
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
        if self._begins_with_tls:
            await self._secure()
        greeting = await self._next()
        if greeting.code != 220:
            raise NotAsked(f"it greets with {greeting}")
        offered = await self._ehlo()
        if not self._begins_with_tls:
            if "STARTTLS" not in offered:
                raise NotAsked("it does not offer STARTTLS")
            reply = await self._command(b"STARTTLS")
            if reply.code != 220:
                raise NotAsked(f"it answers STARTTLS with {reply}")
            await self._secure()
            # RFC 3207 section 4.2: what was offered in the clear is not believed.
            offered = await self._ehlo()
        mechanisms = offered.get("AUTH", "").upper().split()
        if not {"PLAIN", "LOGIN"} & set(mechanisms):
            raise NotAsked("it offers neither AUTH PLAIN nor AUTH LOGIN")
        return frozenset(mechanisms)

    async def _ehlo(self) -> dict[str, str]:
        reply = await self._command(f"EHLO {self._hostname}".encode("ascii"))
        if not reply.is_positive:
            raise NotAsked(f"it answers EHLO with {reply}")
        lines = (line.partition(" ") for line in reply.text.split("\n")[1:])
        return {keyword.upper(): parameters for keyword, _, parameters in lines}

    async def _secure(self) -> None:
        """
        Begin TLS. What came before it is forgotten.
        """
        self._parser = ReplyParser()
        handshake: Deferred[None] = Deferred()
        self._handshake = handshake
        self.transport.startTLS(self._tls)
        await handshake

    async def _log_in(self, mechanisms: frozenset[str], name: str, password: str) -> bool:
        if "PLAIN" in mechanisms:
            reply = await self._plain(f"\0{name}\0{password}".encode())
        else:
            reply = await self._command(b"AUTH LOGIN")
            for answer in (name, password):
                if reply.code == 334:
                    reply = await self._command(b64encode(answer.encode()))
        if reply.code not in (235, 535):
            raise NotAsked(f"it answers AUTH with {reply.code} {reply.enhanced}".rstrip())
        return reply.code == 235

    async def _plain(self, message: bytes) -> Reply:
        word = b64encode(message)
        line = b"AUTH PLAIN " + word
        if len(line) + 2 <= COMMAND_LIMIT:
            return await self._command(line)
        reply = await self._command(b"AUTH PLAIN")
        return await self._command(word) if reply.code == 334 else reply

    def _command(self, line: bytes) -> Deferred[Reply]:
        self.transport.write(line + b"\r\n")
        return self._next()

    def _next(self) -> Deferred[Reply]:
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


def _why_lost(reason: Failure) -> str:
    """
    Say why a connection is gone.
    """
    error = reason.value
    if isinstance(error, VerificationError):
        return "its certificate is for another name"
    if isinstance(error, TlsError):
        errors = error.args[0] if error.args else ()
        told = [each[-1] for each in errors] if isinstance(errors, list) else []
        return f"TLS: {told[-1] if told else 'broken off'}"
    return "it has closed the connection"
