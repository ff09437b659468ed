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
    return json.dumps([(f.symbol, f.score, f.detail, f.public) for f in findings])


def decode(text: str) -> tuple[Finding, ...]:
    """
    Give the findings that L{encode} wrote.
    """
    return tuple(Finding(*fields) for fields in json.loads(text))
