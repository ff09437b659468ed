"""
What the trace knows, told in words: lines for a terminal.

Every line still holds strangers' text as it came; it is escaped where it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mailgate.config.model import Policy
from mailgate.reporting import why
from mailgate.reporting.terminal import moment
from mailgate.verdict import Action, Kind

Fields = Mapping[str, Any]

_BAR = 10
"""Characters of the longest bar."""


def tell(answer: Fields) -> Iterator[str]:
    """
    Tell what is known of a transaction or session, from the answer to the command C{trace}.
    """
    thresholds = thresholds_of(answer)
    for record in answer["records"]:
        yield from tell_record(record, thresholds)
        yield ""
    yield from tell_history(answer["history"])
    for held in answer["held"]:
        yield f"Held message {held['id']} for {held['recipient']}: {held['kind']}, {held['state']}"
    for queued in answer["outbox"]:
        yield f"In the outbox as {queued['id']}: {_waiting(queued)}"


def thresholds_of(answer: Fields) -> Policy | None:
    """
    Read the thresholds from an answer of the gateway, or C{None} where it does not name them.
    """
    return Policy(**answer["thresholds"]) if "thresholds" in answer else None


def tell_record(record: Fields, thresholds: Policy | None) -> Iterator[str]:
    """
    Tell one transaction.

    @param thresholds: as in L{tell_why}.
    """
    if record["trace"] == record["session"]:
        yield f"Session {record['session']}, ended outside of a transaction"
    else:
        yield f"Transaction {record['trace']} of session {record['session']}"
    yield f"  Began    {moment(record['started'])}, took {record['seconds']:.3f} s"
    yield from _client(record, record["protocol"])
    if record.get("account"):
        yield f"  Account  {record['account']}"
    if record["sender"] is not None:
        yield f"  Sender   <{record['sender']}>"
    if record["message_id"]:
        yield f"  Message  {record['message_id']}"
    if record["subject"]:
        yield f"  Subject  {record['subject']}"
    if record["size"] is not None:
        yield f"  Size     {record['size']:,} bytes"
    yield f"  Reply    {record['reply'] or 'none known'}"
    for verdict in record["verdicts"]:
        yield f"  Verdict  {_verdict(verdict)}"
        # Before the first RCPT nothing is decided by the total.
        yield from tell_why(verdict, thresholds if verdict["recipients"] else None)
    for copy in record["copies"]:
        yield f"  Copy     {_copy(copy)}"
    if record["durations"]:
        parts = [f"{name} {seconds:.3f} s" for name, seconds in record["durations"].items()]
        yield f"  Spent    {', '.join(parts)}"
    for note in record["notes"]:
        yield f"  Note     {note}"


def tell_held(held: Fields, thresholds: Policy | None) -> Iterator[str]:
    """
    Tell one held message.

    @param thresholds: as in L{tell_why}.
    """
    yield f"Held message {held['id']}, kind {held['kind']}"
    yield f"  State    {_state(held)}"
    yield f"  To       {held['recipient']}"
    yield f"  Sender   <{held['sender']}>"
    yield f"  From     {held['from_header']}"
    yield f"  Subject  {held['subject']}"
    yield f"  Message  {held['message_id']}"
    yield f"  Size     {held['size']:,} bytes"
    yield f"  Trace    {held['trace']} of session {held['session']}"
    yield f"  Came     {moment(held['received'])} through listener {held['listener']}"
    yield from _client(held, "ESMTP" if held["is_esmtp"] else "SMTP")
    if held["reason"]:
        yield f"  Reason   {held['reason']}"
    yield f"  Verdict  {held['action']}, score {held['total']:.1f}"
    yield from tell_why(held, None if held["kind"] == Kind.UNDELIVERABLE else thresholds)


def tell_queued(queued: Fields) -> Iterator[str]:
    """
    Tell one copy in the outbox.
    """
    yield f"Copy {queued['id']} in the outbox"
    yield f"  To       {queued['recipient']}"
    yield f"  Sender   <{queued['sender']}>"
    yield f"  From     {queued['from_header']}"
    yield f"  Subject  {queued['subject']}"
    yield f"  Message  {queued['message_id']}"
    yield f"  Size     {queued['size']:,} bytes"
    yield f"  Trace    {queued['trace']}"
    yield f"  Queued   {moment(queued['queued'])}"
    if queued["upstream"]:
        yield f"  Through  {queued['upstream']}"
    if queued["released_from"]:
        yield f"  Was      held message {queued['released_from']}"
    yield f"  State    {_waiting(queued)}"
    if queued["reason"]:
        yield f"  Reason   {queued['reason']}"


def tell_why(verdict: Fields, thresholds: Policy | None) -> Iterator[str]:
    """
    Tell why a verdict is as it is: the findings, sorted and with bars, and how near it was to
    another.

    @param thresholds: those of the gateway; C{None} where they are not known or do not matter.
    """
    yield from tell_findings(verdict["findings"])
    findings = [why.read_finding(fields) for fields in verdict["findings"]]
    if thresholds is None:
        return
    action = Action(verdict.get("would") or verdict["action"])
    near = why.nearness(verdict["total"], action, findings, thresholds)
    for sentence in near.sentences:
        yield f"    {sentence}"
    for way in near.ways:
        without = ", ".join(finding.symbol for finding in way.without)
        yield f"    Without {without} the total would have been {way.total:.1f}: {way.outcome}."


def tell_findings(findings: Sequence[Fields]) -> Iterator[str]:
    """
    Tell findings with bars, sorted by side, by what they are about, and by weight.
    """
    known = [why.read_finding(fields) for fields in findings]
    heaviest = max((abs(finding.score) for finding in known), default=0.0)
    for side in why.weigh(known):
        yield f"    {side.title}  {side.total:+.1f}"
        for group in side.groups:
            if any(finding.check for finding in known):
                yield f"      {group.title}"
            for finding in group.findings:
                bar = _bar(finding.score, heaviest)
                yield f"        {finding.score:+5.1f} {bar}  {finding.detail} ({finding.symbol})"


def tell_history(history: Sequence[Fields]) -> Iterator[str]:
    """
    Tell what happened after the transaction.
    """
    if history:
        yield "Afterwards"
    for note in history:
        yield f"  {moment(note['at'])}  {note['text']}"


def _bar(score: float, heaviest: float) -> str:
    """
    Draw a score with characters that every terminal has.
    """
    length = max(1, round(abs(score) / heaviest * _BAR)) if score else 0
    return ("#" if score > 0 else "-") * length + " " * (_BAR - length)


def _client(fields: Fields, protocol: str) -> Iterator[str]:
    yield f"  Client   {fields['client']} port {fields['port']}, {protocol}"
    yield f"  Name     {fields['helo'] or 'none given'}"
    yield f"  TLS      {fields['tls'] or 'none'}"


def _verdict(verdict: Fields) -> str:
    words = f"{verdict['action']}, score {verdict['total']:.1f}"
    if verdict["would"]:
        words += f", would have been {verdict['would']}"
    if verdict["kind"]:
        words += f", kind {verdict['kind']}"
    if verdict["recipients"]:
        words += f", for {', '.join(verdict['recipients'])}"
    return f"{words}: {verdict['reply']}" if verdict["reply"] else words


def _copy(copy: Fields) -> str:
    words = f"{copy['recipient']} {copy['outcome']}"
    if copy["reference"]:
        words += f" ({copy['reference']})"
    return f"{words}: {copy['reply']}" if copy["reply"] else words


def _state(held: Fields) -> str:
    if held["acted"] is None:
        return f"{held['state']} since {moment(held['held'])}"
    return f"{held['state']} by {held['acted_by']}, {moment(held['acted'])}"


def _waiting(queued: Fields) -> str:
    if queued["is_trying"]:
        return "is being delivered"
    if queued["is_suspended"] and queued["suspended_by"]:
        return f"was stopped by {queued['suspended_by']}, and waits for: mailgate outbox retry ID"
    if queued["is_suspended"]:
        return "was restored from a backup, and waits until somebody says: mailgate outbox retry"
    tries = f"{queued['tries']} {'try' if queued['tries'] == 1 else 'tries'} so far"
    return f"{tries}, the next one {moment(queued['next_try'])}"
