"""
Tests of L{mailgate.config.values}.
"""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.values import (
    absolute,
    check_base_url,
    check_full_name,
    check_host,
    check_host_name,
    check_place,
    check_sender,
    parse_endpoint,
    parse_list_code,
    parse_network,
    parse_server,
)


class ValueTestCase(SynchronousTestCase):
    """
    A test of what can and what cannot be read.
    """

    def refused(self, function: Callable[..., Any], *arguments: Any) -> str:
        """
        Give the words with which a value is refused.
        """
        return str(self.assertRaises(ValueError, function, *arguments))


class EndpointTests(ValueTestCase):
    """
    An endpoint is an IP address and a port.
    """

    def test_both_kinds(self) -> None:
        """
        An IPv6 address stands in brackets, and is given back without them.
        """
        self.assertEqual(parse_endpoint("127.0.0.1:25"), ("127.0.0.1", 25))
        self.assertEqual(parse_endpoint("[::1]:25"), ("::1", 25))
        self.assertEqual(parse_endpoint("[2001:DB8:0::1]:65535"), ("2001:db8::1", 65535))
        self.assertEqual(parse_endpoint("0.0.0.0:0"), ("0.0.0.0", 0))

    @given(st.ip_addresses(), st.integers(0, 65535))
    def test_every_address(self, address: Any, port: int) -> None:
        """
        Every address and port there is can be written and read.
        """
        text = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
        self.assertEqual(parse_endpoint(text), (str(address), port))

    def test_what_is_none(self) -> None:
        """
        A name, a missing or wrong port, and anything beside them are refused.
        """
        for text in (
            "",
            ":25",
            "25",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:65536",
            "127.0.0.1:-1",
            "127.0.0.1:+25",
            "127.0.0.1: 25",
            "127.0.0.1:٢٥",
            "127.0.0.1:25 ",
            " 127.0.0.1:25",
            "127.0.0.01:25",
            "localhost:25",
            "*:25",
            "[127.0.0.1]:25",
            "[::1]",
            "[::1:25",
            "[]:25",
        ):
            self.assertIn("must be an IP address and a port", self.refused(parse_endpoint, text))

    def test_brackets_are_asked_for(self) -> None:
        """
        An IPv6 address without brackets is told that it needs them.
        """
        self.assertIn("stands in brackets", self.refused(parse_endpoint, "::1:25"))

    @given(st.text())
    def test_anything(self, text: str) -> None:
        """
        Whatever is written is an endpoint or refused in words.
        """
        try:
            host, port = parse_endpoint(text)
        except ValueError as error:
            self.assertIn("must be an IP address and a port", str(error))
        else:
            self.assertTrue(host)
            self.assertIn(port, range(65536))


class ServerTests(ValueTestCase):
    """
    A DNS server is an address, with a port or without.
    """

    def test_servers(self) -> None:
        """
        Without a port it is that of the DNS.
        """
        self.assertEqual(parse_server("127.0.0.1"), ("127.0.0.1", 53))
        self.assertEqual(parse_server("127.0.0.1:5353"), ("127.0.0.1", 5353))
        self.assertEqual(parse_server("2001:DB8:0::1"), ("2001:db8::1", 53))
        self.assertEqual(parse_server("[::1]:5353"), ("::1", 5353))
        self.assertEqual(parse_server("fe80::1%eth0"), ("fe80::1%eth0", 53))

    def test_what_is_none(self) -> None:
        """
        Anything else is refused.
        """
        for text in (
            "",
            "dns.example",
            "dns.example:53",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "0.0.0.0",
            "::",
            "[::]:53",
            "224.0.0.1",
            "192.0.2.0/24",
        ):
            self.assertIn("must be an IP address, with a port", self.refused(parse_server, text))


class PlaceTests(ValueTestCase):
    """
    A place is an endpoint, or a Unix socket.
    """

    def test_both_kinds(self) -> None:
        """
        An endpoint stays as it is; a path is seen from the folder of the file.
        """
        self.assertEqual(check_place("[::1]:25", Path("/etc")), "[::1]:25")
        self.assertEqual(check_place("unix:run/in.sock", Path("/etc")), "unix:/etc/run/in.sock")
        self.assertEqual(check_place("unix:/run/in.sock", Path("/etc")), "unix:/run/in.sock")

    def test_too_long(self) -> None:
        """
        A path that the kernel does not take is refused before the start, with its folder.
        """
        longest = "x" * (107 - len("/etc/"))
        self.assertEqual(check_place(f"unix:{longest}", Path("/etc")), f"unix:/etc/{longest}")
        words = self.refused(check_place, f"unix:{longest}x", Path("/etc"))
        self.assertEqual(words, "unix: and a path of at most 107 bytes, its folders included")

    def test_what_is_none(self) -> None:
        """
        What is neither is told both.
        """
        words = self.refused(check_place, "mail.example.com:25", None)
        self.assertIn("or unix: and a path", words)


class ListCodeTests(ValueTestCase):
    """
    Tests of L{parse_list_code}.
    """

    def test_octets(self) -> None:
        """
        An octet is a number, a range, anything, or bits that are set.
        """
        octets = parse_list_code("127.*.4-6.&192")
        self.assertEqual(octets[0], {127})
        self.assertEqual(octets[1], set(range(256)))
        self.assertEqual(octets[2], {4, 5, 6})
        self.assertEqual(octets[3], set(range(192, 256)))

    def test_wrong(self) -> None:
        """
        What is no answer of a list, or says that a query is refused, is none.
        """
        for text in (
            "",
            "127.0.0",
            "127.0.0.2.3",
            "10.0.0.2",
            "*.0.0.2",
            "127.0.0.256",
            "127.0.0.7-4",
            "127.0.0.&0",
            "127.0.0.&1-3",
            "127.0.0.-1",
            "127.0.0.2\n",
            "127.0.0.1",
            "127.255.255.254",
        ):
            self.assertRaises(ValueError, parse_list_code, text)


class NetworkTests(ValueTestCase):
    """
    A network is an address with a prefix, or an address alone.
    """

    def test_networks(self) -> None:
        """
        A network is read, and an address is a network of one.
        """
        self.assertEqual(parse_network("192.0.2.0/24"), ip_network("192.0.2.0/24"))
        self.assertEqual(parse_network("192.0.2.7"), ip_network("192.0.2.7/32"))
        self.assertEqual(parse_network("2001:db8::/32"), ip_network("2001:db8::/32"))

    def test_address_within(self) -> None:
        """
        An address behind whose prefix bits are set is told the network it lies in.
        """
        self.assertIn("write 192.0.2.0/24", self.refused(parse_network, "192.0.2.7/24"))

    def test_what_is_none(self) -> None:
        """
        Anything else is refused.
        """
        for text in ("", "x", "192.0.2.0/33", "192.0.2", "::/129", "192.0.2.0-192.0.2.9"):
            self.assertIn("must be an IP address or a network", self.refused(parse_network, text))


class NameTests(ValueTestCase):
    """
    Host names follow RFC 5321, and this machine's is a full one.
    """

    def test_host_names(self) -> None:
        """
        A name is given back in lower case; one label is enough.
        """
        self.assertEqual(check_host_name("Example.COM"), "example.com")
        self.assertEqual(check_host_name("intranet"), "intranet")
        self.assertEqual(check_host_name("3com.xn--p1ai"), "3com.xn--p1ai")
        self.assertEqual(check_host_name("a" * 63 + ".de"), "a" * 63 + ".de")

    def test_what_is_none(self) -> None:
        """
        What RFC 5321 does not allow is refused.
        """
        for text in (
            "",
            ".",
            "a..b",
            ".a",
            "-a.de",
            "a-.de",
            "a_b.de",
            "a b.de",
            "a.de\n",
            "a@b.de",
            "a" * 64 + ".de",
            ".".join(["a" * 63] * 4),
        ):
            self.assertIn("must be a host name", self.refused(check_host_name, text))

    def test_dot_at_the_end(self) -> None:
        """
        The dot at the end, which the DNS knows, is not written.
        """
        self.assertIn("without the dot", self.refused(check_host_name, "example.com."))

    def test_other_letters(self) -> None:
        """
        A name in other letters is told how it is written in ASCII, if it can be.
        """
        self.assertIn("xn--mnchen-3ya.de", self.refused(check_host_name, "münchen.de"))
        self.assertNotIn("xn--", self.refused(check_host_name, "ü" * 80))

    def test_full_name(self) -> None:
        """
        The name of this machine has a domain and is no address.
        """
        self.assertEqual(check_full_name("Mail.Example.com"), "mail.example.com")
        self.assertIn("has no domain", self.refused(check_full_name, "localhost"))
        self.assertIn("is an IP address", self.refused(check_full_name, "192.0.2.7"))
        self.assertIn("as in mail.example.com", self.refused(check_full_name, "a b"))

    def test_host(self) -> None:
        """
        A server is named by its name or address; the port stands elsewhere.
        """
        self.assertEqual(check_host("Mail.Example.com"), "mail.example.com")
        self.assertEqual(check_host("192.0.2.7"), "192.0.2.7")
        self.assertEqual(check_host("[2001:DB8::7]"), "2001:db8::7")
        self.assertEqual(check_host("::1"), "::1")
        self.assertIn("a key of its own", self.refused(check_host, "192.0.2.7:25"))


class BaseUrlTests(ValueTestCase):
    """
    The base of all links is a scheme and a host, perhaps with a port.
    """

    def test_urls(self) -> None:
        """
        Names and addresses can stand there.
        """
        for text in (
            "http://127.0.0.1:8025",
            "https://mail.example.com",
            "https://[::1]:8443",
            "http://localhost",
        ):
            self.assertEqual(check_base_url(text), text)

    def test_what_is_none(self) -> None:
        """
        A path, a user, another scheme and a wrong port are refused.
        """
        for text in (
            "",
            "mail.example.com",
            "ftp://mail.example.com",
            "https://",
            "https://mail.example.com/",
            "https://mail.example.com/review",
            "https://mail.example.com?a",
            "https://user@mail.example.com",
            "https://mail.example.com:0",
            "https://mail.example.com:65536",
            "https://mail example.com",
            "https://mail.example.com\n",
            "https://[::1",
            "https://[x]",
        ):
            self.assertIn("must be http:// or https://", self.refused(check_base_url, text))


class SenderTests(ValueTestCase):
    """
    A sender is an address, all of a domain, or everybody.
    """

    def test_senders(self) -> None:
        """
        It is given as it is compared: in lower case, the domain in ASCII.
        """
        for text, sender in (
            ("Ada@Example.com", "ada@example.com"),
            ("@Example.com", "@example.com"),
            ("@bücher.example", "@xn--bcher-kva.example"),
            ("*", "*"),
        ):
            self.assertEqual(check_sender(text), sender)

    def test_what_is_none(self) -> None:
        """
        Anything else is refused.
        """
        for text in ("", "ada", "@", "ada@", "<>", "a b@example.com", "a@b@c", "**", "a@b.c> X"):
            self.assertIn("must be an address", self.refused(check_sender, text))


class PathTests(ValueTestCase):
    """
    A path is seen from a folder.
    """

    def test_relative(self) -> None:
        """
        A relative path is joined to the folder and cleaned.
        """
        self.assertEqual(absolute(Path("../var"), Path("/srv/etc")), Path("/srv/var"))
        self.assertEqual(absolute(Path("/var"), Path("/srv/etc")), Path("/var"))
        self.assertEqual(absolute(Path("var"), None), Path("var"))

    def test_traps(self) -> None:
        """
        An empty path and a tilde are refused, since nobody means what they would bring about.
        """
        self.assertIn("must be a path", self.refused(absolute, Path(""), Path("/srv")))
        self.assertIn("in full", self.refused(absolute, Path("~/mail"), Path("/srv")))
