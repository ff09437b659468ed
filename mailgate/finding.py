"""
One piece of evidence about a message, as a check returns it.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import field, frozen

from mailgate.wording import Language, Words, told

SANDBOX = "sandbox"
"""
Where the name of a check stands: what is said of a message whose content is judged in the sandbox,
beside what the checks say there.
"""

RELAY = "relay"
"""
Where the name of a check stands: what is said of the way of a message that a relay of ours brought.
"""


class Kind(StrEnum):
    """
    Why a message is held.
    """

    SPAM = "spam"
    PHISHING = "phishing"
    SPOOF = "spoof"
    BULK = "bulk"
    MALWARE = "malware"
    POLICY = "policy"
    UNSCANNABLE = "unscannable"
    UNDELIVERABLE = "undeliverable"
    REFUSED = "refused"


@frozen
class Finding:
    """
    What a check saw. It says nothing about what shall be done: that is the policy's.
    """

    symbol: str
    """The stable name of this kind of evidence, in UPPER_CASE."""

    score: float
    """What it adds to the total; negative speaks for the message."""

    words: Words = field(eq=str)
    """The evidence, for the trace and the review page; a sentence."""

    public: str = ""
    """
    What a refused client may be told, in ASCII, or nothing.

    Only what a sender can mend belongs here (syntax, DNS lists, SPF, DMARC, size); content
    rules and scores never do.
    """

    kind: Kind | None = None
    """Why a message is held for this; C{None} where the policy's own reasons say it."""

    is_enforced: bool = True
    """Whether it is reason enough for the action of a check in mode C{enforce}; else it counts."""

    check: str = field(default="", eq=False)
    """
    The name of the check that saw it; C{""}: not known. It is set where findings are gathered;
    checks that find something in most messages set it themselves, which spares a copy.
    """

    authentication: str = field(default="", eq=False)
    """
    What of it stands in Authentication-Results, written by
    L{mailgate.authentication.results.words}, or C{""}.
    """

    fact: object = field(default=None, eq=False, repr=False)
    """What the check has found as a value, for checks that need it; it is not kept."""

    names: tuple[str, ...] = field(default=(), eq=False)
    """Who was authenticated, as L{mailgate.knowledge.senders.Names} names senders."""

    @property
    def detail(self) -> str:
        """
        Give the evidence in English.
        """
        return str(self.words)

    def detail_in(self, language: Language) -> str:
        """
        Give the evidence in a language.
        """
        return told(self.words, language)

    def seen_by(self, check: str) -> Finding:
        """
        Give the same finding as that of a check.
        """
        return self if self.check == check else self._copy(check, self.fact)

    def without_fact(self) -> Finding:
        """
        Give what of it outlives the judging of the message.
        """
        return self if self.fact is None else self._copy(self.check, None)

    def _copy(self, check: str, fact: object) -> Finding:
        # Every finding of every message comes here, and attrs' evolve takes five times as long.
        return Finding(
            self.symbol,
            self.score,
            self.words,
            self.public,
            self.kind,
            self.is_enforced,
            check,
            self.authentication,
            fact,
            self.names,
        )


@frozen
class Result:
    """
    What one check has said of a session, a transaction or a recipient.
    """

    check: str
    """The name of the check."""

    findings: tuple[Finding, ...]
    has_failed: bool = False
    """Whether it overran its deadline or broke, so that evidence is missing."""

    def without_facts(self) -> Result:
        """
        Give what of it can leave the process.
        """
        findings = tuple([finding.without_fact() for finding in self.findings])
        return Result(self.check, findings, self.has_failed)
