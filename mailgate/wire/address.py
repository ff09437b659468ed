"""
A mailbox of the envelope, as RFC 5321 section 4.1.2 spells it.
"""

from __future__ import annotations

from attrs import field, frozen

_PROTECTED = frozenset({"postmaster", "abuse"})
"""Local parts that are never refused for what was found, so that people can complain."""


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

    belongs_to: Address | None = field(default=None, eq=False)
    """Whose it is, where that is another address: that of a person who is known by several."""

    is_trap: bool = field(default=False, eq=False)
    """Whether it is one that nobody uses, and whoever writes to it gives himself away."""

    is_command: bool = field(default=False, eq=False)
    """Whether it is one of the gateway's own, at which it is told something by people of ours."""

    def __attrs_post_init__(self) -> None:
        host = self.domain.lower()
        object.__setattr__(self, "host", host if host.isascii() else _to_ascii(host))

    def __str__(self) -> str:
        """
        Give the path byte for byte as it came, to be written between angle brackets.
        """
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @classmethod
    def owned(cls, local: str, domain: str, owner: str) -> Address:
        """
        Make an address that belongs to C{owner}, as L{owner} names it; C{""}: to itself.
        """
        address = cls(local, domain)
        if owner in ("", address.key):
            return address
        name, at, host = owner.rpartition("@")
        return cls(local, domain, cls(name, host) if at else cls(host, ""))

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
    def is_protected(self) -> bool:
        """
        Tell whether this is one of the addresses at which people complain.
        """
        return self.local.strip('"').lower() in _PROTECTED

    @property
    def key(self) -> str:
        """
        Give what tells it from other addresses: itself with its domain in lower case.
        """
        return f"{self.local}@{self.host}" if self.host else self.local

    @property
    def person(self) -> Address:
        """
        Give the address of the person it belongs to: itself, unless it is known to be another.
        """
        return self.belongs_to or self

    @property
    def owner(self) -> str:
        """
        Name that person: the L{key} of the L{person}.
        """
        return self.person.key


def _to_ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host


NULL_SENDER = Address("", "")
