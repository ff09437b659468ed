"""
What was said at MAIL and RCPT, as the upstream hears it when a copy goes out later.

Quarantine, outbox and the client's side of SMTP together, with nothing of ours scripted.
"""

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.outbox import Outbox
from mailgate.delivery.queue import Queue
from mailgate.delivery.smtp_delivery import SmtpDelivery
from mailgate.interfaces import Outgoing
from mailgate.quarantine.rows import add_undeliverable
from mailgate.rewrite.headers import HeaderRewriter
from mailgate.verdict import Action, Kind
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters
from tests.delivery.network import Network, make_settings
from tests.storage import (
    ADA,
    BOB,
    ENVELOPE,
    SESSION,
    WallClock,
    hold,
    make_storage,
    message,
    sending,
)

WISHES = {
    ADA.owner: RcptParameters("FAILURE,DELAY", "rfc822;ada@example.com"),
    BOB.owner: RcptParameters("NEVER"),
}
SAID = evolve(ENVELOPE, utf8=True, ret="HDRS", envid="QQ+2B314159", wishes=WISHES)
"""An envelope of which everything is to be carried on."""

ALL = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN")
MAIL = "MAIL FROM:<sender@Example.ORG>"
ADA_SAID = "RCPT TO:<ada@Example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ada@example.com"
BOB_SAID = "RCPT TO:<bob@example.com> NOTIFY=NEVER"
MAIL_SAID = f"{MAIL} BODY=8BITMIME RET=HDRS ENVID=QQ+2B314159 SMTPUTF8"


class CarriedCase(SynchronousTestCase):
    """
    Has a quarantine and an outbox before an upstream.
    """

    def setUp(self):
        """
        Make them.
        """
        self.clock = Clock()
        self.storage = make_storage(self, now=WallClock(self.clock))
        self.network = Network()
        self.upstream = SmtpDelivery(
            "inner", make_settings(), "mail.example.com", self.clock, self.network
        )
        self.outbox = Outbox(
            self.clock,
            self.storage.now,
            self.storage.messages,
            self.storage.threads,
            self.storage.settings.outbox,
            sending(lambda recipient: self.upstream),
            HeaderRewriter(),
            add_undeliverable,
        )
        self.quarantine = self.storage.quarantine(self.outbox.kick)
        self.successResultOf(self.outbox.start())

    def release(self, *recipients, envelope=SAID, text=None):
        """
        Hold copies and release them.
        """
        holds = [hold(recipient) for recipient in recipients or (ADA,)]
        kept = message() if text is None else message(text)
        ids = self.successResultOf(self.quarantine.hold(envelope, kept, holds, False))
        for identity in ids:
            self.assertTrue(self.successResultOf(self.quarantine.release(identity, "Ada")))

    def held(self):
        """
        Give the one message that is held.
        """
        (held,) = self.successResultOf(self.quarantine.list())
        return held

    def rows(self):
        """
        Read the outbox.
        """
        return self.successResultOf(Queue(self.storage.messages, self.storage.now).list())

    def commands(self, wire):
        """
        Give the first two lines that a connection has heard.
        """
        return wire.transport.value().decode().split("\r\n")[:2]

    def greet(self, wire, *extensions):
        """
        Greet on a connection, and give the first two commands of what comes then.
        """
        wire.say("220 mx")
        wire.heard()
        wire.say("250-mx", *(f"250-{line}" for line in extensions[:-1]), f"250 {extensions[-1]}")
        return self.commands(wire)


class ReleaseTests(CarriedCase):
    """
    What is held and released.
    """

    def test_all(self):
        """
        A released copy says what its client had said, of the message and of its own recipient.
        """
        self.release(ADA, BOB)
        first, second = (self.greet(wire, *ALL) for wire in self.network.wires)
        self.assertEqual(first, [MAIL_SAID, ADA_SAID])
        self.assertEqual(second, [MAIL_SAID, BOB_SAID])

    def test_nothing_said(self):
        """
        Of what was not said nothing is made up.
        """
        self.release(envelope=evolve(ENVELOPE, body="7BIT"))
        (wire,) = self.network.wires
        self.assertEqual(self.greet(wire, *ALL), [MAIL, "RCPT TO:<ada@Example.com>"])

    def test_not_offered(self):
        """
        An upstream without DSN is not told what was said of notices.
        """
        self.release(envelope=evolve(SAID, utf8=False))
        (wire,) = self.network.wires
        self.assertEqual(
            self.greet(wire, "PIPELINING", "8BITMIME"),
            [f"{MAIL} BODY=8BITMIME", "RCPT TO:<ada@Example.com>"],
        )

    def live(self, envelope, *extensions):
        """
        Give the reply to a message that is handed on while its client waits.
        """
        upstream = SmtpDelivery(
            "inner", make_settings(), "mail.example.com", self.clock, network := Network()
        )
        answer = upstream.deliver(envelope, [ADA], message())
        self.greet(network.wires[0], *extensions)
        (reply,) = self.successResultOf(answer)
        return str(reply)

    def test_needs_utf8(self):
        """
        An upstream without SMTPUTF8 does not get what needs it: the copy is held again for the
        reason that its client would have been told.
        """
        for envelope in (
            SAID,
            evolve(SAID, utf8=False, sender=Address("\N{GREEK SMALL LETTER ALPHA}", "x.example")),
        ):
            self.release(envelope=envelope)
            self.greet(self.network.wires[0], "PIPELINING", "8BITMIME", "DSN")
            held = self.held()
            self.assertEqual(held.kind, Kind.UNDELIVERABLE)
            self.assertEqual(held.reason, self.live(envelope, "PIPELINING", "8BITMIME", "DSN"))
            self.assertEqual(held.reason[:9], "550 5.6.7")
            self.assertEqual(self.rows(), [])
            self.successResultOf(self.quarantine.delete(held.id, "Ada"))

    def test_needs_8bitmime(self):
        """
        An upstream that takes no 8-bit mail any more is asked again later, as the client is told
        to come again.
        """
        self.release()
        self.greet(self.network.wires[0], "PIPELINING", "SMTPUTF8")
        (row,) = self.rows()
        self.assertEqual(row.reason, self.live(SAID, "PIPELINING", "SMTPUTF8"))
        self.assertEqual(row.reason[:9], "451 4.6.3")

    def test_released_again(self):
        """
        A copy that could not be delivered, is held again and released once more says the same.
        """
        self.release()
        (wire,) = self.network.wires
        self.greet(wire, *ALL)
        wire.heard()
        wire.say("250 ok", "550 5.1.1 nobody of that name", "554 no recipients")
        wire.say("250 ok")
        wire.heard()
        self.assertTrue(self.successResultOf(self.quarantine.release(self.held().id, "Ada")))
        self.assertEqual(self.commands(wire), [MAIL_SAID, ADA_SAID])

    def test_submission(self):
        """
        What somebody of ours has sent gets the fields that it gets when it is handed on at once,
        and its Received field says that it was a log-in.
        """
        session = evolve(SESSION, role="submission", account="ada")
        self.release(envelope=evolve(SAID, session=session), text=b"Subject: x\r\n\r\nHi\r\n")
        (wire,) = self.network.wires
        self.greet(wire, *ALL)
        wire.heard()
        wire.take()
        wire.transport.producer.resumeProducing()
        text = wire.heard().decode()
        self.assertIn("\tby mail.example.com (mailgate) with UTF8SMTPSA\r\n", text)
        self.assertIn("\r\nDate: ", text)
        self.assertIn(f"\r\nMessage-ID: <{SAID.trace}@mail.example.com>\r\n", text)


class RetryTests(CarriedCase):
    """
    What waits in the outbox.
    """

    def test_all(self):
        """
        A copy that failed says at its next try what its client had said, and at each further one.
        """
        copy = Outgoing(ADA, Action.TAG, 5.5, "451 4.3.0 later")
        self.successResultOf(self.outbox.enqueue(SAID, message(), [copy]))
        self.assertEqual(self.network.wires, [])
        self.clock.pump([60] * 5)
        (wire,) = self.network.wires
        mail, rcpt = self.greet(wire, *ALL, "SIZE")
        self.assertEqual(rcpt, ADA_SAID)
        self.assertTrue(mail.startswith(f"{MAIL} SIZE="), mail)
        self.assertTrue(mail.endswith(" BODY=8BITMIME RET=HDRS ENVID=QQ+2B314159 SMTPUTF8"), mail)
        wire.heard()
        wire.say("250 ok", "451 4.2.1 busy", "554 no recipients")
        wire.heard()
        wire.say("250 ok")
        self.assertEqual([row.tries for row in self.rows()], [1])
        self.clock.pump([60] * 5)
        _, rcpt = self.greet(self.network.wires[-1], *ALL)
        self.assertEqual(rcpt, ADA_SAID)
