"""
A mail server as upstream, by a small pool of connections that are used again and again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.model import SmtpUpstream
from mailgate.delivery.answer import is_unknown, not_reached
from mailgate.delivery.deadline import Deadline
from mailgate.delivery.smtp import SmtpClient
from mailgate.delivery.transaction import Transaction
from mailgate.interfaces import Capabilities, IDelivery, IMessage
from mailgate.message.envelope import Envelope
from mailgate.reply import Reply
from mailgate.wire.address import Address


@implementer(IDelivery)
class SmtpDelivery:
    """
    An upstream that speaks SMTP.

    A transaction runs on an idle connection, else on a new one as long as there are fewer than
    C{connections}, else it waits its turn. One that finds its connection broken before the
    upstream's 354 is repeated once on a new connection; after it never, since the upstream may
    have the message.
    """

    log = Logger()

    def __init__(self, name: str, settings: SmtpUpstream, hostname: str, reactor: Any) -> None:
        """
        @param hostname: what we call ourselves.
        @param reactor: connects and keeps time.
        """
        self.name = name
        self.capabilities = Capabilities()
        self.failures = 0
        self._settings = settings
        self._hostname = hostname
        self._reactor = reactor
        self._endpoint = HostnameEndpoint(
            reactor, settings.host, settings.port, timeout=settings.connect_seconds
        )
        self._waiting: deque[Transaction] = deque()
        self._idle: list[SmtpClient] = []
        self._open: set[SmtpClient] = set()  # those that are still connecting among them
        self._probes: list[Deferred[None]] = []
        self._is_closing = False
        self._closed: list[Deferred[None]] = []
        self._patience = Deadline(reactor, self._end_patience)
        self._age = Deadline(reactor, self._end_idle)

    # -- IDelivery ----------------------------------------------------------------------

    def probe(self) -> Deferred[None]:
        """
        Ask what it can take, on a connection of its own that is kept for later.
        """
        probed: Deferred[None] = Deferred()
        self._probes.append(probed)
        if not self._coming():
            self._connect()
        return probed

    def verify(self, sender: Address, recipient: Address) -> Deferred[Reply]:
        """
        Ask whether it would take mail for C{recipient}, by MAIL, RCPT and RSET.
        """
        question = Transaction(sender, (recipient,))
        answer = self._run(question)
        return answer.addCallback(lambda replies: replies[0])

    def deliver(
        self,
        envelope: Envelope,
        recipients: Sequence[Address],
        message: IMessage,
        within: float | None = None,
    ) -> Deferred[Sequence[Reply]]:
        """
        Hand the message over, in one transaction.
        """
        transaction = Transaction(envelope.sender, recipients, message, envelope.body)
        return self._run(transaction, within)

    def close(self) -> Deferred[None]:
        """
        End idle connections and wait for the busy ones.
        """
        self._is_closing = True
        self._patience.stop()
        self._age.stop()
        while self._waiting:
            self._waiting.popleft().refuse(not_reached("shutting down"))
        idle, self._idle = self._idle, []
        for client in idle:
            client.quit()
        if not self._open:
            return succeed(None)
        closed: Deferred[None] = Deferred()
        self._closed.append(closed)
        return closed

    # -- transactions -------------------------------------------------------------------

    def _run(
        self, transaction: Transaction, within: float | None = None
    ) -> Deferred[Sequence[Reply]]:
        refusal = transaction.prepare()
        if refusal is not None:
            transaction.end_all(refusal)
        elif self._is_closing:
            transaction.refuse(not_reached("shutting down"))
        else:
            now = self._reactor.seconds()
            transaction.wait_until = now + self._settings.connect_seconds
            if within is not None:
                transaction.deadline = now + within
                transaction.wait_until = min(transaction.wait_until, transaction.deadline)
            self._place(transaction)
        return transaction.answer

    def _place(self, transaction: Transaction) -> None:
        """
        Give a transaction a connection, or let it wait for one.
        """
        if self._idle:
            # The one used last: the others grow old and are closed when there is little to do.
            self._begin(self._idle.pop(), transaction)
            return
        transaction.holder = self
        self._waiting.append(transaction)
        self._patience.advance(transaction.wait_until)
        self._connect_as_needed()

    def _begin(self, client: SmtpClient, transaction: Transaction) -> None:
        transaction.holder = None
        if not client.begin(transaction):
            self.client_ready(client)

    def drop(self, transaction: Transaction) -> None:
        """
        Forget a transaction that waits.
        """
        self._waiting.remove(transaction)

    def _end_patience(self) -> None:
        """
        Answer those who have waited too long for a connection.
        """
        now = self._reactor.seconds()
        late = [each for each in self._waiting if each.wait_until <= now]
        for transaction in late:
            self._waiting.remove(transaction)
            transaction.refuse(not_reached("no connection in time"))
        if self._waiting:
            self._patience.set(min(each.wait_until for each in self._waiting))

    # -- connections --------------------------------------------------------------------

    def _coming(self) -> int:
        """
        Count the connections that will be able to take a transaction soon.
        """
        return sum(not client.is_ready for client in self._open)

    def _connect_as_needed(self) -> None:
        """
        Connect for those who wait, as far as the upstream is to have more connections.
        """
        room = self._settings.connections - len(self._open)
        for _ in range(min(room, len(self._waiting) - self._coming())):
            self._connect()

    def _connect(self) -> None:
        settings = self._settings
        client = SmtpClient(
            self,
            self._reactor,
            self._hostname,
            settings.connect_seconds,
            settings.reply_seconds,
        )
        self._open.add(client)
        connecting: Deferred[Any] = connectProtocol(self._endpoint, client)
        connecting.addErrback(self._not_connected, client)

    def _not_connected(self, failure: Failure, client: SmtpClient) -> None:
        self._open.discard(client)
        self._has_failed(not_reached(failure.getErrorMessage()))

    def client_ready(self, client: SmtpClient) -> None:
        """
        Use a connection for what waits longest, or keep it.
        """
        self.failures = 0
        self.capabilities = client.capabilities
        self._answer_probes()
        if client.transactions >= self._settings.transactions or (
            self._is_closing and not self._waiting
        ):
            client.quit()
            return
        while self._waiting:
            transaction = self._waiting.popleft()
            transaction.holder = None
            if client.begin(transaction):
                return
        now = self._reactor.seconds()
        client.idle_since = now
        self._idle.append(client)
        if len(self._idle) == 1:
            self._age.set(now + self._settings.idle_seconds)

    def client_closed(
        self, client: SmtpClient, reply: Reply, transaction: Transaction | None, repeat: bool
    ) -> None:
        """
        Repeat what ran on a connection that has gone, or answer for it.
        """
        was_ready = client.is_ready
        self._open.discard(client)
        if client in self._idle:
            self._idle.remove(client)
        if transaction is not None:
            if repeat and not transaction.is_repeat and not self._is_closing:
                transaction.is_repeat = True
                self._repeat(transaction)
            else:
                self._note_failure(reply)
                if is_unknown(reply):
                    transaction.end_all(reply)
                else:
                    transaction.refuse(reply)
        elif not was_ready:
            self._has_failed(reply)
        self._connect_as_needed()
        self._tell_closed()

    def _repeat(self, transaction: Transaction) -> None:
        """
        Run a transaction on a new connection: the idle ones are likely as dead as its own.
        """
        transaction.holder = self
        self._waiting.appendleft(transaction)
        idle, self._idle = self._idle, []
        for client in idle:
            client.quit()
        self._connect()

    def _has_failed(self, reply: Reply) -> None:
        """
        A connection did not come to be: nobody waits for what is not there.
        """
        self._note_failure(reply)
        self._answer_probes()
        if not self._open:
            waiting, self._waiting = self._waiting, deque()
            for transaction in waiting:
                transaction.refuse(reply)
        self._tell_closed()

    def _note_failure(self, reply: Reply) -> None:
        self.failures += 1
        self.log.warn(
            "{event} {upstream}: {reply}",
            event="upstream.failed",
            upstream=self.name,
            reply=str(reply),
            failures=self.failures,
        )

    def _answer_probes(self) -> None:
        probes, self._probes = self._probes, []
        for probed in probes:
            probed.callback(None)

    def _end_idle(self) -> None:
        """
        End the connections that have been idle for long.
        """
        before = self._reactor.seconds() - self._settings.idle_seconds
        old = [client for client in self._idle if client.idle_since <= before]
        self._idle = [client for client in self._idle if client.idle_since > before]
        for client in old:
            client.quit()
        if self._idle:
            self._age.set(self._idle[0].idle_since + self._settings.idle_seconds)

    def _tell_closed(self) -> None:
        if self._is_closing and not self._open:
            closed, self._closed = self._closed, []
            for each in closed:
                each.callback(None)
