"""
The PROXY protocol, versions 1 and 2: how a load balancer says who its client is.

"The PROXY protocol", versions 1 and 2, of HAProxy (2.1 the line of version 1, 2.2 the binary
header of version 2). The header comes once, before all else on a connection. Whoever may send
it can pretend to be anybody, so it is read only where the balancer's network is configured.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address

from attrs import frozen

from mailgate.wire.network import canonical_ipv6

LINE_LIMIT = 107
"""Bytes of a header of version 1, its line end included (section 2.1)."""

LENGTH_LIMIT = 4096
"""Bytes behind the fixed part of a header of version 2 that are read at most."""

_LINE_BEGIN = b"PROXY "
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = 16
_PORT = re.compile(r"0|[1-9][0-9]{0,4}")

_LOCAL = 0x20
_PROXY = 0x21
_UNSPECIFIED = 0x00
_ADDRESS_SIZES = {0x11: 4, 0x21: 16}
"""Bytes of an address of TCP over IPv4 and over IPv6."""

_UNIX = 0x31
_UNIX_LENGTH = 216


class ProxyError(ValueError):
    """
    What came is no header of the PROXY protocol that can be used; the message says why.
    """


@frozen
class ProxyHeader:
    """
    What a header says.

    It says nothing (C{source} is empty) where the balancer speaks for itself, as to see whether
    the server runs, or does not know its client: then the connection's own addresses count.
    """

    source: str = ""
    """The client's IP address, or C{""}. An IPv4 address is never written as an IPv6 one."""

    source_port: int = 0
    destination: str = ""
    """The IP address that the client connected to, or C{""}."""

    destination_port: int = 0


class ProxyReader:
    """
    Reads the header from the beginning of a connection; how the bytes are cut makes no
    difference.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self.rest = b""
        """What came behind the header."""

    def feed(self, data: bytes) -> ProxyHeader | None:
        """
        Take what was received; give the header once it is complete.

        @raise ProxyError: it is none. Nothing can be read from the connection then.
        """
        self._buffer += data
        buffer = self._buffer
        if buffer.startswith(_SIGNATURE):
            return self._read_binary(buffer)
        if buffer.startswith(_LINE_BEGIN):
            return self._read_line(buffer)
        if _LINE_BEGIN.startswith(buffer) or _SIGNATURE.startswith(buffer):
            return None
        raise ProxyError("the connection does not begin with the PROXY protocol")

    def _read_line(self, buffer: bytes) -> ProxyHeader | None:
        end = buffer.find(b"\r\n", 0, LINE_LIMIT)
        if end < 0:
            if len(buffer) >= LINE_LIMIT:
                raise ProxyError(f"the PROXY line is longer than {LINE_LIMIT} bytes")
            return None
        header = _parse_line(buffer[:end])
        self._complete(end + 2)
        return header

    def _read_binary(self, buffer: bytes) -> ProxyHeader | None:
        if len(buffer) < _FIXED:
            return None
        length = int.from_bytes(buffer[14:_FIXED], "big")
        if buffer[12] not in (_LOCAL, _PROXY):
            raise ProxyError("the PROXY header has an unknown version or command")
        if length > LENGTH_LIMIT:
            raise ProxyError(f"the PROXY header is longer than {LENGTH_LIMIT} bytes")
        end = _FIXED + length
        if len(buffer) < end:
            return None
        header = _parse_binary(buffer[12], buffer[13], buffer[_FIXED:end])
        self._complete(end)
        return header

    def _complete(self, end: int) -> None:
        self.rest = self._buffer[end:]
        self._buffer = b""


def _parse_line(line: bytes) -> ProxyHeader:
    protocol, *words = line[len(_LINE_BEGIN) :].decode("latin-1").split(" ")
    if protocol == "UNKNOWN":
        return ProxyHeader()
    if protocol not in ("TCP4", "TCP6") or len(words) != 4:
        raise ProxyError("the PROXY line names no TCP4 or TCP6 addresses and ports")
    read = _ipv4 if protocol == "TCP4" else canonical_ipv6
    source, destination, *ports = words
    if not all(_PORT.fullmatch(port) and int(port) <= 65535 for port in ports):
        raise ProxyError("the PROXY line has a port that is none")
    try:
        return ProxyHeader(read(source), int(ports[0]), read(destination), int(ports[1]))
    except ValueError:
        raise ProxyError("the PROXY line has an address that is none") from None


def _ipv4(text: str) -> str:
    return str(IPv4Address(text))


def _parse_binary(command: int, family: int, content: bytes) -> ProxyHeader:
    if command == _LOCAL or family == _UNSPECIFIED:
        return ProxyHeader()
    if family == _UNIX and len(content) >= _UNIX_LENGTH:
        # A client on the balancer's own machine; its path is no address.
        return ProxyHeader()
    size = _ADDRESS_SIZES.get(family)
    if size is None:
        raise ProxyError("the PROXY header is for another protocol than TCP")
    # What stands behind addresses and ports (the TLVs) tells nothing that is needed here.
    if len(content) < 2 * size + 4:
        raise ProxyError("the PROXY header is shorter than its addresses")
    source, destination = content[:size], content[size : 2 * size]
    ports = content[2 * size :]
    return ProxyHeader(
        _unpacked(source),
        int.from_bytes(ports[:2], "big"),
        _unpacked(destination),
        int.from_bytes(ports[2:4], "big"),
    )


def _unpacked(packed: bytes) -> str:
    return str(IPv4Address(packed)) if len(packed) == 4 else canonical_ipv6(packed)
