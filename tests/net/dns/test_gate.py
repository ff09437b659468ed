"""
Tests of L{mailgate.net.dns.gate}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.net.dns.gate import Gate

PLACES = 16


class Query:
    """
    What waits for a place.
    """

    def __init__(self, begun):
        self._begun = begun

    def start(self, check):
        """
        Note it.
        """
        self._begun.append((self, check))


class GateTests(SynchronousTestCase):
    """
    Tests of whose turn it is.
    """

    def setUp(self):
        """
        Make one.
        """
        self.gate = Gate(PLACES)
        self.begun = []

    def enter(self, check, number=1):
        """
        Let so many queries of a check in.
        """
        queries = [Query(self.begun) for _ in range(number)]
        for query in queries:
            self.gate.enter(check, query)
        return queries

    def busy(self):
        """
        Name the checks whose queries have begun.
        """
        return "".join(check for _, check in self.begun)

    def test_halves(self):
        """
        A check gets half of what is free, so there is a place for the next one.
        """
        for check in "abcdef":
            self.enter(check, PLACES)
        self.assertEqual(self.busy(), "a" * 8 + "b" * 4 + "c" * 2 + "de")
        self.gate.leave("a")
        self.assertEqual(self.busy()[PLACES:], "f")

    def test_turns(self):
        """
        Those who wait take turns, the queries of a check in their order.
        """
        first = self.enter("a", 20)
        self.enter("b", 20)
        self.begun.clear()
        for _ in range(6):
            self.gate.leave("a")
        self.assertEqual(set(self.busy()), {"a", "b"})
        begun = [query for query, check in self.begun if check == "a"]
        self.assertEqual(begun, first[8 : 8 + len(begun)])

    def test_several(self):
        """
        What waits for two checks begins once, for whoever has a place first.
        """
        (*_, last) = self.enter("a", 20)
        self.gate.enter("b", last)
        self.assertEqual(self.begun[-1], (last, "b"))
        self.gate.forget(last)
        for _ in range(8):
            self.gate.leave("a")
        self.gate.leave("b")
        for _ in range(20 - 8):
            self.gate.leave("a")
        self.assertEqual(len({id(query) for query, _ in self.begun}), len(self.begun))

    def test_ends_at_once(self):
        """
        However many end as soon as they begin, all have their turn.
        """

        class Short:
            def start(_, check):
                self.ended += 1
                self.gate.leave(check)

        self.ended = 0
        self.enter("a", 8)
        for _ in range(900):
            self.gate.enter("a", Short())
        self.assertEqual(self.ended, 0)
        self.gate.leave("a")
        self.assertEqual(self.ended, 900)

    def test_empty(self):
        """
        All that wait can be let begin, as they end at once.
        """
        self.enter("a", 100)
        self.enter("b", 100)
        self.gate.empty()
        self.assertEqual(len(self.begun), 200)

    @given(st.lists(st.tuples(st.sampled_from("abcx"), st.booleans()), max_size=200))
    def test_any_order(self, steps):
        """
        There are never more under way than places, nobody waits without reason, and whoever waits
        begins in the end.
        """
        self.setUp()
        under_way, entered, left = [], 0, 0
        for check, is_end in steps:
            if is_end and len(self.begun) > left:
                under_way = self.begun[left:]
                self.gate.leave(under_way[0][1])
                left += 1
            elif not is_end:
                self.enter(check)
                entered += 1
            self.assertLessEqual(len(self.begun) - left, PLACES)
        while len(self.begun) > left:
            self.gate.leave(self.begun[left][1])
            left += 1
        self.assertEqual(left, entered)
