"""
Tests of L{mailgate.delivery.endpoint}.
"""

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.endpoint import make_endpoint


class EndpointTests(SynchronousTestCase):
    """
    Ways to a server.
    """

    def connect(self, host, source=None):
        """
        Begin to connect, and give the reactor.
        """
        reactor = MemoryReactorClock()
        make_endpoint(reactor, host, 25, 9.0, source).connect(Factory())
        return reactor

    def test_address(self):
        """
        An address is connected to, from the address of ours that is given.
        """
        for host, source in (("192.0.2.7", "192.0.2.1"), ("2001:db8::7", "2001:db8::1")):
            ((to, port, _, seconds, bound),) = self.connect(host, source).tcpClients
            self.assertEqual((to, port, seconds, bound), (host, 25, 9.0, (source, 0)))
        ((*_, bound),) = self.connect("192.0.2.7").tcpClients
        self.assertIsNone(bound)

    def test_socket(self):
        """
        A Unix socket is connected to by its path.
        """
        ((path, _, seconds, _),) = self.connect("unix:/run/lmtp").unixClients
        self.assertEqual((path, seconds), ("/run/lmtp", 9.0))

    def test_name(self):
        """
        A name is looked up.
        """
        endpoint = make_endpoint(MemoryReactorClock(), "mail.example.com", 25, 9.0)
        self.assertIsInstance(endpoint, HostnameEndpoint)
