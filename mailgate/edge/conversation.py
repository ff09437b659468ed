"""
What a session says besides its mail: RFC 5321 with PIPELINING (RFC 2920), ENHANCEDSTATUSCODES
(RFC 2034), STARTTLS (RFC 3207) and LIMITS (RFC 9422); LHLO in its place for LMTP (RFC 2033).

Each verb is a method. The verbs of a transaction are in L{mailgate.edge.mailing}, the grammar in
L{mailgate.wire.smtp}.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.model import PEOPLE, ClientCertificate, Listener, Role
from mailgate.config.values import parse_network
from mailgate.edge.auth import LOGGED_IN, LogIn, Progress
from mailgate.edge.mailing import LOCAL_ERROR, NO_ARGUMENT, Mailing, Services, record_safely
from mailgate.edge.sasl import Challenge
from mailgate.interfaces import Account, ISessionJudge, MaybeDeferred
from mailgate.message.envelope import Session, new_id
from mailgate.message.record import Record
from mailgate.reply import Reply
from mailgate.verdict import Verdict
from mailgate.wire.network import Network, address_of, is_within
from mailgate.wire.smtp import Refused, parse_command, parse_greeting
from mailgate.wire.xclient import XCLIENT_NAMES, XFORWARD_NAMES, parse_xclient, parse_xforward

if TYPE_CHECKING:
    from mailgate.edge.smtp import SmtpServer

OK = Reply(250, "2.0.0", "ok").encode()
READY_FOR_TLS = Reply(220, "2.0.0", "ready for TLS").encode()
BYE = Reply(221, "2.0.0", "bye").encode()
CANNOT_VERIFY = Reply(252, "2.1.5", "send some mail, it will be tried").encode()
SAY_HELLO = Reply(503, "5.5.1", "say EHLO first")
UNKNOWN = Reply(500, "5.5.2", "command not recognised")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "command not implemented")
IS_SECURE = Reply(503, "5.5.1", "TLS is on already")
INJECTED = Reply(554, "5.5.1", "nothing may follow STARTTLS before the handshake")
IN_TRANSACTION = Reply(503, "5.5.1", "not within a transaction")
OUT_OF_TURN = Reply(554, "5.5.0", "a command must wait for the reply to the one before it")
NOT_SMTP = Reply(554, "5.5.1", "this is a mail server")
IDLING = Reply(421, "4.7.0", "too many commands without mail")
NOT_FOR_YOU = Reply(554, "5.7.1", "this listener is not for your network")
TLS_FIRST = Reply(538, "5.7.11", "say STARTTLS first")
LOGGED_IN_ALREADY = Reply(503, "5.5.1", "you have logged in already")
CERTIFICATE_FIRST = Reply(530, "5.7.0", "say STARTTLS first, and show a certificate")
NO_CERTIFICATE = Reply(
    554, "5.7.0", "a certificate is required, of an authority that is known here"
)
LOG_IN_FIRST = Reply(530, "5.7.0", "log in first")

OTHER_PROTOCOLS = frozenset(
    (
        "GET",
        "POST",
        "PUT",
        "HEAD",
        "OPTIONS",
        "CONNECT",
        "DELETE",
        "PATCH",
        "TRACE",
        "PRI",
        "INVITE",
    )
)
"""Verbs of HTTP (C{PRI} of HTTP/2) and SIP: a browser may be made to speak to a mail server."""

LOOPBACK = (parse_network("127.0.0.0/8"), parse_network("::1"))
IDLE_COMMANDS = frozenset(("NOOP", "RSET", "VRFY", "EXPN", "HELP", "EHLO", "HELO", "LHLO", "AUTH"))
"""Commands that bring nothing forward."""


_USUAL_COMMANDS = 10
_LOG_INS = 20
"""Failed log-ins of a session that its record tells one by one."""
_NONE: frozenset[str] = frozenset()


@define
class _Failures:
    """
    The log-ins of a session that failed, until its record tells of them.
    """

    last: Reply
    """What the last of them was answered with."""

    _notes: list[str] = field(factory=list)
    _more: int = 0

    def note(self, account: str, reply: Reply) -> None:
        """
        Keep how a log-in was answered.
        """
        self.last = reply
        if len(self._notes) < _LOG_INS:
            who = f" as {account}" if account else ""
            self._notes.append(f"log-in{who} failed: {reply}")
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        """
        Give them in words.
        """
        more = (f"{self._more} more log-ins failed",) if self._more else ()
        return (*self._notes, *more)


class Conversation:
    """
    One session: what was said, and what is answered.
    """

    log = Logger()

    # Without dictionaries: thousands of sessions may stand idle.
    __slots__ = (
        "_account",
        "_connection",
        "_failures",
        "_forwarded",
        "_idle_commands",
        "_internal",
        "_is_let_in",
        "_is_lmtp",
        "_judge",
        "_kept_waiting",
        "_listener",
        "_log_in",
        "_needs_certificate",
        "_offered",
        "_services",
        "_trusted",
        "mailing",
        "may_be_held_up",
        "session",
        "tls",
    )

    def __init__(self, services: Services, listener: Listener, connection: SmtpServer) -> None:
        self._services = services
        self._listener = listener
        self._connection = connection
        self._is_lmtp = listener.role is Role.LMTP
        self._internal = networks(listener.networks)
        self._kept_waiting = networks(listener.greet_wait_networks)
        self._trusted = networks(listener.xclient_networks)
        self._judge: ISessionJudge
        self._offered = _NONE
        self._idle_commands = 0
        self._log_in: LogIn | None = None
        self._account: Account | None = None
        self._failures: _Failures | None = None
        self._forwarded = ""
        self._is_let_in = False  # by the rights of a Unix socket's file
        self.tls = ""
        """As in the session, where TLS began before it."""

        # Where TLS comes first, the handshake has seen to it.
        self._needs_certificate = (
            listener.client_certificate is ClientCertificate.REQUIRE
            and listener.role is not Role.SUBMISSIONS
        )
        self.may_be_held_up = False
        """
        Whether the tarpit is for this client: never for this machine, trusted networks and people
        who log in.
        """

        self.mailing = Mailing(services, listener, connection)
        self.session: Session
        """What is known of the client."""

    # -- what the connection tells -------------------------------------------------------

    def begin(self, client: str, port: int, local: str, refusal: Reply | None = None) -> None:
        """
        Judge a new connection, then greet it.

        @param client: the client's address.
        @param local: the address of ours that it has connected to; C{""} for a Unix socket.
        @param refusal: what to say instead, where there is no room for it.
        """
        services = self._services
        self._is_let_in = not local
        self.session = Session(
            id=new_id(),
            listener=self._listener.name,
            role=self._listener.role.value,
            client=client,
            port=port,
            started=services.wall_clock(),
            local=local,
            tls=self.tls,
        )
        # By who has connected, whoever it speaks for later (XCLIENT).
        self.may_be_held_up = self._listener.role is Role.MX and not self._is_trusted(
            (*LOOPBACK, *networks(services.limits.clients.exempt_networks), *self._trusted)
        )
        self._judge = services.pipeline.open(self.session)
        if refusal is not None:
            self._connection.end(refusal)
        else:
            self._look_at_client()

    def _look_at_client(self) -> None:
        if self._listener.role is Role.INTERNAL and not self._is_trusted(self._internal):
            self._connection.end(NOT_FOR_YOU)
        else:
            self._connection.when(self._judge.connected(), self._connected)

    def _is_trusted(self, networks: Sequence[Network]) -> bool:
        """
        Tell whether the client lies in networks that are trusted, or has come through a Unix
        socket.
        """
        return self._is_let_in or self._is_within(networks)

    def _is_within(self, networks: Sequence[Network]) -> bool:
        address = address_of(self.session.client)
        return address is not None and is_within(address, networks)

    def _refuse(self, reply: Reply, verdict: Verdict, closes: bool) -> None:
        """
        Turn the client away, outside of a transaction.
        """

        def refuse(seconds: float) -> None:
            heard = None if self._connection.is_gone else reply
            self._record_session(heard, verdict, held_up=seconds)
            self._connection.reply(reply)
            if closes:
                self._connection.close()

        self._connection.hold_up(verdict.total, refuse)

    def _connected(self, verdict: Verdict) -> None:
        if verdict.reply is not None:
            self._refuse(verdict.reply, verdict, closes=True)
            return
        seconds = self._listener.greet_wait
        if seconds and self._is_within(self._kept_waiting):
            waited = deferLater(self._services.reactor, seconds, _nothing)
            self._connection.when(waited, self._greet)
        else:
            self._greet()

    def _greet(self, _: None = None) -> None:
        if self._connection.has_waiting:
            self._connection.end(OUT_OF_TURN)
        else:
            protocol = "LMTP" if self._is_lmtp else "ESMTP"
            greeting = Reply(220, "", f"{self._services.hostname} {protocol} mailgate")
            self._connection.send(greeting.encode())

    def secured(self, tls: str, has_certificate: bool = False) -> None:
        """
        TLS is on.

        @param tls: version, cipher, and whom the client's certificate is for.
        @param has_certificate: whether the client has shown one that can be trusted.
        """
        self.session = evolve(self.session, tls=tls)
        if has_certificate:
            self._needs_certificate = False
        elif self._needs_certificate:
            self._record_session(NO_CERTIFICATE)

    def lost(self) -> None:
        """
        The client is gone: cancel checks, but leave a message alone that is being settled.
        """
        self.mailing.lost()
        self._judge.close()
        if self._failures is not None and not self.session.account:
            # It has sent nothing, so that no transaction tells of it.
            self._record_session(self._failures.last)

    def ends(self, reply: Reply) -> None:
        """
        The connection ends with C{reply}, whatever the client wanted.
        """
        if self.mailing.is_idle:
            self._record_session(reply)
        else:
            self.mailing.ends(reply)

    def failed(self, failure: Failure) -> None:
        """
        Something that was waited for failed: the client shall come again, and the operator
        shall hear of it.
        """
        is_over = self._connection.is_gone and isinstance(failure.value, CancelledError)
        if not is_over:
            self.log.failure(
                "{event} in session {session}",
                failure,
                event="session.failed",
                session=self.session.id,
            )
        if not (self.mailing.failed(failure) or is_over):
            self._connection.reply(LOCAL_ERROR)

    @property
    def is_logging_in(self) -> bool:
        """
        Tell whether the next line answers a challenge of AUTH.
        """
        return self._log_in is not None

    def answer(self, line: bytes) -> None:
        """
        Take the answer to a challenge.
        """
        log_in = self._log_in
        if log_in is None:
            raise RuntimeError("nobody is logging in")
        self._wait_for(log_in, log_in.respond(line))

    def drop_log_in(self) -> None:
        """
        Forget a log-in that is under way: its client has broken off, or said too much.
        """
        self._log_in = None

    def execute(self, line: bytes) -> None:
        """
        Carry out one command line.
        """
        try:
            command = parse_command(line, "SMTPUTF8" in self._offered)
            verb = command.verb
            if verb in IDLE_COMMANDS:
                self._idle_commands += 1
                if self._is_idling():
                    return
            elif verb in OTHER_PROTOCOLS:
                self._connection.end(NOT_SMTP)
                return
            act = self._verbs.get(verb)
            if self._needs_certificate and self.session.tls and verb != "QUIT":
                # RFC 3207 section 4.1
                self._connection.reply(NO_CERTIFICATE)
            elif act is None:
                self._connection.reply(UNKNOWN)
            else:
                act(self, command.argument)
        except Refused as refused:
            self._connection.reply(refused.reply)

    def _is_idling(self) -> bool:
        """
        End a session with too many commands that bring nothing forward; tell whether it has.

        Some belong to every message; those are not held against the client.
        """
        refusal = None
        if self._idle_commands > self._services.limits.idle_commands:
            refusal = IDLING
        elif self._idle_commands > _USUAL_COMMANDS:
            refusal = self._services.connections.junk_command(self.session.client)
        if refusal is not None:
            self._connection.end(refusal)
        return refusal is not None

    def forgive(self) -> None:
        """
        Forget the idle commands so far: the client has sent a message that was accepted.
        """
        self._idle_commands = 0

    # -- the session ---------------------------------------------------------------------

    def _helo(self, argument: str) -> None:
        if self._is_lmtp:
            self._connection.reply(UNKNOWN)
        else:
            self._hello(argument, is_esmtp=False)

    def _ehlo(self, argument: str) -> None:
        if self._is_lmtp:
            self._connection.reply(UNKNOWN)
        else:
            self._hello(argument, is_esmtp=True)

    def _lhlo(self, argument: str) -> None:
        if self._is_lmtp:
            self._hello(argument, is_esmtp=True)
        else:
            self._connection.reply(UNKNOWN)

    def _hello(self, argument: str, is_esmtp: bool) -> None:
        name = parse_greeting(argument)
        if self._connection.has_waiting:
            # RFC 2920 section 3.1: what is offered is not known before the reply.
            self._connection.end(OUT_OF_TURN)
            return
        self.mailing.forget()
        session = evolve(self.session, helo=name, is_esmtp=is_esmtp)

        def judged(verdict: Verdict) -> None:
            if verdict.reply is not None:
                self._refuse(verdict.reply, verdict, closes=False)
                return
            self.session = session
            lines = self._extensions() if is_esmtp else []
            self._offered = frozenset(line.partition(" ")[0] for line in lines)
            answer = Reply(250, "", "\n".join((self._services.hostname, *lines)))
            self._connection.send(answer.encode())

        self.session = evolve(self.session, helo="", is_esmtp=False)
        self._offered = _NONE
        self._connection.when(self._judge.greeted(session), judged)

    def _extensions(self) -> list[str]:
        """
        Give what may be used: what is ours alone, and what all routes can take.
        """
        routes = self._services.recipients.offers().extensions
        if self.session.is_trusted:
            # What is queued here is told of by ourselves, where nobody behind us does.
            routes |= {"DSN"}
        lines = ["PIPELINING", f"SIZE {self.mailing.size_limit()}", "ENHANCEDSTATUSCODES"]
        lines += ["CHUNKING", f"LIMITS RCPTMAX={self._services.limits.recipients}"]
        lines += [each for each in ("8BITMIME", "SMTPUTF8", "DSN") if each in routes]
        if not self._is_lmtp:
            lines.append("PRDR")
        if self._services.tls is not None and not self.session.tls:
            lines.append("STARTTLS")
        if self._may_log_in and self._services.authentication is not None:
            lines.append(f"AUTH {' '.join(self._services.authentication.mechanisms())}")
        if self._is_proxy:
            lines += [
                f"XCLIENT {' '.join(XCLIENT_NAMES)}",
                f"XFORWARD {' '.join(XFORWARD_NAMES)}",
            ]
        return lines

    def _record_session(
        self, reply: Reply | None, *verdicts: Verdict, held_up: float = 0.0
    ) -> None:
        """
        Record that the client was turned away outside of a transaction, and how it tried to log in.

        @param reply: what it was told, or C{None} where it was gone by then.
        @param held_up: for how many seconds it has waited in the tarpit.
        """
        session = self.session
        failures, self._failures = self._failures, None
        record = Record(
            trace=session.id,
            session=session,
            started=session.started,
            seconds=self._services.reactor.seconds() - self._connection.began,
            reply="" if reply is None else str(reply),
            verdicts=verdicts,
            durations={"tarpit": held_up} if held_up else {},
            notes=() if failures is None else failures.told(),
        )
        record_safely(self._services.hub, record, self.log)

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
        elif self.mailing.is_in_chunks:
            self._connection.reply(IN_TRANSACTION)
        elif (refusal := self._connection.prepare_tls()) is not None:
            self._connection.reply(refusal)
        else:
            self.mailing.forget()
            self._forwarded = ""
            self.session = evolve(self.session, helo="", is_esmtp=False)
            self._offered = _NONE
            self._connection.send(READY_FOR_TLS)
            self._connection.start_tls()

    # -- logging in ----------------------------------------------------------------------

    @property
    def _may_log_in(self) -> bool:
        """
        Tell whether AUTH is offered: for people, and never in the clear.
        """
        return (
            self._listener.role in PEOPLE
            and bool(self.session.tls)
            and self._account is None
            and self._services.authentication is not None
        )

    def _auth(self, argument: str) -> None:
        authentication = self._services.authentication
        if self._account is not None:
            self._connection.reply(LOGGED_IN_ALREADY)
        elif self._listener.role not in PEOPLE or authentication is None:
            self._connection.reply(NOT_IMPLEMENTED)
        elif not self.session.tls:
            self._connection.reply(TLS_FIRST)
        elif not self.session.helo:
            self._connection.reply(SAY_HELLO)
        elif not self.mailing.is_idle:
            self._connection.reply(IN_TRANSACTION)
        elif self._connection.has_waiting:
            self._connection.end(OUT_OF_TURN)
        else:
            log_in = authentication.begin(self.session.client, self.session.id)
            self._wait_for(log_in, log_in.start(argument))

    def _wait_for(self, log_in: LogIn, progress: MaybeDeferred[Progress]) -> None:
        def go_on(step: Progress) -> None:
            self._go_on(log_in, step)

        if isinstance(progress, Deferred):
            self._connection.when(progress, go_on)
        else:
            go_on(progress)

    def _go_on(self, log_in: LogIn, progress: Progress) -> None:
        self._log_in = None
        if isinstance(progress, Challenge):
            self._log_in = log_in
            self._connection.send(progress.encode())
        elif isinstance(progress, Account):
            self._account = progress
            self.session = evolve(self.session, account=progress.name)
            self._connection.send(LOGGED_IN.encode())
        else:
            if self._failures is None:
                self._failures = _Failures(progress)
            self._failures.note(log_in.account, progress)
            self._connection.reply(progress)

    # -- what trusted clients tell -------------------------------------------------------

    def _xclient(self, argument: str) -> None:
        if not self._is_proxy:
            self._connection.reply(UNKNOWN)
        elif not self.mailing.is_idle:
            self._connection.reply(IN_TRANSACTION)
        else:
            said = parse_xclient(argument)
            session = self.session
            self._is_let_in = False
            self._account = None
            self._judge.close()
            self.session = evolve(
                session,
                client=said.addr or session.client,
                port=said.port or session.port,
                helo="",
                is_esmtp=False,
                account=said.login or "",
            )
            self._offered = _NONE
            self._judge = self._services.pipeline.open(self.session)
            self._look_at_client()

    def _xforward(self, argument: str) -> None:
        if not self._is_proxy:
            self._connection.reply(UNKNOWN)
        elif not self.mailing.is_idle:
            self._connection.reply(IN_TRANSACTION)
        else:
            said = parse_xforward(argument)
            names = ("addr", "name", "helo", "proto", "ident")
            told = [f"{name} {value}" for name in names if (value := getattr(said, name))]
            self._forwarded = f"forwarded for {', '.join(told)}" if told else ""
            self._connection.send(OK)

    @property
    def _is_proxy(self) -> bool:
        return bool(self._trusted) and self._is_trusted(self._trusted)

    # -- mail ----------------------------------------------------------------------------

    def _mail(self, argument: str) -> None:
        if not self.session.helo:
            self._connection.reply(SAY_HELLO)
        elif self._needs_certificate:
            self.mailing.refuse_mail(self.session, argument, CERTIFICATE_FIRST)
        elif self._listener.role in PEOPLE and not self.session.account:
            self.mailing.refuse_mail(self.session, argument, LOG_IN_FIRST)
        else:
            notes = [self._forwarded] if self._forwarded else []
            self.mailing.mail(
                self.session, self._judge, argument, self._offered, self._account, notes
            )

    def _rcpt(self, argument: str) -> None:
        self.mailing.rcpt(argument, self._offered)

    def _data(self, argument: str) -> None:
        self.mailing.data(argument)

    def _bdat(self, argument: str) -> None:
        self.mailing.bdat(argument)

    # -- the rest ------------------------------------------------------------------------

    def _rset(self, argument: str) -> None:
        if argument:
            self._connection.reply(NO_ARGUMENT)
        else:
            self.mailing.forget()
            self._connection.send(OK)

    def _noop(self, argument: str) -> None:
        self._connection.send(OK)

    def _vrfy(self, argument: str) -> None:
        self._connection.send(CANNOT_VERIFY)

    def _expn(self, argument: str) -> None:
        self._connection.reply(NOT_IMPLEMENTED)

    def _help(self, argument: str) -> None:
        words = " ".join(verb for verb in self._verbs if not verb.startswith("X"))
        self._connection.send(Reply(214, "2.0.0", f"{words} (RFC 5321)").encode())

    def _quit(self, argument: str) -> None:
        if argument:
            self._connection.reply(NO_ARGUMENT)
        else:
            self.mailing.forget()
            self._connection.send(BYE)
            self._connection.close()

    _verbs = {
        "HELO": _helo,
        "EHLO": _ehlo,
        "LHLO": _lhlo,
        "STARTTLS": _starttls,
        "MAIL": _mail,
        "RCPT": _rcpt,
        "AUTH": _auth,
        "XCLIENT": _xclient,
        "XFORWARD": _xforward,
        "DATA": _data,
        "BDAT": _bdat,
        "RSET": _rset,
        "NOOP": _noop,
        "VRFY": _vrfy,
        "EXPN": _expn,
        "HELP": _help,
        "QUIT": _quit,
    }


@cache
def networks(written: tuple[str, ...]) -> tuple[Network, ...]:
    """
    Read the networks of a listener, once for all its sessions.
    """
    return tuple(map(parse_network, written))


def _nothing() -> None:
    """
    Only let time pass.
    """
