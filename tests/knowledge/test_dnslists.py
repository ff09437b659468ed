"""
Tests of what a worker knows of lists in the DNS.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import DnsList
from mailgate.knowledge.dnslists import FAILURES, DnsLists, ListTrouble, Meaning

CODES = {"127.0.0.2": {"words": "sends spam", "score": 4.0}}
SILENT = Meaning((), ListTrouble.SILENT, "no reply in time")
REFUSED = Meaning((), ListTrouble.REFUSED, "it refuses to answer")


class DnsListsTests(SynchronousTestCase):
    """
    Tests of L{DnsLists}.
    """

    def setUp(self):
        """
        Make two lists, of which nothing is known.
        """
        self.failed = []
        sections = {
            name: DnsList(zone=f"{name}.Example", codes=CODES) for name in ("psbl", "other")
        }
        self.lists = DnsLists.of_sections(sections, self.failed.append)
        self.one, self.other = self.lists.lists

    def tell(self, trouble, reason="", **more):
        """
        Let the hub say how the first list is, and name what works again.
        """
        state = evolve(self.one.state, trouble=trouble, reason=reason, **more)
        return [each.name for each in self.lists.take_up([state])]

    def test_told(self):
        """
        A list is asked when the hub has said that it works, not before, and until it says that it
        does not; what it says of others changes nothing.
        """
        self.assertEqual(self.one.state.trouble, ListTrouble.UNTESTED)
        self.assertEqual(self.one.zone, "psbl.example")
        self.assertEqual(self.tell(None), [])
        self.assertIsNone(self.one.state.trouble)
        self.assertEqual(self.other.state.trouble, ListTrouble.UNTESTED)
        self.tell(ListTrouble.SELF_TEST, "it lists everything")
        self.assertEqual(self.one.state.reason, "it lists everything")
        self.assertEqual(self.tell(None, name="third"), [])
        self.assertEqual(self.tell(None, points=("2.0.0.127.old.example",)), [])
        self.assertEqual(self.one.state.trouble, ListTrouble.SELF_TEST)
        self.assertEqual(self.tell(None), ["psbl"])
        self.assertEqual(self.failed, [])

    def test_fails(self):
        """
        One that refuses is not asked any more from that moment on, and the hub is told once.
        """
        self.tell(None)
        for _ in range(3):
            self.lists.note(self.one, "a.psbl.example", REFUSED)
        self.assertEqual(self.one.state.trouble, ListTrouble.REFUSED)
        self.assertEqual(self.failed, [self.one.state])

    def test_silent(self):
        """
        One that does not answer is so after some names, one after another; an answer in between
        begins the count anew.
        """
        self.tell(None)
        for number in range(FAILURES - 1):
            self.lists.note(self.one, f"{number}.psbl.example", SILENT)
        self.lists.note(self.one, "5.psbl.example", Meaning())
        for number in range(FAILURES - 1):
            self.lists.note(self.one, f"{number}.psbl.example", SILENT)
        self.assertIsNone(self.one.state.trouble)
        self.lists.note(self.one, "9.psbl.example", SILENT)
        self.assertEqual(self.one.state.trouble, ListTrouble.SILENT)
        self.assertEqual(self.one.unanswered, set())
        self.assertEqual(self.failed, [self.one.state])
