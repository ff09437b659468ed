"""
Tests for L{mailgate.web.accounts}.
"""

from __future__ import annotations

import time

from argon2 import extract_parameters
from argon2.low_level import Type
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.store.threads import ImmediateThreads
from mailgate.web.accounts import AccountRefused, Accounts
from tests.storage import make_storage
from tests.web.harness import NAME, PASSWORD, QUICK


class RecordingHasher:
    """
    A hasher that counts what it is asked.
    """

    def __init__(self):
        self.verified = []

    def hash(self, password):
        """
        Hash quickly.
        """
        return QUICK.hash(password)

    def verify(self, stored, password):
        """
        Take note, and verify.
        """
        self.verified.append(password)
        return QUICK.verify(stored, password)


class WaitingThreads:
    """
    Threads whose work begins when the test says.
    """

    def __init__(self):
        self.waiting = []

    def run(self, function, *arguments):
        """
        Take note of the work.
        """
        done = Deferred()
        self.waiting.append((done, function, arguments))
        return done

    def work(self):
        """
        Do what has been asked for first.
        """
        done, function, arguments = self.waiting.pop(0)
        succeed(None).addCallback(lambda _: function(*arguments)).chainDeferred(done)


class AccountsTests(SynchronousTestCase):
    """
    Accounts and their passwords.
    """

    def setUp(self):
        """
        Make accounts over a store.
        """
        self.storage = make_storage(self)
        self.hasher = RecordingHasher()
        self.accounts = self.make(ImmediateThreads(), self.hasher)

    def make(self, threads, hasher=None):
        """
        Make accounts with other threads or another hasher.
        """
        return Accounts(self.storage.database, threads, self.storage.now, hasher)

    def add(self, name=NAME, password=PASSWORD):
        """
        Make an account.
        """
        return self.successResultOf(self.accounts.add(name, password))

    def check(self, name, password):
        """
        Check a password.
        """
        return self.successResultOf(self.accounts.check(name, password))

    def stored(self):
        """
        Give what is stored of all accounts.
        """
        return self.successResultOf(
            self.storage.database.read(lambda c: c.execute("SELECT * FROM account").fetchall())
        )

    def test_right_password(self):
        """
        The password of an account gives the account, whatever the case of the name.
        """
        account = self.add()
        for name in (
            "Ada Lind",
            "ada lind",
            " ADA LIND ",
            "\N{FULLWIDTH LATIN CAPITAL LETTER A}da Lind",
        ):
            self.assertEqual(self.check(name, PASSWORD), account)

    def test_wrong_password(self):
        """
        Another password gives nothing, and neither does an unknown name.
        """
        self.add()
        for name, password in (
            (NAME, "wrong"),
            (NAME, ""),
            (NAME, PASSWORD.upper()),
            (NAME, "x" * 1_000_000),
            ("nobody", PASSWORD),
            ("", ""),
        ):
            self.assertIsNone(self.check(name, password))

    def test_unknown_name_is_as_much_work(self):
        """
        For an unknown name a hash is verified as well, so that time tells no names.
        """
        self.add()
        self.check(NAME, "wrong")
        self.check("nobody", "wrong")
        self.assertEqual(self.hasher.verified, ["wrong", "wrong"])

    def test_unknown_name_takes_as_long(self):
        """
        With real hashes too, an unknown name and a wrong password take about the same time.
        """
        self.accounts = self.make(ImmediateThreads())
        self.add()
        self.check("nobody", "wrong")
        spent = {}
        for name in (NAME, "nobody"):
            began = time.thread_time()
            for _ in range(4):
                self.check(name, "wrong")
            spent[name] = time.thread_time() - began
        self.assertLess(max(spent.values()), 2 * min(spent.values()))

    def test_characters_in_two_ways(self):
        """
        A password is the same however its characters are composed.
        """
        self.add(password="Gru\N{COMBINING DIAERESIS}ße an alle")
        self.assertIsNotNone(
            self.check(NAME, "Gr\N{LATIN SMALL LETTER U WITH DIAERESIS}ße an alle")
        )

    def test_hash(self):
        """
        What is stored is an Argon2id hash with 19 MiB and two passes, and not the password.
        """
        self.accounts = self.make(ImmediateThreads())
        self.add()
        stored = self.stored()[0][3]
        parameters = extract_parameters(stored)
        self.assertEqual(
            (parameters.type, parameters.memory_cost, parameters.time_cost), (Type.ID, 19456, 2)
        )
        self.assertNotIn(PASSWORD, stored)

    def test_at_most_two_at_a_time(self):
        """
        However many ask, two passwords are hashed at the same time, in threads.
        """
        self.add()
        threads = WaitingThreads()
        accounts = self.make(threads, self.hasher)
        checks = [accounts.check(NAME, PASSWORD) for _ in range(5)]
        self.assertEqual(len(threads.waiting), 2)
        self.assertEqual(self.hasher.verified, [])
        while threads.waiting:
            threads.work()
            self.assertLessEqual(len(threads.waiting), 2)
        self.assertEqual([self.successResultOf(check).name for check in checks], [NAME] * 5)

    def test_name_that_is_taken(self):
        """
        A name is given once, whatever its case.
        """
        self.add()
        failure = self.failureResultOf(self.accounts.add("ADA LIND", PASSWORD), AccountRefused)
        self.assertEqual(str(failure.value), "There is an account of that name already.")
        self.assertEqual(len(self.stored()), 1)

    def test_unusable(self):
        """
        An unusable name or password is refused with a sentence that says why.
        """
        for name, password, sentence in (
            ("", PASSWORD, "A name is needed."),
            ("  ", PASSWORD, "A name is needed."),
            ("x" * 101, PASSWORD, "A name has at most 100 characters."),
            ("a\nb", PASSWORD, "A name holds no characters that cannot be seen."),
            ("a\u202eb", PASSWORD, "A name holds no characters that cannot be seen."),
            (NAME, "short", "A password has 10 to 1,000 characters."),
            (NAME, "x" * 1001, "A password has 10 to 1,000 characters."),
            ("abcdefghij", "ABCDEFGHIJ", "The password is the name. Take another one."),
        ):
            failure = self.failureResultOf(self.accounts.add(name, password), AccountRefused)
            self.assertEqual(str(failure.value), sentence)
        self.assertEqual(self.stored(), [])

    def test_first(self):
        """
        The first account is made only while there is none.
        """
        self.assertEqual(self.successResultOf(self.accounts.count()), 0)
        self.successResultOf(self.accounts.add_first(NAME, PASSWORD))
        self.failureResultOf(self.accounts.add_first("other", PASSWORD), AccountRefused)
        self.assertEqual(self.successResultOf(self.accounts.count()), 1)

    def test_list(self):
        """
        Accounts are listed by name.
        """
        for name in ("bob", "Ada", "carl"):
            self.add(name)
        listed = self.successResultOf(self.accounts.list())
        self.assertEqual([account.name for account in listed], ["Ada", "bob", "carl"])

    def test_change_password(self):
        """
        A new password takes the place of the old one.
        """
        account = self.add()
        change = self.accounts.change_password(account, PASSWORD, "another password", b"")
        self.assertTrue(self.successResultOf(change))
        self.assertIsNone(self.check(NAME, PASSWORD))
        self.assertEqual(self.check(NAME, "another password"), account)

    def test_change_refused(self):
        """
        Without the current password, or for an unusable new one, nothing changes.
        """
        account = self.add()
        change = self.accounts.change_password(account, "wrong", "another password", b"")
        self.assertFalse(self.successResultOf(change))
        change = self.accounts.change_password(account, PASSWORD, "short", b"")
        self.failureResultOf(change, AccountRefused)
        self.assertEqual(self.check(NAME, PASSWORD), account)

    def test_damaged_hash(self):
        """
        A stored hash that cannot be read fits no password.
        """
        self.add()
        self.successResultOf(
            self.storage.database.write(lambda c: c.execute("UPDATE account SET password = 'x'"))
        )
        self.assertIsNone(self.check(NAME, PASSWORD))
