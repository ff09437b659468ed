"""
Tests of what is tried again on a new connection, beyond the plain cases in L{test_pool}.
"""

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.opening import Opening
from mailgate.delivery.pool import Pool
from mailgate.delivery.transaction import Transaction
from mailgate.message.message import HEAD_LIMIT, MemoryMessage
from mailgate.message.spool import FileMessage
from mailgate.store.threads import ImmediateThreads
from tests.delivery.client import SENDER, TEXT
from tests.delivery.network import Network, make_settings
from tests.storage import ADA


class RepeatTests(SynchronousTestCase):
    """
    A pool with connections that have served before.
    """

    def make(self, **settings):
        """
        Make a pool.
        """
        self.network = Network()
        self.wires = self.network.wires
        self.pool = Pool(
            "up", self.network, Clock(), Opening("mail.example.com"), make_settings(**settings)
        )

    def begin(self, message=None):
        """
        Begin a transaction, and give its answer.
        """
        transaction = Transaction(SENDER, (ADA,), message or MemoryMessage((TEXT,)))
        self.assertIsNone(transaction.prepare())
        self.pool.run(transaction)
        return transaction.answer

    def code(self, answer):
        """
        Give the code and the enhanced code of the one reply.
        """
        (reply,) = self.successResultOf(answer)
        return reply.code, reply.enhanced

    def test_never_in_the_midst_of_a_message(self):
        """
        An old connection that breaks between the upstream's 354 and the dot is not tried again,
        however little of the message has gone out.
        """
        self.make()
        served = self.begin()
        wire = self.wires[0]
        wire.greet()
        wire.take()
        wire.finish()
        self.assertEqual(self.code(served)[0], 250)

        path = Path(self.mktemp())
        data = b"x" * HEAD_LIMIT + b"\r\n"
        path.write_bytes(data)
        message = FileMessage(path, len(data), data[:HEAD_LIMIT], ImmediateThreads())
        answer = self.begin(message)
        wire.take()
        self.assertIsNotNone(wire.transport.producer)
        wire.drop()
        self.assertEqual(self.code(answer), (451, "4.4.1"))
        self.assertEqual(len(self.wires), 1)

    def test_not_on_another_old_one(self):
        """
        While the new connection is not there yet, an old one that becomes free takes those who
        came later, not who has lost their own.
        """
        self.make(connections=2)
        answers = [self.begin(), self.begin()]
        for wire in self.wires:
            wire.greet()
        for wire in self.wires:
            wire.take()
            wire.finish()
            wire.heard()
        self.assertEqual([self.code(answer)[0] for answer in answers], [250, 250])

        other = self.begin()
        busy = next(wire for wire in self.wires if wire.heard())
        lost = self.begin()
        broken = next(wire for wire in self.wires if wire.heard())
        self.assertIsNot(busy, broken)
        self.network.is_waiting = True
        broken.drop()
        busy.take()
        busy.heard()
        busy.finish()
        self.assertEqual(self.code(other)[0], 250)
        self.assertEqual(busy.heard(), b"")
        self.assertNoResult(lost)
        self.network.connected()
        new = self.wires[-1]
        new.greet()
        new.take()
        new.finish()
        self.assertEqual(self.code(lost)[0], 250)
