"""
One transaction with an upstream: what is to be said there, and who waits for the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Protocol

from twisted.internet.defer import Deferred

from mailgate.delivery.answer import Answer, Untaken, not_reached
from mailgate.delivery.body import Unclean, encode
from mailgate.interfaces import IMessage
from mailgate.message.envelope import Envelope
from mailgate.reply import Reply
from mailgate.wire.address import Address
from mailgate.wire.xclient import ClientAttributes


class Holder(Protocol):
    """
    Where a transaction is at the moment: a pool where it waits, or a client that runs it.
    """

    def drop(self, transaction: Transaction) -> None:
        """
        Forget the transaction; nobody waits for it any more.
        """


class Transaction:
    """
    A message for some recipients or, without a message, the question about one recipient.
    """

    def __init__(
        self,
        sender: Address,
        recipients: Sequence[Address],
        message: IMessage | None = None,
        envelope: Envelope | None = None,
        client: ClientAttributes | None = None,
    ) -> None:
        """
        @param envelope: what else was said of the message; C{None} for a question.
        @param client: whom the upstream is to take us for, if not for ourselves.
        """
        self.sender = sender
        self.recipients = recipients
        self.message = message
        self.envelope = envelope
        self.client = client
        self.answer: Answer[Sequence[Reply]] = Answer(self._cancelled)
        """Fires with one reply for each recipient."""
        self.wire: list[bytes] | None = None
        """The whole message as it goes out, if it need not be read from the disk."""
        self.wait_until = inf
        """Until when, on the clock of the reactor, it may wait for a connection."""
        self.deadline = inf
        """When, on the clock of the reactor, the answer must be there."""
        self.is_repeat = False
        """Whether it has failed once on a connection that was found broken."""
        self.is_kept = False
        """Whether the upstream has said 354, so that nobody can stop it any more."""
        self.holder: Holder | None = None
        self._is_over = False

    @property
    def is_question(self) -> bool:
        """
        Tell whether this only asks about a recipient.
        """
        return self.message is None

    def prepare(self) -> Reply | None:
        """
        Get ready to be sent.

        @return: C{None}, or the reply for all recipients where it can go nowhere: 550 5.6.0
            for bare line ends or NUL, 553 5.1.3 for an address with control characters.
        """
        for address in (self.sender, *self.recipients):
            if not str(address).isprintable():
                return Reply(553, "5.1.3", "control characters in an address")
        if self.message is not None:
            try:
                self.wire = encode(self.message)
            except Unclean:
                return UNCLEAN
        return None

    @property
    def needs_utf8(self) -> bool:
        """
        Tell whether it can only go to an upstream with SMTPUTF8 (RFC 6531).
        """
        addresses = (self.sender, *self.recipients)
        is_said = self.envelope is not None and self.envelope.utf8
        return is_said or not all(address.is_ascii for address in addresses)

    def lacking(self, extensions: frozenset[str]) -> Reply | None:
        """
        Say what an upstream with these extensions cannot take of it, or C{None}.

        The edge has offered what the upstream had said before; when the client comes again it is
        offered no more.
        """
        envelope = self.envelope
        if envelope is not None and envelope.body == "8BITMIME" and "8BITMIME" not in extensions:
            return Reply(451, "4.6.3", "8BITMIME is not taken any more")
        if self.needs_utf8 and "SMTPUTF8" not in extensions:
            return NEEDS_UTF8
        return None

    def commands(self, extensions: frozenset[str]) -> list[str]:
        """
        Give the command lines up to DATA or, for a question, RSET.

        @param extensions: what the upstream offers.
        """
        envelope, message = self.envelope, self.message
        mail = f"MAIL FROM:<{self.sender}>"
        if message is not None and "SIZE" in extensions:
            mail += f" SIZE={message.size + len(message.prepended)}"
        has_dsn = "DSN" in extensions
        if envelope is not None:
            if envelope.body == "8BITMIME":
                mail += " BODY=8BITMIME"
            if has_dsn and envelope.ret:
                mail += f" RET={envelope.ret}"
            if has_dsn and envelope.envid:
                mail += f" ENVID={envelope.envid}"
        if self.needs_utf8:
            mail += " SMTPUTF8"
        commands = [mail + "\r\n"]
        for recipient in self.recipients:
            rcpt = f"RCPT TO:<{recipient}>"
            wish = envelope.wishes.get(recipient.key) if has_dsn and envelope else None
            if wish is not None and wish.notify:
                rcpt += f" NOTIFY={wish.notify}"
            if wish is not None and wish.orcpt:
                rcpt += f" ORCPT={wish.orcpt}"
            commands.append(rcpt + "\r\n")
        commands.append("RSET\r\n" if message is None else "DATA\r\n")
        return commands

    def keep(self) -> None:
        """
        Learn that the message begins to go out: the answer comes whatever happens.
        """
        self.is_kept = True
        self.answer.keep()

    def end(self, replies: Sequence[Reply]) -> None:
        """
        Answer with a reply for each recipient.
        """
        self.holder = None
        if not self._is_over:
            self._is_over = True
            self.answer.callback(replies)

    def end_all(self, reply: Reply) -> None:
        """
        Answer with the same reply for all recipients.
        """
        self.end([reply] * len(self.recipients))

    def refuse(self, reply: Reply) -> None:
        """
        Answer that there was no connection on which it could have been asked.

        @param reply: what the upstream said instead, or L{not_reached}. It says nothing about
            a recipient, so it is no answer to a question.
        """
        if self.is_question and reply.enhanced != "4.4.1":
            reply = not_reached("it does not talk to us")
        self.end_untaken(reply)

    def end_untaken(self, reply: Reply) -> None:
        """
        Answer with the same reply for all recipients. Unless the message has begun to go out,
        another upstream may be asked.
        """
        replies = [reply] * len(self.recipients)
        self.end(replies if self.is_kept else Untaken(replies))

    def _cancelled(self, answer: Deferred[Sequence[Reply]]) -> None:
        self._is_over = True
        if self.holder is not None:
            self.holder.drop(self)


NEEDS_UTF8 = Reply(550, "5.6.7", "the upstream does not take addresses or headers in UTF-8")
UNCLEAN = Reply(550, "5.6.0", "bare CR, bare LF or NUL in the message")
