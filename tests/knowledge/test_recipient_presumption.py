"""
Tests of L{mailgate.knowledge.recipient_presumption}.

What follows from it for owners is in C{tests/delivery/test_recipients.py}.
"""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import EXISTS, NOBODY, Listed
from mailgate.knowledge.recipient_presumption import PRESUMED, Presumed
from mailgate.reply import Reply
from mailgate.wire.address import NULL_SENDER
from tests.storage import ADA, BOB

LATER = Listed(Reply(451, "4.4.1", "destination not reached: refused"))


class Source:
    """
    A source that gives one answer.
    """

    def __init__(self, answer, is_upstream=True):
        self.name, self.is_upstream, self.answer = "source", is_upstream, answer

    def find(self, address, sender):
        """
        Give it.
        """
        return self.answer


class PresumedTests(SynchronousTestCase):
    """
    Tests of L{Presumed}.
    """

    def find(self, answer, is_failing=False, **options):
        """
        Look an address up.
        """
        presumed = Presumed(Source(answer, **options), lambda: is_failing)
        return presumed.find(ADA, NULL_SENDER)

    def test_known(self):
        """
        What a source says for good counts as it is, with what an alias stands for.
        """
        for listed in (Listed(EXISTS, (BOB,)), NOBODY, Listed(Reply(550, "5.7.1", "no"))):
            self.assertIs(self.find(listed), listed)
            answer = Deferred()
            found = self.find(answer)
            answer.callback(listed)
            self.assertIs(self.successResultOf(found), listed)

    def test_not_known_now(self):
        """
        Whoever cannot be looked up exists.
        """
        self.assertIs(self.find(LATER), PRESUMED)
        answer = Deferred()
        found = self.find(answer)
        self.assertNoResult(found)
        answer.callback(LATER)
        self.assertIs(self.successResultOf(found), PRESUMED)

    def test_not_waited_for(self):
        """
        An upstream that fails is not waited for, whatever comes of the question; another source is.
        """
        answer = Deferred()
        self.assertIs(self.find(answer, is_failing=True), PRESUMED)
        answer.callback(NOBODY)
        self.assertNoResult(self.find(Deferred(), is_failing=True, is_upstream=False))

    def test_names(self):
        """
        It is known by the name of the source, and as what that is.
        """
        for is_upstream in (False, True):
            presumed = Presumed(Source(NOBODY, is_upstream))
            self.assertEqual((presumed.name, presumed.is_upstream), ("source", is_upstream))
