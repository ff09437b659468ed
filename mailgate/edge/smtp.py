"""
The SMTP server's connection: bytes, time, and replies in order.

One linear loop takes commands from a buffer. While a reply is owed the loop stands still and
what arrives is only buffered, so replies always come in the order of the commands. What the
commands mean is in L{mailgate.edge.conversation}.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from math import inf
from sys import intern
from typing import Any, TypeVar

from attrs import define, evolve, field
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
)
from twisted.internet.protocol import ServerFactory
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.model import Listener, Role
from mailgate.config.values import parse_network
from mailgate.edge.conversation import NOT_SMTP, Conversation
from mailgate.edge.mailing import Mailing, Services
from mailgate.edge.sasl import LINE_LIMIT
from mailgate.edge.tls import why_tls_failed
from mailgate.edge.watch import Watch
from mailgate.interfaces import MaybeDeferred
from mailgate.reply import Reply
from mailgate.wire.network import address_of, is_within
from mailgate.wire.proxy import ProxyError, ProxyReader

T = TypeVar("T")

COMMAND_BACKLOG = 4096
"""Bytes of commands that may wait while a reply is owed; above it nothing more is read."""

FAREWELL_SECONDS = 30
"""How long a client may take to read the last reply before the connection is cut."""

CUT_SECONDS = 1
"""How long what was cut off at the end of the process has to end by itself."""

DATA_SECONDS = 60.0
"""After which a message must come at C{DATA_RATE}."""

DATA_RATE = 64.0
"""Bytes a second, on average, below which a message is too slow."""

LOOPBACK = "127.0.0.1"
"""The address of a client that comes through a Unix socket."""

OTHER_BEGINNINGS = (b"\x16\x03", b"\x80", b"\x03\x00\x00", b"SSH-")
"""How TLS, old SSL, RDP and SSH begin."""

_BEGINNING = 4
_NOTHING: frozenset[str] = frozenset()

TOO_LONG = Reply(500, "5.5.6", "command line too long")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "too many errors")
TOO_SLOW = Reply(421, "4.4.2", "too slow, try again")
SHUTTING_DOWN = Reply(421, "4.3.2", "shutting down, try again in a minute")


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class SmtpServer:
    """
    One connection.
    """

    log = Logger()

    # Thousands of connections may stand idle, and the dictionary of an object with more than 30
    # attributes takes 1.5 KiB. Twisted's Protocol has one.
    __slots__ = (
        "_at",
        "_buffer",
        "_client",
        "_conversation",
        "_deadline",
        "_ends_after_reply",
        "_errors",
        "_has_begun",
        "_held_up_seconds",
        "_is_admitted",
        "_is_closing",
        "_is_first",
        "_is_held_up",
        "_is_running",
        "_is_skipping",
        "_is_watching_data",
        "_limits",
        "_listener",
        "_local",
        "_mailing",
        "_owes_reply",
        "_paused_by",
        "_port",
        "_proxy",
        "_reactor",
        "_services",
        "_waits_for",
        "began",
        "factory",
        "is_gone",
        "is_handshaking",
        "look_at",
        "transport",
    )

    def __init__(self, services: Services, listener: Listener, factory: SmtpFactory) -> None:
        self._services = services
        self._limits = services.limits
        self._reactor = services.reactor
        self.factory = factory
        self._conversation = Conversation(services, listener, self)
        self._mailing: Mailing = self._conversation.mailing
        self._buffer = b""
        self._at = 0
        self._is_first = True  # nothing was looked at yet
        self._is_skipping = False  # in the rest of a line that was too long
        self._listener = listener
        self._proxy: ProxyReader | None = None
        self._client, self._port, self._local = "", 0, ""
        self._is_admitted = False
        self._has_begun = False  # not before TLS and a PROXY header that come first
        self.is_handshaking = False
        """Whether TLS has been asked for and not begun."""

        self._is_running = False
        self._owes_reply = False
        self._waits_for: Deferred[Any] | None = None
        self._is_held_up = False
        self._held_up_seconds = 0.0
        self._ends_after_reply = False
        self._is_closing = False
        self._is_watching_data = False
        self._paused_by = _NOTHING
        self._errors = 0
        self.began = 0.0
        """When the client connected, by the reactor's clock."""

        self._deadline = 0.0
        self.look_at = inf
        """When L{look} is called at the latest."""

        self.transport: Any
        self.is_gone = False
        """Whether the connection is lost, so that nobody hears what is said."""

    def makeConnection(self, transport: Any) -> None:
        """
        Take the transport.
        """
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """
        Find out who it is, then begin the session.
        """
        self.transport.registerProducer(self, True)
        self.began = self._reactor.seconds()
        self._deadline = self.look_at = self.began + self._limits.command_seconds
        self.factory.opened(self)
        peer, host = self.transport.getPeer(), self.transport.getHost()
        if isinstance(peer, UNIXAddress):
            self._met(LOOPBACK, 0, "")
            return
        self.transport.setTcpNoDelay(True)
        client = plain(peer.host)
        if self.factory.trusts_proxy(client):
            self._proxy = ProxyReader()
        else:
            # There are few addresses of ours, and many sessions.
            self._met(client, peer.port, intern(plain(host.host)))

    def _met(self, client: str, port: int, local: str) -> None:
        """
        Begin the session of a client that is known now, if there is room for it.
        """
        self._client, self._port, self._local = client, port, local
        refusal = self._services.connections.admit(client)
        self._is_admitted = refusal is None
        if refusal is None and self._listener.role is Role.SUBMISSIONS:
            # The certificate first; then everything is as elsewhere.
            busy = self.prepare_tls()
            if busy is None:
                self.start_tls()
                return
            refusal = evolve(busy, code=421)
        # A refusal comes in the clear: a handshake would cost what the limit is to spare.
        self._begin(refusal)

    def _begin(self, refusal: Reply | None = None) -> None:
        self._has_begun = True
        self._conversation.begin(self._client, self._port, self._local, refusal)

    def _meet_by_proxy(self, reader: ProxyReader, data: bytes) -> None:
        """
        Read the header of the PROXY protocol, which stands before everything else.
        """
        peer, host = self.transport.getPeer(), self.transport.getHost()
        try:
            header = reader.feed(data)
        except ProxyError as error:
            self.log.warn(
                "{event} from {client}: {error}",
                event="proxy.refused",
                client=plain(peer.host),
                error=str(error),
            )
            self.abort()
            return
        if header is None:
            return
        self._proxy = None
        if header.source:
            self._met(header.source, header.source_port, header.destination)
        else:
            self._met(plain(peer.host), peer.port, plain(host.host))
        if reader.rest:
            # With TLS from the start these bytes are no longer for us.
            receiver = self.transport.protocol if self.is_handshaking else self
            receiver.dataReceived(reader.rest)

    def dataReceived(self, data: bytes) -> None:
        """
        Take what the client sent.
        """
        if self._is_closing:
            return
        if self._proxy is not None:
            self._meet_by_proxy(self._proxy, data)
            return
        waiting = self._buffer[self._at :] if self._at else self._buffer
        self._buffer = waiting + data if waiting else data
        self._at = 0
        if not self._owes_reply:
            self._run()
        elif len(self._buffer) > COMMAND_BACKLOG:
            # A paused transport learns of neither FIN nor RST, so reading goes on for as long
            # as what arrives can still be honest pipelining.
            self.pause("commands")

    def readConnectionLost(self) -> None:
        """
        The client has closed its side. Whoever has sent QUIT still gets the replies.
        """
        if not (self._owes_reply and self._buffer[self._at :].upper().endswith(b"QUIT\r\n")):
            self.close()

    def writeConnectionLost(self) -> None:
        """
        Our own side is never closed without the other.
        """

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        Cancel what is no longer wanted; a delivery under way ends by itself.
        """
        self.is_gone = self._is_closing = True
        self.look_at = inf
        self._buffer = b""
        self._at = 0
        self._let_go()
        why = reason.value if reason is not None else None
        self._end_handshake("" if why is None else why_tls_failed(why))
        if self._has_begun:
            self._conversation.lost()
        if self._is_admitted:
            self._services.connections.release(self._client)
        if self._waits_for is not None:
            self._waits_for.cancel()
        self._look_whether_over()

    def _look_whether_over(self) -> None:
        """
        A connection is over once it is lost and its message is settled.
        """
        if self.is_gone and not self._mailing.is_settling:
            self.factory.closed(self)

    # -- time ----------------------------------------------------------------------------

    def set_deadline(self, seconds: float) -> None:
        """
        Let the client take C{seconds} from now until its next step is complete.
        """
        self._deadline = self._reactor.seconds() + seconds

    def look(self) -> None:
        """
        End the connection if it is late.

        When it is looked at is not changed with a deadline that moves away, as most do at each
        command; it is found out here how much is left.
        """
        if self.is_gone:
            return
        now = self._reactor.seconds()
        if self._is_closing:
            left = self._deadline - now
        else:
            left = min(self._deadline, self.began + self._limits.session_seconds) - now
            if self._mailing.is_receiving and not self._owes_reply:
                left = min(left, self._patience_with_data(now))
            if self._owes_reply:
                # Not the client's turn: what it waits for has time limits of its own.
                left = max(left, 1.0)
        if left > 0:
            self._look_in(left)
        elif self._is_closing:
            self.abort()
        elif not self._has_begun:
            # Nothing was said yet: it has not brought its TLS, or its PROXY header, to an end.
            self.abort()
        else:
            self.log.info(
                "{event} session {session} was too slow",
                event="session.too_slow",
                session=self._conversation.session.id,
                client=self._conversation.session.client,
            )
            self.end(TOO_SLOW)
            if self.is_handshaking:
                # There is no way to say it.
                self.abort()

    def _patience_with_data(self, now: float) -> float:
        """
        Give for how long a message may go on arriving before it is looked at again: until a
        minute has passed, then for as long as it is fast enough.
        """
        seconds, rate = self._mailing.rate(now)
        if seconds < DATA_SECONDS:
            return DATA_SECONDS - seconds
        return DATA_SECONDS if rate >= DATA_RATE else 0.0

    def _expect_within(self, seconds: float) -> None:
        """
        Set a deadline that may be nearer than when it would be looked at.
        """
        self.set_deadline(seconds)
        self._look_in(seconds)

    def _look_in(self, seconds: float) -> None:
        self.look_at = self._reactor.seconds() + seconds
        self.factory.watch.expect(self.look_at)

    # -- the loop ------------------------------------------------------------------------

    def _run(self) -> None:
        """
        Work on what is buffered until a reply is owed or nothing whole is left.
        """
        if self._is_running:
            # A result that was waited for came at once: the loop below goes on by itself.
            return
        self._is_running = True
        while not (self._owes_reply or self._is_closing):
            try:
                if not self._step():
                    break
            except Exception:
                self._conversation.failed(Failure())
            if self._ends_after_reply and self._mailing.is_idle:
                self.finish()
        self._is_running = False
        if self._ends_after_reply:
            self.finish()

    def _step(self) -> bool:
        """
        Take one command, or a piece of a message; tell whether there was one.
        """
        if self._mailing.is_receiving:
            data = self._buffer[self._at :] if self._at else self._buffer
            if not data:
                return False
            self._buffer = b""
            self._at = 0
            self.set_deadline(self._limits.command_seconds)
            self._buffer = self._mailing.receive(data)
            if self._mailing.is_receiving and not self._is_watching_data:
                # It did not come whole, as most do: from here on it is watched.
                self._is_watching_data = True
                self._look_in(DATA_SECONDS)
            return True
        if self._is_first and (len(self._buffer) >= _BEGINNING or b"\n" in self._buffer):
            # None of them has a line end in it, so a line may be shorter.
            self._is_first = False
            if self._buffer.startswith(OTHER_BEGINNINGS):
                self.end(NOT_SMTP)
                return False
        self._is_watching_data = False
        line = self._next_line()
        if line is None:
            return False
        self.set_deadline(self._limits.command_seconds)
        if len(line) > self._line_limit:
            self._conversation.drop_log_in()
            self.reply(TOO_LONG)
        elif self._conversation.is_logging_in:
            self._conversation.answer(line)
        else:
            self._conversation.execute(line)
        return True

    def _next_line(self) -> bytes | None:
        """
        Give the next line with its line end, or C{None} until there is a whole one.

        Of a line that is too long only the beginning is kept while its end is looked for.
        """
        limit = self._line_limit
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            if len(self._buffer) - self._at > limit:
                self._buffer = self._buffer[self._at : self._at + limit]
                self._at = 0
                self._is_skipping = True
            return None
        line = self._buffer[self._at : end + 1]
        self._at = end + 1
        if self._at == len(self._buffer):
            self._buffer = b""
            self._at = 0
        if self._is_skipping:
            self._is_skipping = False
            line = line.ljust(limit + 1)
        return line

    @property
    def _line_limit(self) -> int:
        if self._conversation.is_logging_in:
            return max(self._limits.command_bytes, LINE_LIMIT)
        return self._limits.command_bytes

    def when(self, result: MaybeDeferred[T], then: Callable[[T], None]) -> None:
        """
        Go on with a result: at once where it is there; else when it comes, and until then a
        reply is owed.

        A failure ends the transaction with 451; a connection that is lost cancels the wait.
        """
        if not isinstance(result, Deferred):
            then(result)
            return
        self._owes_reply = True
        self._waits_for = result
        result.addCallback(self._arrived, then)
        result.addErrback(self._failed)

    def _arrived(self, value: T, then: Callable[[T], None]) -> None:
        self._has_waited()
        then(value)
        self._go_on()

    def _failed(self, failure: Failure) -> None:
        self._has_waited()
        self._conversation.failed(failure)
        self._go_on()

    def _has_waited(self) -> None:
        self._owes_reply = False
        self._waits_for = None
        self.set_deadline(self._limits.command_seconds)

    def _go_on(self) -> None:
        self._look_whether_over()
        if not (self._owes_reply or self._is_closing):
            self.resume("commands")
            self._run()

    def hold_up(self, score: float, then: Callable[[float], None], within: float = inf) -> None:
        """
        Go on after the wait in the tarpit that C{score} deserves: at once for whoever may not be
        held up, where the client goes, and where the gateway stops.

        In all a session is held up for no more than half of its time, so that a message for many
        recipients still gets through.

        @param then: what to go on with; it is told for how many seconds it has waited.
        """
        tarpit, waiting = self._services.tarpit, None
        is_over = self.is_gone or self._ends_after_reply
        if tarpit is not None and self._conversation.may_be_held_up and not is_over:
            left = self._limits.session_seconds / 2 - self._held_up_seconds
            waiting = tarpit.hold_up(score, min(left, within))
        if waiting is None:
            then(0.0)
            return

        def go_on(seconds: float) -> None:
            self._is_held_up = False
            self._held_up_seconds += seconds
            then(seconds)

        self._is_held_up = True
        self.when(waiting, go_on)

    def _let_go(self) -> None:
        """
        End the wait in the tarpit.
        """
        if self._is_held_up and self._waits_for is not None:
            self._waits_for.cancel()

    @property
    def is_finishing(self) -> bool:
        """
        Tell whether the connection ends as soon as no message is under way.
        """
        return self._ends_after_reply

    @property
    def has_waiting(self) -> bool:
        """
        Tell whether the client has sent more than the command that is being executed.
        """
        return self._at < len(self._buffer)

    # -- replies -------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """
        Send a reply that is no error.
        """
        if not self.is_gone:
            self.transport.write(data)

    def reply(self, reply: Reply) -> None:
        """
        Send a reply; after too many permanent errors in a row, end the connection.
        """
        self.send(reply.encode())
        if reply.is_permanent and not self.is_gone:
            self._errors += 1
            if self._errors >= self._limits.errors:
                self.end(TOO_MANY_ERRORS)

    def forgive(self) -> None:
        """
        Forget the errors so far: the client has sent a message that was accepted.
        """
        self._errors = 0
        self._conversation.forgive()

    def end(self, reply: Reply) -> None:
        """
        End the connection with C{reply}, whatever the client wanted; it is recorded.
        """
        self._conversation.ends(reply)
        self.send(reply.encode())
        self.close()

    def close(self) -> None:
        """
        End the connection once the replies have been sent.
        """
        if self._is_closing:
            return
        self._is_closing = True
        self._expect_within(FAREWELL_SECONDS)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def finish(self) -> None:
        """
        End the connection with 421 as soon as no message is under way.
        """
        self._ends_after_reply = True
        self._let_go()
        if self._owes_reply or self._mailing.is_receiving:
            return
        if self._is_closing:
            return
        if self._mailing.is_idle:
            self.send(SHUTTING_DOWN.encode())
            self.close()
        else:
            self.end(SHUTTING_DOWN)

    def abandon(self) -> None:
        """
        Write down that the outcome of a message is not known: the process cannot wait for it.
        """
        self._mailing.abandon()

    def abort(self) -> None:
        """
        Cut the connection.
        """
        self.transport.abortConnection()

    # -- reading and pausing -------------------------------------------------------------

    def pause(self, why: str) -> None:
        """
        Read nothing more for the reason C{why}.
        """
        if not self._paused_by:
            self.transport.pauseProducing()
        self._paused_by |= {why}

    def resume(self, why: str) -> None:
        """
        Read on, where C{why} was the last reason not to.
        """
        if why in self._paused_by:
            self._paused_by -= {why}
            if not (self._paused_by or self._is_closing):
                self.transport.resumeProducing()

    def pauseProducing(self) -> None:
        """
        The client does not read its replies: do not read its commands.
        """
        self.pause("replies")

    def resumeProducing(self) -> None:
        """
        The client has read its replies.
        """
        self.resume("replies")

    def stopProducing(self) -> None:
        """
        The transport is gone; connectionLost tells the rest.
        """

    def receive_in_pieces(self, size: int | None) -> None:
        """
        Receive C{size} bytes at a time, or the usual number.
        """
        transport = self.transport
        if isinstance(transport, Connection):
            transport.bufferSize = type(transport).bufferSize if size is None else size

    # -- TLS -----------------------------------------------------------------------------

    def prepare_tls(self) -> Reply | None:
        """
        Take a place among the handshakes, which L{start_tls} must follow; where there is none,
        give what to say.
        """
        refusal = self._services.connections.begin_handshake(self._client)
        self.is_handshaking = refusal is None
        return refusal

    def start_tls(self) -> None:
        """
        Begin the handshake.
        """
        self._expect_within(self._limits.handshake_seconds)
        self.transport.startTLS(self._services.tls)

    def handshakeCompleted(self) -> None:
        """
        Note what was agreed on; the client must say EHLO anew.
        """
        self._end_handshake()
        if self._is_closing:
            return
        connection = self.transport.getHandle()
        connection.release_buffers()
        self.set_deadline(self._limits.command_seconds)
        tls = f"{connection.get_protocol_version_name()} {connection.get_cipher_name()}"
        subject = self._services.tls.subject(connection) if self._services.tls else ""
        if subject:
            tls = f"{tls}, client certificate {subject}"
        if self._has_begun:
            self._conversation.secured(tls, bool(subject))
        else:
            self._conversation.tls = tls
            self._begin()

    def _end_handshake(self, trouble: str = "") -> None:
        if self.is_handshaking:
            self.is_handshaking = False
            self._services.connections.end_handshake(self._client, trouble)


def plain(host: str) -> str:
    """
    Write an IPv4 address that came through an IPv6 socket as what it is.
    """
    return host.removeprefix("::ffff:")


@define(eq=False)
class SmtpFactory(ServerFactory["SmtpServer"]):
    """
    All connections of one listener.
    """

    services: Services
    listener: Listener
    noisy: bool = field(init=False, default=False)
    _proxies: tuple[IPv4Network | IPv6Network, ...] = field(init=False)
    _open: dict[SmtpServer, None] = field(init=False, factory=dict)  # smaller than a set
    watch: Watch = field(init=False)
    _all_closed: list[Deferred[None]] = field(init=False, factory=list)

    @_proxies.default
    def _read_proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(map(parse_network, self.listener.proxy_networks))

    @watch.default
    def _watch_open(self) -> Watch:
        return Watch(self.services.reactor, self._open)

    def trusts_proxy(self, client: str) -> bool:
        """
        Tell whether a client speaks for others, by the PROXY protocol.
        """
        address = address_of(client)
        return address is not None and is_within(address, self._proxies)

    def buildProtocol(self, addr: object) -> SmtpServer:
        """
        Make the protocol of a new connection.
        """
        return SmtpServer(self.services, self.listener, self)

    def opened(self, connection: SmtpServer) -> None:
        """
        Note a connection.
        """
        self._open[connection] = None
        self.watch.expect(connection.look_at)

    def closed(self, connection: SmtpServer) -> None:
        """
        Forget a connection.
        """
        self._open.pop(connection, None)
        if not self._open:
            self.watch.stop()
            waiting, self._all_closed = self._all_closed, []
            for closed in waiting:
                closed.callback(None)

    def when_empty(self) -> Deferred[None]:
        """
        Wait until there is no connection.
        """
        empty: Deferred[None] = Deferred()
        if self._open:
            self._all_closed.append(empty)
        else:
            empty.callback(None)
        return empty

    def finish(self, seconds: float) -> Deferred[None]:
        """
        End all connections: idle ones at once with 421, busy ones after their message.

        Whatever is left after C{seconds} is cut, and what an upstream has not answered then is
        written down as not known.
        """
        done = self.when_empty()
        if not self._open:
            return done
        reactor = self.services.reactor
        timers = [
            reactor.callLater(seconds, self._cut),
            reactor.callLater(seconds + CUT_SECONDS, self._abandon),
        ]

        def stop(result: None) -> None:
            for timer in timers:
                if timer.active():
                    timer.cancel()

        done.addCallback(stop)
        for connection in list(self._open):
            connection.finish()
        return done

    def _cut(self) -> None:
        for connection in list(self._open):
            connection.abort()

    def _abandon(self) -> None:
        for connection in list(self._open):
            connection.abandon()
            self.closed(connection)
