"""
Tests for L{mailgate.people.reach}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.people.reach import EVERYTHING, Reach, scopes_of
from mailgate.verdict import Kind
from mailgate.wire.address import Address
from tests.storage import ADA, BOB, ENVELOPE, envelope, hold, make_storage, message

SALES = evolve(Address("Sales", "EXAMPLE.net"), belongs_to=ADA)
HERS = Reach(frozenset({"ada@example.com"}))
DOMAIN = Reach(frozenset({"example.net"}))
NOTHING = Reach(frozenset())


class ReachTests(SynchronousTestCase):
    """
    What is somebody else's is left out of every query.
    """

    def setUp(self):
        """
        Hold a message for Ada, one for Bob, and one for an alias of Ada.
        """
        self.quarantine = make_storage(self).quarantine(lambda: None)
        self.ids = {}
        for name, recipient, kind in (
            ("ada", ADA, Kind.SPAM),
            ("bob", BOB, Kind.SPAM),
            ("sales", SALES, Kind.BULK),
        ):
            asked = [hold(recipient, kind)]
            done = self.quarantine.hold(envelope(f"trac-{name}"), message(), asked, False)
            (self.ids[name],) = self.successResultOf(done)

    def names(self, held):
        """
        Name held messages.
        """
        return [name for each in held for name, identity in self.ids.items() if identity == each.id]

    def test_scopes(self):
        """
        A copy is of its recipient, of whom that belongs to, and of the domains of both.
        """
        self.assertEqual(
            scopes_of(SALES),
            {"sales@example.net", "example.net", "ada@example.com", "example.com"},
        )
        self.assertEqual(scopes_of(Address("postmaster", "")), {"postmaster"})

    def test_list(self):
        """
        The list has only what is within reach.
        """
        for reach, names in (
            (HERS, ["sales", "ada"]),
            (DOMAIN, ["sales"]),
            (NOTHING, []),
            (EVERYTHING, ["sales", "bob", "ada"]),
        ):
            held = self.successResultOf(self.quarantine.list(reach=reach))
            self.assertEqual(self.names(held), names)
            counts = self.successResultOf(self.quarantine.count(reach))
            self.assertEqual(sum(counts.values()), len(names))
        held = self.successResultOf(self.quarantine.list(kind=Kind.BULK, reach=HERS))
        self.assertEqual(self.names(held), ["sales"])

    def test_search(self):
        """
        A search finds only what is within reach.
        """
        found = self.successResultOf(self.quarantine.search(["caf"], 10, reach=HERS))
        self.assertEqual(self.names(found.held), ["sales", "ada"])
        found = self.successResultOf(self.quarantine.search(["bob@"], 10, reach=HERS))
        self.assertEqual(found.held, [])

    def test_get(self):
        """
        What is beyond reach is not there.
        """
        bobs = self.ids["bob"]
        self.assertIsNone(self.successResultOf(self.quarantine.get(bobs, HERS)))
        self.assertEqual(self.successResultOf(self.quarantine.get(bobs, EVERYTHING)).id, bobs)
        hers = self.ids["sales"]
        self.assertEqual(self.successResultOf(self.quarantine.get(hers, HERS)).id, hers)

    def test_agrees_with_value(self):
        """
        The query and the value say the same.
        """
        for reach in (HERS, DOMAIN, NOTHING, EVERYTHING):
            for identity in self.ids.values():
                held = self.successResultOf(self.quarantine.get(identity))
                got = self.successResultOf(self.quarantine.get(identity, reach))
                self.assertEqual(got is not None, reach.holds(held.recipient))

    def test_deleted(self):
        """
        Whose a message was goes with it.
        """
        for identity in self.ids.values():
            self.assertTrue(self.successResultOf(self.quarantine.delete(identity, "ada")))
        self.assertEqual(self.successResultOf(self.quarantine.count()), {})
        self.assertEqual(ENVELOPE.trace, "trac-trac-trac")
