"""
Tests of upstreams that answer something twice: all replies that follow on the connection are then
those to what was said before.
"""

from itertools import product

from mailgate.delivery.transaction import Transaction
from mailgate.wire.address import Address
from tests.delivery.test_pool import SENDER, PoolCase
from tests.storage import ADA, BOB, ENVELOPE, message

EXTRA = ("250 2.0.0 taken", "550 5.7.1 no", "451 4.3.0 later")
MAIL = ("250 2.1.0 ok", "550 5.1.8 not from you", "450 4.1.8 not now")
RCPT = ("250 2.1.5 ok", "550 5.1.1 nobody", "450 4.2.1 not now")
NO = "503 5.5.1 out of order"
CAROL = Address("carol", "example.com")


def said(mail, results, last=""):
    """
    Give what an honest server says to MAIL, to each RCPT, and to DATA or RSET.
    """
    if not mail.startswith("2"):
        results = [NO] * len(results)
    is_taken = any(result.startswith("2") for result in results)
    return [mail, *results, last or ("354 go" if is_taken else NO)]


def truth(mail, results):
    """
    Give the first digits of the codes that count for each recipient.
    """
    return [(result if mail.startswith("2") else mail)[0] for result in results]


class TwiceTests(PoolCase):
    """
    Tests with a connection that has served before.
    """

    def setUp(self):
        """
        Let a first message be taken.
        """
        self.renew()

    def renew(self):
        """
        Have a connection that has served.
        """
        self.make()
        self.wire = self.serve()

    def deliver(self, *recipients):
        """
        Begin to deliver a message.
        """
        transaction = Transaction(SENDER, recipients or (ADA,), message(), ENVELOPE)
        return self.begin(transaction)

    def ask(self):
        """
        Begin to ask for a recipient.
        """
        return self.begin(Transaction(SENDER, (ADA,)))

    def begin(self, transaction):
        """
        Begin.
        """
        transaction.wait_until = self.clock.seconds() + 100
        self.assertIsNone(transaction.prepare())
        self.pool.run(transaction)
        return transaction.answer

    def digits(self, answer):
        """
        Give the first digits of an answer.
        """
        return [str(reply)[0] for reply in self.successResultOf(answer)]

    def test_while_it_is_idle(self):
        """
        A second answer that comes before the next message ends the connection.
        """
        self.wire.finish()
        self.assertTrue(self.wire.is_closed)
        self.serve()
        self.assertEqual(len(self.wires), 2)

    def test_amid_the_next_message(self):
        """
        However often the one before was answered, and whatever the upstream really says of the
        next: each recipient gets what is meant for it, if need be after a new connection. Only
        where the sender is refused, one refusal may be taken for another.
        """
        people = (ADA, BOB, CAROL)
        anew = 0
        for number, extra, mail, *results in product((1, 2), EXTRA, MAIL, RCPT, RCPT, RCPT):
            self.renew()
            where = (number, extra, mail, results)
            answer = self.deliver(*people)
            honest = said(mail, results)
            self.wire.say(*[*[extra] * number, *honest][: len(honest)])
            for wire in self.wires[1:]:
                anew += 1
                wire.greet()
                wire.say(*honest)
            wire = self.wires[-1]
            if not wire.is_closed and honest[-1].startswith("354"):
                wire.finish()
            expected = truth(mail, results)
            digits = self.digits(answer)
            if digits != expected:
                self.assertFalse(mail.startswith("2") or extra.startswith("2"), where)
                self.assertNotIn("2", digits, where)
        self.assertGreater(anew, 100)

    def test_question(self):
        """
        The same where a recipient is asked for.
        """
        for extra, mail, result in product(EXTRA, MAIL, RCPT):
            self.renew()
            answer = self.ask()
            honest = said(mail, [result], "250 2.0.0 reset")
            self.wire.say(extra, *honest[:-1])
            for wire in self.wires[1:]:
                wire.greet()
                wire.say(*honest)
            self.assertEqual(self.digits(answer), truth(mail, [result]), (extra, mail, result))

    def test_one_command_at_a_time(self):
        """
        Without PIPELINING a message is not lost that way either.
        """
        self.make()
        first = self.run_one()
        (wire,) = self.wires
        wire.greet("SIZE")
        for reply in ("250 ok", "250 ok", "354 go", "250 taken"):
            wire.say(reply)
        self.assertEqual(self.digits(first), ["2"])
        answer = self.run_one()
        for reply in ("250 taken", "250 ok", "250 ok"):
            wire.say(reply)
        self.assertTrue(wire.is_closed)
        self.wires[1].greet()
        self.complete(self.wires[1])
        self.assertEqual(self.digits(answer), ["2"])

    def test_really_refused(self):
        """
        DATA that is really refused is asked for once more, on a new connection, and no third time.
        """
        answer = self.deliver()
        refused = said(MAIL[0], RCPT[:1], "554 5.7.1 not today")
        self.wire.say(*refused)
        self.assertNoResult(answer)
        self.wires[1].greet()
        self.wires[1].say(*refused)
        self.assertEqual(self.digits(answer), ["5"])
        self.assertEqual(len(self.wires), 2)

    def test_refused_sender(self):
        """
        A sender or a recipient that is really refused is asked for once.
        """
        for mail, result in ((MAIL[1], RCPT[0]), (MAIL[0], RCPT[1]), (MAIL[2], RCPT[0])):
            self.renew()
            answer = self.deliver()
            self.wire.say(*said(mail, [result]))
            self.assertEqual(self.digits(answer), truth(mail, [result]))
            self.assertEqual(len(self.wires), 1)
