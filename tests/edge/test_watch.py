"""
Tests of the timer for many connections.
"""

from math import inf

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge.watch import Watch


@define(eq=False)
class Connection:
    """
    Something that is looked at, and notes when.
    """

    clock: Clock
    look_at: float
    then: float = inf
    looks: list = field(factory=list)

    def look(self):
        """
        Note the time.
        """
        self.looks.append(self.clock.seconds())
        self.look_at = self.then


class WatchTests(SynchronousTestCase):
    """
    Tests of L{Watch}.
    """

    def setUp(self):
        """
        Make one that watches nothing yet.
        """
        self.clock = Clock()
        self.watched = []
        self.watch = Watch(self.clock, self.watched)

    def add(self, look_at, kind=Connection, **more):
        """
        Watch a connection.
        """
        connection = kind(self.clock, look_at, **more)
        self.watched.append(connection)
        self.watch.expect(look_at)
        return connection

    def pass_time(self, seconds, step=0.125):
        """
        Let time go by in small steps.
        """
        self.clock.pump([step] * round(seconds / step))

    def test_each_at_its_time(self):
        """
        Each is looked at when its time has come, in whatever order they came, and once.
        """
        times = (30.0, 10.0, 20.0, 15.5)
        connections = [self.add(time) for time in times]
        self.pass_time(60)
        self.assertEqual([each.looks for each in connections], [[time] for time in times])

    def test_one_timer(self):
        """
        There is one timer for all, and none where nothing is to be looked at.
        """
        for time in range(300, 400):
            self.add(float(time))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.pass_time(350)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.pass_time(50)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_again(self):
        """
        What is to be looked at again says so.
        """
        connection = self.add(10.0)
        self.pass_time(15)
        connection.look_at = 20.0
        self.watch.expect(20.0)
        self.pass_time(15)
        self.assertEqual(connection.looks, [10.0, 20.0])

    def test_moved_away(self):
        """
        A time that has moved away without a word holds.
        """
        connection = self.add(10.0)
        connection.look_at = 50.0
        self.pass_time(60)
        self.assertEqual(connection.looks, [50.0])

    def test_not_too_often(self):
        """
        However close their times are, all are looked through once a second at most, and none is
        looked at more than a second late.
        """
        connections = [self.add(10 + number / 100) for number in range(1000)]
        looked = set()
        self.pass_time(30)
        for connection in connections:
            (at,) = connection.looks
            self.assertTrue(0 <= at - (10 + connections.index(connection) / 100) <= 1.125)
            looked.add(at)
        self.assertLessEqual(len(looked), 11)

    def test_failure(self):
        """
        One that fails keeps nobody else from being looked at.
        """

        class Failing(Connection):
            def look(self):
                self.look_at = inf
                raise ZeroDivisionError

        self.add(10.0, Failing)
        other, later = self.add(10.0), self.add(20.0)
        self.assertRaises(ZeroDivisionError, self.clock.advance, 10)
        self.clock.advance(0)
        self.assertEqual(other.looks, [10.0])
        self.clock.advance(10)
        self.assertEqual(later.looks, [20.0])

    def test_stop(self):
        """
        When it has been stopped no timer is left, and it goes on with the next one.
        """
        self.add(10.0)
        self.watch.stop()
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.watched.clear()
        connection = self.add(20.0)
        self.pass_time(30)
        self.assertEqual(connection.looks, [20.0])
