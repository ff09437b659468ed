"""
Who sends what to whom: the facts of a session and of a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from secrets import randbits
from types import MappingProxyType

from attrs import field, frozen

from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters

_NONE: Mapping[str, RcptParameters] = MappingProxyType({})
_NO_WISH = RcptParameters()
TRUSTED_ROLES = frozenset(("internal", "submission", "submissions"))
"""Roles of listeners for people and machines of ours."""

STRANGERS = "mx"
"""The role of listeners for strangers."""

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
    """
    C{mx}, C{internal}, C{submission}, C{submissions} or C{lmtp}; see "Roles of listeners" in
    docs/architecture.rst.
    """

    client: str
    """The client's IP address; C{127.0.0.1} where it came through a Unix socket."""

    port: int
    """The client's port; 0 where it came through a Unix socket."""

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

    account: str = ""
    """As whom the client has logged in, or C{""}."""

    @property
    def protocol(self) -> str:
        """
        Name the protocol for the Received header (RFC 3848).
        """
        if not self.is_esmtp:
            return "SMTP"
        kind = "LMTP" if self.role == "lmtp" else "ESMTP"
        return f"{kind}{'S' if self.tls else ''}{'A' if self.account else ''}"

    @property
    def is_trusted(self) -> bool:
        """
        Tell whether this is a person or a machine of ours, who may send anywhere.
        """
        return self.role in TRUSTED_ROLES

    @property
    def is_stranger(self) -> bool:
        """
        Tell whether this may be anybody: who comes where strangers are let in, and has not logged
        in.
        """
        return self.role == STRANGERS and not self.account


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

    utf8: bool = False
    """Whether addresses and header fields may be UTF-8 (RFC 6531)."""

    ret: str = ""
    """C{FULL}, C{HDRS} or C{""}: how much a notice shall hold (RFC 3461)."""

    envid: str = ""
    """The sender's own name for the transaction, as xtext (RFC 3461), or C{""}."""

    wishes: Mapping[str, RcptParameters] = field(default=_NONE, hash=False)
    """What was said of notices for single recipients, by their L{Address.key} (RFC 3461)."""

    def wish_of(self, recipient: Address) -> RcptParameters:
        """
        Give what was said of notices for C{recipient}.
        """
        return self.wishes.get(recipient.key, _NO_WISH)

    @property
    def protocol(self) -> str:
        """
        Name the protocol for the Received header (RFC 3848; RFC 6531 section 4.3).
        """
        protocol = self.session.protocol
        return f"UTF8{protocol.removeprefix('E')}" if self.utf8 else protocol
