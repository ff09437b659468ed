"""
Who sends what to whom: the facts of a session and of a transaction.
"""

from __future__ import annotations

from secrets import randbits

from attrs import frozen

from mailgate.wire.address import Address

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id() -> str:
    """
    Make the id of a session or transaction: 60 random bits, easy to read over a telephone.

    The letters are those of Crockford's base 32 (no i, l, o, u), as in C{7q4m-x2vd-90kt}.
    """
    bits = randbits(60)
    letters = [_ALPHABET[(bits >> shift) & 31] for shift in range(0, 60, 5)]
    return f"{''.join(letters[:4])}-{''.join(letters[4:8])}-{''.join(letters[8:])}"


@frozen
class Session:
    """
    One client connection, as far as it is known at the moment; replaced as more is learned.
    """

    id: str
    listener: str
    """The configured name of the listener."""

    role: str
    """C{mx} for now; see "Roles of listeners" in docs/architecture.rst."""

    client: str
    """The client's IP address."""

    port: int
    """The client's port."""

    started: float
    """Seconds since the epoch."""

    helo: str = ""
    """What HELO or EHLO said, or C{""} before it."""

    is_esmtp: bool = False
    """Whether it was EHLO."""

    tls: str = ""
    """Version and cipher (C{TLSv1.3 TLS_AES_256_GCM_SHA384}), or C{""} in the clear."""

    local: str = ""
    """The IP address of ours that the client connected to, or C{""} where it is not known."""

    @property
    def protocol(self) -> str:
        """
        Name the protocol for the Received header (RFC 3848).
        """
        if not self.is_esmtp:
            return "SMTP"
        return "ESMTPS" if self.tls else "ESMTP"


@frozen
class Envelope:
    """
    One transaction, from MAIL on.
    """

    session: Session
    trace: str
    """The id of the transaction, under which all about it can be found."""

    sender: Address
    received: float
    """When MAIL came, in seconds since the epoch."""

    size: int | None = None
    """What the client declared (RFC 1870), in bytes."""

    body: str = "7BIT"
    """C{7BIT} or C{8BITMIME} (RFC 6152)."""
