"""
What those who have handed a message on have sealed, and whether they are trusted to say the truth.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, cast

from attrs import frozen
from zope.interface import implementer

from mailgate.authentication.arc import (
    NAMES,
    QUERIES,
    Arc,
    ArcResult,
    ChainVerification,
    Sealed,
    of_arc,
    trusted_results,
)
from mailgate.authentication.results import words
from mailgate.checks.known import Known
from mailgate.checks.outside import Outside
from mailgate.checks.reading import reading_of
from mailgate.checks.waiting import at_once
from mailgate.checks.words import quote
from mailgate.config.checks import ArcCheck as Section
from mailgate.config.checks import CheckMode
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IResolvers, IThreads, MaybeDeferred, Phase, Scope
from mailgate.message.header import Headers

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_METHODS = ("spf", "dkim", "dmarc")
_FIELDS = frozenset(name.lower() for name in NAMES.values())
_SHOWN = 4
"""How many results of a method are told."""


@implementer(ICheck)
@frozen
class ArcCheck:
    """
    ARC (RFC 8617) of mail that strangers hand on.
    """

    section: Section
    sealers: Collection[str]
    """Whose seals are believed."""

    outside: Outside
    resolvers: IResolvers
    threads: IThreads | None
    deadline: float

    name = "arc"
    phase = Phase.HEADERS
    scope = Scope.TRANSACTION
    after = ()
    needs = ("fields",)
    symbols = frozenset({"ARC_PASS", "ARC_TRUSTED", "ARC_FAIL"})

    @classmethod
    def from_settings(cls, settings: Settings, known: Known) -> ArcCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.arc
        outside = Outside.from_settings(settings)
        sealers = frozenset(section.trusted_sealers)
        return cls(section, sealers, outside, known.resolvers, known.threads, section.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give what becomes of the chain, with its value as fact, or nothing where there is none.
        """
        headers: Headers = view.fact("fields")
        if headers.fields.keys().isdisjoint(_FIELDS) or not self.outside.has(view.session):
            return ()
        return at_once(self._check(view))

    async def _check(self, view: View) -> Sequence[Finding]:
        reading = await reading_of(view.message, self.name, self.threads)
        chain = cast(ChainVerification, reading.signed[self.name])
        resolver = self.resolvers.for_check(self.name, self.deadline, QUERIES)
        arc = await chain.result(resolver, view.now, reading.hashes, self.threads)
        return (self._finding(arc),)

    def _finding(self, arc: Arc) -> Finding:
        symbol, score, detail = self._in_words(arc)
        return Finding(symbol, score, detail, authentication=words(of_arc(arc)), fact=arc)

    def _in_words(self, arc: Arc) -> tuple[str, float, str]:
        if arc.result is ArcResult.FAIL:
            score = 0.0 if arc.is_temporary else self.section.fail_score
            return "ARC_FAIL", score, f"The ARC chain is broken: {arc.reason}."
        whole = "The ARC chain is whole, sealed by "
        whole += ", ".join(quote(each.domain) for each in reversed(arc.sets))
        if not arc.is_author_signed:
            return "ARC_PASS", self.section.pass_score, f"{whole}, but From is not signed."
        trusted = trusted_results(arc, self.sealers)
        if not trusted:
            detail = f"{whole}; its newest sealer is not trusted."
            return "ARC_PASS", self.section.pass_score, detail
        said = " ".join(map(_said, trusted))
        return "ARC_TRUSTED", self.section.trusted_score, f"{whole}. {said}"


def trusted_sealers(settings: Settings) -> Collection[str]:
    """
    Name those whose seals count for other checks: nobody where C{arc} is off or only watches.
    """
    section = settings.checks.arc
    is_heard = section.mode not in (CheckMode.OFF, CheckMode.OBSERVE)
    return frozenset(section.trusted_sealers if is_heard else ())


def _said(sealed: Sealed) -> str:
    found = [each for method in _METHODS for each in sealed.of(method)[:_SHOWN]]
    words = ", ".join(f"{each.method}={each.result}" for each in found)
    return (
        f"{quote(sealed.domain)}, who is trusted, has found {quote(words) if words else 'nothing'}."
    )
