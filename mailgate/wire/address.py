"""
A mailbox of the envelope, as RFC 5321 section 4.1.2 spells it.
"""

from __future__ import annotations

from attrs import field, frozen


@frozen
class Address:
    """
    A reverse-path or forward-path, without its angle brackets.

    An empty C{local} with an empty C{domain} is the null sender; a C{local} without a
    C{domain} occurs only as C{postmaster} (RFC 5321 section 4.5.1).
    """

    local: str
    """The local part exactly as the client sent it, quotes included."""

    domain: str
    """The domain or address literal exactly as the client sent it."""

    host: str = field(init=False, eq=False)
    """
    The domain in lower case and in its ASCII form (RFC 5890), for comparison and routing. One
    that has no such form stays as it is, and is nobody's.
    """

    def __attrs_post_init__(self) -> None:
        host = self.domain.lower()
        object.__setattr__(self, "host", host if host.isascii() else _to_ascii(host))

    def __str__(self) -> str:
        """
        Give the path byte for byte as it came, to be written between angle brackets.
        """
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @property
    def is_ascii(self) -> bool:
        """
        Tell whether it can be written without SMTPUTF8 (RFC 6531).
        """
        return self.local.isascii() and self.domain.isascii()

    @property
    def is_null(self) -> bool:
        """
        Tell whether this is the null sender C{<>} of notices.
        """
        return not self.local and not self.domain

    @property
    def owner(self) -> str:
        """
        Name the person this address belongs to: the address with its domain in lower case.
        """
        return f"{self.local}@{self.host}" if self.host else self.local


def _to_ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host


NULL_SENDER = Address("", "")
