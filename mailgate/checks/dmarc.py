"""
Whether the domain in From stands for the message.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen
from zope.interface import implementer

from mailgate.authentication.arc import Arc, seen_passing, trusted_results
from mailgate.authentication.author import Author, author_of
from mailgate.authentication.dkim import Dkim
from mailgate.authentication.dmarc import (
    QUERIES,
    Dmarc,
    DmarcResult,
    Identifier,
    Organization,
    evaluate,
)
from mailgate.authentication.dmarc_record import Policy
from mailgate.authentication.domain import canonical, is_within
from mailgate.authentication.results import of_dmarc, words
from mailgate.authentication.spf import SpfResult
from mailgate.authentication.suffixes import by_list
from mailgate.authentication.taken import take_dmarc
from mailgate.checks.arc import trusted_sealers
from mailgate.checks.brought import Brought
from mailgate.checks.dnslists import is_client_listed
from mailgate.checks.known import Known
from mailgate.checks.mailing_list import MailingLists
from mailgate.checks.outside import Outside
from mailgate.checks.spf import allows_all
from mailgate.checks.vouching import spf_of
from mailgate.checks.waiting import at_once
from mailgate.checks.words import quote
from mailgate.config.checks import CheckMode, Organizations
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
    brought: Brought
    ours: frozenset[str]
    """Our domains."""

    sealers: Collection[str]
    """Those who are believed when they have seen DMARC pass before they changed a message."""

    mailing_lists: MailingLists
    are_clients_listed: bool
    """Whether what lists in the DNS say of clients counts."""

    resolvers: IResolvers
    deadline: float
    organization: Organization | None = None
    """Finds organizational domains, where it is not the walk through the DNS that does."""

    name = "dmarc"
    phase = Phase.HEADERS
    scope = Scope.TRANSACTION
    after = ("arc", "dnslists")
    needs = ("fields", "spf", "dkim")
    symbols = frozenset(
        {
            *_SYMBOLS.values(),
            *_FAILED.values(),
            "DMARC_CONFIRMED",
            "DMARC_OUR_DOMAIN",
            "DMARC_SEALED",
            "DMARC_MAILING_LIST",
        }
    )

    @classmethod
    def from_settings(cls, settings: Settings, known: Known) -> DmarcCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.dmarc
        names = (canonical(each) for route in settings.route for each in route.domains)
        ours = frozenset(name for name in names if name is not None)
        return cls(
            section,
            Outside.from_settings(settings),
            Brought.from_settings(settings),
            ours,
            trusted_sealers(settings),
            MailingLists.from_settings(settings, known.lists),
            settings.checks.dnslists.mode is not CheckMode.OBSERVE,
            known.resolvers,
            section.deadline,
            by_list() if section.organizations is Organizations.LIST else None,
        )

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
        author = view.fact("fields").once(author_of)
        identifiers = tuple(_identifiers(view, author.domain))
        dmarc = await self._judge(view, author, identifiers)
        arc = _arc_of(view)
        is_forged = self._is_forged(view, dmarc, identifiers)
        if is_forged or dmarc.result is DmarcResult.FAIL:
            explained = self._sealed(dmarc, arc) or self._of_list(view, dmarc, is_forged)
            if explained is not None:
                return (explained,)
        unknown = arc.sealer if arc is not None and arc.is_temporary else ""
        if unknown not in self.sealers:
            unknown = ""
        if is_forged:
            return (self._of_our_domain(dmarc, unknown),)
        claimed = (each for each in author.candidates if self._is_unproven(view, each, identifiers))
        findings = [self._finding(dmarc, next(claimed, ""))]
        if dmarc.result is DmarcResult.FAIL and dmarc.policy is Policy.REJECT and not unknown:
            findings += self._confirmed(view, dmarc)
        return findings

    async def _judge(self, view: View, author: Author, identifiers: Sequence[Identifier]) -> Dmarc:
        results = self.brought.results(view)
        taken = None if results is None else take_dmarc(results, author.domain)
        if taken is not None and taken[1]:
            return taken[0]
        resolver = self.resolvers.for_check(self.name, self.deadline, QUERIES)
        dmarc = await evaluate(resolver, author, identifiers, self.organization)
        # Whoever has found that it fails need not have written down what the owner asks for then.
        return dmarc if taken is None else evolve(taken[0], policy=dmarc.policy)

    def _sealed(self, dmarc: Dmarc, arc: Arc | None) -> Finding | None:
        """
        Say that a trusted sealer has seen the author's domain pass before he changed the message.
        """
        if arc is None:
            return None
        sealed = seen_passing(trusted_results(arc, self.sealers), dmarc.author)
        if sealed is None:
            return None
        why = f"{quote(sealed.domain)}, whose seal is trusted, has seen it pass before"
        return self._explained("DMARC_SEALED", self.section.sealed_score, dmarc, why)

    def _of_list(self, view: View, dmarc: Dmarc, is_forged: bool) -> Finding | None:
        """
        Say that a known mailing list explains the failure. It does not for a domain of ours, since
        whoever is on the list could write in its name.
        """
        name = "" if is_forged else self.mailing_lists.of(view)
        if not name:
            return None
        why = f"it comes from the mailing list {quote(name)}, which is known here and verified"
        score = self.section.mailing_list_score
        return self._explained("DMARC_MAILING_LIST", score, dmarc, why)

    def _explained(self, symbol: str, score: float, dmarc: Dmarc, why: str) -> Finding:
        """
        Tell of a failure that is none of the author's making: it is no spoof, and holds nothing by
        itself. It never counts for more than the failure would.
        """
        said = f"DMARC of {quote(dmarc.author)}: {dmarc.result.value}, since {dmarc.reason}."
        return Finding(
            symbol,
            min(score, self._score(dmarc)),
            f"{said} But {why}.",
            is_enforced=False,
            authentication=words(of_dmarc(dmarc)),
            fact=dmarc,
        )

    def _finding(self, dmarc: Dmarc, ours: str) -> Finding:
        """
        Say what DMARC says.

        @param ours: the domain of ours as which a From may be read that names none, or C{""}.
        """
        is_failed = dmarc.is_failed
        symbol = _SYMBOLS.get(dmarc.result) or _FAILED[dmarc.policy]
        about = f"DMARC of {quote(dmarc.author)}" if dmarc.author else "DMARC"
        detail, score = f"{about}: {dmarc.result.value}, since {dmarc.reason}.", self._score(dmarc)
        if ours:
            score = max(score, self.section.reject_score)
            detail += (
                f" It may be read as mail from {quote(ours)}, a domain of ours, but comes from"
                " outside, and neither SPF nor DKIM of that domain vouches for it."
            )
        return Finding(
            symbol,
            score,
            detail,
            f"DMARC fails: {dmarc.reason}" if is_failed else "",
            Kind.SPOOF if is_failed else None,
            is_enforced=bool(ours) or (is_failed and dmarc.policy is Policy.REJECT),
            check=self.name,
            authentication=words(of_dmarc(dmarc)),
            fact=dmarc,
        )

    def _score(self, dmarc: Dmarc) -> float:
        section = self.section
        if not dmarc.is_failed:
            return 0.0
        score = {
            Policy.NONE: section.none_score,
            Policy.QUARANTINE: section.quarantine_score,
            Policy.REJECT: section.reject_score,
        }[dmarc.policy]
        return score if dmarc.author else max(score, section.no_author_score)

    def _confirmed(self, view: View, dmarc: Dmarc) -> Iterator[Finding]:
        """
        Give what makes a failure certain: SPF of the author's own domain says the same, or the
        client is listed.
        """
        reasons = []
        spf = spf_of(view)
        if spf is not None and spf.result is SpfResult.FAIL and _is_near(spf.domain, dmarc):
            said = f"SPF of {quote(spf.domain)} fails too, so both say that this is not from there."
            reasons.append(said)
        if self.are_clients_listed and is_client_listed(view.findings_of("dnslists")):
            reasons.append("It comes from a client that is on a list of bad ones.")
        if reasons:
            yield Finding(
                "DMARC_CONFIRMED",
                self.section.confirmed_score,
                " ".join(reasons),
                kind=Kind.SPOOF,
                is_enforced=False,
            )

    def _is_forged(self, view: View, dmarc: Dmarc, identifiers: Sequence[Identifier]) -> bool:
        """
        Tell whether it claims to be from a domain of ours and nothing of that domain vouches for
        it. Where that is not known it is not.
        """
        if dmarc.result in (DmarcResult.PASS, DmarcResult.TEMPERROR):
            return False
        return self._is_unproven(view, dmarc.author, identifiers)

    def _is_unproven(self, view: View, domain: str, identifiers: Sequence[Identifier]) -> bool:
        """
        Tell whether a domain is ours, and nothing vouches for it.
        """
        if domain not in self.ours:
            return False
        spf = spf_of(view)
        is_for_all = spf is not None and allows_all(spf)
        return not any(
            is_within(domain, each.domain)
            for each in identifiers
            if each.is_unknown or (each.has_passed and not (each.method == "spf" and is_for_all))
        )

    def _of_our_domain(self, dmarc: Dmarc, sealer: str) -> Finding:
        """
        Say that it claims to be from a domain of ours.

        @param sealer: the trusted one whose seal cannot be checked at the moment, or C{""}.
        """
        score = self.section.our_domain_score
        detail = (
            f"It claims to be from {quote(dmarc.author)}, a domain of ours, but comes from "
            "outside, and neither SPF nor DKIM of that domain vouches for it."
        )
        if sealer:
            score = min(score, self.section.reject_score)
            detail += f" What {quote(sealer)} may have sealed cannot be checked at the moment."
        return Finding(
            "DMARC_OUR_DOMAIN",
            score,
            detail,
            f"mail from {dmarc.author} is not taken from this server:"
            " neither SPF nor DKIM of that domain vouches for it",
            Kind.SPOOF,
            authentication=words(of_dmarc(dmarc)),
            fact=dmarc,
        )


def _identifiers(view: View, author: str) -> Iterator[Identifier]:
    """
    Give what SPF and DKIM say. Of a check that broke everything is unknown.
    """
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


def _arc_of(view: View) -> Arc | None:
    """
    Give what ARC says, or C{None} where there is no chain or the check broke.
    """
    for finding in view.findings_of("arc"):
        if isinstance(finding.fact, Arc):
            return finding.fact
    return None


def _is_near(domain: str, dmarc: Dmarc) -> bool:
    return is_within(domain, dmarc.author) or is_within(dmarc.author, domain)
