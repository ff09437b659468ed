"""
An edge with the real SMTP client behind it, down to the bytes that an upstream would be sent.
"""

from attrs import define, field
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from mailgate.delivery.opening import Opening
from mailgate.delivery.smtp import SmtpClient
from mailgate.delivery.transaction import Transaction
from mailgate.interfaces import IDispatcher, Outcome
from mailgate.message.record import Copy
from tests.delivery.network import Wire

OFFERED = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN")


@implementer(IDispatcher)
@define
class RelayingDispatcher:
    """
    A dispatcher that hands every message at once to an upstream that takes everything.
    """

    sent: list = field(factory=list)
    """What went over the wire for each message: the commands, and the bytes after 354."""

    messages: list = field(factory=list)
    """The envelope of each message, its recipients, what is prepended to it, and its bytes."""

    def client_ready(self, client):
        """
        Learn that a client is ready, which the conversation shows by itself.
        """

    def client_closed(self, client, reply, transaction, repeat):
        """
        Answer what was running on a client that is gone.
        """
        if transaction is not None:
            transaction.refuse(reply)

    def dispatch(self, envelope, message, verdicts, within, alone=False):
        """
        Deliver on a new connection.
        """
        recipients = [recipient for verdict in verdicts for recipient in verdict.recipients]
        content = b"".join(
            chunk if isinstance(chunk, bytes) else chunk.result for chunk in message.chunks()
        )
        self.messages.append((envelope, recipients, message.prepended, content))
        transaction = Transaction(envelope.sender, recipients, message, envelope)
        refusal = transaction.prepare()
        if refusal is not None:
            replies = [refusal] * len(recipients)
        else:
            replies = self._relay(transaction)
        copies = tuple(
            Copy(str(recipient), "delivered" if reply.is_positive else "refused", str(reply))
            for recipient, reply in zip(recipients, replies, strict=True)
        )
        return succeed(Outcome(replies[0], copies, (), tuple(replies) if alone else ()))

    def _relay(self, transaction):
        clock = Clock()
        wire = Wire(SmtpClient(self, clock, Opening("mail.example.com"), 15, 150))
        wire.greet(*OFFERED)
        assert wire.client.begin(transaction)
        commands = wire.heard()
        wire.say("250 2.1.0 ok", *["250 2.1.5 ok"] * len(transaction.recipients), "354 go")
        body = wire.heard()
        while wire.transport.producer is not None and not wire.is_closed:
            wire.transport.producer.resumeProducing()
            body += wire.heard()
        self.sent.append((commands, body))
        if not wire.is_closed:
            wire.say("250 2.0.0 taken")
            wire.client.quit()
            wire.say("221 2.0.0 bye")
        assert not clock.getDelayedCalls()
        return transaction.answer.result
