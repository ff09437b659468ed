"""
The Received header that is added to whatever goes through here (RFC 5321 section 4.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate

from mailgate.message.envelope import Envelope
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
        f"\t{formatdate(envelope.received, localtime=True)}\r\n"
    ).encode()
