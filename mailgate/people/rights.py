"""
What a person may see and do: one pure value that every page and every verb asks.

What somebody does not see does not exist for them: the answer is that for what was never there.
What they see and may not do is refused in words.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from attrs import frozen

from mailgate.people.reach import EVERYTHING, Reach
from mailgate.verdict import Kind
from mailgate.wire.address import Address

USERS_RELEASE = frozenset({Kind.SPAM, Kind.BULK})
"""What people release themselves, of their own mail, where nothing else is configured."""


class Role(StrEnum):
    """
    What a person is here.
    """

    USER = "user"
    """Has mail: sees and decides about what is for their own addresses."""

    MANAGER = "manager"
    """Looks after the held mail of domains, and answers requests."""

    AUDITOR = "auditor"
    """Sees everything and touches nothing."""

    ADMINISTRATOR = "administrator"
    """May do everything."""


@frozen
class Rights:
    """
    What one person may see and do.
    """

    role: Role
    addresses: frozenset[str] = frozenset()
    """Their own addresses, aliases and shared mailboxes, in normal form."""

    domains: frozenset[str] = frozenset()
    """The domains that a manager looks after, in normal form."""

    reads_bodies: bool = True
    """Whether a manager or an auditor may read mail that is not their own."""

    releases: Collection[Kind] = USERS_RELEASE
    """The kinds that people release themselves."""

    # -- what they see ----------------------------------------------------------------

    @property
    def reach(self) -> Reach:
        """
        Give whose held messages they see.
        """
        if self.role in (Role.AUDITOR, Role.ADMINISTRATOR):
            return EVERYTHING
        managed = self.domains if self.role is Role.MANAGER else frozenset()
        return Reach(self.addresses | managed)

    def sees(self, recipient: Address) -> bool:
        """
        Tell whether they see that a message is held for C{recipient}.
        """
        return self.reach.holds(recipient)

    def reads(self, recipient: Address) -> bool:
        """
        Tell whether they may read, and download, what is held for C{recipient}.
        """
        if self.owns(recipient) or self.role is Role.ADMINISTRATOR:
            return True
        return self.reads_bodies and self.sees(recipient)

    @property
    def sees_traces(self) -> bool:
        """
        Tell whether they see what became of everybody's messages.
        """
        return self.role in (Role.AUDITOR, Role.ADMINISTRATOR)

    @property
    def sees_outbox(self) -> bool:
        """
        Tell whether they see what waits for its delivery.
        """
        return self.role in (Role.AUDITOR, Role.ADMINISTRATOR)

    @property
    def sees_settings(self) -> bool:
        """
        Tell whether they see how the gateway acts, and who its people are.
        """
        return self.role in (Role.AUDITOR, Role.ADMINISTRATOR)

    @property
    def sees_audit(self) -> bool:
        """
        Tell whether they see what everybody has looked at and done.
        """
        return self.role in (Role.AUDITOR, Role.ADMINISTRATOR)

    # -- what they do -----------------------------------------------------------------

    def owns(self, recipient: Address) -> bool:
        """
        Tell whether mail for C{recipient} is their own.
        """
        return Reach(self.addresses).holds(recipient)

    def manages(self, recipient: Address) -> bool:
        """
        Tell whether they look after mail for C{recipient}, and so answer requests.
        """
        if self.role is Role.MANAGER:
            return Reach(self.domains).holds(recipient)
        return self.role is Role.ADMINISTRATOR

    def may_release(self, recipient: Address, kind: Kind) -> bool:
        """
        Tell whether they may release a message of that kind without asking anybody.
        """
        if self.manages(recipient):
            return True
        return self.touches and self.owns(recipient) and kind in self.releases

    def may_request(self, recipient: Address, kind: Kind) -> bool:
        """
        Tell whether they may ask somebody else to release it.
        """
        is_own = self.touches and self.owns(recipient)
        return is_own and not self.may_release(recipient, kind)

    def may_delete(self, recipient: Address) -> bool:
        """
        Tell whether they may delete it.
        """
        return self.manages(recipient) or (self.touches and self.owns(recipient))

    @property
    def touches(self) -> bool:
        """
        Tell whether they change anything that is about mail at all.
        """
        return self.role is not Role.AUDITOR

    @property
    def touches_outbox(self) -> bool:
        """
        Tell whether they may try, stop and delete what waits for its delivery.
        """
        return self.role is Role.ADMINISTRATOR

    @property
    def manages_people(self) -> bool:
        """
        Tell whether they may make and change accounts.
        """
        return self.role is Role.ADMINISTRATOR

    # -- allow and block --------------------------------------------------------------

    def sees_entries_for(self, scope: str) -> bool:
        """
        Tell whether they see what is allowed and blocked for C{scope}.

        @param scope: a normal address or domain, or C{""} for everybody.
        """
        return self.entry_scopes is None or scope in self.entry_scopes or self._manages(scope)

    def may_list_for(self, scope: str) -> bool:
        """
        Tell whether they may allow and block for C{scope}.
        """
        return self.touches and self.sees_entries_for(scope)

    @property
    def entry_scopes(self) -> frozenset[str] | None:
        """
        Give for whom they see entries: their addresses and domains, and those of all addresses in
        these domains; C{None} is for all.
        """
        return self.reach.scopes

    def _manages(self, scope: str) -> bool:
        _, at, domain = scope.rpartition("@")
        return self.role is Role.MANAGER and bool(at) and domain in self.domains
