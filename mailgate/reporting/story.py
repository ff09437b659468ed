"""
What the trace knows, told in words: lines for a terminal.

Every line still holds strangers' text as it came; it is escaped where it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mailgate.reporting.terminal import moment

Fields = Mapping[str, Any]


def tell(answer: Fields) -> Iterator[str]:
    """
    Tell what is known of a transaction or session, from the answer to the command C{trace}.
    """
    for record in answer["records"]:
        yield from tell_record(record)
        yield ""
    yield from tell_history(answer["history"])
    for held in answer["held"]:
        yield f"Held message {held['id']} for {held['recipient']}: {held['kind']}, {held['state']}"
    for queued in answer["outbox"]:
        yield f"In the outbox as {queued['id']}: {_waiting(queued)}"


def tell_record(record: Fields) -> Iterator[str]:
    """
    Tell one transaction.
    """
    if record["trace"] == record["session"]:
        yield f"Session {record['session']}, ended outside of a transaction"
    else:
        yield f"Transaction {record['trace']} of session {record['session']}"
    yield f"  Began    {moment(record['started'])}, took {record['seconds']:.3f} s"
    yield from _client(record, record["protocol"])
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
        yield from tell_findings(verdict["findings"])
    for copy in record["copies"]:
        yield f"  Copy     {_copy(copy)}"
    if record["durations"]:
        parts = [f"{name} {seconds:.3f} s" for name, seconds in record["durations"].items()]
        yield f"  Spent    {', '.join(parts)}"
    for note in record["notes"]:
        yield f"  Note     {note}"


def tell_held(held: Fields) -> Iterator[str]:
    """
    Tell one held message.
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
    yield from tell_findings(held["findings"])


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
    if queued["released_from"]:
        yield f"  Was      held message {queued['released_from']}"
    yield f"  State    {_waiting(queued)}"
    if queued["reason"]:
        yield f"  Reason   {queued['reason']}"


def tell_findings(findings: Sequence[Fields]) -> Iterator[str]:
    """
    Tell findings, what weighs most first.
    """
    for finding in sorted(findings, key=lambda found: -abs(found["score"])):
        yield f"    {finding['score']:+5.1f}  {finding['detail']} ({finding['symbol']})"


def tell_history(history: Sequence[Fields]) -> Iterator[str]:
    """
    Tell what happened after the transaction.
    """
    if history:
        yield "Afterwards"
    for note in history:
        yield f"  {moment(note['at'])}  {note['text']}"


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
    tries = f"{queued['tries']} {'try' if queued['tries'] == 1 else 'tries'} so far"
    return f"{tries}, the next one {moment(queued['next_try'])}"
