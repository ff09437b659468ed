"""
Tests of L{mailgate.knowledge.fuzzy}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import FuzzyCheck as Section
from mailgate.interfaces import Marks, Remembered
from mailgate.knowledge.fuzzy import DAY, FuzzyStore
from tests.storage import NOW, WallClock, make_storage

TODAY = int(NOW // DAY)
MARKS = Marks(b"s" * 256, 7, (8, (1 << 64) - 1))


class FuzzyStoreTests(SynchronousTestCase):
    """
    Tests of L{FuzzyStore}.
    """

    def setUp(self):
        """
        Know nothing.
        """
        self.clock = WallClock()
        self.storage = make_storage(self, now=self.clock)
        self.store = self.make()

    def make(self, **more):
        """
        Make a store, with some limits.
        """
        return FuzzyStore(self.storage.database, self.clock, Section(), **more)

    def learn(self, is_spam, *identities, marks=MARKS, store=None):
        """
        Learn messages, or forget them.
        """
        messages = dict.fromkeys(identities, marks)
        self.successResultOf((store or self.store).remember(messages, is_spam))

    def all(self):
        """
        Give all that is remembered.
        """
        return sorted(self.successResultOf(self.store.all()), key=str)

    def test_remember(self):
        """
        What was learned is there, however large its numbers are.
        """
        self.learn(True, (1 << 64) - 1)
        self.learn(False, 0, marks=Marks(b"", 0, (3,)))
        self.assertEqual(
            self.all(),
            [Remembered(False, TODAY, Marks(b"", 0, (3,))), Remembered(True, TODAY, MARKS)],
        )

    def test_again(self):
        """
        A message counts once, from its last lesson on, and as what was said last.
        """
        self.learn(True, 5)
        self.clock.clock.advance(3 * DAY)
        self.learn(False, 5)
        self.assertEqual(self.all(), [Remembered(False, TODAY + 3, MARKS)])

    def test_without_marks(self):
        """
        A message without marks takes no room.
        """
        self.learn(True, 5, marks=Marks())
        self.assertEqual(self.all(), [])

    def test_forgotten(self):
        """
        It is forgotten after some days, and counts no more from then on, purged or not.
        """
        self.learn(True, 5)
        self.clock.clock.advance(90 * DAY)
        self.learn(True, 6)
        self.assertEqual(len(self.all()), 2)
        self.clock.clock.advance(DAY)
        changes = self.store.changes
        self.assertEqual(len(self.all()), 1)
        self.assertEqual(self.successResultOf(self.store.purge()), 1)
        self.assertGreater(self.store.changes, changes)
        changes = self.store.changes
        self.assertEqual(self.successResultOf(self.store.purge()), 0)
        self.assertEqual(self.store.changes, changes)

    def test_bounded(self):
        """
        There are only so many of each kind: the oldest go, and those of the other kind stay.
        """
        store = self.make(most=3, slack=1)
        self.learn(False, 1, 2, store=store)
        self.clock.clock.advance(DAY)
        self.learn(True, 10, 11, 12, 13, store=store)
        self.assertEqual(len(self.all()), 6)
        self.clock.clock.advance(DAY)
        self.learn(True, 14, store=store)
        days = [(each.is_spam, each.day - TODAY) for each in self.all()]
        self.assertEqual(days, [(False, 0), (False, 0), (True, 1), (True, 1), (True, 2)])

    @given(
        st.lists(st.tuples(st.integers(0, 4), st.sampled_from([True, False, None])), max_size=15),
        st.sets(st.integers(0, 4)),
    )
    def test_taken_back(self, lessons, taken_back):
        """
        After any lessons, what is taken back is as if it had never been taught.
        """
        self.learn(None, *range(5))
        for identity, is_spam in lessons:
            self.learn(is_spam, identity, marks=Marks(b"", identity + 1))
        self.learn(None, *taken_back)
        found = self.all()
        self.learn(None, *range(5))
        for identity, is_spam in lessons:
            if identity not in taken_back:
                self.learn(is_spam, identity, marks=Marks(b"", identity + 1))
        self.assertEqual(self.all(), found)
