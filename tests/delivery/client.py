"""
One client connection, whose upstream the test plays.
"""

from attrs import define, evolve, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.opening import Opening
from mailgate.delivery.smtp import SmtpClient
from mailgate.delivery.transaction import Transaction
from mailgate.message.message import MemoryMessage
from mailgate.wire.address import Address
from tests.delivery.network import Wire
from tests.storage import ADA, ENVELOPE

SENDER = Address("s", "Example.ORG")
TEXT = b"Subject: x\r\n\r\nHi\r\n"
NOT_REACHED = "451 4.4.1 destination not reached: "
LOST = "451 4.4.2 destination lost before its reply: "


@define(eq=False)
class Owner:
    """
    What is told of a client.
    """

    ready: int = 0
    closed: list = field(factory=list)
    """The reply as words, and whether it may be repeated, for each client that is gone."""

    def client_ready(self, client):
        """
        Count.
        """
        self.ready += 1

    def client_closed(self, client, reply, transaction, repeat):
        """
        Note why.
        """
        self.closed.append((str(reply), repeat))
        if transaction is not None:
            transaction.refuse(reply)


class ClientCase(SynchronousTestCase):
    """
    A client with an upstream that the test plays.
    """

    extensions = ("PIPELINING", "SIZE")

    def setUp(self):
        """
        Connect.
        """
        self.connect()

    def connect(self):
        """
        Make a client and its connection.
        """
        self.clock = Clock()
        self.owner = Owner()
        self.client = SmtpClient(self.owner, self.clock, Opening("mail.example.com"), 15, 150)
        self.wire = Wire(self.client)

    def greet(self):
        """
        Have a client that is ready.
        """
        self.connect()
        self.wire.greet(*self.extensions)

    def begin(self, *recipients, text=TEXT, message=None, sender=SENDER, **more):
        """
        Begin a transaction, and give its answer.
        """
        message = message or MemoryMessage((text,))
        envelope = evolve(ENVELOPE, **{"body": "7BIT", **more})
        transaction = Transaction(sender, recipients or (ADA,), message, envelope)
        self.assertIsNone(transaction.prepare())
        self.assertTrue(self.client.begin(transaction))
        return transaction.answer

    def begin_question(self):
        """
        Begin to ask for a recipient.
        """
        transaction = Transaction(SENDER, (ADA,))
        self.assertTrue(self.client.begin(transaction))
        return transaction.answer

    def words(self, answer):
        """
        Give the replies of an answer as words.
        """
        return [str(reply) for reply in self.successResultOf(answer)]

    def assertBroken(self, answer, words):
        """
        The answer is C{words}, and the connection is closed.
        """
        self.assertEqual(self.words(answer), [words])
        self.assertTrue(self.wire.is_closed)
        self.assertEqual(len(self.owner.closed), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
