"""
Tests for L{mailgate.people.account}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailgate.people.account import AccountRefused, read_address, read_domain
from mailgate.people.rights import Role
from mailgate.store.threads import ImmediateThreads
from mailgate.web.accounts import Accounts
from tests.storage import make_storage
from tests.web.harness import PASSWORD, QUICK


class AccountTests(SynchronousTestCase):
    """
    Roles, addresses and domains are kept with an account.
    """

    def setUp(self):
        """
        Make an administrator over a store.
        """
        self.database = make_storage(self).database
        self.accounts = Accounts(self.database, ImmediateThreads(), lambda: 0.0, QUICK)
        self.root = self.add("root")

    def add(self, name, *more):
        """
        Make an account.
        """
        return self.successResultOf(self.accounts.add(name, PASSWORD, *more))

    def test_first(self):
        """
        Who is nothing else is an administrator.
        """
        self.assertEqual(self.root.role, Role.ADMINISTRATOR)
        self.assertEqual(self.root.addresses, frozenset())

    def test_user(self):
        """
        A user has addresses, in the form in which they are compared.
        """
        account = self.add("ada", Role.USER, ["Ada@Example.COM", '"info"@bücher.example'])
        self.assertEqual(account.addresses, {"ada@example.com", "info@xn--bcher-kva.example"})
        found = self.successResultOf(self.accounts.check("ada", PASSWORD))
        self.assertEqual(found, account)

    def test_refused(self):
        """
        A user without an address and a manager without a domain are mistakes, as is what is none.
        """
        for more in (
            (Role.USER,),
            (Role.MANAGER, ["ada@example.com"]),
            (Role.USER, ["ada@example.com"], ["example.com"]),
            (Role.USER, ["ada"]),
            (Role.USER, ["a b@example.com"]),
            (Role.MANAGER, [], ["exa mple.com"]),
        ):
            adding = self.accounts.add("ada", PASSWORD, *more)
            self.failureResultOf(adding, AccountRefused)
        self.assertEqual(len(self.successResultOf(self.accounts.list())), 1)

    def test_without_a_password(self):
        """
        Who has no password cannot sign in with any.
        """
        name = "ada@example.com"
        adding = self.accounts.add(name, None, Role.USER, [name])
        self.assertFalse(self.successResultOf(adding).has_password)
        for password in ("", PASSWORD):
            self.assertIsNone(self.successResultOf(self.accounts.check(name, password)))

    def test_links_need_an_address(self):
        """
        Who has no password is reached by the name, so that is one of the addresses.
        """
        for name in ("bob", "bob@example.com"):
            adding = self.accounts.add(name, None, Role.USER, ["info@example.com"])
            self.failureResultOf(adding, AccountRefused)

    def test_change(self):
        """
        What somebody may do can be changed.
        """
        account = self.add("ada", Role.USER, ["ada@example.com"])
        changing = self.accounts.change(account.id, Role.MANAGER, [], ["example.com"], False)
        changed = self.successResultOf(changing)
        self.assertEqual((changed.role, changed.domains), (Role.MANAGER, {"example.com"}))
        self.assertEqual((changed.addresses, changed.reads_bodies), (frozenset(), False))
        self.assertEqual(self.successResultOf(self.accounts.get(account.id)), changed)
        self.assertIsNone(self.successResultOf(self.accounts.change(99, Role.AUDITOR, [], [])))

    def test_last_administrator(self):
        """
        The last administrator stays one.
        """
        for change in ((Role.AUDITOR, [], [], True), (Role.ADMINISTRATOR, [], [], True, True)):
            self.failureResultOf(self.accounts.change(self.root.id, *change), AccountRefused)
        self.assertEqual(self.successResultOf(self.accounts.get(self.root.id)), self.root)

    def test_disabled(self):
        """
        Who is disabled does not get in.
        """
        account = self.add("ada", Role.USER, ["ada@example.com"])
        addresses = sorted(account.addresses)
        changing = self.accounts.change(account.id, Role.USER, addresses, [], True, True)
        self.assertTrue(self.successResultOf(changing).is_disabled)
        self.assertIsNone(self.successResultOf(self.accounts.check("ada", PASSWORD)))

    def test_as_typed(self):
        """
        Addresses and domains are read as people type them.
        """
        self.assertEqual(read_address(" Ada@EXAMPLE.com "), "ada@example.com")
        self.assertEqual(read_domain("@Example.com."), "example.com")
        with self.assertRaises(AccountRefused) as caught:
            read_address("\x1b[31m")
        self.assertNotIn("\x1b", str(caught.exception))
