"""
Which domains have signed the message, and whether it is still what they signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from attrs import frozen
from zope.interface import implementer

from mailgate.authentication.dkim import Dkim, DkimResult, Verification
from mailgate.authentication.results import of_dkim, words
from mailgate.authentication.taken import take_dkim
from mailgate.checks.brought import Brought
from mailgate.checks.known import Known
from mailgate.checks.outside import Outside
from mailgate.checks.reading import reading_of
from mailgate.checks.waiting import at_once
from mailgate.checks.words import quote
from mailgate.config.checks import DkimCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IResolvers, IThreads, MaybeDeferred, Phase, Scope
from mailgate.message.header import Headers

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_SYMBOLS = {
    DkimResult.PASS: "DKIM_PASS",
    DkimResult.FAIL: "DKIM_FAIL",
    DkimResult.POLICY: "DKIM_POLICY",
    DkimResult.PERMERROR: "DKIM_PERMERROR",
    DkimResult.TEMPERROR: "DKIM_TEMPERROR",
}


@implementer(ICheck)
@frozen
class DkimCheck:
    """
    DKIM (RFC 6376): the signatures of a message.
    """

    section: Section
    outside: Outside
    brought: Brought
    resolvers: IResolvers
    threads: IThreads | None
    deadline: float

    name = "dkim"
    phase = Phase.HEADERS
    scope = Scope.TRANSACTION
    after = ()
    needs = ("fields",)
    symbols = frozenset(_SYMBOLS.values())

    @classmethod
    def from_settings(cls, settings: Settings, known: Known) -> DkimCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.dkim
        outside = Outside.from_settings(settings)
        brought = Brought.from_settings(settings)
        return cls(section, outside, brought, known.resolvers, known.threads, section.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give a finding for each signature that was tried, with its value as fact.
        """
        headers: Headers = view.fact("fields")
        if not self.outside.has(view.session):
            return ()
        results = self.brought.results(view)
        # What a relay has seen may have been changed by it since.
        taken = None if results is None else take_dkim(results)
        if taken is not None:
            return self._findings(taken, 0)
        if "dkim-signature" not in headers.fields:
            return ()
        return at_once(self._check(view))

    async def _check(self, view: View) -> Sequence[Finding]:
        reading = await reading_of(view.message, self.name, self.threads)
        verification = cast(Verification, reading.signed[self.name])
        if not verification.has_signatures:
            return ()
        resolver = self.resolvers.for_check(self.name, self.deadline)
        results = await verification.results(resolver, view.now, reading.hashes)
        return self._findings(results, verification.ignored)

    def _findings(self, results: Sequence[Dkim], ignored: int) -> Sequence[Finding]:
        """
        Put results into words. A signature that is not right is as if it were not there (section
        6.1): it counts only where none is right or unknown, and only the first of them.
        """
        findings = []
        counts = not any(each.result in (DkimResult.PASS, DkimResult.TEMPERROR) for each in results)
        for result in results:
            findings.append(self._finding(result, counts, ignored))
            counts, ignored = False, 0
        return findings

    def _finding(self, dkim: Dkim, counts: bool, ignored: int) -> Finding:
        whose = f"of {quote(dkim.domain)}" if dkim.domain else "that cannot be read"
        detail = f"The DKIM signature {whose}: {dkim.result.value}, since {dkim.reason}."
        if dkim.is_testing:
            detail += " The domain says that it only tries DKIM."
        if ignored:
            detail += f" The message has more signatures, {ignored} of which were not tried."
        return Finding(
            _SYMBOLS[dkim.result],
            self._score(dkim.result) if counts else 0.0,
            detail,
            check=self.name,
            authentication=words(of_dkim(dkim)),
            fact=dkim,
        )

    def _score(self, result: DkimResult) -> float:
        section = self.section
        return {
            DkimResult.FAIL: section.fail_score,
            DkimResult.POLICY: section.policy_score,
            DkimResult.PERMERROR: section.permerror_score,
        }.get(result, 0.0)
