"""
Whether the domain in From stands for the message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.authentication.author import author_of
from mailgate.authentication.dkim import Dkim
from mailgate.authentication.dmarc import QUERIES, Dmarc, DmarcResult, Identifier, evaluate
from mailgate.authentication.dmarc_record import Policy
from mailgate.authentication.domain import canonical, is_within
from mailgate.authentication.results import of_dmarc, words
from mailgate.authentication.spf import SpfResult
from mailgate.checks.outside import Outside
from mailgate.checks.spf import allows_all
from mailgate.checks.vouching import spf_of
from mailgate.checks.waiting import at_once
from mailgate.checks.words import quote
from mailgate.config.checks import DmarcCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding, Kind
from mailgate.interfaces import ICheck, IResolvers, MaybeDeferred, Phase, Scope

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_SYMBOLS = {
    DmarcResult.PASS: "DMARC_PASS",
    DmarcResult.NONE: "DMARC_NONE",
    DmarcResult.TEMPERROR: "DMARC_TEMPERROR",
    DmarcResult.PERMERROR: "DMARC_NO_AUTHOR",
}
_FAILED = {
    Policy.NONE: "DMARC_FAIL",
    Policy.QUARANTINE: "DMARC_QUARANTINE",
    Policy.REJECT: "DMARC_REJECT",
}


@implementer(ICheck)
@frozen
class DmarcCheck:
    """
    DMARC (RFC 9989), and mail from outside that claims to be from a domain of ours.
    """

    section: Section
    outside: Outside
    ours: frozenset[str]
    """Our domains."""

    resolvers: IResolvers
    deadline: float

    name = "dmarc"
    phase = Phase.HEADERS
    scope = Scope.TRANSACTION
    after = ()
    needs = ("fields", "spf", "dkim")
    symbols = frozenset(
        (*_SYMBOLS.values(), *_FAILED.values(), "DMARC_CONFIRMED", "DMARC_OUR_DOMAIN")
    )

    @classmethod
    def from_settings(cls, settings: Settings, resolvers: IResolvers) -> DmarcCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.dmarc
        names = (canonical(each) for route in settings.route for each in route.domains)
        ours = frozenset(name for name in names if name is not None)
        outside = Outside.from_settings(settings)
        return cls(section, outside, ours, resolvers, section.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give what DMARC says, also where it says nothing; its value is the fact of the first
        finding.
        """
        # Of what a relay of ours has from nobody that is known, SPF was not asked.
        if not self.outside.has(view.session) or not view.findings_of("spf"):
            return ()
        return at_once(self._check(view))

    async def _check(self, view: View) -> Sequence[Finding]:
        resolver = self.resolvers.for_check(self.name, self.deadline, QUERIES)
        identifiers = tuple(_identifiers(view))
        dmarc = await evaluate(resolver, author_of(view.fact("fields")), identifiers)
        if self._is_forged(view, dmarc, identifiers):
            return (self._of_our_domain(dmarc),)
        findings = [self._finding(dmarc)]
        if dmarc.result is DmarcResult.FAIL and dmarc.policy is Policy.REJECT:
            findings += self._confirmed(view, dmarc)
        return findings

    def _finding(self, dmarc: Dmarc) -> Finding:
        is_failed = dmarc.result is DmarcResult.FAIL
        symbol = _FAILED[dmarc.policy] if is_failed else _SYMBOLS[dmarc.result]
        about = f"DMARC of {quote(dmarc.author)}" if dmarc.author else "DMARC"
        return Finding(
            symbol,
            self._score(dmarc),
            f"{about}: {dmarc.result.value}, since {dmarc.reason}.",
            f"DMARC fails: {dmarc.reason}" if is_failed else "",
            Kind.SPOOF if dmarc.is_failed else None,
            is_enforced=is_failed and dmarc.policy is Policy.REJECT,
            authentication=words(of_dmarc(dmarc)),
            fact=dmarc,
        )

    def _score(self, dmarc: Dmarc) -> float:
        section = self.section
        if dmarc.result is DmarcResult.PERMERROR:
            return section.no_author_score
        if dmarc.result is not DmarcResult.FAIL:
            return 0.0
        return {
            Policy.NONE: section.none_score,
            Policy.QUARANTINE: section.quarantine_score,
            Policy.REJECT: section.reject_score,
        }[dmarc.policy]

    def _confirmed(self, view: View, dmarc: Dmarc) -> Iterator[Finding]:
        """
        Give what makes a failure certain: SPF of the author's own domain says the same.
        """
        spf = spf_of(view)
        if spf is None or spf.result is not SpfResult.FAIL or not _is_near(spf.domain, dmarc):
            return
        yield Finding(
            "DMARC_CONFIRMED",
            self.section.confirmed_score,
            f"SPF of {quote(spf.domain)} fails too, so both say that this is not from there.",
            kind=Kind.SPOOF,
            is_enforced=False,
        )

    def _is_forged(self, view: View, dmarc: Dmarc, identifiers: Sequence[Identifier]) -> bool:
        """
        Tell whether it claims to be from a domain of ours and nothing of that domain vouches for
        it. Where that is not known it is not.
        """
        if dmarc.author not in self.ours:
            return False
        if dmarc.result in (DmarcResult.PASS, DmarcResult.TEMPERROR):
            return False
        spf = spf_of(view)
        is_for_all = spf is not None and allows_all(spf)
        return not any(
            is_within(dmarc.author, each.domain)
            for each in identifiers
            if each.is_unknown or (each.has_passed and not (each.method == "spf" and is_for_all))
        )

    def _of_our_domain(self, dmarc: Dmarc) -> Finding:
        return Finding(
            "DMARC_OUR_DOMAIN",
            self.section.our_domain_score,
            f"It claims to be from {quote(dmarc.author)}, a domain of ours, but comes from "
            "outside, and neither SPF nor DKIM of that domain passes.",
            f"mail from {dmarc.author} is not taken from this server: neither SPF nor DKIM passes",
            Kind.SPOOF,
            authentication=words(of_dmarc(dmarc)),
            fact=dmarc,
        )


def _identifiers(view: View) -> Iterator[Identifier]:
    """
    Give what SPF and DKIM say. Of a check that broke everything is unknown.
    """
    author = author_of(view.fact("fields")).domain
    spf = spf_of(view)
    if spf is not None:
        yield Identifier.of_spf(spf)
    elif view.findings_of("spf"):
        yield Identifier("spf", view.envelope.sender.host or view.session.helo, False, True)
    for finding in view.findings_of("dkim"):
        if isinstance(finding.fact, Dkim):
            if finding.fact.domain:
                yield Identifier.of_dkim(finding.fact)
        else:
            yield Identifier("dkim", author, False, True)


def _is_near(domain: str, dmarc: Dmarc) -> bool:
    return is_within(domain, dmarc.author) or is_within(dmarc.author, domain)
