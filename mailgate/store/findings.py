"""
Findings as text in a row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from mailgate.finding import Finding


def encode(findings: Sequence[Finding]) -> str:
    """
    Give findings as JSON.
    """
    return json.dumps([(f.symbol, f.score, f.detail, f.public, f.check) for f in findings])


def decode(text: str) -> tuple[Finding, ...]:
    """
    Give the findings that L{encode} wrote, or a version of it that did not know their checks.
    """
    return tuple(
        Finding(symbol, score, detail, public, check="".join(check))
        for symbol, score, detail, public, *check in json.loads(text)
    )
