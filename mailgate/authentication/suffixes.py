"""
Organizational domains by the list of public suffixes (RFC 7489 section 3.2).
"""

from __future__ import annotations

from publicsuffixlist import PublicSuffixList

from mailgate.authentication.dmarc import Organization


def by_list() -> Organization:
    """
    Give what finds the organizational domain of a domain by the list that comes with the package;
    it is read once for each call, in some 30 ms.
    """
    suffixes = PublicSuffixList()

    def organization(domain: str) -> str | None:
        return suffixes.privatesuffix(domain)

    return organization
