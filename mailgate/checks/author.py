"""
What lists in the DNS say of the domain in From, where they were not asked for it before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.authentication.author import author_of
from mailgate.checks.listed import ASKED_BEFORE, AUTHOR, Listed
from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IResolvers, MaybeDeferred, Phase, Scope
from mailgate.knowledge.dnslists import DnsLists
from mailgate.message.header import Headers
from mailgate.wire.network import Network, address_of, is_within

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@implementer(ICheck)
@frozen
class AuthorCheck:
    """
    The lists of domains, for whom a message says it is from.
    """

    listed: Listed
    resolvers: IResolvers
    exempt_networks: tuple[Network, ...]
    deadline: float

    name = "author"
    phase = Phase.HEADERS
    scope = Scope.TRANSACTION
    after = ()
    needs = ("fields",)
    symbols = frozenset({"DNSBL_AUTHOR", "DNSLIST_REFUSED", "DNSLIST_HIJACKED", "DNSLIST_UNKNOWN"})

    @classmethod
    def from_settings(
        cls, settings: Settings, lists: DnsLists, resolvers: IResolvers
    ) -> AuthorCheck:
        """
        Make the check of a configuration.
        """
        return cls(
            Listed.from_settings(settings, lists),
            resolvers,
            tuple(map(parse_network, settings.checks.dnslists.exempt_networks)),
            settings.checks.author.deadline,
        )

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give a finding for each entry, and one for the lists of which nothing is known.
        """
        session = view.session
        if not self.listed.lists.lists or session.is_trusted or session.account:
            return ()
        client = address_of(session.client)
        if client is None or is_within(client, self.exempt_networks):
            return ()
        headers: Headers = view.fact("fields")
        domain = headers.once(author_of).domain
        if not domain:
            return ()
        return self.listed.ask(
            self.resolvers.for_check(self.name, self.deadline),
            (
                (ASKED_BEFORE, session.helo),
                (ASKED_BEFORE, view.envelope.sender.host),
                (AUTHOR, domain),
            ),
        )
