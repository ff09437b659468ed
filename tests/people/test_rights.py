"""
Tests for L{mailgate.people.rights}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.people.reach import EVERYTHING
from mailgate.people.rights import Rights, Role
from mailgate.verdict import Kind
from mailgate.wire.address import Address

ADA = Address("ada", "Example.COM")
SALES = evolve(Address("sales", "example.net"), belongs_to=ADA)
BOB = Address("bob", "example.com")
EVE = Address("eve", "example.org")

USER = Rights(Role.USER, frozenset({"ada@example.com"}))
MANAGER = Rights(Role.MANAGER, frozenset({"ada@example.com"}), frozenset({"example.com"}))
BLIND = evolve(MANAGER, reads_bodies=False)
AUDITOR = Rights(Role.AUDITOR)
ADMINISTRATOR = Rights(Role.ADMINISTRATOR)


class RightsTests(SynchronousTestCase):
    """
    Who may do what.
    """

    def table(self, verb, recipient, *more):
        """
        Ask all roles the same, in the order user, manager, blind manager, auditor, administrator.
        """
        roles = (USER, MANAGER, BLIND, AUDITOR, ADMINISTRATOR)
        return "".join("y" if getattr(rights, verb)(recipient, *more) else "-" for rights in roles)

    def test_sees(self):
        """
        A user sees their own mail, a manager that of a domain, the others all.
        """
        self.assertEqual(self.table("sees", ADA), "yyyyy")
        self.assertEqual(self.table("sees", BOB), "-yyyy")
        self.assertEqual(self.table("sees", EVE), "---yy")

    def test_alias(self):
        """
        Mail to another address that belongs to a person is theirs, and of both domains.
        """
        self.assertEqual(self.table("sees", SALES), "yyyyy")
        elsewhere = evolve(MANAGER, addresses=frozenset(), domains=frozenset({"example.net"}))
        self.assertTrue(elsewhere.sees(SALES))
        self.assertFalse(elsewhere.sees(ADA))

    def test_reads(self):
        """
        A manager who may not read bodies reads their own mail only.
        """
        self.assertEqual(self.table("reads", ADA), "yyyyy")
        self.assertEqual(self.table("reads", BOB), "-y-yy")
        self.assertEqual(self.table("reads", EVE), "---yy")
        self.assertFalse(evolve(AUDITOR, reads_bodies=False).reads(BOB))

    def test_release(self):
        """
        A user releases what is harmless, a manager everything of the domain, an auditor nothing.
        """
        for kind in Kind:
            harmless = "y" if kind in (Kind.SPAM, Kind.BULK) else "-"
            self.assertEqual(self.table("may_release", ADA, kind), f"{harmless}yy-y", kind)
            self.assertEqual(self.table("may_release", BOB, kind), "-yy-y", kind)
            self.assertEqual(self.table("may_release", EVE, kind), "----y", kind)

    def test_release_as_configured(self):
        """
        What users release can be configured.
        """
        rights = evolve(USER, releases=(Kind.POLICY,))
        self.assertTrue(rights.may_release(ADA, Kind.POLICY))
        self.assertFalse(rights.may_release(ADA, Kind.SPAM))

    def test_request(self):
        """
        Who may not release their own mail may ask for it, and nobody else.
        """
        self.assertEqual(self.table("may_request", ADA, Kind.MALWARE), "y----")
        self.assertEqual(self.table("may_request", ADA, Kind.SPAM), "-----")
        self.assertEqual(self.table("may_request", BOB, Kind.MALWARE), "-----")

    def test_answer(self):
        """
        A request is answered by who manages the domain, and by administrators.
        """
        self.assertEqual(self.table("manages", ADA), "-yy-y")
        self.assertEqual(self.table("manages", EVE), "----y")

    def test_delete(self):
        """
        A user deletes their own copies, a manager those of the domain.
        """
        self.assertEqual(self.table("may_delete", ADA), "yyy-y")
        self.assertEqual(self.table("may_delete", BOB), "-yy-y")
        self.assertEqual(self.table("may_delete", EVE), "----y")

    def test_lists(self):
        """
        Everybody allows and blocks for whom they answer; for everybody administrators alone.
        """
        self.assertEqual(self.table("may_list_for", "ada@example.com"), "yyy-y")
        self.assertEqual(self.table("may_list_for", "bob@example.com"), "-yy-y")
        self.assertEqual(self.table("may_list_for", "example.com"), "-yy-y")
        self.assertEqual(self.table("may_list_for", "eve@example.org"), "----y")
        self.assertEqual(self.table("may_list_for", ""), "----y")
        self.assertEqual(self.table("sees_entries_for", ""), "---yy")

    def test_whole_gateway(self):
        """
        What is about all of the gateway is seen by auditors and changed by administrators.
        """
        for sight in ("sees_traces", "sees_outbox", "sees_settings", "sees_audit"):
            self.assertEqual([getattr(USER, sight), getattr(MANAGER, sight)], [False, False])
            self.assertEqual([getattr(AUDITOR, sight), getattr(ADMINISTRATOR, sight)], [True] * 2)
        for deed in ("touches_outbox", "manages_people"):
            answers = [getattr(rights, deed) for rights in (USER, MANAGER, AUDITOR)]
            self.assertEqual(answers, [False] * 3)
            self.assertTrue(getattr(ADMINISTRATOR, deed))

    def test_domains_of_a_user(self):
        """
        Domains count for a manager alone.
        """
        rights = evolve(MANAGER, role=Role.USER)
        self.assertFalse(rights.sees(BOB))
        self.assertFalse(rights.may_list_for("bob@example.com"))

    def test_nobody(self):
        """
        Who has no address sees nothing, and not everything.
        """
        self.assertFalse(Rights(Role.USER).sees(ADA))
        self.assertEqual(Rights(Role.USER).reach.scopes, frozenset())
        self.assertEqual(ADMINISTRATOR.reach, EVERYTHING)
