"""
The list of held messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from mailgate.config.model import Policy
from mailgate.quarantine.rows import HeldMessage
from mailgate.verdict import Kind
from mailgate.web.answer import Answer, Refused, Route, Visit, own_path, redirect, say
from mailgate.web.pages import words
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

if TYPE_CHECKING:
    from mailgate.quarantine.held import Quarantine

PAGE = 100
"""How many messages one page shows."""


@frozen
class _Row:
    """
    One message of the list.
    """

    id: str
    subject: str
    sender: words.Person
    recipient: str
    reason: str
    kind: words.KindWords
    certainty: words.Certainty | None
    held: float


@frozen
class _Day:
    """
    The messages of one day.
    """

    name: str
    date: str
    rows: Sequence[_Row]


@frozen
class _Chip:
    """
    A link to the messages of one kind.
    """

    word: str
    icon: str
    url: str
    number: int
    is_current: bool


class QuarantinePage:
    """
    Shows what is held, the newest first, and releases or deletes what was chosen.
    """

    def __init__(
        self,
        quarantine: Quarantine,
        policy: Policy,
        keep_days: int,
        times: Times,
        templates: Templates,
    ) -> None:
        self._quarantine = quarantine
        self._policy = policy
        self._keep_days = keep_days
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of the list.
        """
        return (
            Route("GET", "/", self._start),
            Route("GET", "/quarantine", self._show),
            Route("POST", "/quarantine", self._act),
        )

    async def _start(self, visit: Visit) -> Answer:
        return redirect("/quarantine")

    async def _show(self, visit: Visit) -> Answer:
        kind = _kind(visit.query.get("kind", ""))
        before = cursor(visit.query.get("before", ""))
        counts = await self._quarantine.count()
        found = await self._quarantine.list(limit=PAGE + 1, before=before, kind=kind)
        shown = found[:PAGE]
        older = None
        if len(found) > PAGE:
            older = _url(kind, shown[-1].number)
        body = self._templates.render(
            "quarantine.html",
            visit,
            times=self._times,
            total=sum(counts.values()),
            keep_days=self._keep_days,
            chips=_chips(counts, kind),
            days=self._days(shown),
            is_filtered=kind is not None,
            newest=_url(kind) if before is not None else None,
            older=older,
            here=_url(kind, before),
            notice=words.notice(visit.notice),
        )
        return Answer(body=body)

    async def _act(self, visit: Visit) -> Answer:
        back = own_path(visit.value("back"), "/quarantine")
        if visit.value("release"):
            do, ids = "release", [visit.value("release")]
        elif visit.value("delete"):
            do, ids = "delete", [visit.value("delete")]
        else:
            do, ids = visit.value("do"), list(dict.fromkeys(visit.form.get("id", ())))
        if do not in ("release", "delete"):
            raise Refused(400)
        if not ids:
            return redirect(back, say("none_chosen"))
        return redirect(back, say(await act(self._quarantine, do, ids, visit)))

    def _days(self, shown: Sequence[HeldMessage]) -> Sequence[_Day]:
        def day(held: HeldMessage) -> date:
            return self._times.day(held.held)

        return [
            _Day(
                self._times.name_of_day(of_day),
                self._times.long_date(of_day),
                [self._row(held) for held in group],
            )
            for of_day, group in groupby(shown, day)
        ]

    def _row(self, held: HeldMessage) -> _Row:
        return _Row(
            id=held.id,
            subject=held.subject,
            sender=words.person(held.from_header, str(held.sender)),
            recipient=str(held.recipient),
            reason=words.reason(held),
            kind=words.KINDS[held.kind],
            certainty=words.certainty(held, self._policy),
            held=held.held,
        )


async def act(quarantine: Quarantine, do: str, ids: Sequence[str], visit: Visit) -> str:
    """
    Release or delete messages.

    @param do: C{release} or C{delete}.
    @return: what L{words.notice} puts into words.
    """
    acting: Mapping[str, Callable[[str, str], Deferred[bool]]] = {
        "release": quarantine.release,
        "delete": quarantine.delete,
    }
    by = visit.visitor.account.name
    working = [acting[do](identity, by) for identity in ids]
    done = 0
    for _, outcome in await DeferredList(working, consumeErrors=True):
        if isinstance(outcome, Failure):
            outcome.raiseException()
        done += outcome is True
    return f"{do}d.{done}.{len(ids) - done}"


def _kind(text: str) -> Kind | None:
    """
    Read the filter.

    @raise Refused: there is no such kind.
    """
    if not text:
        return None
    try:
        return Kind(text)
    except ValueError:
        raise Refused(404) from None


def cursor(text: str) -> int | None:
    """
    Read a cursor.

    @raise Refused: it is none.
    """
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Refused(404)
    return int(text)


def _url(kind: Kind | None, before: int | None = None) -> str:
    fields: dict[str, Any] = {}
    if kind is not None:
        fields["kind"] = kind.value
    if before is not None:
        fields["before"] = before
    return "/quarantine" + (f"?{urlencode(fields)}" if fields else "")


def _chips(counts: Mapping[Kind, int], current: Kind | None) -> Sequence[_Chip]:
    chips = [_Chip("All", "", _url(None), sum(counts.values()), current is None)]
    for kind, of_kind in words.KINDS.items():
        number = counts.get(kind, 0)
        if number or kind is current:
            chips.append(_Chip(of_kind.word, of_kind.icon, _url(kind), number, kind is current))
    return chips
