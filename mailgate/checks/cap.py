"""
What findings of one cause count together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve

from mailgate.finding import Finding
from mailgate.wording import say


def capped(findings: Iterable[Finding], cap: float) -> Sequence[Finding]:
    """
    Let findings with one and the same cause count C{cap} at most together, the gravest first.
    """
    counted = []
    for finding in sorted(findings, key=lambda finding: -finding.score):
        counts = max(0.0, min(finding.score, cap))
        if 0 < finding.score != counts:
            words = say(
                "{finding} (Counts {counts} of {score}; see cap_score.)",
                finding=finding.words,
                counts=counts,
                score=finding.score,
            )
            finding = evolve(finding, score=counts, words=words)
        counted.append(finding)
        cap -= max(0.0, finding.score)
    return counted
