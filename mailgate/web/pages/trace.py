"""
What became of mail: a search in all transactions, and everything of one.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from attrs import evolve, frozen

from mailgate.config.model import Policy
from mailgate.quarantine import rows
from mailgate.quarantine.rows import HeldMessage
from mailgate.reporting.trace import Search
from mailgate.reporting.trace_index import Cursor
from mailgate.reporting.trace_query import QueryError, parse_query
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
_CURSOR = re.compile(r"([0-9]{8})-([0-9]{1,18})", re.ASCII)
_PAGE = 50
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


@frozen
class _Line:
    """
    A transaction in one line.
    """

    id: str
    started: float
    seconds: float
    states: Sequence[str]
    """What was decided, the strongest first."""

    sender: str | None
    """C{None} where it has named none."""

    recipient: str
    """The first one, or C{""}."""

    others: int
    subject: str
    reply: str
    """What the upstream said of the first copy that was delivered, or what the client was told."""

    client: str
    helo: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> _Line:
        copies, verdicts = record["copies"], record["verdicts"]
        named = [each for verdict in verdicts for each in verdict["recipients"]]
        recipients = list(dict.fromkeys([copy["recipient"] for copy in copies] + named))
        delivered = [copy["reply"] for copy in copies if copy["outcome"] == "delivered"]
        actions = {verdict["action"] for verdict in verdicts}
        return cls(
            id=record["trace"],
            started=record["started"],
            seconds=record["seconds"],
            states=[action for action in _ICONS if action in actions][::-1],
            sender=record["sender"],
            recipient=recipients[0] if recipients else "",
            others=max(0, len(recipients) - 1),
            subject=record["subject"],
            reply=next(iter(delivered), record["reply"]),
            client=record["client"],
            helo=record["helo"],
        )


class TracePage:
    """
    Finds transactions, by the reference that stands in their replies or by what is known of them.
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
            Route("GET", "/trace", self._search, sees=lambda rights: rights.sees_traces),
            Route("GET", "/trace/{id}", self._show, sees=lambda rights: rights.sees_traces),
        )

    async def _search(self, visit: Visit) -> Answer:
        asked = (visit.query.get("q") or visit.query.get("id", "")).strip()
        found = _REFERENCE.search(asked.lower())
        if found:
            return redirect(f"/trace/{found[0]}")
        after = _cursor(visit.query.get("after", ""))
        try:
            query = parse_query(asked)
        except QueryError as error:
            return self._found(visit, asked, Search((), None, 0), None, str(error))
        search = await self._traces.search(query, _PAGE, after)
        return self._found(visit, asked, search, after)

    def _found(
        self, visit: Visit, asked: str, search: Search, after: Cursor | None, problem: str = ""
    ) -> Answer:
        older = search.older and f"{search.older.day}-{search.older.row}"
        body = self._templates.render(
            "traces.html",
            visit,
            times=self._times,
            asked=asked,
            problem=problem,
            lines=[_Line.of(record) for record in search.records],
            left=search.left,
            older=older and _url(asked, older),
            newest=_url(asked) if after else None,
            icons=_ICONS,
        )
        return Answer(body=body)

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


def _cursor(text: str) -> Cursor | None:
    found = _CURSOR.fullmatch(text)
    return Cursor(found[1], int(found[2])) if found else None


def _url(asked: str, after: str = "") -> str:
    wanted = {"q": asked, "after": after}
    query = urlencode({name: value for name, value in wanted.items() if value})
    return f"/trace?{query}" if query else "/trace"
