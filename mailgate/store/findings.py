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
    return json.dumps(
        [
            (f.symbol, f.score, f.detail, f.public, f.check, f.authentication, f.names)
            for f in findings
        ]
    )


def decode(text: str) -> tuple[Finding, ...]:
    """
    Give the findings that L{encode} wrote, or a version of it that did not know their checks, what
    is authenticated or who.
    """
    found = []
    for symbol, score, detail, public, *rest in json.loads(text):
        check, authentication = (*rest, "", "")[:2]
        found.append(
            Finding(
                symbol,
                score,
                detail,
                public,
                check=check,
                authentication=authentication,
                names=tuple(rest[2]) if len(rest) > 2 else (),
            )
        )
    return tuple(found)
