"""
The transactions of a session: MAIL, RCPT, DATA and BDAT, and what becomes of a message.

RFC 5321 with SIZE (RFC 1870), 8BITMIME (RFC 6152), CHUNKING (RFC 3030), SMTPUTF8 (RFC 6531), DSN
(RFC 3461) and PRDR (draft-hall-prdr). The grammar is in L{mailgate.wire}; what is spam, who exists
and what becomes of a message is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import inf
from typing import TYPE_CHECKING

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.model import Limits, Listener
from mailgate.edge.auth import Authentication
from mailgate.edge.limits import ConnectionLimits
from mailgate.edge.reception import Reception
from mailgate.edge.tarpit import Tarpit
from mailgate.edge.tls import ListenerTls
from mailgate.edge.transaction import Transaction
from mailgate.interfaces import (
    EXISTS,
    Account,
    Admission,
    IDispatcher,
    IHub,
    IMessage,
    IPipeline,
    IRecipients,
    ISessionJudge,
    Outcome,
)
from mailgate.message.envelope import Envelope, Session, new_id
from mailgate.message.received import fields_of_ours
from mailgate.message.record import Copy, Record
from mailgate.message.section import has_more_fields, header_section
from mailgate.message.spool import Spool
from mailgate.reply import Reply
from mailgate.verdict import Verdict
from mailgate.wire import xtext
from mailgate.wire.address import Address
from mailgate.wire.data import ChunkReader, DataReader
from mailgate.wire.parameters import RcptParameters, mail_parameters, rcpt_parameters
from mailgate.wire.smtp import Refused, parse_bdat, parse_mail, parse_rcpt

if TYPE_CHECKING:
    from mailgate.edge.smtp import SmtpServer

LARGE = 256 * 1024
"""From this size on a message is received in larger pieces."""

LARGE_PIECE = 1024 * 1024

SENDER_OK = Reply(250, "2.1.0", "sender ok").encode()
_RECIPIENT_OK = EXISTS.encode()
GO_AHEAD = Reply(354, "", "end the message with <CRLF>.<CRLF>").encode()
REPLIES_FOLLOW = Reply(353, "", "a reply for each recipient follows").encode()
NESTED = Reply(503, "5.5.1", "a transaction is open already, RSET ends it")
NO_TRANSACTION = Reply(503, "5.5.1", "say MAIL first")
NO_RECIPIENTS = Reply(554, "5.5.1", "no valid recipients")
IN_CHUNKS = Reply(503, "5.5.1", "the message is coming in chunks, go on with BDAT or RSET")
TOO_EARLY = Reply(554, "5.5.0", "the message must wait for the 354")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "too many recipients, send to the rest once more")
NOT_YOURS = Reply(553, "5.7.1", "this account may not send as this sender")
NEEDS_UTF8 = Reply(553, "5.6.7", "such an address needs the parameter SMTPUTF8")
NO_ARGUMENT = Reply(501, "5.5.4", "no argument is allowed here")
NO_ROOM = Reply(452, "4.3.1", "no room at the moment")
TOO_MANY_HOPS = Reply(554, "5.4.6", "too many hops, this mail goes round in a circle")
BROKEN_OFF = Reply(421, "4.3.0", "local error, try again later")
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

    tls: ListenerTls | None
    """What TLS begins with, or C{None} where it is not offered."""

    connections: ConnectionLimits
    authentication: Authentication | None = None
    """Lets people log in, or C{None} where nobody has an account."""

    tarpit: Tarpit | None = None
    """Holds strangers up, or C{None}: nobody waits."""


@frozen
class _Skip:
    """
    A chunk that nobody wants; it is read to its end, so that what follows is not run as commands.
    """

    size: int
    left: int
    reply: Reply


class Mailing:
    """
    At most one transaction at a time.
    """

    log = Logger()

    # Without dictionaries: thousands of sessions may stand idle.
    __slots__ = (
        "_connection",
        "_data_began",
        "_listener",
        "_reception",
        "_services",
        "_skip",
        "_transaction",
        "_wants_each",
        "is_receiving",
        "is_settling",
    )

    def __init__(self, services: Services, listener: Listener, connection: SmtpServer) -> None:
        self._services = services
        self._listener = listener
        self._connection = connection
        self._transaction: Transaction | None = None
        self._wants_each = False
        self._reception: Reception | None = None
        self._skip: _Skip | None = None
        self._data_began = 0.0
        self.is_receiving = False
        """Whether what arrives belongs to a message."""

        self.is_settling = False
        """Whether a message is being handed on, which a lost connection does not end."""

    @property
    def is_idle(self) -> bool:
        """
        Tell whether no transaction is open.
        """
        return self._transaction is None

    @property
    def is_in_chunks(self) -> bool:
        """
        Tell whether a message has begun with BDAT and not ended.
        """
        return self._reception is not None

    @property
    def _open(self) -> Transaction:
        """
        Give the transaction where there is one by the order of commands.
        """
        if self._transaction is None:
            raise RuntimeError("no transaction is open")
        return self._transaction

    def rate(self, now: float) -> tuple[float, float]:
        """
        Tell for how many seconds a message has been arriving, and its bytes a second.
        """
        seconds = now - self._data_began
        if self._skip is not None:
            size = self._skip.size - self._skip.left
        else:
            size = self._reception.size if self._reception is not None else 0
        return seconds, size / seconds if seconds > 0 else 0.0

    def size_limit(self) -> int:
        """
        Give the bytes that a message may have: the smallest limit that is known.
        """
        limit = self._services.limits.message_bytes
        offered = self._services.recipients.offers().size
        return limit if offered is None else min(limit, offered)

    # -- the envelope --------------------------------------------------------------------

    def mail(
        self,
        session: Session,
        judge: ISessionJudge,
        argument: str,
        offered: Collection[str],
        account: Account | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """
        Begin a transaction.

        @param offered: keywords of the extensions that the session may use.
        @param account: who has logged in, which binds the sender.
        @param notes: what is known of how the message came to the client.
        """
        services = self._services
        if self._transaction is not None:
            self._connection.reply(NESTED)
            return
        try:
            path = parse_mail(argument)
            if path.parameters and not session.is_esmtp:
                raise Refused(555, "5.5.4", "parameters need EHLO")
            said = mail_parameters(path.parameters, offered)
        except Refused as refused:
            self._refuse_mail(session, argument, refused.reply)
            return
        if not (said.utf8 or path.address.is_ascii):
            self._refuse_mail(session, argument, NEEDS_UTF8)
            return
        if account is not None and not account.may_send_as(path.address):
            self._refuse_mail(session, argument, NOT_YOURS)
            return
        envelope = Envelope(
            session,
            new_id(),
            path.address,
            services.wall_clock(),
            said.size,
            said.body,
            said.utf8,
            said.ret,
            said.envid,
        )
        transaction = Transaction(envelope, judge.begin(envelope), services.reactor.seconds())
        transaction.notes.extend(notes)
        self._transaction = transaction
        self._wants_each = said.prdr or session.role == "lmtp"
        limit = self.size_limit()
        if said.size is not None and said.size > limit:
            self._end(Reply(552, "5.3.4", f"larger than {limit} bytes"))
        elif not services.hub.has_room():
            self._end(NO_ROOM)
        else:
            self._connection.when(transaction.judge.mail(), self._mail_judged)

    def refuse_mail(self, session: Session, argument: str, reply: Reply) -> None:
        """
        Refuse to begin a transaction, and record it.
        """
        self._refuse_mail(session, argument, reply)

    def _refuse_mail(self, session: Session, argument: str, reply: Reply) -> None:
        reply = reply.referring(trace := new_id())
        record = Record(
            trace=trace,
            session=session,
            started=self._services.wall_clock(),
            seconds=0.0,
            reply=str(reply),
            notes=(f"MAIL {argument}",),
        )
        self._record(record)
        self._connection.reply(reply)

    def _mail_judged(self, verdict: Verdict) -> None:
        self._open.score = verdict.total
        if verdict.reply is not None:
            self._open.verdicts.append(verdict)
            self._refuse(verdict.reply)
        else:
            self._connection.send(SENDER_OK)

    def rcpt(self, argument: str, offered: Collection[str]) -> None:
        """
        Take a recipient in, or turn it away.
        """
        transaction = self._transaction
        if transaction is None:
            self._connection.reply(NO_TRANSACTION)
            return
        if self._reception is not None:
            self._connection.reply(IN_CHUNKS)
            return
        try:
            path = parse_rcpt(argument)
            recipient = path.address
        except Refused as refused:
            self._refuse_rcpt(argument, refused.reply)
            return
        try:
            wish = rcpt_parameters(path.parameters, offered)
        except Refused as refused:
            self._refuse_rcpt(str(recipient), refused.reply)
            return
        if not (transaction.envelope.utf8 or recipient.is_ascii):
            self._refuse_rcpt(str(recipient), NEEDS_UTF8)
        elif transaction.accepted >= self._services.limits.recipients:
            self._refuse_rcpt(str(recipient), TOO_MANY_RECIPIENTS)
        elif transaction.knows(recipient):
            # One copy is enough, and a second judgement would make a second one.
            self._accept_rcpt(recipient)
        else:
            asked = self._services.recipients.ask(transaction.envelope, recipient)
            self._connection.when(asked, lambda answer: self._rcpt_asked(recipient, wish, answer))

    def _refuse_rcpt(
        self,
        recipient: str,
        reply: Reply,
        verdict: Verdict | None = None,
        last: Reply | None = None,
    ) -> None:
        """
        @param last: what ends the session behind the reply.
        """
        score = self._open.score if verdict is None else verdict.total

        def refuse() -> None:
            said = reply.referring(self._open.envelope.trace)
            self._open.refuse(recipient, said, verdict)
            self._connection.reply(said)
            if last is not None:
                self._connection.end(last)

        self._hold_up(score, refuse)

    def _accept_rcpt(self, recipient: Address, wish: RcptParameters | None = None) -> None:
        def accept() -> None:
            self._open.accept(recipient, wish)
            self._connection.send(_RECIPIENT_OK)

        self._hold_up(self._open.score, accept)

    def _hold_up(self, score: float, then: Callable[[], None], within: float = inf) -> None:
        """
        Go on after the wait in the tarpit that C{score} deserves.
        """
        transaction = self._open

        def go_on(seconds: float) -> None:
            transaction.was_held_up(seconds)
            if seconds and self._connection.is_gone:
                transaction.note_that_gone()
            then()

        self._connection.hold_up(score, go_on, within)

    def _rcpt_asked(self, named: Address, wish: RcptParameters, admission: Admission) -> None:
        reply, recipient = admission.reply, admission.recipient
        if not reply.is_positive:
            last = None
            if reply.enhanced == "5.1.1":
                client = self._open.envelope.session.client
                last = self._services.connections.unknown_recipient(client)
            self._refuse_rcpt(str(recipient), reply, last=last)
            return
        transaction = self._open
        if recipient.key != named.key:
            transaction.notes.append(f"{named} is delivered to {recipient}")
            transaction.led.append(str(named))
            if not wish.orcpt and named.is_ascii:
                # RFC 3461 section 5.2.1: who reports of it later says whom the sender meant.
                wish = evolve(wish, orcpt=f"rfc822;{xtext.encode(str(named))}")
            if transaction.knows(recipient):
                self._accept_rcpt(recipient)
                return
        if recipient.belongs_to is not None:
            transaction.notes.append(f"{recipient} belongs to {recipient.owner}")
        judged = transaction.judge.rcpt(recipient)
        self._connection.when(judged, lambda verdict: self._rcpt_judged(recipient, wish, verdict))

    def _rcpt_judged(self, recipient: Address, wish: RcptParameters, verdict: Verdict) -> None:
        if verdict.reply is not None:
            self._refuse_rcpt(str(recipient), verdict.reply, verdict)
            return
        transaction, score = self._open, verdict.total
        if transaction.recipients:
            score = min(score, transaction.score)
        transaction.score = score
        self._accept_rcpt(recipient, wish)

    # -- the message ---------------------------------------------------------------------

    def data(self, argument: str) -> None:
        """
        Let the message come in lines, up to that of a dot.
        """
        transaction = self._transaction
        if argument:
            self._connection.reply(NO_ARGUMENT)
        elif transaction is None:
            self._connection.reply(NO_TRANSACTION)
        elif self._reception is not None:
            self._connection.reply(IN_CHUNKS)
        elif self._connection.has_waiting:
            # RFC 2920 section 3.1: DATA is the last of a group. Whoever does not wait for the 354
            # would have the message run as commands where it does not come.
            self._connection.end(TOO_EARLY.referring(transaction.envelope.trace))
        elif not transaction.recipients:
            self._connection.reply(NO_RECIPIENTS)
        else:
            self._connection.hold_up(transaction.score, self._go_ahead)

    def _go_ahead(self, held_up: float) -> None:
        """
        Let the message come, unless somebody has lost patience during the wait.
        """
        self._open.was_held_up(held_up)
        if self._connection.has_waiting:
            self._connection.end(TOO_EARLY.referring(self._open.envelope.trace))
            return
        if held_up and (self._connection.is_gone or self._connection.is_finishing):
            return
        self._begin_reception(DataReader())
        self.is_receiving = True
        self._connection.send(GO_AHEAD)

    def bdat(self, argument: str) -> None:
        """
        Take a chunk of the message (RFC 3030).
        """
        try:
            size, is_last = parse_bdat(argument)
        except Refused as refused:
            # Nobody knows where the chunk ends, and its content must not be run as commands.
            self._connection.end(refused.reply)
            return
        transaction = self._transaction
        if transaction is None:
            self._pass_over(size, NO_TRANSACTION)
            return
        if not transaction.recipients:
            self._pass_over(size, NO_RECIPIENTS)
            return
        reception = self._reception or self._begin_reception(ChunkReader())
        reception.announce(size, is_last)
        self.is_receiving = True
        if not size:
            self._chunk_received(reception)

    def _begin_reception(self, reader: DataReader | ChunkReader) -> Reception:
        mends = self._listener.mends_line_ends
        spool = self._services.spool
        writer = spool.begin(self._open.judge.reading)
        self._reception = Reception(reader, writer, self.size_limit(), mends)
        self._data_began = self._services.reactor.seconds()
        return self._reception

    def _pass_over(self, size: int, reply: Reply) -> None:
        if size:
            self._skip = _Skip(size, size, reply)
            self._data_began = self._services.reactor.seconds()
            self.is_receiving = True
        else:
            self._connection.reply(reply)

    def receive(self, data: bytes) -> bytes:
        """
        Take bytes of the message.

        @return: those that came behind its end, or behind that of the chunk.
        """
        if self._skip is not None:
            return self._pass(self._skip, data)
        reception = self._reception
        if reception is None:
            raise RuntimeError("no message is being received")
        rest = reception.feed(data)
        writer = reception.backlog
        if writer is not None:
            self._connection.pause("disk")
            writer.when_written().addCallback(lambda _: self._connection.resume("disk"))
        if reception.is_between:
            if reception.size > LARGE:
                self._connection.receive_in_pieces(None)
            self._chunk_received(reception)
        elif reception.size > LARGE:
            self._connection.receive_in_pieces(LARGE_PIECE)
        return rest

    def _pass(self, skip: _Skip, data: bytes) -> bytes:
        rest = data[skip.left :]
        left = skip.left - (len(data) - len(rest))
        if left:
            self._skip = evolve(skip, left=left)
        else:
            self._skip = None
            self.is_receiving = False
            self._connection.reply(skip.reply)
        return rest

    def _chunk_received(self, reception: Reception) -> None:
        """
        Go on behind the dot, or behind a chunk.
        """
        self.is_receiving = False
        problem = reception.problem()
        if problem is not None:
            self._refuse(problem)
        elif not reception.is_finished:
            words = f"{reception.size} bytes so far"
            self._connection.send(Reply(250, "2.0.0", words).encode())
        else:
            seconds = self._services.reactor.seconds() - self._data_began
            self._open.durations["data"] = seconds
            finished = reception.finish()
            if isinstance(finished, Deferred):
                finished.addErrback(self._not_spooled)
            self._connection.when(finished, self._judge_message)

    def _not_spooled(self, failure: Failure) -> Failure | None:
        if not isinstance(failure.value, OSError):
            return failure
        trace = self._open.envelope.trace
        self.log.failure("{event} for {trace}", failure, event="spool.failed", trace=trace)
        self._end(NO_ROOM)
        return None

    def _judge_message(self, spooled: IMessage | None) -> None:
        if spooled is None:
            return
        services, transaction = self._services, self._open
        self._reception = None
        reply = self._measure(spooled)
        if reply is not None:
            transaction.message, transaction.is_unread = spooled, True
            self._refuse(reply)
            return
        ours = fields_of_ours(
            services.hostname, transaction.envelope, transaction.recipients, spooled.headers
        )
        transaction.message = message = spooled.prepend(ours)
        if len(message.headers.values("received")) >= services.limits.hops:
            self._refuse(TOO_MANY_HOPS)
            return
        began = services.reactor.seconds()

        def judged(verdicts: Sequence[Verdict]) -> None:
            transaction.durations["checks"] = services.reactor.seconds() - began
            self._settle(message, verdicts, began)

        self._connection.when(transaction.judge.message(message), judged)

    def _measure(self, message: IMessage) -> Reply | None:
        """
        Say why the header section of a message is not even read.
        """
        limits = self._services.limits
        limit = limits.header_bytes
        head = message.head(limit)
        if message.size > limit and not head.startswith(b"\r\n") and b"\r\n\r\n" not in head:
            return Reply(552, "5.3.4", f"header larger than {limit} bytes")
        if has_more_fields(header_section(message), limits.header_fields):
            return Reply(552, "5.3.4", f"more than {limits.header_fields} header fields")
        return None

    def _settle(self, message: IMessage, verdicts: Sequence[Verdict], began: float) -> None:
        services, transaction = self._services, self._open
        transaction.verdicts.extend(verdicts)
        transaction.settled = verdicts
        transaction.score = min((verdict.total for verdict in verdicts), default=0.0)
        now = services.reactor.seconds()
        within = services.limits.reply_seconds - (now - began)
        is_lmtp = transaction.envelope.session.role == "lmtp"
        alone = self._wants_each and (is_lmtp or len(transaction.recipients) > 1)

        def settled(outcome: Outcome) -> None:
            if self._transaction is not transaction:
                return  # abandoned at the end of the process
            self.is_settling = False
            transaction.durations["delivery"] = services.reactor.seconds() - now
            transaction.notes.extend(outcome.notes)
            if self._connection.is_gone:
                transaction.notes.append(f"client gone, outcome {outcome.reply}")
            if outcome.reply.is_positive:
                # Whoever waits for a 250 may send the message once more (RFC 1047).
                end(outcome)
            else:
                left = services.limits.reply_seconds - (services.reactor.seconds() - began)
                self._hold_up(transaction.score, lambda: end(outcome), left)

        def end(outcome: Outcome) -> None:
            if outcome.replies:
                self._end_apart(outcome, is_lmtp)
            else:
                self._end(outcome.reply, outcome.copies)

        self.is_settling = True
        envelope = transaction.envelope
        if transaction.wishes:
            envelope = evolve(envelope, wishes=transaction.wishes)
        dispatching = services.dispatcher.dispatch(envelope, message, verdicts, within, alone)
        self._connection.when(dispatching, settled)

    # -- the end -------------------------------------------------------------------------

    def _end(self, reply: Reply, copies: tuple[Copy, ...] | None = None) -> None:
        """
        End the transaction with its last reply.
        """
        if not reply.is_positive:
            reply = reply.referring(self._open.envelope.trace)
        self._conclude(reply, copies)
        if reply.is_positive:
            self._connection.forgive()
        self._connection.reply(reply)

    def _refuse(self, reply: Reply) -> None:
        """
        End the transaction with a reply that speaks against the client.
        """
        self._hold_up(self._open.score, lambda: self._end(reply))

    def _end_apart(self, outcome: Outcome, is_lmtp: bool) -> None:
        """
        End the transaction with a reply for each recipient, in the order of RCPT.

        For LMTP (RFC 2033 section 4.2) one for each RCPT that was accepted, also of somebody who
        was named twice. For PRDR only where they differ, between a 353 and a last one.
        """
        transaction = self._open
        trace = transaction.envelope.trace
        by_key = {
            recipient.key: reply if reply.is_positive else reply.referring(trace)
            for recipient, reply in zip(
                (r for verdict in transaction.settled for r in verdict.recipients),
                outcome.replies,
                strict=True,
            )
        }
        replies = [by_key[recipient.key] for recipient in transaction.named]
        last = outcome.reply if outcome.reply.is_positive else outcome.reply.referring(trace)
        self._conclude(last, outcome.copies)
        if last.is_positive:
            self._connection.forgive()
        if is_lmtp:
            self._connection.send(b"".join(reply.encode() for reply in replies))
        elif len(set(replies)) == 1:
            self._connection.reply(replies[0])
        else:
            each = b"".join(reply.encode() for reply in replies)
            self._connection.send(REPLIES_FOLLOW + each + last.encode())

    def forget(self) -> None:
        """
        Forget the transaction that is open, if there is one; it is recorded.
        """
        if self._transaction is not None:
            self._conclude(None)

    def lost(self) -> None:
        """
        The client is gone: leave nothing but a message that is being settled.
        """
        self._skip = None
        if self._transaction is not None and not self.is_settling:
            self._transaction.note_that_gone()
            self._conclude(None)

    def ends(self, reply: Reply) -> None:
        """
        The connection ends with C{reply} while a transaction is open.
        """
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

    def failed(self, failure: Failure) -> bool:
        """
        Something that was waited for failed.

        @return: whether it belonged to a transaction, which has ended now.
        """
        self.is_settling = False
        if self._transaction is None:
            return False
        if self._connection.is_gone and isinstance(failure.value, CancelledError):
            self._transaction.note_that_gone()
            self._conclude(None)
        elif self.is_receiving:
            # The rest of the message would be run as commands.
            self._connection.end(BROKEN_OFF.referring(self._open.envelope.trace))
        else:
            self._end(LOCAL_ERROR)
        return True

    def _conclude(self, reply: Reply | None, copies: tuple[Copy, ...] | None = None) -> None:
        """
        Write the record of the transaction, and forget it.
        """
        transaction, reception = self._open, self._reception
        self._transaction = self._reception = None
        self.is_receiving = False
        transaction.judge.close()
        heard = None if self._connection.is_gone else reply
        self._record(transaction.record(self._services.reactor.seconds(), heard, copies))
        if reception is not None:
            reception.abandon()
        if transaction.message is not None and not self.is_settling:
            transaction.message.close()

    def _record(self, record: Record) -> None:
        record_safely(self._services.hub, record, self.log)


def record_safely(hub: IHub, record: Record, log: Logger) -> None:
    """
    Note how something ended. Where that fails the client has its reply all the same: without it
    the sender would send a settled message once more.
    """
    try:
        hub.record(record)
    except Exception:
        log.failure("{event} of {trace}", event="trace.failed", trace=record.trace)
