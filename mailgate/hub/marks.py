"""
What people say of mail that was delivered, for the name of whoever was authenticated as its sender.

A message is known by the trace that stands in its header: it was put there at delivery, where what
a sender had written there is stripped, and nobody can guess that of somebody else's message.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.internet.defer import Deferred

from mailgate.classify.mailboxes import messages_in
from mailgate.interfaces import IRater, IThreads
from mailgate.message.header import Headers
from mailgate.reporting.trace import Traces

FIELD = "X-Mailgate-Trace"
READ = 256 * 1024
"""Bytes of a message in which its header is looked for."""

_TRACE = re.compile(r"[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}", re.ASCII)


class Marks:
    """
    Finds out whose message was marked, and lets it count.
    """

    def __init__(self, threads: IThreads, traces: Traces, rater: IRater) -> None:
        self._threads = threads
        self._traces = traces
        self._rater = rater

    def mark(self, message: Path | bytes, is_spam: bool) -> Deferred[bool]:
        """
        Let it count what somebody has said of a message that was delivered.

        @param message: the message as it was delivered, or the file that holds it.
        @return: whether anything has changed. Of what did not come through here, and of what has no
            trace any more, nothing does.
        @raise OSError: the file cannot be read, or the disk failed.
        """
        return Deferred.fromCoroutine(self._mark(message, is_spam))

    async def _mark(self, message: Path | bytes, is_spam: bool) -> bool:
        beginning = (
            message[:READ]
            if isinstance(message, bytes)
            else await self._threads.run(_beginning, message)
        )
        trace = Headers.parse(beginning).text(FIELD.lower()).strip()
        if not _TRACE.fullmatch(trace):
            return False
        names = {
            name
            for record in await self._traces.find(trace)
            if record["trace"] == trace
            for verdict in record["verdicts"]
            for finding in verdict["findings"]
            for name in finding.get("names", ())
        }
        return bool(await self._rater.rate(sorted(names), is_spam, trace))


def _beginning(path: Path) -> bytes:
    return next(messages_in(path, READ), b"")
