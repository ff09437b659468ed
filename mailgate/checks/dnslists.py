"""
What lists in the DNS say of the client's address, its name, and the sender's domain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.listed import HELO, SENDER, Listed
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IResolvers, MaybeDeferred, Phase, Scope
from mailgate.knowledge.dnslists import DnsLists

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@implementer(ICheck)
@frozen
class DnsListsCheck:
    """
    The lists of the configuration, those for a client and those against it.
    """

    listed: Listed
    resolvers: IResolvers
    deadline: float

    name = "dnslists"
    phase = Phase.RCPT
    scope = Scope.RECIPIENT
    after = ()
    needs = ()
    symbols = frozenset(
        {
            "DNSBL_CLIENT",
            "DNSBL_HELO",
            "DNSBL_SENDER",
            "DNSWL_CLIENT",
            "DNSLIST_REFUSED",
            "DNSLIST_HIJACKED",
            "DNSLIST_UNKNOWN",
        }
    )

    @classmethod
    def from_settings(
        cls, settings: Settings, lists: DnsLists, resolvers: IResolvers
    ) -> DnsListsCheck:
        """
        Make the check of a configuration.
        """
        listed = Listed.from_settings(settings, lists)
        return cls(listed, resolvers, settings.checks.dnslists.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give a finding for each entry, and one for the lists of which nothing is known.
        """
        session = view.session
        client = self.listed.client_of(session)
        if client is None:
            return ()
        is_asked = client.is_global and session.client != session.local
        return self.listed.ask(
            self.resolvers.for_check(self.name, self.deadline),
            ((HELO, session.helo), (SENDER, view.envelope.sender.host)),
            client if is_asked else None,
        )


def is_client_listed(findings: Iterable[Finding]) -> bool:
    """
    Tell whether a list speaks against the client's address, and none speaks for the message.

    @param findings: those of this check.
    """
    return any(
        finding.symbol == "DNSBL_CLIENT" and finding.score > 0 and finding.is_enforced
        for finding in findings
    )


def is_vouched_for(findings: Iterable[Finding]) -> bool:
    """
    Tell whether a list speaks for the client.

    @param findings: those of this check.
    """
    return any(finding.symbol == "DNSWL_CLIENT" for finding in findings)
