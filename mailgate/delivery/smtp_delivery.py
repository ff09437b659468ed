"""
An upstream that is a mail server, reached by SMTP or LMTP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from zope.interface import implementer

from mailgate.config.delivery import ClientTold, SmtpUpstream
from mailgate.config.secret import read_secret
from mailgate.delivery.answer import NO_TIME, QUESTION_SECONDS
from mailgate.delivery.endpoint import make_endpoint
from mailgate.delivery.introduction import impersonated
from mailgate.delivery.opening import Opening
from mailgate.delivery.pool import Pool
from mailgate.delivery.sasl import LogIn
from mailgate.delivery.tls import Experience, TlsDemand
from mailgate.delivery.transaction import Transaction
from mailgate.interfaces import Capabilities, IDelivery, IMessage, IThreads, Load
from mailgate.message.envelope import Envelope
from mailgate.reply import Reply
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address

_AT_ONCE = ImmediateThreads()


@implementer(IDelivery)
class SmtpDelivery:
    """
    Hands messages over to one mail server.

    Every delivery is bounded: waiting for a connection by C{reply_seconds}, connecting,
    greeting, EHLO, TLS and log-in by C{connect_seconds} each, MAIL to DATA, each chunk of the
    message and the reply to the dot by C{reply_seconds} each, and all of it by C{within}.
    """

    def __init__(
        self,
        name: str,
        settings: SmtpUpstream,
        hostname: str,
        reactor: Any,
        endpoint: IStreamClientEndpoint | None = None,
        threads: IThreads = _AT_ONCE,
    ) -> None:
        """
        Read the files that the settings name, which blocks.

        @param hostname: what we call ourselves there.
        @param reactor: connects and keeps time.
        @param endpoint: where to connect to, if not to what the settings name.
        @param threads: where a password is hashed.
        @raise OSError: a file cannot be read.
        @raise ValueError: it cannot be used.
        """
        self.name = name
        self._clock: IReactorTime = reactor
        self._reply_seconds = settings.reply_seconds
        self._is_by_client = settings.tell_client is ClientTold.XCLIENT
        endpoint = endpoint or make_endpoint(
            reactor,
            settings.host,
            settings.usual_port,
            settings.connect_seconds,
            settings.source_address,
        )
        opening = _opening(name, settings, hostname, reactor.seconds, threads)
        self._pool = Pool(name, endpoint, reactor, opening, settings)

    @property
    def capabilities(self) -> Capabilities:
        """
        What the server offered at its last EHLO.
        """
        return self._pool.capabilities

    @property
    def failures(self) -> int:
        """
        Failures in a row. A refusal is none: the server works.
        """
        return self._pool.failures

    @property
    def is_open(self) -> bool:
        """
        Whether nothing is sent there for the moment, as connecting has failed too often.
        """
        return self._pool.breaker.is_open

    @property
    def load(self) -> Load:
        """
        How busy its connections are.
        """
        return self._pool.load

    def probe(self) -> Deferred[None]:
        """
        See that the server's EHLO is known. An open connection has it already.
        """
        return self._pool.probe()

    def verify(self, sender: Address, recipient: Address) -> Deferred[Reply]:
        """
        Ask with MAIL, RCPT and RSET whether it would take mail for C{recipient}.

        @return: its reply to RCPT, or that to MAIL where it refuses the sender; 451 4.4.1 for
            anything else.
        """
        transaction = Transaction(sender, (recipient,))
        return self._begin(transaction, QUESTION_SECONDS).addCallback(_only)

    def deliver(
        self,
        envelope: Envelope,
        recipients: Sequence[Address],
        message: IMessage,
        within: float | None = None,
    ) -> Deferred[Sequence[Reply]]:
        """
        Hand the message over; see L{IDelivery.deliver}.
        """
        client = impersonated(envelope.session) if self._is_by_client else None
        transaction = Transaction(envelope.sender, recipients, message, envelope, client)
        return self._begin(transaction, within)

    def close(self) -> Deferred[None]:
        """
        End idle connections and wait for the busy ones.
        """
        return self._pool.close()

    def _begin(self, transaction: Transaction, within: float | None) -> Deferred[Sequence[Reply]]:
        now = self._clock.seconds()
        transaction.deadline = inf if within is None else now + within
        transaction.wait_until = min(transaction.deadline, now + self._reply_seconds)
        refusal = transaction.prepare()
        if refusal is None and transaction.deadline <= now:
            refusal = NO_TIME
        if refusal is not None:
            transaction.end_all(refusal)
        else:
            self._pool.run(transaction)
        return transaction.answer


def _opening(
    name: str,
    settings: SmtpUpstream,
    hostname: str,
    seconds: Callable[[], float],
    threads: IThreads,
) -> Opening:
    log_in = None
    if settings.user is not None and settings.password_file is not None:
        log_in = LogIn(settings.user, read_secret(settings.password_file), threads)
    return Opening(
        hostname,
        TlsDemand.of(settings),
        log_in,
        settings.kind == "lmtp",
        Experience(name, seconds),
    )


def _only(replies: Sequence[Reply]) -> Reply:
    return replies[0]
