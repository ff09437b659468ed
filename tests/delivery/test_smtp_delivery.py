"""
Tests of L{mailgate.delivery.smtp_delivery}.
"""

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailgate.delivery.answer import QUESTION_SECONDS
from mailgate.delivery.smtp_delivery import SmtpDelivery
from mailgate.wire.address import Address
from tests.delivery.network import Network, make_settings
from tests.storage import ADA, BOB, ENVELOPE, message

NOT_REACHED = "451 4.4.1 destination not reached: "


@implementer(IHostnameResolver)
class Names:
    """
    Knows one address for every name.
    """

    def __init__(self, asked, address):
        self.asked = asked
        self.address = address

    def resolveHostName(self, receiver, name, **more):
        """
        Give the address.
        """
        self.asked.append(name)
        receiver.resolutionBegan(None)
        receiver.addressResolved(self.address)
        receiver.resolutionComplete()


class SmtpDeliveryTests(SynchronousTestCase):
    """
    An upstream as the other parts see it.
    """

    def setUp(self):
        """
        Make one.
        """
        self.make()

    def make(self, is_waiting=False, **settings):
        """
        Make a delivery in a network.
        """
        self.clock = Clock()
        self.network = Network(is_waiting)
        self.wires = self.network.wires
        self.delivery = SmtpDelivery(
            "inner", make_settings(**settings), "mail.example.com", self.clock, self.network
        )

    def deliver(self, *recipients, within=None, kept=None):
        """
        Begin to deliver a message.
        """
        kept = kept or message()
        return self.delivery.deliver(ENVELOPE, recipients or (ADA,), kept, within)

    def words(self, answer):
        """
        Give the replies of an answer as words.
        """
        return [str(reply) for reply in self.successResultOf(answer)]

    def test_deliver(self):
        """
        A message goes out with what is prepended, which counts for SIZE.
        """
        kept = message(b"Subject: x\r\n\r\n").prepend(b"Top: 1\r\n")
        answer = self.deliver(kept=kept)
        (wire,) = self.wires
        wire.say("220 mx")
        wire.heard()
        wire.say("250-mx", "250-PIPELINING", "250-SIZE", "250 8BITMIME")
        self.assertEqual(
            wire.heard(),
            b"MAIL FROM:<sender@Example.ORG> SIZE=22 BODY=8BITMIME\r\n"
            b"RCPT TO:<ada@Example.com>\r\nDATA\r\n",
        )
        wire.take()
        self.assertEqual(wire.heard(), b"Top: 1\r\nSubject: x\r\n\r\n.\r\n")
        wire.finish()
        self.assertEqual(self.words(answer), ["250 2.0.0 taken"])

    def test_f05_refused_connection(self):
        """
        An upstream that is down is a 451 4.4.1 for each recipient, and a failure (F5).
        """
        self.make(is_waiting=True)
        answer = self.deliver(ADA, BOB)
        self.network.refused(ConnectionRefusedError())
        self.assertEqual(
            self.words(answer), [f"{NOT_REACHED}connection was refused by other side"] * 2
        )
        self.assertEqual(self.delivery.failures, 1)

    def test_f07_refused_at_ehlo(self):
        """
        An upstream that does not talk to us is passed on with its own words (F7).
        """
        answer = self.deliver()
        self.wires[0].say("220 mx")
        self.wires[0].say("450 4.7.1 not you")
        self.assertEqual(self.words(answer), ["450 4.7.1 not you"])

    def test_f06_within(self):
        """
        Whatever the upstream does, the answer is there in the time that was given (F6).
        """

        def connects_late(_):
            pass

        def greets_late(_):
            self.network.connected()

        def answers_late(_):
            self.network.connected()
            self.wires[0].greet()

        def hangs_after_the_dot(_):
            answers_late(_)
            self.wires[0].take()

        for behaviour in (connects_late, greets_late, answers_late, hangs_after_the_dot):
            self.make(is_waiting=True, connect_seconds=15, reply_seconds=150)
            answer = self.deliver(within=10)
            behaviour(None)
            self.clock.advance(9.9)
            self.assertNoResult(answer)
            self.clock.advance(0.1)
            (words,) = self.words(answer)
            enhanced = "4.4.2" if behaviour is hangs_after_the_dot else "4.4.1"
            self.assertTrue(words.startswith(f"451 {enhanced} "), words)

    def test_no_time(self):
        """
        Where no time is left nothing is begun.
        """
        for within in (0, -1):
            answer = self.deliver(within=within)
            self.assertEqual(self.words(answer), [f"{NOT_REACHED}no time is left"])
        self.assertEqual(self.wires, [])

    def test_goes_nowhere(self):
        """
        What must not go out does not even open a connection.
        """
        answer = self.deliver(ADA, BOB, kept=message(b"a\n.\r\nMAIL\r\n"))
        self.assertEqual(
            self.words(answer), ["550 5.6.0 bare CR, bare LF or NUL in the message"] * 2
        )
        answer = self.deliver(Address("a\r\nQUIT", "example.com"))
        self.assertEqual(self.words(answer), ["553 5.1.3 control characters in an address"])
        self.assertEqual(self.wires, [])

    def test_cancel(self):
        """
        Cancelling works until the first byte of the message has gone out.
        """
        answer = self.deliver()
        self.wires[0].greet()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        answer = self.deliver()
        self.wires[1].greet()
        self.wires[1].take()
        answer.cancel()
        self.wires[1].finish()
        self.assertEqual(self.words(answer), ["250 2.0.0 taken"])

    def test_verify(self):
        """
        A question is answered with the reply to RCPT, on a connection that serves again.
        """
        for line in ("250 2.1.5 ok", "550 5.1.1 nobody", "450 4.2.0 later"):
            answer = self.delivery.verify(ENVELOPE.sender, ADA)
            if len(self.wires) == 1 and not self.delivery.capabilities.extensions:
                self.wires[0].greet()
            self.wires[0].say("250 ok", line, "250 ok")
            self.assertEqual(str(self.successResultOf(answer)), line)
        self.assertEqual(len(self.wires), 1)

    def test_verify_not_reached(self):
        """
        Where nobody could be asked the answer is 451 4.4.1, whatever the upstream said instead.
        """

        def refuses(wire):
            wire.say("554 5.7.1 go away")

        def refuses_ehlo(wire):
            wire.say("220 mx")
            wire.say("550 5.7.1 no")
            wire.say("550 5.7.1 no")

        def drops(wire):
            wire.greet()
            wire.drop()

        def closes(wire):
            wire.greet()
            wire.say("421 4.3.2 bye")
            wire.drop()

        for behaviour in (refuses, refuses_ehlo, drops, closes):
            self.make()
            answer = self.delivery.verify(ENVELOPE.sender, ADA)
            behaviour(self.wires[0])
            reply = self.successResultOf(answer)
            self.assertEqual((reply.code, reply.enhanced), (451, "4.4.1"), behaviour)

    def test_verify_in_time(self):
        """
        A client waits at RCPT, so that a question has a time of its own.
        """
        answer = self.delivery.verify(ENVELOPE.sender, ADA)
        self.wires[0].greet()
        self.clock.advance(QUESTION_SECONDS - 0.1)
        self.assertNoResult(answer)
        self.clock.advance(0.1)
        self.assertEqual(str(self.successResultOf(answer)), f"{NOT_REACHED}no reply in time")

    def test_probe(self):
        """
        A probe learns what can be offered.
        """
        probed = self.delivery.probe()
        self.assertEqual(self.delivery.capabilities.extensions, frozenset())
        self.wires[0].greet("8BITMIME")
        self.successResultOf(probed)
        self.assertEqual(self.delivery.capabilities.extensions, {"8BITMIME"})

    def test_close(self):
        """
        Closing ends idle connections; afterwards nothing is delivered.
        """
        probed = self.delivery.probe()
        self.wires[0].greet()
        self.successResultOf(probed)
        closed = self.delivery.close()
        self.assertEqual(self.wires[0].heard(), b"QUIT\r\n")
        self.wires[0].drop()
        self.successResultOf(closed)
        self.assertEqual(self.words(self.deliver()), ["451 4.3.2 the gateway is being stopped"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_endpoint(self):
        """
        An address is connected to without a look-up, a name is looked up.
        """
        for host, found in (
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("mx.example.com", "192.0.2.9"),
        ):
            reactor = MemoryReactorClock()
            asked = []
            reactor.installNameResolver(Names(asked, IPv4Address("TCP", "192.0.2.9", 26)))
            settings = make_settings(port=26).model_copy(update={"host": host})
            SmtpDelivery("inner", settings, "mail.example.com", reactor).probe()
            self.assertEqual(reactor.tcpClients[0][:2], (found, 26))
            self.assertEqual(asked, [] if host == found else [host])
