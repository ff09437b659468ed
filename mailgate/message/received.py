"""
The header fields that are added to whatever goes through here: Received (RFC 5321 section 4.4)
and, to what people and machines of ours send, the Date and Message-ID that it lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache

from mailgate.message.envelope import Envelope
from mailgate.message.header import Headers
from mailgate.wire.address import Address


def received_header(hostname: str, envelope: Envelope, recipients: Sequence[Address]) -> bytes:
    """
    Say how a message came here: folded header lines, each ended by CRLF.

    The recipient is named only where there is one, so that nobody learns of the others.
    Nothing of a stranger's goes in but what the grammar of HELO and RCPT has let through. It is
    ASCII, unless the transaction may be UTF-8.
    """
    session = envelope.session
    literal = f"IPv6:{session.client}" if ":" in session.client else session.client
    tls = f"\r\n\t({session.tls})" if session.tls else ""
    receiver = f"\r\n\tfor <{recipients[0]}>" if len(recipients) == 1 else ""
    return (
        f"Received: from {session.helo} ([{literal}]){tls}\r\n"
        f"\tby {hostname} (mailgate) with {envelope.protocol}\r\n"
        f"\tid {envelope.trace}{receiver};\r\n"
        f"\t{_date(int(envelope.received))}\r\n"
    ).encode()


def fields_of_ours(
    hostname: str, envelope: Envelope, recipients: Sequence[Address], headers: Headers
) -> bytes:
    """
    Give the Received header and, on submission, what the message lacks (RFC 6409 section 8).

    @param headers: those that the message came with.
    """
    lines = received_header(hostname, envelope, recipients)
    if envelope.session.is_trusted:
        if "date" not in headers.fields:
            lines += f"Date: {_date(int(envelope.received))}\r\n".encode()
        if "message-id" not in headers.fields:
            lines += f"Message-ID: <{envelope.trace}@{hostname}>\r\n".encode()
    return lines


@lru_cache(maxsize=16)
def _date(second: int) -> str:
    """
    Give a time as RFC 5322 section 3.3 writes it. Many messages have the same second.
    """
    return formatdate(second, localtime=True)
