"""
TLS for the clients of a measurement.
"""

from __future__ import annotations

import socket
import ssl
from functools import cache

PATIENCE = 60.0
"""Seconds that one step may take."""


def begin_tls(client: socket.socket) -> ssl.SSLSocket:
    """
    Begin TLS on a connection that was greeted, and say EHLO once more under it. Blocks.

    The client looks at no certificate. With the reply to EHLO it has read all that comes behind the
    handshake, too: whatever arrives afterwards is something else.

    @return: what takes the place of the connection, not blocking.
    @raise RuntimeError: a command was refused.
    @raise OSError: the connection was lost, or the handshake has failed.
    """
    client.settimeout(PATIENCE)
    _ask(client, b"EHLO client.example.org\r\n", b"250")
    _ask(client, b"STARTTLS\r\n", b"220")
    secure = _context().wrap_socket(client)
    _ask(secure, b"EHLO client.example.org\r\n", b"250")
    secure.setblocking(False)
    return secure


@cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _ask(client: socket.socket, command: bytes, code: bytes) -> None:
    """
    Say a command, and read its whole reply.
    """
    client.sendall(command)
    said = b""
    while b"\n" + code + b" " not in b"\n" + said or not said.endswith(b"\r\n"):
        data = client.recv(4096)
        said += data
        if not (data and said.startswith(code)):
            raise RuntimeError(f"to {command!r}: {said!r}")
