"""
A DNS server, of twisted.names, that knows one domain.
"""

from twisted.names import dns
from twisted.names.authority import FileAuthority
from twisted.names.common import ResolverBase
from twisted.names.server import DNSServerFactory

from tests.end_to_end.ports import free_port


def text(*strings):
    """
    Make a TXT record.
    """
    return dns.Record_TXT(*(each.encode() for each in strings), ttl=300)


def serve_zone(test, reactor, name, records):
    """
    Serve a zone on this machine until the test is over, and give the port.

    @param records: lists of them by their names.
    """
    port = free_port()
    factory = DNSServerFactory([_Authority(name, records)])
    factory.noisy = False
    datagrams = reactor.listenUDP(port, dns.DNSDatagramProtocol(factory), "127.0.0.1")
    test.addCleanup(datagrams.stopListening)
    test.addCleanup(reactor.listenTCP(port, factory, interface="127.0.0.1").stopListening)
    return port


class _Authority(FileAuthority):
    def __init__(self, name, records):
        ResolverBase.__init__(self)
        soa = dns.Record_SOA(b"ns." + name, b"root." + name, 1, 2, 3, 4, 60)
        self.soa = (name, soa)
        self.records = {**records, name: [soa, *records[name]]}
