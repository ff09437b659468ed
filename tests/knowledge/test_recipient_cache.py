"""
Tests of what is kept of the answers of a source.
"""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import EXISTS, NOBODY, Listed
from mailgate.knowledge.recipient_cache import Remembered, Times
from mailgate.knowledge.recipients import NOT_KNOWN_NOW
from mailgate.wire.address import NULL_SENDER, Address

THERE = Listed(EXISTS, (Address("ada", "example.com"),))


class Source:
    """
    A source that answers when it is told to.
    """

    name = "source"

    def __init__(self, is_upstream=False):
        self.is_upstream = is_upstream
        self.asked = []

    def find(self, address, sender):
        """
        Let the answer wait.
        """
        answer = Deferred()
        self.asked.append((str(address), answer))
        return answer


class RememberedTests(SynchronousTestCase):
    """
    Tests with a database, whose local parts have no case. Those with an upstream are in
    L{tests.delivery.test_recipients}.
    """

    def setUp(self):
        """
        Remember three of each kind.
        """
        self.clock = Clock()
        self.source = Source()
        times = Times(good_seconds=100, bad_seconds=10, entries=3)
        self.remembered = Remembered(self.source, times, self.clock.seconds, waiting=5)

    def find(self, local, said=None):
        """
        Look somebody up; C{said} is what the source answers, and it must be asked just then.
        """
        before = len(self.source.asked)
        found = self.remembered.find(Address(local, "example.com"), NULL_SENDER)
        self.assertEqual(len(self.source.asked) - before, said is not None)
        if said is not None:
            self.source.asked[-1][1].callback(said)
            return self.successResultOf(found)
        return found

    def test_value(self):
        """
        What is known is a value, however the address is written.
        """
        self.find("ada", THERE)
        self.assertIs(self.find("ADA"), THERE)
        self.assertIs(self.find('"ada"'), THERE)

    def test_times(self):
        """
        A bad answer is forgotten sooner than a good one.
        """
        self.find("ada", THERE)
        self.find("eve", NOBODY)
        self.clock.advance(9)
        self.assertIs(self.find("eve"), NOBODY)
        self.clock.advance(2)
        self.find("eve", NOBODY)
        self.assertIs(self.find("ada"), THERE)
        self.clock.advance(90)
        self.find("ada", THERE)

    def test_failure(self):
        """
        While the source cannot be asked what it said before counts, however old; else nobody knows,
        and the next one asks again.
        """
        self.find("ada", THERE)
        self.clock.advance(10_000)
        self.assertIs(self.find("ada", NOT_KNOWN_NOW), THERE)
        self.assertIs(self.find("bob", NOT_KNOWN_NOW), NOT_KNOWN_NOW)
        self.assertIs(self.find("bob", THERE), THERE)

    def test_changed(self):
        """
        Who has gone, or come, is not both.
        """
        self.find("ada", THERE)
        self.clock.advance(101)
        self.assertIs(self.find("ada", NOBODY), NOBODY)
        self.assertIs(self.find("ada"), NOBODY)
        self.clock.advance(11)
        self.assertIs(self.find("ada", THERE), THERE)
        self.assertIs(self.find("ada"), THERE)

    def test_guessing(self):
        """
        Who guesses fills the memory with no more than so many, and pushes out nobody who exists.
        """
        self.find("ada", THERE)
        for number in range(1000):
            self.find(f"x{number}", NOBODY)
        self.assertIs(self.find("ada"), THERE)
        self.find("x0", NOBODY)
        self.assertIs(self.find("x999"), NOBODY)

    def test_one_question(self):
        """
        All who ask for the same address at the same time share one question, whoever writes to it;
        one that goes away takes nobody with it.
        """
        ada = Address("ada", "example.com")
        first = self.remembered.find(ada, NULL_SENDER)
        others = [self.remembered.find(ada, Address("x", str(n))) for n in range(3)]
        self.assertEqual(len(self.source.asked), 1)
        first.addErrback(lambda failure: None)
        first.cancel()
        self.source.asked[0][1].callback(THERE)
        for each in others:
            self.assertIs(self.successResultOf(each), THERE)

    def test_too_many_questions(self):
        """
        Beyond so many questions at a time nobody is kept waiting; what is known still counts.
        """
        self.find("ada", THERE)
        self.clock.advance(101)
        for number in range(5):
            self.assertIsInstance(
                self.remembered.find(Address(f"x{number}", "example.com"), NULL_SENDER), Deferred
            )
        self.assertIs(self.find("eve"), NOT_KNOWN_NOW)
        self.assertIs(self.find("ada"), THERE)
        self.source.asked[-1][1].callback(NOBODY)
        self.find("eve", NOBODY)

    def test_broken_source(self):
        """
        A source that breaks lets nobody wait for ever.
        """
        found = self.remembered.find(Address("ada", "example.com"), NULL_SENDER)
        self.source.asked[0][1].errback(ValueError())
        self.failureResultOf(found, ValueError)
        self.find("ada", THERE)
