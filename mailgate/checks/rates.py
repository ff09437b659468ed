"""
Who sends more than is usual: an account that was broken into, a client or a domain in a hurry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.words import quote
from mailgate.config.checks import RateOf
from mailgate.config.checks import RatesCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.knowledge.excess import Excess, Excesses, keys_of

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_SYMBOLS = {
    RateOf.ADDRESS: "RATE_ADDRESS",
    RateOf.NETWORK: "RATE_NETWORK",
    RateOf.DOMAIN: "RATE_DOMAIN",
    RateOf.ACCOUNT: "RATE_ACCOUNT",
}
WHO = {
    RateOf.ADDRESS: "The client",
    RateOf.NETWORK: "The client's network",
    RateOf.DOMAIN: "The sender's domain",
    RateOf.ACCOUNT: "The account",
}
_WHOSE = {
    RateOf.ADDRESS: "your address",
    RateOf.NETWORK: "your network",
    RateOf.DOMAIN: "your domain",
    RateOf.ACCOUNT: "your account",
}


@implementer(ICheck)
@frozen
class RatesCheck:
    """
    Whether one of those by which a message is counted has sent as much as may be.
    """

    section: Section
    excesses: Excesses
    deadline: float

    name = "rates"
    phase = Phase.RCPT
    scope = Scope.RECIPIENT
    after = ()
    needs = ()
    symbols = frozenset(_SYMBOLS.values())

    @classmethod
    def from_settings(cls, settings: Settings, excesses: Excesses) -> RatesCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.rates
        return cls(section, excesses, section.deadline)

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give a finding for each who has sent too much.
        """
        if not self.excesses:
            return ()
        session = view.session
        findings = []
        for key in keys_of(session, session.client, view.envelope.sender.domain):
            found = [each for each in self.excesses.find(key, view.now) if not each.subject]
            if found:
                findings.append(self._finding(key[0], found))
        return findings

    def _finding(self, of: RateOf, found: Sequence[Excess]) -> Finding:
        amounts = ", ".join(
            f"{each.number:,} {each.amount.value} within {each.minutes} minutes"
            f" (the limit is {each.limit:,})"
            for each in found
        )
        score: float = getattr(self.section, f"{of.value}_score")
        return Finding(
            _SYMBOLS[of],
            score,
            f"{WHO[of]} {quote(found[0].key)} has sent {amounts}.",
            f"too much mail from {_WHOSE[of]}, try again later",
            is_enforced=of in self.section.enforce_for,
        )
