"""
Tests of L{mailgate.delivery.smtp}.
"""

from twisted.internet.interfaces import ITCPTransport
from twisted.internet.testing import StringTransport
from zope.interface import directlyProvides

from mailgate.delivery.opening import Opening
from mailgate.delivery.smtp import SmtpClient
from mailgate.delivery.transaction import Transaction
from mailgate.message.message import MemoryMessage
from mailgate.wire.address import NULL_SENDER, Address
from tests import storage
from tests.delivery.client import LOST, NOT_REACHED, SENDER, TEXT, ClientCase
from tests.storage import ADA, BOB

EVE = Address("eve", "example.com")
ENVELOPE = (
    b"MAIL FROM:<s@Example.ORG> SIZE=18\r\n"
    b"RCPT TO:<ada@Example.com>\r\n"
    b"RCPT TO:<bob@example.com>\r\n"
    b"DATA\r\n"
)


class GreetingTests(ClientCase):
    """
    From the greeting to the first transaction.
    """

    def test_ehlo(self):
        """
        The client waits for the greeting, says EHLO, and learns what is offered.
        """
        self.assertEqual(self.wire.heard(), b"")
        self.wire.say("220 mx")
        self.assertEqual(self.wire.heard(), b"EHLO mail.example.com\r\n")
        self.assertEqual(self.owner.ready, 0)
        self.wire.say("250-mx", "250 8BITMIME")
        self.assertEqual(self.owner.ready, 1)
        self.assertEqual(self.client.capabilities.extensions, {"8BITMIME"})

    def test_no_delay(self):
        """
        What is written goes out at once, on TCP.
        """
        client = SmtpClient(self.owner, self.clock, Opening("mail.example.com"), 15, 150)
        transport = StringTransport()
        set_to = []
        transport.setTcpNoDelay = set_to.append
        directlyProvides(transport, ITCPTransport)
        client.makeConnection(transport)
        self.assertEqual(set_to, [True])

    def test_helo(self):
        """
        Where EHLO is not known HELO is said.
        """
        self.wire.say("220 mx")
        self.wire.heard()
        self.wire.say("502 5.5.2 what")
        self.assertEqual(self.wire.heard(), b"HELO mail.example.com\r\n")
        self.wire.say("250 mx")
        self.assertEqual((self.owner.ready, self.client.capabilities.extensions), (1, frozenset()))

    def test_refused(self):
        """
        A refusal in the greeting or at EHLO closes the connection and is told.
        """
        for lines, words in (
            (("554 5.3.2 go away",), f"{NOT_REACHED}it greets with 554 5.3.2 go away"),
            (("421 4.3.2 busy",), f"{NOT_REACHED}it greets with 451 4.3.2 busy"),
            (("220 mx", "421 4.3.2 busy"), "451 4.3.2 busy"),
            (("220 mx", "450 4.7.1 no"), "450 4.7.1 no"),
            (("220 mx", "550 5.7.1 no", "550 5.7.1 no"), "550 5.7.1 no"),
            (("220 mx", "354 go"), f"{NOT_REACHED}it answered EHLO with nonsense"),
            (("200 mx",), f"{NOT_REACHED}it greets with 200 2.0.0 mx"),
        ):
            self.connect()
            for line in lines:
                self.wire.say(line)
            self.assertEqual(self.owner.closed, [(words, False)])
            self.assertTrue(self.wire.is_closed)

    def test_a01b_greeting_with_more(self):
        """
        More than a greeting before EHLO, or more than its reply, is not believed (A1b).
        """
        self.wire.say("220 mx", "250-mx", "250 8BITMIME")
        self.assertEqual(self.owner.closed, [(f"{NOT_REACHED}it speaks out of turn", False)])
        self.connect()
        self.wire.say("220 mx")
        self.wire.client.dataReceived(b"250 mx\r\n250")
        self.assertEqual(self.owner.closed, [(f"{NOT_REACHED}it speaks out of turn", False)])
        self.assertEqual(self.owner.ready, 0)

    def test_f06_no_greeting(self):
        """
        An upstream that never greets, or never answers EHLO, is left after its time (F6).
        """
        for lines in ((), ("220 mx",)):
            self.connect()
            for line in lines:
                self.clock.advance(14)
                self.wire.say(line)
            self.clock.advance(14.9)
            self.assertEqual(self.owner.closed, [])
            self.clock.advance(0.1)
            self.assertEqual(self.owner.closed, [(f"{NOT_REACHED}no reply in time", False)])
            self.assertTrue(self.wire.is_closed)

    def test_f06_one_byte_a_second(self):
        """
        An upstream that says one byte a second gets no more time for it (F6).
        """
        greeting = b"220-" + b"x" * 60
        for byte in greeting:
            if not self.wire.is_closed:
                self.client.dataReceived(bytes((byte,)))
                self.clock.advance(1)
        self.assertEqual(self.clock.seconds(), 15)
        self.assertEqual(self.owner.closed, [(f"{NOT_REACHED}no reply in time", False)])


class PipelinedTests(ClientCase):
    """
    Transactions with an upstream that offers PIPELINING.
    """

    def setUp(self):
        """
        Have a client that is ready.
        """
        self.greet()

    def answered(self, *lines, recipients=(ADA, BOB)):
        """
        Begin a transaction whose envelope gets C{lines} as replies.
        """
        answer = self.begin(*recipients)
        self.wire.heard()
        self.wire.say(*lines)
        return answer

    def test_accepted(self):
        """
        The envelope goes out in one piece, then the message with its dot; the reply to the dot
        is that for each recipient.
        """
        answer = self.begin(ADA, BOB)
        self.assertEqual(self.wire.heard(), ENVELOPE)
        self.wire.say("250 2.1.0 ok", "250 2.1.5 ok", "250 2.1.5 ok", "354 go")
        self.assertEqual(self.wire.heard(), TEXT + b".\r\n")
        self.wire.say("250 2.0.0 taken as 1")
        self.assertEqual(self.words(answer), ["250 2.0.0 taken as 1"] * 2)
        self.assertEqual(self.owner.ready, 2)
        self.assertFalse(self.wire.is_closed)

    def test_every_cut(self):
        """
        Replies may come in any pieces.
        """
        said = b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n"
        for cut in range(len(said)):
            self.greet()
            answer = self.begin()
            self.wire.heard()
            self.client.dataReceived(said[:cut])
            self.client.dataReceived(said[cut:])
            self.assertEqual(self.wire.heard(), TEXT + b".\r\n")
            self.wire.finish()
            self.assertEqual(self.words(answer), ["250 2.0.0 taken"])

    def test_no_time_limit_without_a_transaction(self):
        """
        A client on which nothing runs waits for ever; the pool decides how long.
        """
        self.clock.advance(1000)
        answer = self.begin()
        self.wire.take()
        self.wire.finish()
        self.assertEqual(self.words(answer), ["250 2.0.0 taken"])
        self.clock.advance(1000)
        self.assertFalse(self.wire.is_closed)

    def test_null_sender(self):
        """
        The null sender is passed on as it is.
        """
        self.begin(sender=NULL_SENDER)
        self.assertTrue(self.wire.heard().startswith(b"MAIL FROM:<> SIZE=18\r\n"))

    def test_f07_mixed_recipients(self):
        """
        Refused recipients get their own reply, the others that to the dot (F7).
        """
        answer = self.answered(
            "250 2.1.0 ok",
            "550 5.1.1 nobody",
            "250 2.1.5 ok",
            "452 4.2.2 full",
            "354 go",
            recipients=(ADA, BOB, EVE),
        )
        self.assertEqual(self.wire.heard(), TEXT + b".\r\n")
        self.wire.say("250 2.0.0 taken")
        self.assertEqual(
            self.words(answer), ["550 5.1.1 nobody", "250 2.0.0 taken", "452 4.2.2 full"]
        )

    def test_f07_refused_at_the_dot(self):
        """
        A refusal of the message does not change what was said of the other recipients (F7).
        """
        answer = self.answered("250 ok", "550 5.1.1 nobody", "250 ok", "354 go")
        self.wire.say("554 5.7.1 spam")
        self.assertEqual(self.words(answer), ["550 5.1.1 nobody", "554 5.7.1 spam"])
        self.assertEqual(self.owner.ready, 2)

    def test_f07_refused_at_data(self):
        """
        A refusal of DATA is that of those who had been accepted; RSET comes before more (F7).
        """
        answer = self.answered("250 ok", "250 ok", "550 5.1.1 nobody", "451 4.3.0 not now")
        self.assertEqual(self.words(answer), ["451 4.3.0 not now", "550 5.1.1 nobody"])
        self.assertEqual(self.wire.heard(), b"RSET\r\n")
        self.assertEqual(self.owner.ready, 1)
        self.wire.say("250 2.0.0 ok")
        self.assertEqual(self.owner.ready, 2)

    def test_f07_refused_at_mail(self):
        """
        A refusal of MAIL is that of all (F7).
        """
        for line in ("450 4.7.1 later", "550 5.7.1 never"):
            self.greet()
            answer = self.answered(line, "503 5.5.1 MAIL", "503 5.5.1 MAIL", "503 5.5.1 MAIL")
            self.assertEqual(self.words(answer), [line] * 2)
            self.assertEqual(self.wire.heard(), b"RSET\r\n")

    def test_no_recipient(self):
        """
        Where no recipient is taken but 354 comes all the same, only the dot is sent.
        """
        answer = self.answered("250 ok", "550 5.1.1 a", "550 5.1.1 b", "354 go")
        self.assertEqual(self.words(answer), ["550 5.1.1 a", "550 5.1.1 b"])
        self.assertEqual(self.wire.heard(), b".\r\n")
        self.wire.say("554 5.5.1 no valid recipients")
        self.assertEqual(self.owner.ready, 2)

    def test_f08_dropped(self):
        """
        A drop up to 354 is "not reached", one after the dot is "lost" (F8); what came before
        it changes nothing.
        """
        for lines, words in (
            ((), NOT_REACHED),
            (("250 ok",), NOT_REACHED),
            (("250 ok", "250 ok"), NOT_REACHED),
            (("250 ok", "250 ok", "354 go"), LOST),
        ):
            self.greet()
            answer = self.answered(*lines, recipients=(ADA,))
            self.wire.drop()
            self.assertBroken(answer, f"{words}connection lost")

    def test_f08_half_a_reply(self):
        """
        Half of a reply to the dot is none (F8).
        """
        answer = self.answered("250 ok", "250 ok", "354 go", recipients=(ADA,))
        self.client.dataReceived(b"250-2.0.0 taken\r\n250 2.0.0 as")
        self.wire.drop()
        self.assertBroken(answer, f"{LOST}connection lost")

    def test_f06_hangs(self):
        """
        Each step is bounded by its time, after the dot too (F6).
        """
        for lines, words in (
            ((), NOT_REACHED),
            (("250 ok", "250 ok"), NOT_REACHED),
            (("250 ok", "250 ok", "354 go"), LOST),
        ):
            self.greet()
            answer = self.answered(*lines, recipients=(ADA,))
            self.clock.advance(149.9)
            self.assertNoResult(answer)
            self.clock.advance(0.1)
            self.assertBroken(answer, f"{words}no reply in time")

    def test_deadline(self):
        """
        The deadline of a transaction is kept, whatever step it has reached.
        """
        transaction = Transaction(SENDER, (ADA,), MemoryMessage((TEXT,)))
        transaction.deadline = 20.0
        transaction.prepare()
        self.client.begin(transaction)
        self.clock.advance(15)
        self.wire.take()
        self.clock.advance(4.9)
        self.assertNoResult(transaction.answer)
        self.clock.advance(0.1)
        self.assertBroken(transaction.answer, f"{LOST}no reply in time")

    def test_a01b_excess(self):
        """
        A reply more than was asked for, or the beginning of one, is not believed (A1b).
        """
        envelope = b"250 ok\r\n250 ok\r\n354 go\r\n"
        for more in (b"250 ok\r\n", b"250", b"2", b"250-ok\r\n", b"\r\n", b"nonsense\r\n"):
            self.greet()
            answer = self.begin()
            self.wire.heard()
            self.client.dataReceived(envelope + more)
            self.assertBroken(answer, f"{NOT_REACHED}it speaks out of turn")
            self.assertEqual(self.wire.heard(), b"")

    def test_a01b_after_the_dot(self):
        """
        What the reply to the dot says is so, but on a connection with more behind it nothing
        runs any more (A1b).
        """
        for more in (b"250 ok\r\n", b"25"):
            self.greet()
            answer = self.answered("250 ok", "250 ok", "354 go", recipients=(ADA,))
            self.client.dataReceived(b"250 2.0.0 taken\r\n" + more)
            self.assertEqual(self.words(answer), ["250 2.0.0 taken"])
            self.assertTrue(self.wire.is_closed)
            self.assertEqual(self.owner.ready, 1)

    def test_nonsense(self):
        """
        What is no reply to what was said closes the connection.
        """
        for lines, words in (
            (("354 go", "250 ok", "354 go"), "it answered MAIL with nonsense"),
            (("250 ok", "354 go", "354 go"), "it answered RCPT with nonsense"),
            (("250 ok", "250 ok", "250 ok"), "it answered DATA with nonsense"),
            (("nonsense",), "its reply is not well-formed"),
        ):
            self.greet()
            answer = self.answered(*lines, recipients=(ADA,))
            self.assertBroken(answer, f"{NOT_REACHED}{words}")
            self.assertEqual(self.wire.heard(), b"")

    def test_nonsense_after_the_dot(self):
        """
        What is no reply to the dot leaves the outcome unknown.
        """
        for line, words in (
            ("354 go on", "it answered the message with nonsense"),
            ("nonsense", "its reply is not well-formed"),
        ):
            self.greet()
            answer = self.answered("250 ok", "250 ok", "354 go", recipients=(ADA,))
            self.wire.say(line)
            self.assertBroken(answer, f"{LOST}{words}")

    def test_421(self):
        """
        A 421 is passed on as 451, and the connection is not used any more.
        """
        for lines in (
            ("421 4.3.2 bye", "421 4.3.2 bye", "421 4.3.2 bye"),
            ("250 ok", "421 4.3.2 bye", "503 5.5.1 RCPT"),
            ("250 ok", "250 ok", "421 4.3.2 bye"),
        ):
            self.greet()
            answer = self.answered(*lines, recipients=(ADA,))
            self.assertBroken(answer, "451 4.3.2 bye")

    def test_421_at_the_dot(self):
        """
        A 421 to the dot is a deferral that came, not a connection that was lost.
        """
        answer = self.answered("250 ok", "250 ok", "354 go", recipients=(ADA,))
        self.wire.say("421 4.3.2 bye")
        self.assertBroken(answer, "451 4.3.2 bye")

    def test_repeat(self):
        """
        Only what breaks on a connection that had served before, and before 354, may be
        repeated.
        """
        answer = self.answered(recipients=(ADA,))
        self.wire.drop()
        self.assertEqual([repeat for _, repeat in self.owner.closed], [False])
        for lines, may_repeat in (((), True), (("250 ok", "250 ok", "354 go"), False)):
            self.greet()
            first = self.answered("250 ok", "250 ok", "354 go", recipients=(ADA,))
            self.wire.finish()
            self.assertEqual(self.words(first), ["250 2.0.0 taken"])
            answer = self.answered(*lines, recipients=(ADA,))
            self.wire.drop()
            self.successResultOf(answer)
            self.assertEqual([repeat for _, repeat in self.owner.closed], [may_repeat])

    def test_f09_8bitmime(self):
        """
        BODY=8BITMIME is said where it is offered, and deferred where it is not any more (F9).
        """
        self.extensions = ("PIPELINING", "8BITMIME")
        self.greet()
        self.begin(body="8BITMIME")
        self.assertTrue(
            self.wire.heard().startswith(b"MAIL FROM:<s@Example.ORG> BODY=8BITMIME\r\n")
        )
        self.extensions = ("PIPELINING",)
        self.greet()
        transaction = Transaction(SENDER, (ADA,), MemoryMessage((TEXT,)), storage.ENVELOPE)
        self.assertFalse(self.client.begin(transaction))
        self.assertEqual(
            self.words(transaction.answer), ["451 4.6.3 8BITMIME is not taken any more"]
        )
        self.assertEqual(self.wire.heard(), b"")

    def test_dots(self):
        """
        Lines that begin with a dot get one more, at the very first byte too.
        """
        self.begin(text=b".\r\n..a\r\n\r\n.\r\nend\r\n")
        self.wire.heard()
        self.wire.take()
        self.assertEqual(self.wire.heard(), b"..\r\n...a\r\n\r\n..\r\nend\r\n.\r\n")

    def test_question(self):
        """
        A question is MAIL, RCPT and RSET, and the reply to RCPT is its answer.
        """
        for line in ("250 2.1.5 ok", "550 5.1.1 nobody", "450 4.2.0 later"):
            self.greet()
            answer = self.begin_question()
            self.assertEqual(
                self.wire.heard(),
                b"MAIL FROM:<s@Example.ORG>\r\nRCPT TO:<ada@Example.com>\r\nRSET\r\n",
            )
            self.wire.say("250 2.1.0 ok", line, "250 2.0.0 ok")
            self.assertEqual(self.words(answer), [line])
            self.assertEqual(self.owner.ready, 2)

    def test_question_ends_with_quit(self):
        """
        Where RSET is refused the connection is ended, since the transaction is still open.
        """
        answer = self.begin_question()
        self.wire.heard()
        self.wire.say("250 2.1.0 ok", "250 2.1.5 ok", "502 5.5.1 what")
        self.assertEqual(self.words(answer), ["250 2.1.5 ok"])
        self.assertEqual(self.wire.heard(), b"QUIT\r\n")
        self.assertEqual(self.owner.ready, 1)

    def test_421_at_rset(self):
        """
        A 421 to RSET ends the connection, when the answer has been given.
        """
        answer = self.answered("250 ok", "550 5.1.1 no", "503 5.5.1 RCPT", recipients=(ADA,))
        self.assertEqual(self.words(answer), ["550 5.1.1 no"])
        self.wire.say("421 4.3.2 bye")
        self.assertTrue(self.wire.is_closed)
        self.assertEqual((self.owner.ready, len(self.owner.closed)), (1, 1))

    def test_refused_reset(self):
        """
        Where RSET is refused the transaction is still open: the connection is ended, and nothing
        more runs on it.
        """
        for line, is_closed in (("502 5.5.1 what", False), ("354 go on", False), ("421 bye", True)):
            self.greet()
            answer = self.answered("250 ok", "550 5.1.1 no", "503 5.5.1 RCPT", recipients=(ADA,))
            self.assertEqual(self.words(answer), ["550 5.1.1 no"])
            self.wire.heard()
            self.wire.say(line)
            self.assertEqual(self.owner.ready, 1)
            self.assertEqual(self.wire.heard(), b"" if is_closed else b"QUIT\r\n")
            self.assertEqual(self.wire.is_closed, is_closed)

    def test_question_refused_sender(self):
        """
        A sender that is refused without an enhanced code says nothing of the recipient.
        """
        answer = self.begin_question()
        self.wire.say("550 go away", "503 5.5.1 MAIL", "250 2.0.0 ok")
        self.assertEqual(self.words(answer), ["550 5.7.1 go away"])


class OneByOneTests(ClientCase):
    """
    Transactions with an upstream that does not offer PIPELINING.
    """

    extensions = ("HELP",)

    def setUp(self):
        """
        Have a client that is ready.
        """
        self.greet()

    def converse(self, answer, *exchanges):
        """
        Hear each command, and say the reply to it.
        """
        for command, reply in exchanges:
            self.assertEqual(self.wire.heard(), command)
            self.wire.say(reply)
        return self.words(answer)

    def test_accepted(self):
        """
        Each command waits for the reply to the one before.
        """
        words = self.converse(
            self.begin(ADA, BOB),
            (b"MAIL FROM:<s@Example.ORG>\r\n", "250 ok"),
            (b"RCPT TO:<ada@Example.com>\r\n", "550 5.1.1 nobody"),
            (b"RCPT TO:<bob@example.com>\r\n", "250 ok"),
            (b"DATA\r\n", "354 go"),
            (TEXT + b".\r\n", "250 2.0.0 taken"),
        )
        self.assertEqual(words, ["550 5.1.1 nobody", "250 2.0.0 taken"])
        self.assertEqual(self.owner.ready, 2)

    def test_refused(self):
        """
        After a refusal nothing more of the transaction is said, and RSET makes it ready again.
        """
        mail = b"MAIL FROM:<s@Example.ORG>\r\n"
        rcpt = b"RCPT TO:<ada@Example.com>\r\n"
        for exchanges, words in (
            (((mail, "450 4.7.1 later"),), "450 4.7.1 later"),
            (((mail, "250 ok"), (rcpt, "550 5.1.1 no")), "550 5.1.1 no"),
            (((mail, "250 ok"), (rcpt, "250 ok"), (b"DATA\r\n", "451 4.3.0 no")), "451 4.3.0 no"),
        ):
            self.greet()
            self.assertEqual(self.converse(self.begin(), *exchanges), [words])
            self.assertEqual(self.wire.heard(), b"RSET\r\n")
            self.wire.say("250 2.0.0 ok")
            self.assertEqual(self.owner.ready, 2)

    def test_question(self):
        """
        A question is asked one command at a time, and RSET ends it.
        """
        words = self.converse(
            self.begin_question(),
            (b"MAIL FROM:<s@Example.ORG>\r\n", "250 ok"),
            (b"RCPT TO:<ada@Example.com>\r\n", "550 5.1.1 nobody"),
            (b"RSET\r\n", "250 2.0.0 ok"),
        )
        self.assertEqual(words, ["550 5.1.1 nobody"])
        self.assertEqual(self.owner.ready, 2)

    def test_421(self):
        """
        A 421 is passed on as 451, and nothing more is said.
        """
        words = self.converse(self.begin(), (b"MAIL FROM:<s@Example.ORG>\r\n", "421 4.3.2 bye"))
        self.assertEqual(words, ["451 4.3.2 bye"])
        self.assertTrue(self.wire.is_closed)
        self.assertEqual(self.wire.heard(), b"")

    def test_a01b_excess(self):
        """
        Two replies to one command are not believed (A1b).
        """
        answer = self.begin()
        self.wire.say("250 ok", "250 ok")
        self.assertBroken(answer, f"{NOT_REACHED}it speaks out of turn")
