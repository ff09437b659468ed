"""
One piece of evidence about a message, as a check returns it.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Finding:
    """
    What a check saw. It says nothing about what shall be done: that is the policy's.
    """

    symbol: str
    """The stable name of this kind of evidence, in UPPER_CASE."""

    score: float
    """What it adds to the total; negative speaks for the message."""

    detail: str
    """The evidence in words, for the trace and the review page; a sentence."""

    public: str = ""
    """
    What a refused client may be told, in ASCII, or nothing.

    Only what a sender can mend belongs here (syntax, DNS lists, SPF, DMARC, size); content
    rules and scores never do.
    """


@frozen
class Result:
    """
    What one check has said of a session, a transaction or a recipient.
    """

    check: str
    """The name of the check."""

    findings: tuple[Finding, ...]
    has_failed: bool = False
    """Whether it overran its deadline or broke, so that there is no evidence but this."""
