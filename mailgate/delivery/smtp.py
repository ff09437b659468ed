"""
The client's side of SMTP (RFC 5321) and LMTP (RFC 2033): one connection to an upstream.

What is sent goes out in whole buffers: MAIL, RCPT and DATA together where the upstream offers
PIPELINING (RFC 2920), then the message with its dot.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol as Contract

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.delivery import ClientTold
from mailgate.delivery.answer import Untaken, lost, not_reached, passed_on
from mailgate.delivery.body import Body, Unclean
from mailgate.delivery.introduction import forwarded
from mailgate.delivery.line import UpstreamLine
from mailgate.delivery.opening import NotOpened, Opened, Opening, TlsFailed
from mailgate.delivery.tls import why_lost
from mailgate.delivery.transaction import UNCLEAN, Transaction
from mailgate.interfaces import Capabilities
from mailgate.reply import Reply
from mailgate.wire import xclient
from mailgate.wire.replies import fit_together, is_taken

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
        @param repeat: whether the transaction, or the opening of the connection, may be tried
            once more.
        """


class SmtpClient(UpstreamLine):
    """
    A connection that runs one transaction after another.
    """

    log = Logger()

    def __init__(
        self,
        owner: ClientOwner,
        clock: IReactorTime,
        opening: Opening,
        greeting_seconds: float,
        reply_seconds: float,
        told: ClientTold = ClientTold.NONE,
    ) -> None:
        """
        @param opening: how it begins.
        @param greeting_seconds: how long the greeting may take, the reply to EHLO, and each other
            step until it is open.
        @param reply_seconds: how long the replies to MAIL, RCPT and DATA together may take,
            each chunk of a message, and the reply to the dot.
        @param told: how the upstream is told who the client was.
        """
        super().__init__(clock, greeting_seconds)
        self.capabilities = Capabilities()
        self.client: xclient.ClientAttributes | None = None
        """Whom the upstream takes us for, once it was told."""
        self.transactions = 0
        """How many have begun here."""
        self.idle_since = inf
        """Since when, on the reactor's clock, it waits for a transaction, or waited before the
        last one; infinity where it never did."""
        self._owner = owner
        self._opening = opening
        self._is_lmtp = opening.is_lmtp
        self._told = told
        self._offered = ""
        """The attributes of a client that the upstream wants to be told."""
        self._reply_seconds = reply_seconds
        self._transaction: Transaction | None = None
        self._commands: list[str] = []
        self._before = 0
        """How many commands stand before MAIL."""
        self._said: list[Reply] = []
        self._results: list[Reply] = []
        self._body: Body | None = None
        self._is_sent = False

    # -- what the pool says -------------------------------------------------------------

    def begin(self, transaction: Transaction) -> bool:
        """
        Run C{transaction}; only after C{client_ready}, one at a time.

        @return: whether it runs; if not, it has been answered and the next may begin.
        """
        extensions = self.capabilities.extensions
        lacking = transaction.lacking(extensions)
        if lacking is not None:
            transaction.end_untaken(lacking)
            return False
        self.transactions += 1
        transaction.holder = self
        self._transaction = transaction
        self._latest = transaction.deadline
        if transaction.client is not None and transaction.client != self.client:
            introducing = Deferred.fromCoroutine(self._introduce(transaction.client))
            introducing.addCallback(self._introduced).addErrback(self._not_opened)
        else:
            self._send_envelope(transaction)
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
        Open the connection.
        """
        super().connectionMade()
        opening = Deferred.fromCoroutine(self._opening.run(self))
        opening.addCallback(self._opened).addErrback(self._not_opened)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Tell that the upstream has gone.
        """
        last = self._replies[-1] if self._replies else None
        if self._handshake is not None:
            self._break_handshake(why_lost(reason) or "connection lost")
        elif last is not None and last.code == 421 and not self._is_sent:
            self._close(passed_on(last), repeat=True)
        else:
            self._break(why_lost(reason) or "connection lost", repeat=True)

    @property
    def _is_old(self) -> bool:
        """
        Tell whether it has served or waited before.
        """
        return self.transactions > 1 or self.idle_since < inf

    # -- from the greeting to the first transaction -------------------------------------

    def _opened(self, opened: Opened) -> None:
        if self._is_closed:
            return
        self._learn(opened)
        experience = self._opening.experience
        if experience is not None and self._told is not ClientTold.NONE:
            experience.may_tell(opened.has(self._told.upper()), self._told)
        self._owner.client_ready(self)

    def _learn(self, opened: Opened) -> None:
        self.capabilities = opened.capabilities
        self._offered = opened.parameters.get(self._told.upper(), "")

    def _not_opened(self, failure: Failure) -> None:
        """
        Close a connection that cannot be used. Where only TLS has failed, and need not be, another
        one is opened, which goes without.
        """
        if self._is_closed:
            return
        error = failure.value
        if not isinstance(error, NotOpened):
            self.log.failure("{event}", failure, event="upstream.not_opened")
            self._close(not_reached("local error"))
            return
        is_tls = isinstance(error, TlsFailed) and not self._opening.demand.is_needed
        self._close(error.reply or not_reached(str(error)), anew=is_tls)

    # -- who the client was -------------------------------------------------------------

    async def _introduce(self, client: xclient.ClientAttributes) -> None:
        """
        Be taken for a client. The upstream then begins anew, as if it had connected.
        """
        commands = xclient.write("XCLIENT", client, self._offered)
        for command in commands:
            reply = await self.say(command.removesuffix("\r\n").encode("ascii"))
            if reply.code != 220:
                raise NotOpened(f"it answers XCLIENT with {passed_on(reply)}")
        self.client = client
        if commands:
            self._learn(await self._opening.greet(self))

    def _introduced(self, _: None) -> None:
        transaction = self._transaction
        if transaction is None:
            return
        lacking = transaction.lacking(self.capabilities.extensions)
        if lacking is not None:
            self._settle([lacking] * len(transaction.recipients), RSET)
        else:
            self._send_envelope(transaction)

    # -- MAIL, RCPT and DATA ------------------------------------------------------------

    def _send_envelope(self, transaction: Transaction) -> None:
        extensions = self.capabilities.extensions
        commands = transaction.commands(extensions)
        self._before = 0
        if self._told is ClientTold.XFORWARD and transaction.envelope is not None:
            client = forwarded(transaction.envelope)
            before = xclient.write("XFORWARD", client, self._offered)
            self._before = len(before)
            commands = before + commands
        if "PIPELINING" in extensions:
            self._send("".join(commands), len(commands), self._on_envelope)
        else:
            self._commands = commands
            self._said = []
            self._send(commands[0], 1, self._on_command)

    def _on_command(self, replies: list[Reply]) -> None:
        """
        Go on without PIPELINING, one command at a time.
        """
        said, commands = self._said, self._commands
        said.append(replies[0])
        if len(said) == self._before:
            # What was said of the client is of no further interest.
            said.clear()
            self._commands = commands = commands[self._before :]
            self._before = 0
        if len(said) < self._before or not said:
            self._send(commands[len(said)], 1, self._on_command)
            return
        is_question = commands[-1] == RSET
        if len(said) == 1 and not said[0].is_positive:
            self._on_refused_mail(said[0], RSET)
        elif len(said) == len(commands):
            self._on_envelope(said)
        elif len(said) == len(commands) - 1 and not is_question and not is_taken(said[1:]):
            self._settle(said[1:], RSET)
        else:
            self._send(commands[len(said)], 1, self._on_command)

    def _on_envelope(self, replies: list[Reply]) -> None:
        """
        Go on with the replies to MAIL, to each RCPT, and to DATA or RSET.
        """
        transaction = self._transaction
        assert transaction is not None
        if self._before:
            replies = replies[self._before :]
        mail, results, last = replies[0], replies[1:-1], replies[-1]
        if self._is_old and not fit_together(mail, results, last, transaction.is_question):
            self._break("its replies do not fit what was asked", repeat=True)
            return
        if transaction.is_question:
            leave = None if last.is_positive else QUIT
        else:
            leave = DOT if last.code == 354 else RSET
            if self._is_lmtp and leave == DOT:
                # RFC 2033 section 4.2: without a recipient no reply to the dot would come.
                leave = ABORT
        if not mail.is_positive:
            self._on_refused_mail(mail, leave)
        elif any(300 <= reply.code < 400 for reply in results):
            self._break("it answered RCPT with nonsense")
        elif transaction.is_question or not is_taken(results):
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
        transaction.keep()
        awaited = 1
        if self._is_lmtp:
            awaited = sum(reply.is_positive for reply in self._results)
        self._expect(awaited, self._on_dot, self._reply_seconds)
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
        is_early = not self._is_sent
        for reply in replies:
            if 300 <= reply.code < 400 or (is_early and reply.is_positive):
                self._break("it answered the message with nonsense")
                return
        # A refusal in the midst of the message: the rest of it would be taken for commands.
        self._settle(self._after_dot(replies), ABORT if is_early else None)

    def _after_dot(self, replies: list[Reply], missing: Reply | None = None) -> list[Reply]:
        """
        Give the result for each recipient: one reply for all that were accepted, or with LMTP one
        for each of them.

        @param missing: what is said where there is none.
        """
        if not self._is_lmtp:
            reply = replies[0]
            return [reply if result.is_positive else result for result in self._results]
        each = iter(replies)
        return [
            next(each, missing or result) if result.is_positive else result
            for result in self._results
        ]

    def _settle(self, results: list[Reply], leave: str | None) -> None:
        """
        Answer the transaction, and make the connection fit for the next.

        @param leave: what has to be said before the next one, or C{None} for nothing.
        """
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        is_untaken = not transaction.is_kept and all(reply.code == 421 for reply in results)
        self._is_sent = False
        self._latest = inf
        if leave == ABORT or any(reply.code == 421 for reply in results):
            self._close(not_reached("the connection is of no more use"))
        elif leave == QUIT:
            self.quit()
        elif leave is not None:
            self._send(leave, 1, self._on_reset if leave == RSET else self._on_left)
        else:
            self._owner.client_ready(self)
        replies = [passed_on(reply) for reply in results]
        transaction.end(Untaken(replies) if is_untaken else replies)

    def _on_reset(self, replies: list[Reply]) -> None:
        if replies[0].is_positive or replies[0].code == 421:
            self._on_left(replies)
        else:
            # The transaction is still open, and the next message would be refused for it.
            self.quit()

    def _on_left(self, replies: list[Reply]) -> None:
        reply = replies[0]
        if reply.code == 421:
            self._break("the upstream closes the connection")
        elif 300 <= reply.code < 400:
            self._break("it answered the dot with nonsense")
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

    # -- the end ------------------------------------------------------------------------

    def _on_excess(self, replies: list[Reply]) -> None:
        """
        Close the connection on which more has come than could have been asked for.
        """
        is_whole = len(replies) == self._awaited
        if self._is_sent and is_whole and not any(300 <= r.code < 400 for r in replies):
            # The reply to the dot is what it is, whatever comes behind it.
            self._settle(self._after_dot(replies), ABORT)
        else:
            self._break("it speaks out of turn")

    def _on_quit(self, replies: list[Reply]) -> None:
        self._close(not_reached("closed"), is_orderly=True)

    def _break(self, reason: str, repeat: bool = False) -> None:
        if self._is_sent:
            self._close(lost(reason))
        else:
            self._close(not_reached(reason), repeat)

    def _close(
        self, reply: Reply, repeat: bool = False, is_orderly: bool = False, anew: bool = False
    ) -> None:
        """
        End the connection and hand what ran on it back.

        @param repeat: whether a connection that had served or waited before may just have been
            closed by the upstream for its age, so that a new one is worth a try.
        @param anew: whether another one is worth a try although this one was never ready.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._deadline.stop()
        may_repeat = repeat and self._is_old and self._body is None
        if self._body is not None:
            self._body.stopProducing()
        if is_orderly:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()
        transaction, self._transaction = self._transaction, None
        if transaction is not None and self._is_sent and self._replies:
            transaction.end([passed_on(r) for r in self._after_dot(self._replies, reply)])
        self._owner.client_closed(self, reply, transaction, may_repeat or anew)
        self._leave()
