"""
Whether the client may send mail for the domain of the envelope sender, and for its own name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.authentication.results import of_spf, words
from mailgate.authentication.spf import Identity, Peer, Spf, SpfResult, check_helo, check_sender
from mailgate.authentication.taken import take_spf
from mailgate.checks.brought import Brought
from mailgate.checks.outside import Outside
from mailgate.checks.waiting import at_once
from mailgate.checks.words import quote
from mailgate.config.checks import SpfCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IResolvers, MaybeDeferred, Phase, Scope
from mailgate.wire.address import Address
from mailgate.wire.network import address_of

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

ALL = frozenset(("all", "+all"))
"""Mechanisms that let everybody send."""

_SYMBOLS = {
    SpfResult.PASS: "SPF_PASS",
    SpfResult.NONE: "SPF_NONE",
    SpfResult.NEUTRAL: "SPF_NEUTRAL",
    SpfResult.SOFTFAIL: "SPF_SOFTFAIL",
    SpfResult.FAIL: "SPF_FAIL",
    SpfResult.PERMERROR: "SPF_PERMERROR",
    SpfResult.TEMPERROR: "SPF_TEMPERROR",
}


@implementer(ICheck)
@frozen
class SpfCheck:
    """
    SPF (RFC 7208) of the envelope sender, and of the name in HELO.
    """

    section: Section
    outside: Outside
    brought: Brought
    hostname: str
    resolvers: IResolvers
    deadline: float

    name = "spf"
    phase = Phase.MAIL
    scope = Scope.TRANSACTION
    after = ()
    needs = ()
    symbols = frozenset((*_SYMBOLS.values(), "SPF_ALLOWS_ALL", "SPF_HELO_FAIL"))

    @classmethod
    def from_settings(cls, settings: Settings, resolvers: IResolvers) -> SpfCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.spf
        outside = Outside.from_settings(settings)
        brought = Brought.from_settings(settings)
        return cls(section, outside, brought, settings.hostname, resolvers, section.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give what SPF says, also where it says nothing; its value is the fact of the first finding.
        """
        if not self.outside.has(view.session):
            return ()
        results = self.brought.results(view)
        taken = None if results is None else take_spf(results)
        if taken is not None:
            return (self._finding(taken, view.envelope.sender),)
        return at_once(self._check(view))

    async def _check(self, view: View) -> Sequence[Finding]:
        sender = view.envelope.sender
        resolver = self.resolvers.for_check(self.name, self.deadline)
        client = address_of(view.session.client)
        assert client is not None  # The outside has addresses.
        peer = Peer(client, view.session.helo, self.hostname, lambda: view.now)
        spf = await check_sender(resolver, peer, sender)
        findings = [self._finding(spf, sender)]
        if spf.identity is Identity.MAIL_FROM:
            helo = await check_helo(resolver, peer)
            if helo.result is SpfResult.FAIL:
                findings.append(self._of_helo(helo, sender))
        return findings

    def _finding(self, spf: Spf, sender: Address) -> Finding:
        symbol, score = _SYMBOLS[spf.result], self._score(spf.result)
        detail = f"SPF of {_subject(spf)}: {spf.result.value}, since {spf.reason}."
        if spf.explanation:
            detail += f" The domain explains: {quote(spf.explanation)}."
        public = _public(spf) if spf.result is SpfResult.FAIL else ""
        if allows_all(spf):
            symbol, score = "SPF_ALLOWS_ALL", self.section.allows_all_score
            detail += " That lets everybody send for it, so it says nothing of this client."
        return Finding(
            symbol,
            score,
            detail,
            public,
            check=self.name,
            authentication=words(of_spf(spf, sender)),
            fact=spf,
        )

    def _of_helo(self, spf: Spf, sender: Address) -> Finding:
        return Finding(
            "SPF_HELO_FAIL",
            self.section.helo_fail_score,
            f"SPF of {_subject(spf)}: fail, since {spf.reason}.",
            _public(spf),
            authentication=words(of_spf(spf, sender)),
        )

    def _score(self, result: SpfResult) -> float:
        section = self.section
        return {
            SpfResult.SOFTFAIL: section.softfail_score,
            SpfResult.FAIL: section.fail_score,
            SpfResult.PERMERROR: section.permerror_score,
        }.get(result, 0.0)


def allows_all(spf: Spf) -> bool:
    """
    Tell whether a pass says nothing, since everybody passes.
    """
    return (
        spf.result is SpfResult.PASS
        and bool(spf.matched)
        and spf.matched[-1].partition("/")[0].lower() in ALL
    )


def _subject(spf: Spf) -> str:
    kind = "the sender" if spf.identity is Identity.MAIL_FROM else "the name in HELO"
    return f"{kind}, {quote(spf.domain)}" if spf.domain else kind


def _public(spf: Spf) -> str:
    return f"SPF fails: {spf.reason}"
