"""
Findings as text in a row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mailgate.finding import Finding, Kind
from mailgate.wording import from_plain, to_plain

_ABSENT: tuple[Any, ...] = ("", "", (), None, True)
"""What earlier versions did not write of a finding, from its check on."""


def encode(findings: Sequence[Finding]) -> str:
    """
    Give findings as JSON.
    """
    return json.dumps(
        [
            (
                f.symbol,
                f.score,
                to_plain(f.words),
                f.public,
                f.check,
                f.authentication,
                f.names,
                f.kind,
                f.is_enforced,
            )
            for f in findings
        ]
    )


def decode(text: str) -> tuple[Finding, ...]:
    """
    Give the findings that L{encode} wrote, or a version of it that did not know all of that.
    """
    found = []
    for row in json.loads(text):
        known = [*row, *_ABSENT[len(row) - 4 :]]
        symbol, score, words, public, check, authentication, names, kind, is_enforced = known
        found.append(
            Finding(
                symbol,
                score,
                from_plain(words),
                public,
                Kind(kind) if kind else None,
                is_enforced,
                check,
                authentication,
                names=tuple(names),
            )
        )
    return tuple(found)
