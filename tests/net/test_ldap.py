"""
Tests of questions to a directory, with servers in memory.
"""

from unittest import SkipTest

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.tls import verified_tls
from tests.delivery.secure import HOST, authority, certificate, self_signed
from tests.storage import temporary_folder

try:
    from ldaptor.protocols import pureldap
    from ldaptor.protocols.ldap.ldapserver import LDAPServer

    from mailgate.net.ldap import ASIDE_SECONDS, BUFFER, Directory, DirectoryFailed, Server
    from tests.knowledge.ldap_network import LdapNetwork, Silent
except ImportError as error:
    if "ldaptor" not in str(error):
        raise
    LDAPServer = None

NAME = "uid=us,dc=example,dc=com"
PASSWORD = "correct horse battery"
ADA = "(mail=ada@example.com)"


class DirectoryTests(SynchronousTestCase):
    """
    Tests with two servers and three seconds for a step.
    """

    def setUp(self):
        """
        Make them.
        """
        if LDAPServer is None:
            raise SkipTest("not installed: ldaptor")
        self.clock = Clock()
        self.networks = [LdapNetwork(), LdapNetwork()]
        self.password = PASSWORD
        servers = [
            Server(f"dc{number}", network, None) for number, network in enumerate(self.networks, 1)
        ]
        self.directory = Directory(servers, NAME, lambda: self.password, self.clock, 3)
        self.addCleanup(self.directory.close)

    def begin(self, filter_=ADA, limit=10):
        """
        Begin to search.
        """
        return Deferred.fromCoroutine(
            self.directory.search("dc=example,dc=com", filter_, ["mail"], limit)
        )

    def flush(self):
        """
        Carry all bytes over.
        """
        for _ in range(5):
            for network in self.networks:
                network.flush()

    def search(self, filter_=ADA):
        """
        Search, and give the first values of C{mail}.
        """
        searching = self.begin(filter_)
        self.flush()
        return [entry["mail"][0] for entry in self.successResultOf(searching)]

    def fails(self, *advances):
        """
        Search in vain, and give the words.
        """
        searching = self.begin()
        self.flush()
        for seconds in advances:
            self.clock.advance(seconds)
            self.flush()
        return str(self.failureResultOf(searching, DirectoryFailed).value)

    @property
    def connections(self):
        """
        Count the connections that were made to each server.
        """
        return [network.connections for network in self.networks]

    def test_one_connection(self):
        """
        All questions go over one connection to the first server, also those that come before it is
        there.
        """
        waiting = [self.begin() for _ in range(3)]
        self.flush()
        for each in waiting:
            self.assertEqual(len(self.successResultOf(each)), 1)
        self.assertEqual(self.search(), [b"Ada@example.com"])
        self.assertEqual(self.search("(mail=eve@example.com)"), [])
        self.assertEqual(self.connections, [1, 0])

    def test_reconnected(self):
        """
        When the connection has ended another is made, and the question is answered.
        """
        self.search()
        self.networks[0].cut()
        self.assertEqual(self.search(), [b"Ada@example.com"])
        self.assertEqual(self.connections, [2, 0])

    def test_cut_in_the_midst(self):
        """
        So it is when it ends while a question is asked.
        """
        self.search()
        searching = self.begin()
        self.networks[0].cut()
        self.flush()
        self.assertEqual(len(self.successResultOf(searching)), 1)

    def test_second_server(self):
        """
        When the first server cannot be reached the second is asked, and stays so until its
        connection ends; the first is left alone for a while.
        """
        self.networks[0].is_down = True
        self.search()
        self.assertEqual(self.connections, [1, 1])
        self.networks[0].is_down = False
        self.networks[1].cut()
        self.search()
        self.assertEqual(self.connections, [1, 2])
        self.clock.advance(ASIDE_SECONDS)
        self.networks[1].cut()
        self.search()
        self.assertEqual(self.connections, [2, 2])

    def test_hangs(self):
        """
        A server that hangs, be it before or after the connection is there, is given up in time.
        """
        self.networks[0].is_slow = True
        searching = self.begin()
        self.clock.advance(3)
        self.flush()
        self.assertEqual(len(self.successResultOf(searching)), 1)
        self.networks[1].is_silent = True
        self.networks[1].cut()
        searching = self.begin()
        self.flush()
        self.clock.advance(3)
        self.networks[0].is_slow = False
        self.flush()
        self.clock.advance(3)
        self.flush()
        self.assertTrue(searching.called)
        searching.addErrback(lambda failure: failure.trap(DirectoryFailed))

    def test_hangs_later(self):
        """
        A server that falls silent on a connection is set aside for the other.
        """
        self.search()
        self.networks[0].pumps.clear()  # nothing is carried over any more
        searching = self.begin()
        self.clock.advance(3)
        self.flush()
        self.assertEqual(len(self.successResultOf(searching)), 1)
        self.assertEqual(self.connections, [1, 1])

    def test_all_fail(self):
        """
        When none can be reached it is told why of each; afterwards it is as before.
        """
        for network in self.networks:
            network.is_down = True
        words = self.fails()
        self.assertIn("dc1: ", words)
        self.assertIn("dc2: ", words)
        for network in self.networks:
            network.is_down = False
        self.assertEqual(self.search(), [b"Ada@example.com"])

    def test_wrong_password(self):
        """
        A wrong password is told as such, and read anew for the next connection.
        """
        self.password = "wrong"
        words = self.fails()
        self.assertIn("invalidCredentials", words)
        self.assertNotIn("wrong", words)
        self.password = PASSWORD
        self.search()

    def test_account_is_not_locked(self):
        """
        A wrong password is tried once, at one server, and not again for a while.
        """
        self.password = "wrong"
        for _ in range(5):
            self.assertIn("invalidCredentials", self.fails())
        binds = [name for each in self.networks for name, _ in each.heard]
        self.assertEqual(binds, ["LDAPBindRequest"])
        self.clock.advance(ASIDE_SECONDS)
        self.fails()
        self.assertEqual(len([name for each in self.networks for name, _ in each.heard]), 2)

    def test_base(self):
        """
        A base that is not there is told, and costs nobody else the connection.
        """
        searching = Deferred.fromCoroutine(self.directory.search("dc=x", ADA, ["mail"], 10))
        self.flush()
        words = str(self.failureResultOf(searching, DirectoryFailed).value)
        self.assertIn("noSuchObject", words)
        self.search()
        self.assertEqual(self.connections, [1, 0])

    def test_new_password(self):
        """
        Another password is tried at once.
        """
        self.password = "wrong"
        self.fails()
        self.password = PASSWORD
        self.search()

    def test_garbage(self):
        """
        An answer to no question, and one without an end, end the connection and nothing else; what
        is no LDAP at all does so by time.
        """
        for network in self.networks:
            network.make = type("Server", (Silent,), {"said": b"HTTP/1.1 400\r\n\r\n" * 10})
        self.assertIn("no answer in time", self.fails(3, 3))
        for said in (
            b"\x30\x07\x02\x01\x63\x42\x00\x04\x00",
            b"\x30\x84\x7f\xff\xff\xff" + b"x" * BUFFER,
        ):
            server = type("Server", (Silent,), {"said": said})
            for network in self.networks:
                network.make = server
            with capturedLogs() as events:
                self.fails(3, 3)
            self.assertEqual({each["event"] for each in events}, {"ldap.garbage"}, said[:20])
        for network in self.networks:
            network.make = None
        self.assertEqual(self.search(), [b"Ada@example.com"])

    def test_closed(self):
        """
        Once closed, nothing is asked, and nobody waits.
        """
        searching = self.begin()
        self.directory.close()
        self.flush()
        self.failureResultOf(searching, DirectoryFailed)
        self.failureResultOf(self.begin(), DirectoryFailed)


class TlsTests(SynchronousTestCase):
    """
    Tests with a server that must prove its name by STARTTLS.
    """

    def setUp(self):
        """
        Make one.
        """
        if LDAPServer is None:
            raise SkipTest("not installed: ldaptor")
        trusted = temporary_folder(self) / "authority.pem"
        trusted.write_bytes(authority().pem)
        self.network = LdapNetwork(context=certificate().context)
        self.network.heard = []
        server = Server("dc", self.network, verified_tls(HOST, trusted))
        self.directory = Directory([server], NAME, lambda: PASSWORD, Clock(), 3)
        self.addCleanup(self.directory.close)

    def begin(self):
        """
        Search.
        """
        searching = Deferred.fromCoroutine(
            self.directory.search("dc=example,dc=com", ADA, ["mail"], 10)
        )
        for _ in range(10):
            self.network.flush()
        return searching

    def test_verified(self):
        """
        A server with the right certificate is told the password, after TLS has begun.
        """
        self.assertEqual(len(self.successResultOf(self.begin())), 1)
        requests = ["LDAPExtendedRequest", "LDAPBindRequest", "LDAPSearchRequest"]
        self.assertEqual([name for name, _ in self.network.heard], requests)
        self.assertEqual([is_secure for _, is_secure in self.network.heard], [False, True, True])

    def test_unverified(self):
        """
        One that cannot prove its name is told nothing more, be its certificate its own or for
        another name.
        """
        for issued in (self_signed(), certificate("other.example.com")):
            self.network.heard.clear()
            self.network.context = issued.context
            self.failureResultOf(self.begin(), DirectoryFailed)
            self.assertEqual({name for name, _ in self.network.heard}, {"LDAPExtendedRequest"})

    def test_no_tls(self):
        """
        One that offers no TLS is told nothing more either.
        """
        self.network.context = None
        words = str(self.failureResultOf(self.begin(), DirectoryFailed).value)
        self.assertIn("refused: ", words)
        self.assertEqual({name for name, _ in self.network.heard}, {"LDAPExtendedRequest"})

    def test_bytes_behind_starttls(self):
        """
        What somebody says behind the answer to STARTTLS, before TLS begins, counts for nothing.
        """
        self.network.behind = pureldap.LDAPMessage(
            pureldap.LDAPBindResponse(resultCode=0), id=2
        ).toWire()
        words = str(self.failureResultOf(self.begin(), DirectoryFailed).value)
        self.assertIn("bytes behind STARTTLS", words)
        self.assertEqual({name for name, _ in self.network.heard}, {"LDAPExtendedRequest"})
