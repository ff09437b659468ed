"""
What waits for its delivery, and what could not be delivered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailgate.verdict import Kind
from mailgate.web.answer import Answer, Route, Visit
from mailgate.web.pages import words
from mailgate.web.pages.quarantine import cursor
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

if TYPE_CHECKING:
    from mailgate.delivery.outbox import Outbox
    from mailgate.quarantine.held import Quarantine

PAGE = 100
"""How many copies one page shows."""

_FAILURES = 20


class OutboxPage:
    """
    Shows the copies that wait, the newest first, and the latest final failures.
    """

    def __init__(
        self, outbox: Outbox, quarantine: Quarantine, times: Times, templates: Templates
    ) -> None:
        self._outbox = outbox
        self._quarantine = quarantine
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the route of the page.
        """
        return (Route("GET", "/outbox", self._show),)

    async def _show(self, visit: Visit) -> Answer:
        before = cursor(visit.query.get("before", ""))
        waiting = await self._outbox.list(limit=PAGE + 1, before=before)
        failures = await self._quarantine.list(limit=_FAILURES, kind=Kind.UNDELIVERABLE)
        counts = await self._quarantine.count()
        older = None
        if len(waiting) > PAGE:
            older = f"/outbox?before={waiting[PAGE - 1].number}"
        body = self._templates.render(
            "outbox.html",
            visit,
            times=self._times,
            waiting=waiting[:PAGE],
            failures=failures,
            all_failures=counts.get(Kind.UNDELIVERABLE, 0),
            newest="/outbox" if before is not None else None,
            older=older,
            reason=words.reason,
            sentence=words.sentence,
        )
        return Answer(body=body)
