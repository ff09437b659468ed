"""
What became of one transaction, or of all those of a session.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from mailgate.config.model import Policy
from mailgate.quarantine import rows
from mailgate.quarantine.rows import HeldMessage
from mailgate.reporting.why import Nearness, nearness, read_finding
from mailgate.store import history
from mailgate.store.database import Database
from mailgate.store.history import Note
from mailgate.verdict import Action
from mailgate.web.answer import Answer, Refused, Route, Visit, redirect
from mailgate.web.pages import weights, words
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

if TYPE_CHECKING:
    from mailgate.reporting.trace import Traces

_REFERENCE = re.compile(r"[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}", re.ASCII)
_RECORDS = 100
_ICONS = {
    "accept": "ok",
    "tag": "tag",
    "defer": "clock",
    "quarantine": "hold",
    "reject": "block",
    "discard": "delete",
}


@frozen
class _Weighed:
    """
    Why a verdict is as it is.
    """

    sides: Sequence[weights.DrawnSide]
    nearness: Nearness | None
    """C{None} where the total was not asked: before MAIL nothing is decided by it."""


@frozen
class _Afterwards:
    """
    What the store knows of a transaction.
    """

    held: Sequence[HeldMessage]
    notes: Sequence[Note]


class TracePage:
    """
    Finds a transaction by the reference that stands in its replies.
    """

    def __init__(
        self,
        traces: Traces,
        database: Database,
        policy: Policy,
        times: Times,
        templates: Templates,
    ) -> None:
        self._traces = traces
        self._database = database
        self._policy = policy
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of the trace.
        """
        return (
            Route("GET", "/trace", self._search),
            Route("GET", "/trace/{id}", self._show),
        )

    async def _search(self, visit: Visit) -> Answer:
        asked = visit.query.get("id", "").strip()
        found = _REFERENCE.search(asked.lower())
        if found:
            return redirect(f"/trace/{found[0]}")
        return self._page(visit, asked, (), _Afterwards((), ()))

    async def _show(self, visit: Visit) -> Answer:
        identity = visit.segments["id"]
        if not _REFERENCE.fullmatch(identity):
            raise Refused(404)
        records = (await self._traces.find(identity))[:_RECORDS]
        traces = [str(record["trace"]) for record in records] or [identity]

        def work(connection: sqlite3.Connection) -> _Afterwards:
            notes = [note for trace in traces for note in history.notes(connection, trace)]
            return _Afterwards(rows.of_transaction(connection, identity), notes)

        afterwards = await self._database.read(work)
        page = self._page(visit, identity, records, afterwards)
        is_known = bool(records or afterwards.held or afterwards.notes)
        return page if is_known else evolve(page, code=404)

    def _page(
        self,
        visit: Visit,
        asked: str,
        records: Sequence[Mapping[str, Any]],
        afterwards: _Afterwards,
    ) -> Answer:
        body = self._templates.render(
            "trace.html",
            visit,
            times=self._times,
            asked=asked,
            records=records,
            held=afterwards.held,
            notes=afterwards.notes,
            kinds=words.KINDS,
            weighed=self._weighed,
            in_words=weights.in_words,
            size=words.size,
            total=words.total,
            sentence=words.sentence,
            icons=_ICONS,
        )
        return Answer(body=body)

    def _weighed(self, verdict: Mapping[str, Any]) -> _Weighed:
        findings = [read_finding(each) for each in verdict["findings"]]
        action = Action(verdict["would"] or verdict["action"])
        near = None
        if verdict["recipients"]:
            near = nearness(verdict["total"], action, findings, self._policy)
        return _Weighed(weights.draw(findings), near)
