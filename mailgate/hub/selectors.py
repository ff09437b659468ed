"""
With which selectors of DKIM a domain signs, by what has come here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from mailgate.authentication.results import parse
from mailgate.reporting.trace import Traces

DAYS = 7
"""How many days of traces are looked at."""

RECORDS = 500
"""How many records, the newest first."""

MOST = 20
"""How many selectors are given."""


async def selectors_seen(traces: Traces, domain: str) -> Sequence[str]:
    """
    Give the selectors of signatures of a domain that have passed, the last ones seen first.

    @param domain: in its canonical form.
    """
    written = json.dumps(f'header.d="{domain}"')[1:-1]
    seen: dict[str, None] = {}
    for record in await traces.containing(written, DAYS, RECORDS):
        for verdict in record["verdicts"]:
            for finding in verdict["findings"]:
                seen.update(dict.fromkeys(_selectors(finding.get("authentication", ""), domain)))
    return list(seen)[:MOST]


def _selectors(authentication: str, domain: str) -> Sequence[str]:
    results = parse(f"x; {authentication}".encode("ascii", "replace"))
    if results is None:
        return ()
    return [
        selector
        for result in results.results
        if result.method == "dkim" and result.result == "pass"
        if domain in result.values("header", "d")
        for selector in result.values("header", "s")
    ]
