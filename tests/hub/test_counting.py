"""
Tests of L{mailgate.hub.counting}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.counting import Counting
from mailgate.hub.link import Link
from mailgate.hub.orders import COUNTED, Count
from mailgate.interfaces import Counted
from tests.hub.joined import join

ADA, BOB = "192.0.2.1", "2001:db8::1"


class CountingTests(SynchronousTestCase):
    """
    Tests with three workers.
    """

    def setUp(self):
        """
        Begin them.
        """
        self.counting = Counting()
        self.heard = {name: [] for name in "abc"}
        self.links = {}
        for name, heard in self.heard.items():
            link = self.links[name] = Link({})
            join(link, Link({COUNTED: heard.append}))
            self.counting.begin(link)

    def count(self, name, what, client=ADA):
        """
        Let a worker say what it has counted.
        """
        self.counting.counted(self.links[name], Count(what, client))

    def test_others_hear(self):
        """
        What one has counted the others hear, and it does not.
        """
        self.count("a", Counted.JUNK)
        told = [Count(Counted.JUNK, ADA)]
        self.assertEqual(self.heard, {"a": [], "b": told, "c": told})

    def test_clients(self):
        """
        Who comes later is told who is there.
        """
        for name, what, client in (
            ("a", Counted.ADMITTED, ADA),
            ("b", Counted.ADMITTED, ADA),
            ("b", Counted.ADMITTED, BOB),
            ("a", Counted.RELEASED, ADA),
            ("c", Counted.UNKNOWN, BOB),
        ):
            self.count(name, what, client)
        self.assertEqual(sorted(self.counting.clients()), [ADA, BOB])

    def test_end(self):
        """
        The connections of a worker that is gone are gone for the others.
        """
        self.count("a", Counted.ADMITTED)
        self.count("a", Counted.ADMITTED)
        self.count("b", Counted.ADMITTED, BOB)
        self.counting.end(self.links["a"])
        self.assertEqual(self.heard["c"][-2:], [Count(Counted.RELEASED, ADA)] * 2)
        self.assertEqual(list(self.counting.clients()), [BOB])

    def test_not_its_own(self):
        """
        A worker cannot give back what is another one's.
        """
        self.count("a", Counted.ADMITTED)
        self.count("b", Counted.RELEASED)
        self.assertEqual(self.heard["c"], [Count(Counted.ADMITTED, ADA)])
        self.assertEqual(list(self.counting.clients()), [ADA])
