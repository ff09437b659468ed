"""
All that a domain says of its mail, asked in one go.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from attrs import frozen

from mailgate.authentication.dmarc import steps
from mailgate.authentication.survey import Part, Weight
from mailgate.authentication.survey_dkim import USUAL, place_of, survey_dkim
from mailgate.authentication.survey_dmarc import Means, survey_dmarc
from mailgate.authentication.survey_mail import survey_mx, survey_tls
from mailgate.authentication.survey_spf import survey_spf
from mailgate.interfaces import IResolver
from mailgate.wire.dns.answer import MX, TXT

QUERIES = 1000
"""Look-ups that a resolver should allow."""

SECONDS = 60.0
"""Seconds that it should allow."""


class Outcome(StrEnum):
    """
    How it is, all in all.
    """

    FINE = "fine"
    MISTAKES = "mistakes"
    UNKNOWN = "unknown"
    """No mistake was seen, but not everything could be asked."""


@frozen
class Survey:
    """
    What was found.
    """

    domain: str
    parts: tuple[Part, ...]

    @property
    def outcome(self) -> Outcome:
        """
        Say how it is, all in all.
        """
        if any(part.has(Weight.MISTAKE) for part in self.parts):
            return Outcome.MISTAKES
        if any(part.has(Weight.UNKNOWN) for part in self.parts):
            return Outcome.UNKNOWN
        return Outcome.FINE

    def number(self, weight: Weight) -> int:
        """
        Count the remarks of a weight.
        """
        return sum(remark.weight is weight for part in self.parts for remark in part.remarks)


async def survey_domain(
    resolver: IResolver, domain: str, named: Sequence[str] = (), seen: Sequence[str] = ()
) -> Survey:
    """
    Look at everything.

    @param domain: in its canonical form.
    @param named: selectors of DKIM that must be there.
    @param seen: those of signatures that have passed here.
    """
    # What is asked for in any case is asked for at once; whoever needs it finds it there.
    for name in (
        domain,
        *(f"_dmarc.{step}" for step in steps(domain)),
        *(place_of(selector, domain) for selector in (*named, *seen, *USUAL)),
        f"_mta-sts.{domain}",
        f"_smtp._tls.{domain}",
    ):
        resolver.look_up(name, TXT)
    resolver.look_up(domain, MX)
    spf = await survey_spf(resolver, domain)
    dkim, keys = await survey_dkim(resolver, domain, named, seen)
    dmarc = await survey_dmarc(resolver, domain, Means(bool(spf.records), keys))
    return Survey(
        domain,
        (
            spf,
            dkim,
            dmarc,
            await survey_mx(resolver, domain),
            await survey_tls(resolver, domain),
        ),
    )
