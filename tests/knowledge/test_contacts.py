"""
Tests of L{mailgate.knowledge.contacts}.
"""

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Contact, Question
from mailgate.knowledge.contacts import MOST, SECONDS, Contacts


def question(theirs="eve@example.org"):
    """
    Ask for somebody.
    """
    return Question(theirs, ("ada@example.com",))


@define
class Hub:
    """
    A hub that counts how often it was asked.
    """

    asked: list = field(factory=list)
    error: Exception | None = None

    def contact(self, asked):
        """
        Answer.
        """
        self.asked.append(asked)
        if self.error is not None:
            return fail(self.error)
        return succeed(Contact(asked.theirs, len(self.asked)))


class ContactsTests(SynchronousTestCase):
    """
    Tests of L{Contacts}.
    """

    def setUp(self):
        """
        Know nothing.
        """
        self.hub, self.clock = Hub(), Clock()
        self.contacts = Contacts(self.hub, self.clock.seconds)

    def heard(self, asked):
        """
        Give what is known, waited for or not.
        """
        known = self.contacts.of(asked)
        return (self.successResultOf(known) if isinstance(known, Deferred) else known).heard

    def test_remembered(self):
        """
        The hub is asked once a minute; meanwhile the answer is there at once.
        """
        self.assertEqual(self.heard(question()), 1)
        self.clock.advance(SECONDS - 1)
        self.assertIsInstance(self.contacts.of(question()), Contact)
        self.clock.advance(1)
        self.assertEqual(self.heard(question()), 2)
        self.assertEqual(self.heard(Question("eve@example.org", ("bob@example.com",))), 3)

    def test_failure(self):
        """
        That the hub fails is told, and not remembered.
        """
        self.hub.error = OSError(5, "disk")
        self.failureResultOf(self.contacts.of(question()), OSError)
        self.hub.error = None
        self.assertEqual(self.heard(question()), 2)

    def test_bounded(self):
        """
        Who was not asked for longest is forgotten first.
        """
        for number in range(MOST):
            self.heard(question(f"{number}@example.org"))
        self.heard(question("0@example.org"))
        self.heard(question("new@example.org"))
        self.assertIsInstance(self.contacts.of(question("0@example.org")), Contact)
        self.assertIsInstance(self.contacts.of(question("1@example.org")), Deferred)
