"""
Tests of L{mailgate.net.connecting}.
"""

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailgate.net.connecting import connect_protocol


class ConnectTests(SynchronousTestCase):
    """
    Tests of L{connect_protocol}.
    """

    def connecting(self):
        """
        Begin to connect; give the protocol, the Deferred, and the factory.
        """
        reactor, protocol = MemoryReactorClock(), Protocol()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", 25)
        deferred = connect_protocol(endpoint, protocol)
        return protocol, deferred, reactor.tcpClients[0][2]

    def test_connected(self):
        """
        It gives the protocol, and nothing is said in the log.
        """
        seen = []
        globalLogPublisher.addObserver(seen.append)
        self.addCleanup(globalLogPublisher.removeObserver, seen.append)
        protocol, deferred, factory = self.connecting()
        factory.doStart()
        made = factory.buildProtocol(None)
        made.makeConnection(None)
        self.assertIs(self.successResultOf(deferred), protocol)
        factory.doStop()
        self.assertEqual(seen, [])

    def test_failed(self):
        """
        It fails as the endpoint does.
        """
        _, deferred, factory = self.connecting()
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.failureResultOf(deferred, ConnectionRefusedError)
