"""
Tests of L{mailgate.classify.teachers}.
"""

from hypothesis import given
from hypothesis.strategies import booleans, lists, sampled_from, tuples
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.teachers import Teachers

DAY = 86400


class TeachersTests(SynchronousTestCase):
    """
    Tests of L{Teachers}.
    """

    def setUp(self):
        """
        Let each teach two messages a day.
        """
        self.now = 20_000.5 * DAY
        self.teachers = Teachers(2, lambda: self.now)

    def test_limit(self):
        """
        Who has taught enough has no lesson left, and takes none from others.
        """
        self.assertEqual([self.teachers.take("ada") for _ in range(4)], [20_000] * 2 + [None] * 2)
        self.assertEqual(self.teachers.take("bob"), 20_000)

    def test_next_day(self):
        """
        At midnight in UTC there are new ones.
        """
        for _ in range(2):
            self.teachers.take("ada")
        self.now = 20_001.0 * DAY - 1
        self.assertIsNone(self.teachers.take("ada"))
        self.now += 1
        self.assertEqual(self.teachers.take("ada"), 20_001)

    def test_give_back(self):
        """
        A lesson that was given back can be taken again.
        """
        first, _ = self.teachers.take("ada"), self.teachers.take("ada")
        self.teachers.give_back("ada", first)
        self.assertIsNotNone(self.teachers.take("ada"))
        self.assertIsNone(self.teachers.take("ada"))

    def test_given_back_late(self):
        """
        A lesson of yesterday that is given back today adds none to those of today.
        """
        yesterday = self.teachers.take("ada")
        self.now += DAY
        self.teachers.give_back("ada", yesterday)
        taken = [self.teachers.take("ada") for _ in range(3)]
        self.assertEqual(taken, [20_001, 20_001, None])

    def test_today(self):
        """
        It tells who has taught how much today.
        """
        self.teachers.take("ada")
        self.teachers.give_back("bob", self.teachers.take("bob"))
        self.assertEqual(self.teachers.today(), {"ada": 1})
        self.now += DAY
        self.assertEqual(self.teachers.today(), {})

    def test_none(self):
        """
        Where the limit is 0 nobody teaches.
        """
        self.assertIsNone(Teachers(0, lambda: self.now).take("ada"))

    @given(lists(tuples(sampled_from(("ada", "bob")), booleans())))
    def test_any_order(self, steps):
        """
        In whatever order lessons are taken and given back, nobody ever has more than the limit.
        """
        teachers = Teachers(2, lambda: self.now)
        held = {"ada": [], "bob": []}
        for name, takes in steps:
            if takes:
                day = teachers.take(name)
                self.assertEqual(day is None, len(held[name]) == 2)
                if day is not None:
                    held[name].append(day)
            elif held[name]:
                teachers.give_back(name, held[name].pop())
