"""
By which name senders are known.
"""

from __future__ import annotations

from attrs import frozen

from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address, normal_domain


@frozen
class Names:
    """
    Gives senders the name by which they are known: their domain or, where many who know nothing of
    each other share it, their address.
    """

    shared: frozenset[str]
    """Domains at which anybody can have an address."""

    def of(self, address: Address) -> str | None:
        """
        Name whoever has an address; C{None} for the null sender and for address literals.
        """
        domain = normal_domain(address.host)
        if "." not in domain or "[" in domain:
            return None
        return normal_address(address) if domain in self.shared else domain

    def meant(self, text: str) -> str:
        """
        Give the name that a person means who has written a domain or an address: of an address at a
        domain that nobody shares it is the domain.
        """
        local, at, domain = text.strip().rpartition("@")
        if not at:
            return normal_domain(domain)
        address = Address(local, domain)
        return self.of(address) or normal_address(address)
