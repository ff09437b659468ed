"""
Tests of what the edge does with who a recipient is.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Admission, Capabilities
from mailgate.reply import Reply
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address
from tests.edge.harness import Edge
from tests.storage import temporary_folder

GOOD = Reply(250, "2.1.5", "recipient ok")
ADA = Address("ada", "example.com")
INFO = Address("info", "example.com")
FROM_DOT = "From: a <a@example.org>\n\nhello\n.\n"


class RecipientTests(SynchronousTestCase):
    """
    Tests with an alias.
    """

    def setUp(self):
        """
        Open a transaction.
        """
        self.edge = Edge(Files(), ImmediateThreads(), temporary_folder(self)).greeted()

    def answer(self, named, recipient):
        """
        Let somebody be somebody else.
        """
        self.edge.recipients.answers[str(named)] = Admission(GOOD, recipient)

    def send(self, *recipients):
        """
        Send a message, and give the envelope and recipients that were dispatched.
        """
        self.edge.say("MAIL FROM:<sender@example.org>\n")
        for recipient in recipients:
            self.assertEqual(self.edge.say(f"RCPT TO:{recipient}\n")[:3], "250", recipient)
        self.assertEqual(self.edge.say("DATA\n")[:3], "354")
        self.assertEqual(self.edge.say(FROM_DOT)[:3], "250")
        envelope, found, _, _ = self.edge.dispatcher.messages[-1]
        return envelope, found

    def notes(self):
        """
        Give the notes of the transaction.
        """
        return self.edge.hub.records[-1].notes

    def test_owner(self):
        """
        Who belongs to somebody is judged and dispatched with that, under the address that was
        written, and the trace says so.
        """
        self.answer(INFO, evolve(INFO, belongs_to=ADA))
        _, (recipient,) = self.send("<info@example.com>")
        self.assertEqual((str(recipient), recipient.owner), ("info@example.com", "ada@example.com"))
        self.assertIn("info@example.com belongs to ada@example.com", self.notes())

    def test_two_addresses_of_one(self):
        """
        Two addresses of one person are two copies.
        """
        self.answer(INFO, evolve(INFO, belongs_to=ADA))
        _, recipients = self.send("<info@example.com>", "<ada@example.com>")
        self.assertEqual(list(map(str, recipients)), ["info@example.com", "ada@example.com"])

    def test_rewritten(self):
        """
        Where the copy goes elsewhere, who was meant goes with it (RFC 3461 section 5.2.1), and the
        trace says so.
        """
        self.answer(INFO, ADA)
        envelope, (recipient,) = self.send("<info@example.com>")
        self.assertEqual(str(recipient), "ada@example.com")
        self.assertEqual(envelope.wish_of(ADA).orcpt, "rfc822;info@example.com")
        self.assertIn("info@example.com is delivered to ada@example.com", self.notes())

    def test_rewritten_with_wishes(self):
        """
        What the sender has said of notices stays, also whom it meant first.
        """
        offered = frozenset({"8BITMIME", "DSN"})
        self.edge.recipients.capabilities = Capabilities(offered, None)
        self.edge.say("EHLO client.example.org\n")
        self.answer(INFO, ADA)
        wish = "NOTIFY=FAILURE ORCPT=rfc822;list@example.org"
        envelope, _ = self.send(f"<info@example.com> {wish}")
        found = envelope.wish_of(ADA)
        self.assertEqual((found.notify, found.orcpt), ("FAILURE", "rfc822;list@example.org"))

    def test_rewritten_to_one_who_is_there(self):
        """
        Whoever is named under two addresses that go to one place gets one copy, and is judged once.
        """
        self.answer(INFO, Address("ada", "Example.com"))
        _, recipients = self.send("<ada@example.com>", "<info@example.com>", "<info@example.com>")
        self.assertEqual(recipients, [ADA])
        judged = [call for call in self.edge.pipeline.calls if call[0] == "rcpt"]
        self.assertEqual(len(judged), 1)

    def test_lmtp(self):
        """
        Each RCPT has its reply all the same.
        """
        edge = Edge(
            Files(),
            ImmediateThreads(),
            temporary_folder(self),
            listener={"role": "lmtp"},
        )
        edge.recipients.answers["info@example.com"] = Admission(GOOD, ADA)
        edge.connect()
        edge.say("LHLO client.example.org\n")
        edge.say("MAIL FROM:<sender@example.org>\n")
        edge.say("RCPT TO:<info@example.com>\n")
        edge.say("RCPT TO:<ada@example.com>\n")
        edge.say("DATA\n")
        said = edge.say(FROM_DOT)
        self.assertEqual(said.count("250 2.0.0 for ada@example.com"), 2)

    def test_refused(self):
        """
        Who does not exist is refused under the name that was written.
        """
        answer = Admission(Reply(550, "5.1.1", "no such recipient here"), INFO)
        self.edge.recipients.answers["info@example.com"] = answer
        self.edge.say("MAIL FROM:<sender@example.org>\n")
        said = self.edge.say("RCPT TO:<info@example.com>\n")
        self.assertEqual(said, "550 5.1.1 no such recipient here (ID)\r\n")
