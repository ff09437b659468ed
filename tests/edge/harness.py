"""
A gateway's edge in memory: a session on a string transport, with all behind it scripted.
"""

import re
from pathlib import Path

from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.model import Limits, Listener
from mailgate.edge.limits import ConnectionLimits
from mailgate.edge.mailing import Services
from mailgate.edge.smtp import SmtpFactory
from mailgate.edge.tarpit import Tarpit
from mailgate.interfaces import (
    Admission,
    Capabilities,
    IDispatcher,
    IHub,
    IPipeline,
    IRecipients,
    ISessionJudge,
    ITransactionJudge,
    Outcome,
)
from mailgate.message.record import Copy
from mailgate.message.spool import Spool
from mailgate.reply import Reply
from mailgate.verdict import Action, Verdict

_ID = re.compile(r"\([0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}\)")
ACCEPT = Verdict(Action.ACCEPT, (), 0.0)


class Transport(StringTransport):
    """
    A string transport with the rest of what a TCP transport has.
    """

    def __init__(self, peer="192.0.2.7"):
        """
        @param peer: the client's IP address, or C{unix} for one that comes through a Unix socket.
        """
        if peer == "unix":
            host, client = UNIXAddress("/run/mail"), UNIXAddress(None)
        elif ":" in peer:
            host = IPv6Address("TCP", "2001:db8::1", 25)
            client = IPv6Address("TCP", peer, 40001)
        else:
            host = IPv4Address("TCP", "192.0.2.1", 25)
            client = IPv4Address("TCP", peer, 40001)
        super().__init__(hostAddress=host, peerAddress=client)
        self.tls_context = None
        self.is_aborted = False

    def setTcpNoDelay(self, enabled):
        """
        Take it for granted.
        """

    def startTLS(self, context, normal=True):
        """
        Note that TLS was asked for.
        """
        self.tls_context = context

    def getHandle(self):
        """
        Give what tells of the TLS that was agreed on.
        """
        return self

    def get_protocol_version_name(self):
        """
        Say what it could be.
        """
        return "TLSv1.3"

    def get_cipher_name(self):
        """
        Say what it could be.
        """
        return "TLS_AES_256_GCM_SHA384"

    def release_buffers(self):
        """
        There are none.
        """

    def abortConnection(self):
        """
        Note that the connection was cut.
        """
        self.is_aborted = True
        super().abortConnection()


@define
class PretendedTls:
    """
    TLS that L{Edge.secure} pretends.
    """

    client: str = ""
    """Whom the client's certificate is for."""

    def subject(self, connection):
        """
        Give it.
        """
        return self.client


@implementer(IPipeline, ISessionJudge, ITransactionJudge)
@define
class ScriptedPipeline:
    """
    A pipeline that accepts, unless a step has been given another answer.
    """

    origin: str = ""
    answers: dict = field(factory=dict)
    """
    Verdicts, Deferreds of them or functions that give one, by method name; for C{rcpt} also by
    (method name, address).
    """

    calls: list = field(factory=list)
    recipients: list = field(factory=list)
    reading: object = None

    def _answer(self, step, *details):
        self.calls.append((step, *details))
        for key in ((step, *map(str, details)), step):
            if key in self.answers:
                answer = self.answers[key]
                return answer() if callable(answer) else answer
        return ACCEPT

    def open(self, session):
        """
        Judge the session itself.
        """
        return self

    def connected(self):
        """
        Answer for the connection.
        """
        return self._answer("connected")

    def greeted(self, session):
        """
        Answer for the greeting.
        """
        return self._answer("greeted", session.helo)

    def begin(self, envelope):
        """
        Judge the transaction itself.
        """
        self.recipients = []
        return self

    def mail(self):
        """
        Answer for the sender.
        """
        return self._answer("mail")

    def rcpt(self, recipient):
        """
        Answer for a recipient.
        """
        answer = self._answer("rcpt", recipient)
        if not (isinstance(answer, Verdict) and answer.reply):
            self.recipients.append(recipient)
        return answer

    def message(self, message):
        """
        Answer for the message: one group.
        """
        answer = self._answer("message")
        if isinstance(answer, Verdict):
            return [Verdict(answer.action, answer.findings, answer.total, tuple(self.recipients))]
        return answer

    def close(self):
        """
        Note it.
        """
        self.calls.append(("close",))


@implementer(IDispatcher)
@define
class ScriptedDispatcher:
    """
    A dispatcher that delivers everything at once, or gives what it was told to.
    """

    outcome: Outcome | Deferred | None = None
    replies: dict = field(factory=dict)
    """What becomes of a copy where that is no 250, by address."""

    rewriter: object = None
    """What rewrites messages before they are noted, or C{None}."""

    messages: list = field(factory=list)
    """(envelope, recipients, what is prepended, bytes) of each message."""

    def now(self, chunk):
        """
        Give the bytes of a chunk that is there already.
        """
        return chunk.result if isinstance(chunk, Deferred) else chunk

    def dispatch(self, envelope, message, verdicts, within, alone=False):
        """
        Note the message, and answer.
        """
        recipients = [recipient for verdict in verdicts for recipient in verdict.recipients]
        if self.rewriter is not None:
            rewritten = self.rewriter.apply(envelope.trace, ACCEPT, message)
            chunks = [self.now(chunk) for chunk in rewritten.chunks()]
        else:
            chunks = [self.now(chunk) for chunk in message.chunks()]
        self.messages.append((envelope, recipients, message.prepended, b"".join(chunks)))
        if isinstance(self.outcome, Deferred):
            return self.outcome
        copies = tuple(Copy(str(recipient), "delivered") for recipient in recipients)
        done = Deferred()
        replies = tuple(
            self.replies.get(str(recipient), Reply(250, "2.0.0", f"for {recipient}"))
            for recipient in recipients
        )
        worst = None if any(reply.is_positive for reply in replies) else replies[0]
        last = worst or Reply(250, "2.0.0", "accepted")
        done.callback(self.outcome or Outcome(last, copies, (), replies if alone else ()))
        return done


@implementer(IRecipients)
@define
class ScriptedRecipients:
    """
    Everybody at example.com exists; other answers can be given by address.
    """

    answers: dict = field(factory=dict)
    capabilities: Capabilities = field(factory=lambda: Capabilities(frozenset({"8BITMIME"}), None))

    def ask(self, envelope, recipient):
        """
        Answer for a recipient.
        """
        reply = Reply(550, "5.7.1", "no mail for this domain is taken here")
        if recipient.host in ("", "example.com"):
            reply = Reply(250, "2.1.5", "ok")
        answer = self.answers.get(str(recipient), reply)
        if isinstance(answer, Deferred):
            return answer.addCallback(Admission, recipient)
        return Admission(answer, recipient) if isinstance(answer, Reply) else answer

    def offers(self):
        """
        Give what was set.
        """
        return self.capabilities


@implementer(IHub)
@define
class RecordingHub:
    """
    A hub that only keeps records.
    """

    records: list = field(factory=list)
    room: bool = True

    def record(self, record):
        """
        Keep it.
        """
        self.records.append(record)

    def has_room(self):
        """
        Answer as it was set.
        """
        return self.room

    def hold(self, envelope, message, holds, provisional):
        """
        The edge never holds.
        """
        raise AssertionError("the edge holds nothing itself")

    confirm = withdraw = enqueue = look_up = hold


@define
class Edge:
    """
    One client and the edge it talks to.
    """

    files: object
    threads: object
    directory: Path
    limits: Limits = field(factory=Limits)
    memory_limit: int = 1 << 28
    clock: Clock = field(factory=Clock)
    pipeline: ScriptedPipeline = field(factory=ScriptedPipeline)
    dispatcher: ScriptedDispatcher = field(factory=ScriptedDispatcher)
    recipients: ScriptedRecipients = field(factory=ScriptedRecipients)
    hub: RecordingHub = field(factory=RecordingHub)
    tls: object = None
    authentication: object = None
    listener: dict = field(factory=dict)
    factory: SmtpFactory = field(init=False)
    protocol: object = field(init=False)
    transport: Transport = field(init=False)

    def connect(self, peer="192.0.2.7"):
        """
        Open the listener and connect its first client; give the greeting.
        """
        services = Services(
            hostname="mail.example.com",
            limits=self.limits,
            pipeline=self.pipeline,
            recipients=self.recipients,
            dispatcher=self.dispatcher,
            hub=self.hub,
            spool=Spool(self.directory, self.files, self.threads, self.memory_limit),
            reactor=self.clock,
            wall_clock=lambda: 1_700_000_000.0 + self.clock.seconds(),
            tls=self.tls,
            connections=ConnectionLimits(self.limits.clients, self.clock),
            authentication=self.authentication,
            tarpit=Tarpit(self.limits, 5.0, self.clock, self.limits.clients.connections),
        )
        self.factory = SmtpFactory(services, Listener(address="127.0.0.1:2525", **self.listener))
        return self.join(peer)

    def join(self, peer):
        """
        Connect another client, the one that is talked to from now on; give the greeting.
        """
        self.protocol = self.factory.buildProtocol(None)
        self.transport = Transport(peer)
        self.protocol.makeConnection(self.transport)
        return self.said()

    def secure(self):
        """
        Bring the TLS handshake to its end, and give what is said then.
        """
        assert self.transport.tls_context is not None, "nobody began it"
        self.protocol.handshakeCompleted()
        return self.said()

    def said(self):
        """
        Give what the edge has said since the last time, the id of a transaction as C{ID}.
        """
        said = self.transport.value().decode("ascii")
        self.transport.clear()
        return _ID.sub("(ID)", said)

    def say(self, data):
        """
        Send text (LF becomes CRLF) or raw bytes, and give the answer.
        """
        if isinstance(data, str):
            data = data.replace("\n", "\r\n").encode("utf-8")
        self.protocol.dataReceived(data)
        return self.said()

    def lose(self, clean=True):
        """
        End the connection from the client's side.
        """
        self.protocol.connectionLost(Failure(ConnectionDone() if clean else ConnectionLost()))

    def greeted(self):
        """
        Connect and say EHLO.
        """
        self.connect()
        self.say("EHLO client.example.org\n")
        return self

    def ready_for_data(self, *recipients):
        """
        Go as far as 354.
        """
        self.greeted()
        self.say("MAIL FROM:<sender@example.org>\n")
        for recipient in recipients or ("ada@example.com",):
            self.say(f"RCPT TO:<{recipient}>\n")
        return self.say("DATA\n")
