"""
A record as one line of JSON, for the trace and for the log.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from mailgate.finding import Finding
from mailgate.message.record import Record
from mailgate.verdict import Verdict
from mailgate.wording import Sentence, to_plain

TEXT_LIMIT = 1000
"""How many characters of any text are kept; what is cut ends with an ellipsis."""

_encode = json.JSONEncoder(ensure_ascii=True, check_circular=False, separators=(",", ":")).encode


def to_json(record: Record) -> str:
    """
    Give a record as one line of ASCII without its line feed.

    Whatever a stranger has put into it is escaped and cut.
    """
    return _encode(_record(record))


def from_json(line: str) -> Mapping[str, Any]:
    """
    Read what L{to_json} wrote.
    """
    read: Mapping[str, Any] = json.loads(line)
    return read


def finding_fields(finding: Finding) -> dict[str, Any]:
    """
    Give what is told of a finding; L{mailgate.reporting.why.read_finding} reads it.
    """
    fields: dict[str, Any] = {
        "symbol": finding.symbol,
        "score": finding.score,
        "detail": _cut(finding.detail),
        "check": finding.check,
    }
    if isinstance(finding.words, Sentence):
        fields["words"] = to_plain(finding.words)
    if finding.authentication:
        fields["authentication"] = _cut(" ".join(finding.authentication.split()))
    if finding.names:
        fields["names"] = finding.names
    return fields


def _record(record: Record) -> dict[str, Any]:
    session = record.session
    started = record.started
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(started))
        + f".{int(started % 1 * 1000):03d}Z",
        "trace": record.trace,
        "session": session.id,
        "listener": session.listener,
        "client": session.client,
        "port": session.port,
        "helo": _cut(session.helo),
        "protocol": session.protocol,
        "tls": session.tls,
        "account": _cut(session.account),
        "sender": None if record.sender is None else _cut(record.sender),
        "size": record.size,
        "message_id": _cut(record.message_id),
        "subject": _cut(record.subject),
        "reply": _cut(record.reply),
        "copies": [
            {
                "recipient": _cut(copy.recipient),
                "outcome": copy.outcome,
                "reply": _cut(copy.reply),
                "reference": copy.reference,
            }
            for copy in record.copies
        ],
        "verdicts": [_verdict(verdict) for verdict in record.verdicts],
        "started": started,
        "seconds": round(record.seconds, 6),
        "durations": {name: round(seconds, 6) for name, seconds in record.durations.items()},
        "notes": [_cut(note) for note in record.notes],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "action": verdict.action,
        "would": verdict.would,
        "kind": verdict.kind if verdict.action == "quarantine" else None,
        "total": verdict.total,
        "reply": None if verdict.reply is None else _cut(str(verdict.reply)),
        "recipients": [_cut(str(recipient)) for recipient in verdict.recipients],
        "findings": [finding_fields(finding) for finding in verdict.findings],
    }


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}\N{HORIZONTAL ELLIPSIS}"
