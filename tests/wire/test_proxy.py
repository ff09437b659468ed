"""
Tests of L{mailgate.wire.proxy}.
"""

import socket
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.proxy import LENGTH_LIMIT, LINE_LIMIT, ProxyError, ProxyHeader, ProxyReader

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT = ProxyHeader("192.0.2.7", 40001, "198.51.100.2", 25)
CLIENT_V6 = ProxyHeader("2001:db8::7", 65535, "2001:db8::1:25", 0)
PORTS = (40001).to_bytes(2, "big") + (25).to_bytes(2, "big")
IPV4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.2") + PORTS
IPV6 = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1:25")
    + b"\xff\xff\0\0"
)
MAPPED = socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.7") + IPV6[16:]
TLV = b"\x02\x00\x05hello"


def binary(command, family, content):
    """
    Make a header of version 2.
    """
    return SIGNATURE + bytes((command, family)) + len(content).to_bytes(2, "big") + content


GOOD = {
    b"PROXY TCP4 192.0.2.7 198.51.100.2 40001 25\r\n": CLIENT,
    b"PROXY TCP6 2001:DB8::7 2001:db8:0::1:25 65535 0\r\n": CLIENT_V6,
    b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n": ProxyHeader("192.0.2.7", 1, "::1", 2),
    b"PROXY UNKNOWN\r\n": ProxyHeader(),
    b"PROXY UNKNOWN ffff::1 what ever 1 2 \xff\0\r\n": ProxyHeader(),
    b"PROXY UNKNOWN ".ljust(LINE_LIMIT - 2, b"x") + b"\r\n": ProxyHeader(),
    binary(0x21, 0x11, IPV4): CLIENT,
    binary(0x21, 0x11, IPV4 + TLV): CLIENT,
    binary(0x21, 0x11, IPV4.ljust(LENGTH_LIMIT, b"\0")): CLIENT,
    binary(0x21, 0x21, IPV6): CLIENT_V6,
    binary(0x21, 0x21, MAPPED + TLV): ProxyHeader("192.0.2.7", 65535, "2001:db8::1:25", 0),
    binary(0x20, 0x00, b""): ProxyHeader(),
    binary(0x20, 0x11, IPV4): ProxyHeader(),
    binary(0x20, 0xFF, TLV): ProxyHeader(),
    binary(0x21, 0x00, TLV): ProxyHeader(),
    binary(0x21, 0x31, bytes(216)): ProxyHeader(),
}
"""Headers, and what they say."""

BAD = [
    b"EHLO client.example.org\r\n",
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\x00",
    b"\r\nQUIT\r\n",
    b"QUIT\r\n",
    b"proxy TCP4 192.0.2.7 198.51.100.2 40001 25\r\n",
    b"PROXY\r\n",
    b"PROXY \r\n",
    b"PROXY  TCP4 192.0.2.7 198.51.100.2 40001 25\r\n",
    b"PROXY TCP5 192.0.2.7 198.51.100.2 40001 25\r\n",
    b"PROXY UDP4 192.0.2.7 198.51.100.2 40001 25\r\n",
    b"PROXY UNKNOWN2\r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.2 40001\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.2 40001 25 \r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.2 40001  25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.2 65536 25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.2 025 25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.2 -1 25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.2 1 2\n\r\n",
    b"PROXY TCP4 192.0.2.007 198.51.100.2 1 2\r\n",
    b"PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n",
    b"PROXY TCP4 mail.example.com 198.51.100.2 1 2\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.7 198.51.100.2 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    b"PROXY TCP6 ::1::1 ::1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.2 40001 25".ljust(LINE_LIMIT, b"5"),
    b"PROXY UNKNOWN ".ljust(LINE_LIMIT - 1, b"x") + b"\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.2 1 2\n".ljust(LINE_LIMIT),
    SIGNATURE[:-1] + b"\r",
    binary(0x11, 0x11, IPV4),
    binary(0x22, 0x11, IPV4),
    binary(0x2F, 0x11, IPV4),
    binary(0x21, 0x12, IPV4),
    binary(0x21, 0x22, IPV6),
    binary(0x21, 0x41, IPV6),
    binary(0x21, 0x11, IPV4[:-1]),
    binary(0x21, 0x21, IPV6[:-1]),
    binary(0x21, 0x31, bytes(215)),
    binary(0x21, 0x01, IPV4),
    binary(0x21, 0x11, IPV4.ljust(LENGTH_LIMIT + 1, b"\0")),
]
"""What is no header."""

PIECES = [
    *GOOD,
    *BAD,
    SIGNATURE,
    b"PROXY TCP4 ",
    b"1.1.1.1 ",
    b"65535 ",
    b"\r\n",
    b"\x21\x11\0\x0c",
]
"""What a stream may be put together from."""

ADDRESSES = st.ip_addresses()
PORT_NUMBERS = st.integers(0, 65535)


def canonical(address):
    """
    Write an address as a header holds it.
    """
    return str(getattr(address, "ipv4_mapped", None) or address)


def read(*pieces):
    """
    Give what a reader makes of bytes that come in pieces: the header and the bytes behind it, or
    what is wrong, or nothing yet.
    """
    reader = ProxyReader()
    for number, piece in enumerate(pieces, 1):
        try:
            header = reader.feed(piece)
        except ProxyError as error:
            return str(error)
        if header is not None:
            return header, reader.rest + b"".join(pieces[number:])
    return None


class ProxyReaderTests(SynchronousTestCase):
    """
    Tests of the reader.
    """

    def test_headers(self):
        """
        A header of either version tells who is at both ends, or that nothing is told.
        """
        for data, header in GOOD.items():
            self.assertEqual(read(data), (header, b""), data)

    def test_rest(self):
        """
        What follows the header is given back, be it a greeting of TLS or another header.
        """
        for data, header in GOOD.items():
            for rest in (b"EHLO x\r\n", b"\x16\x03\x01", data):
                self.assertEqual(read(data + rest), (header, rest), data)

    def test_mistakes(self):
        """
        Everything else is refused in words, with or without something behind it.
        """
        for data in BAD:
            self.assertIsInstance(read(data), str, repr(data))
            self.assertEqual(read(data + b"\r\nEHLO x\r\n"), read(data), data)

    @given(
        st.tuples(ADDRESSES, ADDRESSES).filter(lambda pair: pair[0].version == pair[1].version),
        st.tuples(PORT_NUMBERS, PORT_NUMBERS),
        st.binary(max_size=40),
        st.binary(max_size=40),
    )
    def test_round_trip(self, addresses, ports, tlvs, rest):
        """
        Every two addresses and ports come through, in either version, and what follows them too.
        """
        version = addresses[0].version
        names = [canonical(address) for address in addresses]
        header = ProxyHeader(names[0], ports[0], names[1], ports[1])
        line = f"PROXY TCP{version} {addresses[0]} {addresses[1]} {ports[0]} {ports[1]}\r\n"
        self.assertEqual(read(line.encode() + rest), (header, rest))
        packed = b"".join(address.packed for address in addresses)
        packed += b"".join(port.to_bytes(2, "big") for port in ports)
        data = binary(0x21, 0x11 if version == 4 else 0x21, packed + tlvs)
        self.assertEqual(read(data + rest), (header, rest))

    def test_incomplete(self):
        """
        The beginning of a header is waited for, from the first byte on.
        """
        for data in GOOD:
            for end in range(min(len(data), 300)):
                self.assertIsNone(read(data[:end]), data[:end])

    def test_no_more_than_needed(self):
        """
        A header that cannot become right is refused as early as that is known: nothing is kept
        of what is too long.
        """
        self.assertIsInstance(read(b"X"), str)
        self.assertIsInstance(read(b"PROXX"), str)
        self.assertIsInstance(read(b"\r\n\r\n\0\r\nQUIT\r"), str)
        self.assertIsNone(read(b"PROXY ".ljust(LINE_LIMIT - 1)))
        self.assertIsInstance(read(b"PROXY ".ljust(LINE_LIMIT)), str)
        self.assertIsNone(read(SIGNATURE + b"\x21\x11\x10\x00"))
        self.assertIsInstance(read(SIGNATURE + b"\x21\x11\x10\x01"), str)
        self.assertIsInstance(read(SIGNATURE + b"\x31\x11\x00\x0c"), str)

    @given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=20)), st.data())
    @example([b"PROXY UNKNOWN\r", b"\n"], None)
    def test_every_split(self, parts, data):
        """
        However the bytes are cut, the result is the same: header, rest, mistake and its words.
        """
        whole = b"".join(parts)
        if data is None:
            cuts = range(len(whole) + 1)
        else:
            cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
        edges = [0, *cuts, len(whole)]
        pieces = [whole[begin:end] for begin, end in pairwise(edges)]
        self.assertEqual(read(*pieces), read(whole))
