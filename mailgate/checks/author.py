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
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IResolvers, MaybeDeferred, Phase, Scope
from mailgate.knowledge.dnslists import DnsLists
from mailgate.message.header import Headers

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
        listed = Listed.from_settings(settings, lists)
        return cls(listed, resolvers, settings.checks.author.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give a finding for each entry, and one for the lists of which nothing is known.
        """
        session = view.session
        if self.listed.client_of(session) is None:
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
