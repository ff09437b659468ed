"""
Tests for L{mailgate.hub.backlog}.
"""

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Outbox as Settings
from mailgate.hub.backlog import DAY, Backlog
from mailgate.store import outbox
from mailgate.verdict import Action, Verdict
from mailgate.wire.parameters import RcptParameters
from tests.pipeline.events import events
from tests.storage import ADA, ENVELOPE, WallClock, make_storage, message


class FakeNotices:
    """
    Takes down what the postmaster is told.
    """

    def __init__(self):
        self.told = []

    def tell_postmaster(self, subject, text, about, pause):
        """
        Tell.
        """
        self.told.append((subject, text, about, pause))
        return succeed(True)


class BacklogTests(SynchronousTestCase):
    """
    Tests of L{Backlog}.
    """

    def setUp(self):
        """
        Make it, to tell of three copies or of one that is an hour old.
        """
        self.clock = Clock()
        self.storage = make_storage(self, now=WallClock(self.clock))
        self.notices = FakeNotices()
        self.backlog = Backlog(
            self.storage.database,
            self.storage.now,
            Settings(alert_seconds=3600, alert_copies=3),
            self.notices,
            "https://mail.example.com",
        )

    def queue(self, number, destination="inbox"):
        """
        Queue copies.
        """
        verdict = Verdict(Action.ACCEPT, (), 0.0, (ADA,))
        now = self.storage.now()

        def insert(connection, stored):
            for each in range(number):
                identity = f"{stored}{each}"
                wish = RcptParameters()
                outbox.add(
                    connection, identity, stored, verdict, wish, now, now, destination=destination
                )

        self.successResultOf(self.storage.messages.keep(ENVELOPE, message(), insert))

    def empty(self):
        """
        Let everything be delivered.
        """
        self.successResultOf(
            self.storage.database.write(lambda c: c.execute("DELETE FROM outbox") and None)
        )

    def look(self):
        """
        Look, and give the events.
        """
        with events() as said:
            self.successResultOf(self.backlog.look())
        return [event["event"] for event in said]

    def test_nothing(self):
        """
        An empty outbox, and a few copies that are young, are nothing to tell.
        """
        self.assertEqual(self.look(), [])
        self.queue(2)
        self.assertEqual(self.look(), [])
        self.assertEqual(self.notices.told, [])

    def test_number(self):
        """
        Many copies are told, once, with how many wait for which upstream; and their end too.
        """
        self.queue(1, "smarthost")
        self.queue(2)
        self.assertEqual(self.look(), ["outbox.backlog"])
        self.assertEqual(self.look(), [])
        ((subject, text, _, _),) = self.notices.told
        self.assertEqual(subject, "Mail piles up in the outbox")
        for words in ("3 copies wait", "2 for the upstream inbox", "1 for the upstream smarthost"):
            self.assertIn(words, text)
        self.empty()
        self.assertEqual(self.look(), ["outbox.backlog_over"])
        self.assertEqual(self.look(), [])

    def test_age(self):
        """
        One copy that is too old is told, and once more after a day.
        """
        self.queue(1)
        self.clock.advance(3599)
        self.assertEqual(self.look(), [])
        self.clock.advance(1)
        self.assertEqual(self.look(), ["outbox.backlog"])
        self.clock.advance(DAY - 1)
        self.assertEqual(self.look(), [])
        self.clock.advance(1)
        self.assertEqual(self.look(), ["outbox.backlog"])

    def test_stopped(self):
        """
        What waits for a person is not late.
        """
        self.queue(5)
        self.successResultOf(self.storage.database.write(outbox.suspend_all))
        self.clock.advance(7200)
        self.assertEqual(self.look(), [])
