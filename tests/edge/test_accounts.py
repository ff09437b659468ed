"""
Tests of L{mailgate.edge.accounts}.
"""

import os

from argon2 import PasswordHasher
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailgate.edge.account_file import AccountFile, Table
from mailgate.edge.accounts import AT_A_TIME, QUEUE, TOLD, Accounts
from mailgate.interfaces import AccountsUnavailable, IAccounts, IThreads
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.scram import ITERATIONS, ScramVerifier
from tests.storage import temporary_folder

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = CHEAP.hash(PASSWORD)


class CountingHasher:
    """
    Counts how often a password is verified and hashed.
    """

    def __init__(self):
        self.verified = []
        self.hashed = 0

    def hash(self, password):
        """
        Hash a password.
        """
        self.hashed += 1
        return CHEAP.hash(password)

    def verify(self, stored, password):
        """
        Verify a password.
        """
        self.verified.append(password)
        return CHEAP.verify(stored, password)


@implementer(IThreads)
class WaitingThreads:
    """
    Threads that do the work when they are told to.
    """

    def __init__(self):
        self.waiting = []

    def run(self, function, *args):
        """
        Keep the work for later.
        """
        done = Deferred()
        self.waiting.append(lambda: done.callback(function(*args)))
        return done

    def work(self):
        """
        Do all that waits, and what comes of it.
        """
        while self.waiting:
            self.waiting.pop(0)()


class AccountsCase(SynchronousTestCase):
    """
    Accounts in a file, with ada in it.
    """

    def setUp(self):
        """
        Write the file.
        """
        self.path = temporary_folder(self) / "accounts"
        self.clock = Clock()
        self.file = AccountFile(Files(), self.path, CHEAP)
        self.file.set("Ada", PASSWORD, ["@example.com"])
        self.hasher = CountingHasher()
        self.accounts = self.make()

    def make(self, threads=None):
        """
        Make the accounts.
        """
        return Accounts(self.path, self.clock, threads or ImmediateThreads(), self.hasher)

    def verify(self, name, password=PASSWORD):
        """
        Verify a password.
        """
        return self.successResultOf(self.accounts.verify(name, password))

    def write(self, *lines):
        """
        Write the file by hand.
        """
        self.path.write_text("\n".join(lines))
        self.clock.advance(1)


class VerifyTests(AccountsCase):
    """
    Tests of passwords.
    """

    def test_interface(self):
        """
        The accounts are what the interface says.
        """
        self.assertTrue(verifyObject(IAccounts, self.accounts))

    def test_right(self):
        """
        A right password gives the account, however the name is written.
        """
        account = self.verify("ada")
        self.assertEqual(account.name, "Ada")
        self.assertEqual(account.senders, frozenset(["@example.com"]))
        self.assertEqual(self.verify("ADA"), account)
        self.assertEqual(self.accounts.find("ada"), account)

    def test_prepared(self):
        """
        A password that looks the same is the same.
        """
        self.file.set("bob", "I\N{SOFT HYPHEN}X correct horse")
        self.assertIsNotNone(self.verify("bob", "\N{ROMAN NUMERAL NINE} correct horse"))

    def test_a30_wrong(self):
        """
        A wrong password, one that cannot be one, and an unknown name give nothing, and each
        costs one verification of Argon2.
        """
        self.assertIsNone(self.verify("eve"))
        before = len(self.hasher.verified)
        tried = [
            ("ada", "wrong horse battery"),
            ("ada", ""),
            ("ada", "a\0b"),
            ("ada", "x" * 100_000),
            ("eve", PASSWORD),
            ("a\0b", PASSWORD),
        ]
        for name, password in tried:
            self.assertIsNone(self.verify(name, password))
        self.assertEqual(len(self.hasher.verified) - before, len(tried))
        self.assertLess(max(map(len, self.hasher.verified)), 1001)
        self.assertEqual(self.hasher.hashed, 1)
        self.assertIsNone(self.accounts.find("eve"))

    def test_two_at_a_time(self):
        """
        No more than two passwords are verified at the same time, even where clients go away, and
        fifty may wait: the next ones must come again.
        """
        threads = WaitingThreads()
        self.accounts = self.make(threads)
        self.accounts.load()
        threads.work()
        verified = [self.accounts.verify("ada", PASSWORD) for _ in range(AT_A_TIME + QUEUE)]
        self.assertEqual(len(threads.waiting), AT_A_TIME)
        for each in verified[:AT_A_TIME]:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(len(threads.waiting), AT_A_TIME)
        self.failureResultOf(self.accounts.verify("ada", PASSWORD), AccountsUnavailable)
        threads.work()
        for each in verified[AT_A_TIME:]:
            self.assertEqual(self.successResultOf(each).name, "Ada")

    def test_broken_hash(self):
        """
        A hash that only looks like one fits no password.
        """
        self.write("bob $argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA -", f"ada {HASH} -")
        self.assertIsNone(self.verify("bob"))
        self.assertIsNotNone(self.verify("ada"))


class ScramTests(AccountsCase):
    """
    Tests of verifiers.
    """

    def verifier(self, name):
        """
        Give the verifier of a name.
        """
        return self.successResultOf(self.accounts.verifier(name))

    def test_account(self):
        """
        An account has its own.
        """
        own = self.file.read().entries["ada"].verifier
        self.assertEqual(self.verifier("ADA"), own)
        self.assertEqual(own.iterations, ITERATIONS)
        self.assertTrue(self.accounts.has_scram)

    def test_decoy(self):
        """
        A name that nobody has, or whose account has none, gets one that stays the same, also in
        the next process and however the name is written, and looks like the others.
        """
        with open(self.path, "a") as file:
            file.write(f"bob {HASH} -\n")
        for name in ("eve", "bob"):
            made = self.verifier(name)
            self.assertIsInstance(made, ScramVerifier)
            self.assertEqual(self.verifier(name.upper()), made)
            self.assertEqual(self.successResultOf(self.make().verifier(name)), made)
            self.assertEqual(made.iterations, self.verifier("ada").iterations)
            self.assertEqual(len(made.salt), len(self.verifier("ada").salt))
        self.assertNotEqual(self.verifier("eve"), self.verifier("bob"))

    def test_offered(self):
        """
        SCRAM is of no use where no account has a verifier, nor before the file was read.
        """
        self.assertFalse(self.accounts.has_scram)
        self.write(f"ada {HASH} -")
        self.successResultOf(self.accounts.load())
        self.assertFalse(self.accounts.has_scram)


class FileTests(AccountsCase):
    """
    Tests of reading the file again.
    """

    def test_read_again(self):
        """
        A change counts within a second, and until then nobody looks at the file.
        """
        looks = []
        real = os.stat
        self.assertIsNotNone(self.verify("ada"))
        self.patch(os, "stat", lambda *args, **more: (looks.append(args), real(*args, **more))[1])
        self.file.set("bob", PASSWORD)
        del looks[:]
        self.assertIsNone(self.verify("bob"))
        self.clock.advance(0.9)
        self.assertIsNone(self.verify("bob"))
        self.assertEqual(looks, [])
        self.clock.advance(0.1)
        self.assertIsNotNone(self.verify("bob"))
        self.assertIsNotNone(self.verify("bob"))
        self.assertEqual(len(looks), 1)
        self.file.remove("ada")
        self.clock.advance(1)
        self.assertIsNone(self.verify("ada"))
        self.assertIsNone(self.accounts.find("ada"))

    def test_read_once(self):
        """
        A file that has not changed is not read again; all who wait share one look.
        """
        threads = WaitingThreads()
        self.accounts = self.make(threads)
        loads = [self.accounts.load() for _ in range(3)]
        self.assertEqual(len(threads.waiting), 1)
        loads[1].cancel()
        self.failureResultOf(loads[1], CancelledError)
        with capturedLogs() as events:
            threads.work()
            self.successResultOf(loads[0])
            self.successResultOf(loads[2])
            self.clock.advance(1)
            self.accounts.load()
            threads.work()
        self.assertEqual([event["event"] for event in events], ["accounts.read"])
        self.assertEqual((events[0]["number"], events[0]["path"]), (1, str(self.path)))

    def test_missing(self):
        """
        While the file cannot be read nobody can log in; it is told once, and when it is there
        again all is well.
        """
        content = self.path.read_bytes()
        self.assertIsNotNone(self.verify("ada"))
        self.path.unlink()
        with capturedLogs() as events:
            for _ in range(3):
                self.clock.advance(1)
                self.failureResultOf(self.accounts.verify("ada", PASSWORD), AccountsUnavailable)
                self.failureResultOf(self.accounts.verifier("ada"), AccountsUnavailable)
        self.assertFalse(self.accounts.has_scram)
        self.assertIsNone(self.accounts.find("ada"))
        (event,) = events
        self.assertEqual((event["event"], event["path"]), ("accounts.not_read", str(self.path)))
        self.assertIn("No such file", event["error"])
        self.path.write_bytes(content)
        self.clock.advance(1)
        self.assertIsNotNone(self.verify("ada"))

    def test_bad_lines(self):
        """
        A line with a mistake is told with file and number, and the others count; of very many
        not all are told.
        """
        self.write(f"ada {HASH} -", *["secret"] * (TOLD + 5))
        with capturedLogs() as events:
            self.assertIsNotNone(self.verify("ada"))
        told = [event for event in events if event["event"] == "accounts.bad_line"]
        self.assertEqual([event["line"] for event in told], list(range(2, TOLD + 2)))
        self.assertEqual(told[0]["path"], str(self.path))
        self.assertNotIn("secret", repr(events))

    def test_public(self):
        """
        A file that others may read or write is told of; one for a group is not.
        """
        for mode, is_told in ((0o640, False), (0o644, True), (0o602, True)):
            self.path.chmod(mode)
            with capturedLogs() as events:
                self.successResultOf(self.make().load())
            names = [event["event"] for event in events]
            self.assertEqual("accounts.public" in names, is_told, oct(mode))

    def test_mistake_of_ours(self):
        """
        Whatever else goes wrong with the file is told with its traceback, and nobody hangs.
        """

        def broken(data):
            raise RuntimeError("broken")

        self.patch(Table, "parse", broken)
        self.failureResultOf(self.accounts.verify("ada", PASSWORD), AccountsUnavailable)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
