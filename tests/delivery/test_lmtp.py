"""
Tests of the client's side of LMTP (RFC 2033).
"""

from twisted.trial.unittest import SynchronousTestCase

from tests.delivery.kinds import Kind, MailSubject
from tests.storage import ADA, BOB, ENVELOPE, message, temporary_folder

TAKEN = "250 2.0.0 taken"


class LmtpTests(SynchronousTestCase):
    """
    One upstream that speaks LMTP.
    """

    def setUp(self):
        """
        Make it.
        """
        self.subject = MailSubject(temporary_folder(self), Kind("", {"kind": "lmtp"}))
        self.behaviour = self.subject.behaviour

    def begin(self, *recipients, within=None):
        """
        Begin to deliver a message.
        """
        answer = self.subject.delivery.deliver(ENVELOPE, recipients, message(), within)
        self.subject.work()
        return answer

    def replies(self, answer):
        """
        Give the replies in words.
        """
        return [str(reply) for reply in self.successResultOf(answer)]

    def test_lhlo(self):
        """
        The greeting is LHLO, and never HELO where that is refused.
        """
        self.behaviour.replies["EHLO"] = "500 5.5.1 no"
        self.assertEqual(self.replies(self.begin(ADA)), ["500 5.5.1 no"])
        self.assertEqual(self.behaviour.lines, [b"LHLO gw.example.com"])

    def test_a_reply_for_each(self):
        """
        Each recipient has its own reply after the dot.
        """
        self.behaviour.replies[f". {BOB}"] = "452 4.2.2 mailbox full"
        self.assertEqual(self.replies(self.begin(ADA, BOB)), [TAKEN, "452 4.2.2 mailbox full"])
        self.assertEqual([name for name, _ in self.subject.stored()], [str(ADA)])

    def test_refused_at_rcpt(self):
        """
        Who was refused at RCPT has no reply after the dot, and the others have theirs.
        """
        self.behaviour.replies[f"RCPT {ADA}"] = "550 5.1.1 nobody"
        self.assertEqual(self.replies(self.begin(ADA, BOB)), ["550 5.1.1 nobody", TAKEN])
        self.assertEqual(self.replies(self.begin(BOB, ADA)), [TAKEN, "550 5.1.1 nobody"])

    def test_all_refused(self):
        """
        Where all are refused no message is sent, and the connection is of use again.
        """
        self.behaviour.replies["RCPT"] = "550 5.1.1 nobody"
        self.assertEqual(self.replies(self.begin(ADA, BOB)), ["550 5.1.1 nobody"] * 2)
        del self.behaviour.replies["RCPT"]
        self.assertEqual(self.replies(self.begin(ADA)), [TAKEN])
        self.assertEqual(len(self.behaviour.servers), 1)

    def test_354_without_recipients(self):
        """
        A server that wants the message all the same would never reply to it: it is left.
        """
        server = self.subject.network.make

        class Eager(server):
            def _data(self, argument):
                self._say("DATA", "354 go")

        self.subject.network.make = Eager
        self.behaviour.replies["RCPT"] = "550 5.1.1 nobody"
        self.assertEqual(self.replies(self.begin(ADA)), ["550 5.1.1 nobody"])
        self.assertEqual(self.subject.network.open, 0)

    def test_f08_lost_amid_the_replies(self):
        """
        What was answered counts; of the others it is not known (F8).
        """
        self.behaviour.replies[f". {BOB}"] = b"250 2.0"
        answer = self.begin(ADA, BOB)
        self.assertNoResult(answer)
        self.behaviour.drop()
        self.subject.work()
        self.assertEqual(
            self.replies(answer),
            [TAKEN, "451 4.4.2 destination lost before its reply: connection lost"],
        )
        self.assertEqual(self.subject.delivery.failures, 1)

    def test_f06_late_amid_the_replies(self):
        """
        The same where the rest of the replies does not come in time (F6).
        """
        self.behaviour.replies[f". {BOB}"] = b""
        answer = self.begin(ADA, BOB, within=10)
        self.subject.clock.advance(10)
        codes = [(r.code, r.enhanced) for r in self.successResultOf(answer)]
        self.assertEqual(codes, [(250, "2.0.0"), (451, "4.4.2")])

    def test_more_replies_than_recipients(self):
        """
        One reply too many ends the connection; the others count.
        """
        self.behaviour.replies[f". {BOB}"] = b"250 2.0.0 taken\r\n250 2.0.0 taken\r\n"
        self.assertEqual(self.replies(self.begin(ADA, BOB)), [TAKEN, TAKEN])
        self.assertEqual(self.subject.network.open, 0)

    def test_nonsense_among_the_replies(self):
        """
        What is no outcome makes all of them unknown.
        """
        self.behaviour.replies[f". {BOB}"] = "354 go on"
        codes = [(r.code, r.enhanced) for r in self.successResultOf(self.begin(ADA, BOB))]
        self.assertEqual(codes, [(451, "4.4.2")] * 2)
        self.assertEqual(self.subject.network.open, 0)

    def test_closing_after_one(self):
        """
        A 421 among the replies is for its recipient alone, and ends the connection.
        """
        self.behaviour.replies[f". {BOB}"] = "421 4.3.2 going down"
        self.assertEqual(self.replies(self.begin(ADA, BOB)), [TAKEN, "451 4.3.2 going down"])
        self.assertEqual(self.subject.network.open, 0)

    def test_without_pipelining(self):
        """
        It works command by command too.
        """
        self.behaviour.extensions = ("8BITMIME",)
        self.behaviour.replies[f"RCPT {ADA}"] = "550 5.1.1 nobody"
        self.assertEqual(self.replies(self.begin(ADA, BOB)), ["550 5.1.1 nobody", TAKEN])
