"""
Tests of sources that are asked for each address.
"""

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import NOBODY
from mailgate.knowledge.recipient_asking import QUEUE, AskedRecipients, SourceFailed
from mailgate.knowledge.recipients import NOT_KNOWN_NOW
from mailgate.wire.address import NULL_SENDER, Address


class AskedTests(SynchronousTestCase):
    """
    Tests with two questions at a time and ten seconds for each.
    """

    def setUp(self):
        """
        Make a source that answers when it is told to.
        """
        self.clock = Clock()
        self.asked = []
        self.source = AskedRecipients("staff", self.look, 2, 10, self.clock)

    def look(self, address):
        """
        Let the answer wait.
        """
        self.asked.append((str(address), Deferred()))
        return self.asked[-1][1]

    def find(self, local="ada"):
        """
        Look somebody up.
        """
        return self.source.find(Address(local, "example.com"), NULL_SENDER)

    def test_at_a_time(self):
        """
        The source gets so many questions at a time, and the others wait for their turn.
        """
        waiting = [self.find(f"x{number}") for number in range(4)]
        self.assertEqual(len(self.asked), 2)
        self.asked[0][1].callback(())
        self.assertEqual(len(self.asked), 3)
        self.assertTrue(self.successResultOf(waiting[0]).reply.is_positive)
        self.assertNoResult(waiting[3])

    def test_flood(self):
        """
        Who would have to wait behind too many is told at once that nobody knows.
        """
        for number in range(QUEUE + 2):
            self.find(f"x{number}")
        with capturedLogs() as events:
            self.assertIs(self.find(), NOT_KNOWN_NOW)
        self.assertEqual(events[0]["why"], "too many questions wait")
        self.assertEqual(len(self.asked), 2)

    def test_late(self):
        """
        An answer that does not come in time is none; it is then the source's turn still, until it
        answers, and whoever has waited in vain is not asked for any more.
        """
        waiting = [self.find(f"x{number}") for number in range(4)]
        self.clock.advance(10)
        for each in waiting:
            self.assertIs(self.successResultOf(each), NOT_KNOWN_NOW)
        last = self.find("last")
        self.assertEqual(len(self.asked), 2)
        self.asked[0][1].callback(None)
        self.assertEqual([address for address, _ in self.asked[2:]], ["last@example.com"])
        self.asked[2][1].callback(None)
        self.assertIs(self.successResultOf(last), NOBODY)

    def test_events(self):
        """
        Trouble is told of once, and its end too.
        """
        with capturedLogs() as events:
            for error in (SourceFailed("down"), SourceFailed("down"), SourceFailed("worse")):
                waiting = self.find()
                self.asked[-1][1].errback(error)
                self.assertIs(self.successResultOf(waiting), NOT_KNOWN_NOW)
            for _ in range(2):
                self.find()
                self.asked[-1][1].callback(None)
        self.assertEqual(
            [(each["event"], each.get("why")) for each in events],
            [
                ("recipients.not_asked", "down"),
                ("recipients.not_asked", "worse"),
                ("recipients.asked", None),
            ],
        )

    def test_broken(self):
        """
        A mistake of ours is told with its traceback, and nobody is told yes or no.
        """
        waiting = self.find()
        self.asked[0][1].errback(ZeroDivisionError())
        self.assertIs(self.successResultOf(waiting), NOT_KNOWN_NOW)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_cancelled(self):
        """
        Who goes away lets nobody past.
        """
        waiting = [self.find(f"x{number}") for number in range(3)]
        waiting[0].addErrback(lambda failure: None)
        waiting[0].cancel()
        self.assertEqual(len(self.asked), 2)
        self.asked[0][1].callback(())
        self.assertEqual(len(self.asked), 3)

    def test_normal(self):
        """
        The source is asked with the address as it is compared.
        """
        source = AskedRecipients("staff", lambda address: self._note(address), 2, 10, self.clock)
        source.find(Address('"ADA"', "Example.COM"), NULL_SENDER)
        self.assertEqual(self.noted, "ada@example.com")

    def _note(self, address):
        self.noted = str(address)
        return succeed(None) if address.local else fail(SourceFailed("no"))
