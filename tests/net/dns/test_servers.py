"""
Tests of L{mailgate.net.dns.servers}.
"""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.net.dns.servers import LOCAL, SERVERS_LIMIT, Server, find_servers


class ServersTests(SynchronousTestCase):
    """
    Tests of which servers are asked.
    """

    def setUp(self):
        """
        Name a file.
        """
        self.file = Path(self.mktemp())

    def found(self, content):
        """
        Give what a file names.
        """
        self.file.write_bytes(content)
        return find_servers((), self.file)

    def test_file(self):
        """
        The servers of the machine count, in their order and each once; what else there is in the
        file does not.
        """
        content = (
            b"# generated\n; by hand\nsearch example.com\noptions edns0 timeout:1\n"
            b"nameserver 192.0.2.53\n  nameserver\t2001:DB8:0::53 # comment\n"
            b"nameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver dns.example\n"
            b"nameserver\nnameservers 192.0.2.1\n#nameserver 192.0.2.2\n"
        )
        self.assertEqual(
            find := self.found(content),
            [Server("192.0.2.53"), Server("2001:db8::53"), Server("fe80::1%eth0")],
        )
        self.assertEqual([str(each) for each in find][1:], ["2001:db8::53", "fe80::1%eth0"])

    def test_none(self):
        """
        Where the file is missing, empty, names none or is a folder, it is the one of this machine.
        """
        self.assertEqual(find_servers((), self.file), [LOCAL])
        for content in (b"", b"search example.com\n", b"nameserver\n", b"\xff\0\n" * 100):
            self.assertEqual(self.found(content), [LOCAL])
        self.assertEqual(find_servers((), self.file.parent.absolute()), [LOCAL])

    def test_configured(self):
        """
        Those of the configuration go before those of the machine, and may have a port.
        """
        self.found(b"nameserver 192.0.2.53\n")
        servers = find_servers(["127.0.0.1:5353", "[::1]:54", "::1"], self.file)
        self.assertEqual(servers, [Server("127.0.0.1", 5353), Server("::1", 54), Server("::1")])
        self.assertEqual([str(each) for each in servers], ["127.0.0.1:5353", "[::1]:54", "::1"])

    def test_many(self):
        """
        Of many only the first are asked.
        """
        content = b"".join(b"nameserver 192.0.2.%d\n" % number for number in range(200))
        self.assertEqual(len(self.found(content * 100)), SERVERS_LIMIT)

    def test_public(self):
        """
        Servers for everybody are known, by all of their addresses.
        """
        for host in (
            "8.8.8.8",
            "8.8.4.4",
            "2001:4860:4860::8844",
            "1.1.1.1",
            "1.0.0.1",
            "1.1.1.3",
            "2606:4700:4700::1001",
            "9.9.9.9",
            "149.112.112.112",
            "2620:fe::9",
            "208.67.222.222",
            "208.67.220.123",
        ):
            self.assertTrue(Server(host).is_public, host)
        for host in ("127.0.0.1", "127.0.0.53", "::1", "192.168.1.1", "fe80::1%eth0", "8.8.8.9"):
            self.assertFalse(Server(host).is_public, host)

    @given(st.binary(max_size=200))
    def test_anything(self, content):
        """
        Whatever stands in the file, there is a server.
        """
        self.assertTrue(self.found(b"nameserver " + content))
