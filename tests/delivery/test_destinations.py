"""
Tests for L{mailgate.delivery.destinations}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.answer import not_reached
from mailgate.delivery.destinations import Change, Destinations

GONE = not_reached("nobody there")


class DestinationsTests(SynchronousTestCase):
    """
    Tests of L{Destinations}.
    """

    def begin(self, destinations, *names):
        """
        Begin deliveries wherever one may, and give how many that were by name.
        """
        places = destinations.places(names)
        for name in places:
            destinations.begins(name)
        return {name: places.count(name) for name in names}

    def test_begins_small_and_grows(self):
        """
        Two at first; each answer makes room for one more, up to the limit.
        """
        destinations = Destinations(100, 5)
        seen = [self.begin(destinations, "a")["a"]]
        for _ in range(6):
            destinations.ends("a")
            destinations.reached("a")
            seen.append(self.begin(destinations, "a")["a"])
        self.assertEqual(seen, [2, 1, 2, 2, 2, 1, 1])
        self.assertEqual(self.begin(destinations, "a")["a"], 0)

    def test_fair(self):
        """
        What is left of the total goes round: one for each before a second one for any.
        """
        destinations = Destinations(4, 10)
        self.assertEqual(destinations.places(["a", "b", "c"]), ["a", "b", "c", "a"])

    def test_dead_takes_nobodys_place(self):
        """
        However many destinations cannot be reached, those that can have all the places; each of
        the others has one delivery beside them.
        """
        destinations = Destinations(3, 3)
        dead = [f"dead{number}" for number in range(20)]
        for name in dead:
            self.assertIs(destinations.not_reached(name, GONE, 5.0), Change.NOT_REACHED)
        began = self.begin(destinations, *dead, "good", "fine")
        self.assertEqual({began[name] for name in dead}, {1})
        self.assertEqual(began["good"] + began["fine"], 3)
        self.assertEqual(self.begin(destinations, *dead), dict.fromkeys(dead, 0))

    def test_reached_again(self):
        """
        The first answer after trouble, and the first of all, are told apart from the others.
        """
        destinations = Destinations(3, 3)
        changes = [destinations.reached("a"), destinations.reached("a")]
        destinations.not_reached("a", GONE, 5.0)
        changes.append(destinations.reached("a"))
        self.assertEqual(changes, [Change.REACHED_AGAIN, Change.NONE, Change.REACHED_AGAIN])

    def test_trouble(self):
        """
        What was in the way is known as long as it is fresh, and until it is over.
        """
        destinations = Destinations(3, 3)
        self.assertIsNone(destinations.trouble("a", 0.0))
        destinations.not_reached("a", GONE, 5.0)
        self.assertEqual(destinations.trouble("a", 4.0), GONE)
        self.assertIsNone(destinations.trouble("a", 5.0))
        destinations.reached("a")
        self.assertIsNone(destinations.trouble("a", 4.0))
