"""
The client's side of SMTP (RFC 5321): one connection to an upstream.

What is sent goes out in whole buffers: MAIL, RCPT and DATA together where the upstream offers
PIPELINING (RFC 2920), then the message with its dot. Each time the number of replies is known
that must come, and a byte beyond them means that the upstream speaks out of turn: it is not
believed any more.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any
from typing import Protocol as Contract

from attrs import evolve
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.delivery.answer import lost, not_reached, passed_on
from mailgate.delivery.body import Body, Unclean
from mailgate.delivery.deadline import Deadline
from mailgate.delivery.transaction import UNCLEAN, Transaction
from mailgate.interfaces import Capabilities
from mailgate.reply import Reply
from mailgate.wire.replies import ReplyParser, read_ehlo

RSET = "RSET\r\n"
DOT = ".\r\n"
QUIT = "QUIT\r\n"
ABORT = ""
"""Nothing can be said any more."""

_QUIT_SECONDS = 5.0


class ClientOwner(Contract):
    """
    Who is told what becomes of a client.
    """

    def client_ready(self, client: SmtpClient) -> None:
        """
        Learn that C{client} can run a transaction, for the first time or again.
        """

    def client_closed(
        self, client: SmtpClient, reply: Reply, transaction: Transaction | None, repeat: bool
    ) -> None:
        """
        Learn that C{client} is gone.

        @param reply: why, as the reply for who waits.
        @param transaction: what it was running, still to be answered.
        @param repeat: whether the transaction may be tried once more.
        """


class SmtpClient(Protocol):
    """
    A connection that runs one transaction after another.
    """

    log = Logger()

    def __init__(
        self,
        owner: ClientOwner,
        clock: IReactorTime,
        hostname: str,
        greeting_seconds: float,
        reply_seconds: float,
    ) -> None:
        """
        @param hostname: what we call ourselves.
        @param greeting_seconds: how long the greeting may take, and the reply to EHLO.
        @param reply_seconds: how long the replies to MAIL, RCPT and DATA together may take,
            each chunk of a message, and the reply to the dot.
        """
        self.transport: Any
        self.capabilities = Capabilities()
        self.transactions = 0
        """How many have begun here."""
        self.idle_since = inf
        """Since when, on the reactor's clock, it waits for a transaction, or waited before the
        last one; infinity where it never did."""
        self._owner = owner
        self._clock = clock
        self._hostname = hostname
        self._greeting_seconds = greeting_seconds
        self._reply_seconds = reply_seconds
        self._parser = ReplyParser()
        self._awaited = 0
        self._replies: list[Reply] = []
        self._step: Callable[[list[Reply]], None] = self._on_greeting
        self._transaction: Transaction | None = None
        self._commands: list[str] = []
        self._said: list[Reply] = []
        self._results: list[Reply] = []
        self._body: Body | None = None
        self._is_sent = False
        self._is_closed = False
        self._deadline = Deadline(clock, self._on_late)

    # -- what the pool says -------------------------------------------------------------

    def begin(self, transaction: Transaction) -> bool:
        """
        Run C{transaction}; only after C{client_ready}, one at a time.

        @return: whether it runs; if not, it has been answered and the next may begin.
        """
        extensions = self.capabilities.extensions
        lacking = transaction.lacking(extensions)
        if lacking is not None:
            transaction.end_all(lacking)
            return False
        self.transactions += 1
        transaction.holder = self
        self._transaction = transaction
        commands = transaction.commands(extensions)
        if "PIPELINING" in extensions:
            self._send("".join(commands), len(commands), self._on_envelope)
        else:
            self._commands = commands
            self._said = []
            self._send(commands[0], 1, self._on_command)
        return True

    def quit(self) -> None:
        """
        End the connection politely; only where no transaction runs.
        """
        if not self._is_closed:
            self._send(QUIT, 1, self._on_quit, _QUIT_SECONDS)

    def drop(self, transaction: Transaction) -> None:
        """
        Break off the transaction that runs: its commands are out and cannot be taken back.
        """
        self._transaction = None
        self._close(not_reached("cancelled"))

    def give_up(self) -> None:
        """
        End the connection at once; only before it is ready.
        """
        self._close(not_reached("not waited for any more"))

    # -- what the transport says --------------------------------------------------------

    def connectionMade(self) -> None:
        """
        Wait for the greeting.
        """
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self._expect(1, self._on_greeting, self._greeting_seconds)

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

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Tell that the upstream has gone.
        """
        last = self._replies[-1] if self._replies else None
        if last is not None and last.code == 421 and not self._is_sent:
            self._close(passed_on(last), repeat=True)
        else:
            self._break("connection lost", repeat=True)

    # -- from the greeting to the first transaction -------------------------------------

    def _on_greeting(self, replies: list[Reply]) -> None:
        if replies[0].code != 220:
            self._close(not_reached(f"it greets with {passed_on(replies[0])}"))
            return
        ehlo = f"EHLO {self._hostname}\r\n"
        self._send(ehlo, 1, self._on_ehlo, self._greeting_seconds)

    def _on_ehlo(self, replies: list[Reply]) -> None:
        reply = replies[0]
        if reply.is_positive:
            self.capabilities = read_ehlo(reply)
            self._owner.client_ready(self)
        elif reply.is_permanent:
            helo = f"HELO {self._hostname}\r\n"
            self._send(helo, 1, self._on_helo, self._greeting_seconds)
        else:
            self._on_helo(replies)

    def _on_helo(self, replies: list[Reply]) -> None:
        reply = replies[0]
        if reply.is_positive:
            self._owner.client_ready(self)
        elif reply.is_transient or reply.is_permanent:
            self._close(passed_on(reply))
        else:
            self._break("it answered EHLO with nonsense")

    # -- MAIL, RCPT and DATA ------------------------------------------------------------

    def _on_command(self, replies: list[Reply]) -> None:
        """
        Go on without PIPELINING, one command at a time.
        """
        said, commands = self._said, self._commands
        said.append(replies[0])
        is_question = commands[-1] == RSET
        if len(said) == 1 and not said[0].is_positive:
            self._on_refused_mail(said[0], RSET)
        elif len(said) == len(commands):
            self._on_envelope(said)
        elif len(said) == len(commands) - 1 and not is_question and not _is_taken(said[1:]):
            self._settle(said[1:], RSET)
        else:
            self._send(commands[len(said)], 1, self._on_command)

    def _on_envelope(self, replies: list[Reply]) -> None:
        """
        Go on with the replies to MAIL, to each RCPT, and to DATA or RSET.
        """
        transaction = self._transaction
        assert transaction is not None
        mail, results, last = replies[0], replies[1:-1], replies[-1]
        if transaction.is_question:
            leave = None if last.is_positive else QUIT
        else:
            leave = DOT if last.code == 354 else RSET
        if not mail.is_positive:
            self._on_refused_mail(mail, leave)
        elif any(300 <= reply.code < 400 for reply in results):
            self._break("it answered RCPT with nonsense")
        elif transaction.is_question or not _is_taken(results):
            # RFC 2920 section 3.1: where 354 came all the same, only the dot is sent.
            self._settle(results, leave)
        elif last.code == 354:
            self._results = results
            self._send_message(transaction)
        elif last.code < 400:
            self._break("it answered DATA with nonsense")
        else:
            self._settle([last if reply.is_positive else reply for reply in results], leave)

    def _on_refused_mail(self, reply: Reply, leave: str | None) -> None:
        transaction = self._transaction
        assert transaction is not None
        if reply.code == 421:
            self._close(passed_on(reply), repeat=True)
        elif reply.code < 400:
            self._break("it answered MAIL with nonsense")
        else:
            if transaction.is_question and not reply.enhanced:
                # Not to be taken for a word on the recipient: the sender is refused.
                reply = evolve(reply, enhanced=f"{reply.code // 100}.7.1")
            self._settle([reply] * len(transaction.recipients), leave)

    def _send_message(self, transaction: Transaction) -> None:
        transaction.answer.keep()
        self._expect(1, self._on_dot, self._reply_seconds)
        if transaction.wire is not None:
            self._is_sent = True
            self.transport.writeSequence(transaction.wire)
            return
        assert transaction.message is not None
        self._body = Body(
            transaction.message, self.transport, self._body_progressed, self._body_ended
        )
        self._body.start()

    def _body_progressed(self) -> None:
        self._arm(self._reply_seconds)

    def _body_ended(self, failure: Failure | None) -> None:
        if failure is None:
            self._body = None
            self._is_sent = True
            self._arm(self._reply_seconds)
        elif failure.check(Unclean):
            self._close(UNCLEAN)
        else:
            self.log.failure("{event}", failure, event="delivery.unreadable")
            self._close(Reply(451, "4.3.0", "the message cannot be read"))

    def _on_dot(self, replies: list[Reply]) -> None:
        reply = replies[0]
        if 300 <= reply.code < 400 or (reply.is_positive and not self._is_sent):
            self._break("it answered the message with nonsense")
            return
        results = [reply if result.is_positive else result for result in self._results]
        # A refusal in the midst of the message: the rest of it would be taken for commands.
        self._settle(results, None if self._is_sent else ABORT)

    def _settle(self, results: list[Reply], leave: str | None) -> None:
        """
        Answer the transaction, and make the connection fit for the next.

        @param leave: what has to be said before the next one, or C{None} for nothing.
        """
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        self._is_sent = False
        if leave == ABORT or any(reply.code == 421 for reply in results):
            self._close(not_reached("the connection is of no more use"))
        elif leave == QUIT:
            self.quit()
        elif leave is not None:
            self._send(leave, 1, self._on_left)
        else:
            self._owner.client_ready(self)
        transaction.end([passed_on(reply) for reply in results])

    def _on_left(self, replies: list[Reply]) -> None:
        if replies[0].code == 421:
            self._break("the upstream closes the connection")
        else:
            self._owner.client_ready(self)

    # -- time ---------------------------------------------------------------------------

    def _send(
        self,
        text: str,
        awaited: int,
        step: Callable[[list[Reply]], None],
        seconds: float | None = None,
    ) -> None:
        self._expect(awaited, step, self._reply_seconds if seconds is None else seconds)
        self.transport.write(text.encode())

    def _expect(self, awaited: int, step: Callable[[list[Reply]], None], seconds: float) -> None:
        self._awaited = awaited
        self._step = step
        self._arm(seconds)

    def _arm(self, seconds: float) -> None:
        """
        Set the time at which the connection is given up.
        """
        at = self._clock.seconds() + seconds
        transaction = self._transaction
        if transaction is not None and transaction.deadline < at:
            at = transaction.deadline
        self._deadline.set(at)

    def _on_late(self) -> None:
        self._break("no reply in time")

    # -- the end ------------------------------------------------------------------------

    def _on_excess(self, replies: list[Reply]) -> None:
        """
        Close the connection on which more has come than could have been asked for.
        """
        if self._is_sent and replies and not 300 <= replies[0].code < 400:
            # The reply to the dot is what it is, whatever comes behind it.
            results = [replies[0] if r.is_positive else r for r in self._results]
            self._settle(results, ABORT)
        else:
            self._break("it speaks out of turn")

    def _on_quit(self, replies: list[Reply]) -> None:
        self._close(not_reached("closed"), is_orderly=True)

    def _break(self, reason: str, repeat: bool = False) -> None:
        if self._is_sent:
            self._close(lost(reason))
        else:
            self._close(not_reached(reason), repeat)

    def _close(self, reply: Reply, repeat: bool = False, is_orderly: bool = False) -> None:
        """
        End the connection and hand what ran on it back.

        @param repeat: whether a connection that had served or waited before may just have been
            closed by the upstream for its age, so that a new one is worth a try.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._deadline.stop()
        is_old = self.transactions > 1 or self.idle_since < inf
        may_repeat = repeat and is_old and self._body is None
        if self._body is not None:
            self._body.stopProducing()
        if is_orderly:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()
        transaction, self._transaction = self._transaction, None
        self._owner.client_closed(self, reply, transaction, may_repeat)


def _is_taken(replies: list[Reply]) -> bool:
    return any(reply.is_positive for reply in replies)
