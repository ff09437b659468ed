"""
What the commands of SMTP mean: RFC 5321 with PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME
(RFC 6152), ENHANCEDSTATUSCODES (RFC 2034) and STARTTLS (RFC 3207).

Each verb is a method. The grammar is in L{mailgate.wire.smtp} and L{mailgate.wire.data}; what
is spam, who exists and what becomes of a message is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IOpenSSLContextFactory, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.model import Limits, Listener
from mailgate.edge.transaction import Transaction
from mailgate.interfaces import (
    IDispatcher,
    IHub,
    IMessage,
    IPipeline,
    IRecipients,
    ISessionJudge,
    Outcome,
)
from mailgate.message.envelope import Envelope, Session, new_id
from mailgate.message.received import received_header
from mailgate.message.record import Copy, Record
from mailgate.message.spool import MessageWriter, Spool
from mailgate.reply import Reply
from mailgate.verdict import Verdict
from mailgate.wire.address import Address
from mailgate.wire.data import DataReader
from mailgate.wire.smtp import Path, Refused, parse_command, parse_greeting, parse_mail, parse_rcpt

if TYPE_CHECKING:
    from mailgate.edge.smtp import SmtpServer

LARGE = 256 * 1024
"""From this size on a message is received in larger pieces."""

LARGE_PIECE = 1024 * 1024

OK = Reply(250, "2.0.0", "ok").encode()
SENDER_OK = Reply(250, "2.1.0", "sender ok").encode()
RECIPIENT_OK = Reply(250, "2.1.5", "recipient ok").encode()
GO_AHEAD = Reply(354, "", "end the message with <CRLF>.<CRLF>").encode()
READY_FOR_TLS = Reply(220, "2.0.0", "ready for TLS").encode()
BYE = Reply(221, "2.0.0", "bye").encode()
CANNOT_VERIFY = Reply(252, "2.1.5", "send some mail, it will be tried").encode()
HELP = Reply(
    214, "2.0.0", "EHLO HELO STARTTLS MAIL RCPT DATA RSET NOOP VRFY HELP QUIT (RFC 5321)"
).encode()
SAY_HELLO = Reply(503, "5.5.1", "say EHLO first")
UNKNOWN = Reply(500, "5.5.2", "command not recognised")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "command not implemented")
IS_SECURE = Reply(503, "5.5.1", "TLS is on already")
INJECTED = Reply(554, "5.5.1", "nothing may follow STARTTLS before the handshake")
NO_ARGUMENT = Reply(501, "5.5.4", "no argument is allowed here")
NESTED = Reply(503, "5.5.1", "a transaction is open already, RSET ends it")
NO_TRANSACTION = Reply(503, "5.5.1", "say MAIL first")
NO_RECIPIENTS = Reply(554, "5.5.1", "no valid recipients")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "too many recipients, send to the rest once more")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "parameter not recognised")
BROKEN_OFF = Reply(421, "4.3.0", "local error, try again later")
NO_ROOM = Reply(452, "4.3.1", "no room at the moment")
LOCAL_ERROR = Reply(451, "4.3.0", "local error, try again later")


@frozen
class Services:
    """
    What every session of the gateway uses.
    """

    hostname: str
    limits: Limits
    pipeline: IPipeline
    recipients: IRecipients
    dispatcher: IDispatcher
    hub: IHub
    spool: Spool
    reactor: IReactorTime
    wall_clock: Callable[[], float]
    """Seconds since the epoch."""

    tls: IOpenSSLContextFactory | None
    """The certificate for STARTTLS, or C{None} where it is not offered."""


class Conversation:
    """
    One session: what was said, and what is answered.
    """

    log = Logger()

    def __init__(self, services: Services, listener: Listener, connection: SmtpServer) -> None:
        self._services = services
        self._listener = listener
        self._connection = connection
        self._judge: ISessionJudge
        self._transaction: Transaction | None = None
        self.is_settling = False
        """Whether a message is being handed on, which a lost connection does not end."""

        self._reader: DataReader | None = None
        self._writer: MessageWriter | None = None
        self._data_began = 0.0
        self._began = 0.0
        self.session: Session
        """What is known of the client."""

    # -- what the connection tells -------------------------------------------------------

    def begin(self, client: str, port: int, local: str) -> None:
        """
        Judge a new connection, then greet it.

        @param client: the client's address.
        @param local: the address of ours that it has connected to.
        """
        services = self._services
        self._began = services.reactor.seconds()
        self.session = Session(
            id=new_id(),
            listener=self._listener.name,
            role=self._listener.role,
            client=client,
            port=port,
            started=services.wall_clock(),
            local=local,
        )
        self._judge = services.pipeline.open(self.session)
        self._connection.when(self._judge.connected(), self._greet)

    def _greet(self, verdict: Verdict) -> None:
        if verdict.reply is not None:
            self._record_session(verdict.reply, verdict)
            self._connection.reply(verdict.reply)
            self._connection.close()
        else:
            greeting = Reply(220, "", f"{self._services.hostname} ESMTP mailgate")
            self._connection.send(greeting.encode())

    def secured(self, tls: str) -> None:
        """
        TLS is on, with this version and cipher.
        """
        self.session = evolve(self.session, tls=tls)

    def lost(self) -> None:
        """
        The client is gone: cancel checks, but leave a message alone that is being settled.
        """
        if self._transaction is not None and not self.is_settling:
            self._transaction.notes.append("client gone")
            self._conclude(None)
        self._judge.close()

    def ends(self, reply: Reply) -> None:
        """
        The connection ends with C{reply}, whatever the client wanted.
        """
        if self._transaction is None:
            self._record_session(reply)
        else:
            self._conclude(reply)

    def abandon(self) -> None:
        """
        The process ends, and an upstream has not said yet what became of a message.
        """
        transaction = self._transaction
        if transaction is not None and self.is_settling:
            trace = transaction.envelope.trace
            self.log.warn(
                "{event} {trace} has no outcome yet", event="session.abandoned", trace=trace
            )
            transaction.notes.append("stopped before its outcome was known, duplicate possible")
            copies = tuple(Copy(str(who), "unknown") for who in transaction.recipients)
            self._conclude(None, copies)

    def failed(self, failure: Failure) -> None:
        """
        Something that was waited for failed: the client shall come again, and the operator
        shall hear of it.
        """
        self.is_settling = False
        if self._connection.is_gone and isinstance(failure.value, CancelledError):
            if self._transaction is not None:
                self._transaction.notes.append("client gone")
                self._conclude(None)
            return
        self.log.failure(
            "{event} in session {session}",
            failure,
            event="session.failed",
            session=self.session.id,
        )
        if self._reader is not None:
            # The rest of the message would be run as commands.
            self._connection.end(BROKEN_OFF.referring(self._open.envelope.trace))
        elif self._transaction is not None:
            self._end_transaction(LOCAL_ERROR)
        else:
            self._connection.reply(LOCAL_ERROR)

    @property
    def is_idle(self) -> bool:
        """
        Tell whether no transaction is open.
        """
        return self._transaction is None

    @property
    def is_receiving(self) -> bool:
        """
        Tell whether what arrives belongs to a message.
        """
        return self._reader is not None

    def execute(self, line: bytes) -> None:
        """
        Carry out one command line.
        """
        try:
            command = parse_command(line)
            act = self._verbs.get(command.verb)
            if act is None:
                self._connection.reply(UNKNOWN)
            else:
                act(self, command.argument)
        except Refused as refused:
            self._connection.reply(refused.reply)

    # -- the session ---------------------------------------------------------------------

    def _helo(self, argument: str) -> None:
        self._hello(argument, is_esmtp=False)

    def _ehlo(self, argument: str) -> None:
        self._hello(argument, is_esmtp=True)

    def _hello(self, argument: str, is_esmtp: bool) -> None:
        name = parse_greeting(argument)
        self._forget_transaction()
        session = evolve(self.session, helo=name, is_esmtp=is_esmtp)

        def judged(verdict: Verdict) -> None:
            if verdict.reply is not None:
                self._record_session(verdict.reply, verdict)
                self._connection.reply(verdict.reply)
                return
            self.session = session
            lines = [self._services.hostname, *(self._extensions() if is_esmtp else ())]
            self._connection.send(Reply(250, "", "\n".join(lines)).encode())

        self.session = evolve(self.session, helo="", is_esmtp=False)
        self._connection.when(self._judge.greeted(session), judged)

    def _extensions(self) -> list[str]:
        lines = ["PIPELINING", f"SIZE {self._size_limit()}", "ENHANCEDSTATUSCODES"]
        if self._can_8bit():
            lines.append("8BITMIME")
        if self._services.tls is not None and not self.session.tls:
            lines.append("STARTTLS")
        return lines

    def _size_limit(self) -> int:
        limit = self._services.limits.message_bytes
        offered = self._services.recipients.offers().size
        return limit if offered is None else min(limit, offered)

    def _can_8bit(self) -> bool:
        return "8BITMIME" in self._services.recipients.offers().extensions

    def _record_session(self, reply: Reply, *verdicts: Verdict) -> None:
        """
        Record that the client was turned away outside of a transaction.
        """
        session = self.session
        self._record(
            Record(
                trace=session.id,
                session=session,
                started=session.started,
                seconds=self._services.reactor.seconds() - self._began,
                reply=str(reply),
                verdicts=verdicts,
            )
        )

    def _record(self, record: Record) -> None:
        try:
            self._services.hub.record(record)
        except Exception:
            # The message is settled; without its reply the sender would send it once more.
            self.log.failure("{event} of {trace}", event="trace.failed", trace=record.trace)

    def _starttls(self, argument: str) -> None:
        if self._services.tls is None:
            self._connection.reply(NOT_IMPLEMENTED)
        elif self.session.tls:
            self._connection.reply(IS_SECURE)
        elif argument:
            self._connection.reply(NO_ARGUMENT)
        elif self._connection.has_waiting:
            # RFC 3207 section 6: what was sent in the clear must not be run under TLS.
            self._connection.end(INJECTED)
        else:
            self._forget_transaction()
            self.session = evolve(self.session, helo="", is_esmtp=False)
            self._connection.send(READY_FOR_TLS)
            self._connection.start_tls()

    # -- the envelope --------------------------------------------------------------------

    def _mail(self, argument: str) -> None:
        services = self._services
        if not self.session.helo:
            self._connection.reply(SAY_HELLO)
            return
        if self._transaction is not None:
            self._connection.reply(NESTED)
            return
        try:
            path = parse_mail(argument)
            size, body = self._mail_parameters(path)
        except Refused as refused:
            self._refuse_mail(argument, refused.reply)
            return
        envelope = Envelope(self.session, new_id(), path.address, services.wall_clock(), size, body)
        judge = self._judge.begin(envelope)
        self._transaction = Transaction(envelope, judge, services.reactor.seconds())
        if size is not None and size > self._size_limit():
            self._end_transaction(self._too_large())
        elif not services.hub.has_room():
            self._end_transaction(NO_ROOM)
        else:
            self._connection.when(judge.mail(), self._mail_judged)

    def _refuse_mail(self, argument: str, reply: Reply) -> None:
        """
        Refuse a transaction that cannot be begun as it was asked for, and record it.
        """
        reply = reply.referring(trace := new_id())
        self._record(
            Record(
                trace=trace,
                session=self.session,
                started=self._services.wall_clock(),
                seconds=0.0,
                reply=str(reply),
                notes=(f"MAIL {argument}",),
            )
        )
        self._connection.reply(reply)

    def _mail_parameters(self, path: Path) -> tuple[int | None, str]:
        size, body = None, "7BIT"
        for keyword, value in path.parameters.items():
            if not self.session.is_esmtp:
                raise Refused(555, "5.5.4", "parameters need EHLO")
            if keyword == "SIZE":
                if not value.isdigit() or len(value) > 20:
                    raise Refused(501, "5.5.4", "SIZE takes a number of bytes")
                size = int(value)
            elif keyword == "BODY" and self._can_8bit():
                body = value.upper()
                if body not in ("7BIT", "8BITMIME"):
                    raise Refused(501, "5.5.4", "BODY is 7BIT or 8BITMIME")
            else:
                raise Refused(555, "5.5.4", f"parameter {keyword} is not recognised")
        return size, body

    def _too_large(self) -> Reply:
        return Reply(552, "5.3.4", f"larger than {self._size_limit()} bytes")

    def _mail_judged(self, verdict: Verdict) -> None:
        if verdict.reply is not None:
            self._open.verdicts.append(verdict)
            self._end_transaction(verdict.reply)
        else:
            self._connection.send(SENDER_OK)

    @property
    def _open(self) -> Transaction:
        """
        Give the transaction where there is one by the order of commands.
        """
        if self._transaction is None:
            raise RuntimeError("no transaction is open")
        return self._transaction

    def _rcpt(self, argument: str) -> None:
        transaction = self._transaction
        if transaction is None:
            self._connection.reply(NO_TRANSACTION)
            return
        try:
            path = parse_rcpt(argument)
        except Refused as refused:
            self._refuse_rcpt(argument, refused.reply)
            return
        recipient = path.address
        if path.parameters:
            self._refuse_rcpt(str(recipient), UNKNOWN_PARAMETER)
        elif transaction.accepted >= self._services.limits.recipients:
            self._refuse_rcpt(str(recipient), TOO_MANY_RECIPIENTS)
        elif transaction.knows(recipient):
            # One copy is enough, and a second judgement would make a second one.
            transaction.accept(recipient)
            self._connection.send(RECIPIENT_OK)
        else:
            asked = self._services.recipients.ask(transaction.envelope.sender, recipient)
            self._connection.when(asked, lambda reply: self._rcpt_asked(recipient, reply))

    def _refuse_rcpt(self, recipient: str, reply: Reply, verdict: Verdict | None = None) -> None:
        reply = reply.referring(self._open.envelope.trace)
        self._open.refuse(recipient, reply, verdict)
        self._connection.reply(reply)

    def _rcpt_asked(self, recipient: Address, reply: Reply) -> None:
        if reply.is_positive:
            judged = self._open.judge.rcpt(recipient)
            self._connection.when(judged, lambda verdict: self._rcpt_judged(recipient, verdict))
        else:
            self._refuse_rcpt(str(recipient), reply)

    def _rcpt_judged(self, recipient: Address, verdict: Verdict) -> None:
        if verdict.reply is not None:
            self._refuse_rcpt(str(recipient), verdict.reply, verdict)
        else:
            self._open.accept(recipient)
            self._connection.send(RECIPIENT_OK)

    # -- the message ---------------------------------------------------------------------

    def _data(self, argument: str) -> None:
        transaction = self._transaction
        if argument:
            self._connection.reply(NO_ARGUMENT)
        elif transaction is None:
            self._connection.reply(NO_TRANSACTION)
        elif not transaction.recipients:
            self._connection.reply(NO_RECIPIENTS)
        else:
            self._reader = DataReader()
            self._writer = self._services.spool.begin()
            self._data_began = self._services.reactor.seconds()
            self._connection.send(GO_AHEAD)

    def receive(self, data: bytes) -> bytes:
        """
        Take bytes of the message.

        @return: those that came behind its end.
        """
        reader, writer = self._reader, self._writer
        if reader is None:
            raise RuntimeError("no message is being received")
        block = reader.feed(data)
        if writer is not None:
            if reader.size > self._size_limit():
                # Read on to the dot: what follows would be run as commands otherwise.
                writer.abandon()
                self._writer = None
            elif block:
                writer.write(block)
                if writer.must_pause:
                    self._connection.pause("disk")
                    writer.when_written().addCallback(lambda _: self._connection.resume("disk"))
        if not reader.finished:
            if reader.size > LARGE:
                self._connection.receive_in_pieces(LARGE_PIECE)
            return b""
        if reader.size > LARGE:
            self._connection.receive_in_pieces(None)
        self._reader = None
        self._received(reader)
        return reader.rest

    def _received(self, reader: DataReader) -> None:
        transaction, writer = self._open, self._writer
        transaction.durations["data"] = self._services.reactor.seconds() - self._data_began
        if writer is None:
            self._end_transaction(self._too_large())
        elif not reader.is_clean:
            self._end_transaction(_unclean(reader))
        else:
            finished = writer.finish()
            if isinstance(finished, Deferred):
                finished.addErrback(self._not_spooled)
            self._connection.when(finished, self._judge_message)

    def _not_spooled(self, failure: Failure) -> Failure | None:
        if not isinstance(failure.value, OSError):
            return failure
        trace = self._open.envelope.trace
        self.log.failure("{event} for {trace}", failure, event="spool.failed", trace=trace)
        self._end_transaction(NO_ROOM)
        return None

    def _judge_message(self, spooled: IMessage | None) -> None:
        if spooled is None:
            return
        services, transaction = self._services, self._open
        self._writer = None
        header = received_header(services.hostname, transaction.envelope, transaction.recipients)
        transaction.message = message = spooled.prepend(header)
        limit = services.limits.header_bytes
        head = message.head(limit)
        if message.size > limit and not head.startswith(b"\r\n") and b"\r\n\r\n" not in head:
            self._end_transaction(Reply(552, "5.3.4", f"header larger than {limit} bytes"))
            return
        began = services.reactor.seconds()

        def judged(verdicts: Sequence[Verdict]) -> None:
            transaction.durations["checks"] = services.reactor.seconds() - began
            self._settle(message, verdicts, began)

        self._connection.when(transaction.judge.message(message), judged)

    def _settle(self, message: IMessage, verdicts: Sequence[Verdict], began: float) -> None:
        services, transaction = self._services, self._open
        transaction.verdicts.extend(verdicts)
        now = services.reactor.seconds()
        within = services.limits.reply_seconds - (now - began)

        def settled(outcome: Outcome) -> None:
            if self._transaction is not transaction:
                return  # abandoned at the end of the process
            self.is_settling = False
            transaction.durations["delivery"] = services.reactor.seconds() - now
            transaction.notes.extend(outcome.notes)
            if self._connection.is_gone:
                transaction.notes.append(f"client gone, outcome {outcome.reply}")
            self._end_transaction(outcome.reply, outcome.copies)

        self.is_settling = True
        self._connection.when(
            services.dispatcher.dispatch(transaction.envelope, message, verdicts, within), settled
        )

    def _forget_transaction(self) -> None:
        if self._transaction is not None:
            self._conclude(None)

    def _end_transaction(self, reply: Reply, copies: tuple[Copy, ...] | None = None) -> None:
        """
        End the transaction with its last reply.
        """
        if not reply.is_positive:
            reply = reply.referring(self._open.envelope.trace)
        self._conclude(reply, copies)
        if reply.is_positive:
            self._connection.forgive()
        self._connection.reply(reply)

    def _conclude(self, reply: Reply | None, copies: tuple[Copy, ...] | None = None) -> None:
        """
        Write the record of the transaction, and forget it.
        """
        transaction, writer = self._open, self._writer
        self._transaction = self._reader = self._writer = None
        transaction.judge.close()
        heard = None if self._connection.is_gone else reply
        self._record(transaction.record(self._services.reactor.seconds(), heard, copies))
        if writer is not None:
            writer.abandon()
        if transaction.message is not None and not self.is_settling:
            transaction.message.close()

    # -- the rest ------------------------------------------------------------------------

    def _rset(self, argument: str) -> None:
        if argument:
            self._connection.reply(NO_ARGUMENT)
        else:
            self._forget_transaction()
            self._connection.send(OK)

    def _noop(self, argument: str) -> None:
        self._connection.send(OK)

    def _vrfy(self, argument: str) -> None:
        self._connection.send(CANNOT_VERIFY)

    def _expn(self, argument: str) -> None:
        self._connection.reply(NOT_IMPLEMENTED)

    def _help(self, argument: str) -> None:
        self._connection.send(HELP)

    def _quit(self, argument: str) -> None:
        if argument:
            self._connection.reply(NO_ARGUMENT)
        else:
            self._forget_transaction()
            self._connection.send(BYE)
            self._connection.close()

    _verbs = {
        "HELO": _helo,
        "EHLO": _ehlo,
        "STARTTLS": _starttls,
        "MAIL": _mail,
        "RCPT": _rcpt,
        "DATA": _data,
        "RSET": _rset,
        "NOOP": _noop,
        "VRFY": _vrfy,
        "EXPN": _expn,
        "HELP": _help,
        "QUIT": _quit,
    }


def _unclean(reader: DataReader) -> Reply:
    """
    Say why a message with stray line ends or NUL is refused (RFC 5321 section 2.3.8).
    """
    found = [
        words
        for count, words in (
            (reader.bare_cr, "a CR without LF"),
            (reader.bare_lf, "an LF without CR"),
            (reader.nul, "a NUL"),
        )
        if count
    ]
    return Reply(550, "5.5.2", f"the message contains {' and '.join(found)}")
