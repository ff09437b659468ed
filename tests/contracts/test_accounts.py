"""
What every L{mailgate.interfaces.IAccounts} promises.
"""

from argon2 import PasswordHasher
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.config.model import AccountUpstream
from mailgate.delivery.accounts import UpstreamAccounts
from mailgate.delivery.tls import verified_tls
from mailgate.edge.account_file import AccountFile
from mailgate.edge.accounts import Accounts
from mailgate.interfaces import AccountsUnavailable, IAccounts
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address
from mailgate.wire.scram import ScramVerifier
from tests.delivery.secure import HOST, SecureNetwork, authority
from tests.storage import temporary_folder

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class FileSubject:
    """
    The account file.
    """

    def __init__(self, folder):
        self.path = folder / "accounts"
        AccountFile(Files(), self.path, CHEAP).set("ada@example.com", PASSWORD, ["@example.org"])
        self.text = self.path.read_bytes()
        self.clock = Clock()
        self.accounts = Accounts(self.path, self.clock, ImmediateThreads(), CHEAP)

    def work(self):
        """
        Everything is done at once.
        """

    def be_broken(self, is_broken):
        """
        Let nothing be found out, or let it again.
        """
        if is_broken:
            self.path.unlink()
        else:
            self.path.write_bytes(self.text)
        self.clock.advance(1)


class UpstreamSubject:
    """
    A mail server.
    """

    def __init__(self, folder):
        trusted = folder / "authority.pem"
        trusted.write_bytes(authority().pem)
        self.network = SecureNetwork()
        settings = AccountUpstream(host=HOST, senders={"Ada@example.com": ("@example.org",)})
        tls = verified_tls(HOST, trusted)
        self.accounts = UpstreamAccounts(settings, "gw.example.com", Clock(), tls, self.network)

    def work(self):
        """
        Carry bytes over.
        """
        self.network.flush()

    def be_broken(self, is_broken):
        """
        Let nothing be found out, or let it again.
        """
        self.network.behaviour.replies = {"AUTH": "454 4.7.0 not now"} if is_broken else {}


def accounts_contract(make):
    """
    Make the test case for an implementation.

    @param make: makes a subject in a folder, in which ada@example.com has an account and may
        send as all of example.org too.
    """

    class AccountsContract(SynchronousTestCase):
        def setUp(self):
            self.subject = make(temporary_folder(self))
            self.accounts = self.subject.accounts

        def result(self, deferred):
            self.subject.work()
            return self.successResultOf(deferred)

        def verify(self, name="ada@example.com", password=PASSWORD):
            return self.result(self.accounts.verify(name, password))

        def test_interface(self):
            """
            It has all methods.
            """
            self.assertTrue(verifyObject(IAccounts, self.accounts))

        def test_right(self):
            """
            Who has the password gets the account.
            """
            self.assertEqual(self.verify().name, "ada@example.com")

        def test_wrong(self):
            """
            A wrong password, an unknown name, and what can be neither, are nobody's.
            """
            for name, password in (
                ("ada@example.com", "wrong horse battery"),
                ("eve@example.com", PASSWORD),
                ("ada@example.com", ""),
                ("ada@example.com", PASSWORD + "\0"),
                ("ada@example.com", "x" * 5000),
                ("ada@example.com\r\nX: y", PASSWORD),
                ("*", PASSWORD),
                ("@example.com", PASSWORD),
            ):
                self.assertIsNone(self.verify(name, password), (name, password))

        def test_senders(self):
            """
            An account may send as its own address and those that were given to it.
            """
            account = self.verify()
            self.assertTrue(account.may_send_as(Address("Ada", "example.com")))
            self.assertTrue(account.may_send_as(Address("anybody", "example.org")))
            self.assertFalse(account.may_send_as(Address("eve", "example.com")))

        def test_find(self):
            """
            An account that has logged in is known, however its name is written; nobody else is.
            """
            account = self.verify()
            self.assertEqual(self.accounts.find("ADA@example.com"), account)
            self.assertIsNone(self.accounts.find("eve@example.com"))

        def test_unavailable(self):
            """
            While it cannot be found out nobody is told yes or no; afterwards it is as before.
            """
            self.verify()
            self.subject.be_broken(True)
            for password in (PASSWORD, "wrong horse battery"):
                verifying = self.accounts.verify("ada@example.com", password)
                self.subject.work()
                self.failureResultOf(verifying, AccountsUnavailable)
            self.subject.be_broken(False)
            self.assertEqual(self.verify().name, "ada@example.com")

        def test_verifier(self):
            """
            Where SCRAM is of use every name has a verifier, else none has.
            """
            self.verify()
            for name in ("ada@example.com", "eve@example.com"):
                verifier = self.accounts.verifier(name)
                if self.accounts.has_scram:
                    self.assertIsInstance(self.result(verifier), ScramVerifier)
                else:
                    self.failureResultOf(verifier, AccountsUnavailable)

    return AccountsContract


class FileTests(accounts_contract(FileSubject)):
    """
    The account file keeps the contract.
    """


class UpstreamTests(accounts_contract(UpstreamSubject)):
    """
    A mail server that is asked keeps the contract.
    """
