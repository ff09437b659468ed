"""
What waits for its delivery, what could not be delivered, and what people do with what waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailgate.config.model import Outbox as Settings
from mailgate.verdict import Kind
from mailgate.web.answer import Answer, Refused, Route, Visit, own_path, redirect, say
from mailgate.web.pages import words
from mailgate.web.pages.quarantine import cursor
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

if TYPE_CHECKING:
    from mailgate.delivery.queue import Queue
    from mailgate.quarantine.held import Quarantine
    from mailgate.store.outbox import Backlog

PAGE = 50
"""How many copies one page shows."""

_FAILURES = 20


class OutboxPage:
    """
    Shows the copies that wait, the newest first, and the latest final failures; tries copies at
    once, stops them, and deletes them.
    """

    def __init__(
        self,
        queue: Queue,
        quarantine: Quarantine,
        settings: Settings,
        times: Times,
        templates: Templates,
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._deeds = {"retry": queue.retry, "hold": queue.hold, "remove": queue.delete}
        self._quarantine = quarantine
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of the page.
        """
        return (
            Route("GET", "/outbox", self._show, sees=lambda rights: rights.sees_outbox),
            Route(
                "POST",
                "/outbox",
                self._act,
                sees=lambda rights: rights.sees_outbox,
                may=lambda rights: rights.touches_outbox,
            ),
        )

    async def _show(self, visit: Visit) -> Answer:
        before = cursor(visit.query.get("before", ""))
        waiting = await self._queue.list(limit=PAGE + 1, before=before)
        backlog = await self._queue.backlog()
        total = await self._queue.count()
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
            total=total,
            alert=self._alert(backlog),
            failures=failures,
            all_failures=counts.get(Kind.UNDELIVERABLE, 0),
            newest="/outbox" if before is not None else None,
            older=older,
            reason=words.reason,
            sentence=words.sentence,
            notice=words.notice(visit.notice),
        )
        return Answer(body=body)

    def _alert(self, backlog: Backlog) -> words.Notice | None:
        """
        Say that too much waits, or for too long, where it does.
        """
        now = self._times.now()
        settings = self._settings
        if not backlog.is_large(now, settings.alert_seconds, settings.alert_copies):
            return None
        return words.backlog(backlog.copies, backlog.age(now), backlog.by_destination)

    async def _act(self, visit: Visit) -> Answer:
        back = own_path(visit.value("back"), "/outbox")
        do, by = visit.value("do"), visit.visitor.account.name
        if do == "retry_all":
            return redirect(back, say(f"retry.{await self._queue.retry_all()}.0"))
        deed = self._deeds.get(do)
        if deed is None:
            raise Refused(400)
        done = (await deed(visit.value("id"), by)).is_done
        return redirect(back, say(f"{do}.{int(done)}.{int(not done)}"))
