"""
Tests of L{mailgate.wire.network}.
"""

from ipaddress import IPv4Address, IPv6Address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.network import (
    address_of,
    canonical_ipv6,
    client_names,
    has_client,
    is_within,
    named,
    network_name,
    network_of,
)


def network(client):
    """
    Give what the network of a client is known by.
    """
    return network_of(address_of(client))


class NetworkTests(SynchronousTestCase):
    """
    Tests of what a client is counted by.
    """

    def test_named(self):
        """
        People name an address, or a network by itself.
        """
        for text, name in (
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("2001:db8::7", "2001:db8::/64"),
            ("2001:db8::/64", "2001:db8::/64"),
        ):
            self.assertEqual(named(text), name)

    def test_no_names(self):
        """
        What is counted nowhere is refused.
        """
        for text in (
            "",
            "example.org",
            "192.0.2.0/25",
            "192.0.0.0/16",
            "2001:db8::/32",
            "1.2.3.4/",
        ):
            error = self.assertRaises(ValueError, named, text)
            self.assertIn(f"{text} must be an IP address", str(error))

    def test_address(self):
        """
        An address is read, an IPv4 one inside an IPv6 one as what it is; anything else is none.
        """
        self.assertEqual(address_of("192.0.2.7"), IPv4Address("192.0.2.7"))
        self.assertEqual(address_of("::ffff:192.0.2.7"), IPv4Address("192.0.2.7"))
        self.assertEqual(address_of("2001:db8::7"), IPv6Address("2001:db8::7"))
        for text in ("", "localhost", "192.0.2", "/run/socket"):
            self.assertIsNone(address_of(text))

    def test_network(self):
        """
        The network is that of 24 bits, or of 64, and no IPv4 network is an IPv6 one.
        """
        self.assertEqual(network("192.0.2.7"), network("192.0.2.255"))
        self.assertNotEqual(network("192.0.2.7"), network("192.0.3.7"))
        self.assertEqual(network("2001:db8::7"), network("2001:db8::1:2:3:4"))
        self.assertNotEqual(network("2001:db8::7"), network("2001:db8:0:1::7"))
        self.assertNotEqual(network("0.0.0.0"), network("::"))

    @given(st.ip_addresses())
    def test_network_name(self, address):
        """
        A network is named as Python names it.
        """
        prefix = 24 if address.version == 4 else 64
        self.assertEqual(network_name(address), str(ip_network((address, prefix), strict=False)))

    def test_client_names(self):
        """
        An IPv4 client counts for itself and its network, an IPv6 client as its network.
        """
        self.assertEqual(client_names("192.0.2.7"), ("192.0.2.7", "192.0.2.0/24"))
        self.assertEqual(client_names("::ffff:192.0.2.7"), ("192.0.2.7", "192.0.2.0/24"))
        self.assertEqual(client_names("2001:DB8::7"), ("2001:db8::/64",))
        self.assertEqual(client_names("nobody"), ())

    def test_has_client(self):
        """
        What is remembered of a client is what was found; what is no address lies nowhere.
        """
        has = has_client((ip_network("192.0.2.0/28"), ip_network("2001:db8::/32")))
        for _ in range(2):
            self.assertTrue(has("192.0.2.7") and has("::ffff:192.0.2.7") and has("2001:db8::7"))
            self.assertFalse(has("192.0.2.16") or has("nobody") or has(""))

    def test_within(self):
        """
        An address lies in a network of its own kind.
        """
        networks = [ip_network("192.0.2.0/28"), ip_network("2001:db8::/32")]
        self.assertTrue(is_within(address_of("192.0.2.15"), networks))
        self.assertTrue(is_within(address_of("2001:db8:ffff::1"), networks))
        self.assertFalse(is_within(address_of("192.0.2.16"), networks))
        self.assertFalse(is_within(address_of("::1"), networks))

    def test_canonical(self):
        """
        An IPv6 address has one form, from words and from bytes; a zone is refused.
        """
        self.assertEqual(canonical_ipv6("2001:DB8:0::7"), "2001:db8::7")
        self.assertEqual(canonical_ipv6(bytes(15) + b"\1"), "::1")
        self.assertEqual(canonical_ipv6("::ffff:192.0.2.7"), "192.0.2.7")
        for text in ("fe80::1%eth0", "192.0.2.7", "", "::1 "):
            self.assertRaises(ValueError, canonical_ipv6, text)
