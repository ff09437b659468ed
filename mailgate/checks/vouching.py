"""
What SPF, DKIM and DMARC have found of a message, for checks that come after them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailgate.authentication.dkim import Dkim, DkimResult
from mailgate.authentication.dmarc import Dmarc, DmarcResult
from mailgate.authentication.domain import is_within
from mailgate.authentication.spf import Identity, Spf, SpfResult
from mailgate.checks.spf import allows_all

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


def spf_of(view: View) -> Spf | None:
    """
    Give what SPF says of the sender, or C{None} where it was not asked or the check broke.
    """
    for finding in view.findings_of("spf"):
        if isinstance(finding.fact, Spf):
            return finding.fact
    return None


def vouched_domains(view: View) -> frozenset[str]:
    """
    Name the domains that SPF or DKIM vouch for: what passes, and the author's domain where it
    passes DMARC. A record of SPF that lets everybody pass vouches for nobody.

    The checks C{spf}, C{dkim} and C{dmarc} must come before.
    """
    found: set[str] = set()
    spf = spf_of(view)
    is_for_all = spf is not None and allows_all(spf)
    if spf is not None and spf.result is SpfResult.PASS and not is_for_all:
        found.add(spf.domain)
    for finding in view.findings_of("dkim"):
        if isinstance(finding.fact, Dkim) and finding.fact.result is DkimResult.PASS:
            found.add(finding.fact.domain)
    for finding in view.findings_of("dmarc"):
        dmarc = finding.fact
        if isinstance(dmarc, Dmarc) and any(
            not (each.method == "spf" and is_for_all) for each in dmarc.aligned
        ):
            found.add(dmarc.author)
    return frozenset(found)


def vouches_for_author(view: View, author: str) -> bool:
    """
    Tell whether the domain in From is authenticated: DMARC passes or, where its owner has no record
    of DMARC, what passes is that domain or one above it.

    The checks C{spf}, C{dkim} and C{dmarc} must come before.
    """
    vouched = vouched_domains(view)
    if author in vouched:
        return True
    for finding in view.findings_of("dmarc"):
        if not isinstance(finding.fact, Dmarc) or finding.fact.result is not DmarcResult.NONE:
            return False
    return any("." in domain and is_within(author, domain) for domain in vouched)


def vouches_for_sender(view: View) -> bool:
    """
    Tell whether the domain of the envelope sender is authenticated: its SPF passes, and not for
    everybody. The check C{spf} must come before.
    """
    spf = spf_of(view)
    return (
        spf is not None
        and spf.identity is Identity.MAIL_FROM
        and spf.result is SpfResult.PASS
        and not allows_all(spf)
    )
