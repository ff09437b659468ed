"""
The list of held messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from urllib.parse import urlencode

from attrs import evolve, frozen

from mailgate.config.model import Policy
from mailgate.people.rights import Rights
from mailgate.quarantine.deciding import AT_ONCE
from mailgate.quarantine.desk import Desk, Desks
from mailgate.quarantine.rows import HeldMessage
from mailgate.quarantine.search import LOOKED_AT, Found, split
from mailgate.verdict import Kind
from mailgate.web.answer import Answer, Refused, Route, Visit, own_path, redirect, say
from mailgate.web.pages import words
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

PAGE = 50
"""How many messages one page shows."""

QUERY_LENGTH = 200
"""How many characters of what is searched for are read."""


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
    may_release: bool
    may_request: bool
    may_delete: bool


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
    number: int | None
    is_current: bool


class QuarantinePage:
    """
    Shows what is held, the newest first, and releases or deletes what was chosen.
    """

    def __init__(
        self,
        desks: Desks,
        policy: Policy,
        certain: float,
        keep_days: int,
        times: Times,
        templates: Templates,
    ) -> None:
        """
        @param certain: the score of what is certainly spam by the statistics.
        """
        self._desks = desks
        self._policy = policy
        self._certain = certain
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
        view = _View.of(visit)
        desk = self._desks.of(visit.rights, visit.actor)
        counts = await desk.count()
        found = await self._find(desk, view)
        body = self._templates.render(
            "quarantine.html",
            visit,
            times=self._times,
            total=sum(counts.values()),
            keep_days=self._keep_days,
            chips=_chips(counts, view),
            days=self._days(found.held, visit.rights),
            requests=len(await desk.requests()),
            view=view,
            all_url=_View(kind=view.kind).url,
            newest=evolve(view, before=None).url if view.before is not None else None,
            older=evolve(view, before=found.older).url if found.older is not None else None,
            looked_at=LOOKED_AT if found.is_cut else None,
            teaches=self._desks.decisions.teaches,
            notice=words.notice(visit.notice),
        )
        return Answer(body=body)

    async def _find(self, desk: Desk, view: _View) -> Found:
        if view.words:
            return await desk.search(view.words, PAGE, view.before, view.kind)
        found = await desk.list(limit=PAGE + 1, before=view.before, kind=view.kind)
        older = found[PAGE - 1].number if len(found) > PAGE else None
        return Found(found[:PAGE], older, is_cut=False)

    async def _act(self, visit: Visit) -> Answer:
        back = own_path(visit.value("back"), "/quarantine")
        if visit.value("release"):
            do, ids = "release", [visit.value("release")]
        elif visit.value("delete"):
            do, ids = "delete", [visit.value("delete")]
        else:
            do, ids = visit.value("do"), list(dict.fromkeys(visit.form.get("id", ())))
        if do not in DECISIONS:
            raise Refused(400)
        if len(ids) > AT_ONCE:
            raise Refused(400, f"At most {AT_ONCE} messages can be chosen at once.")
        if not ids:
            return redirect(back, say("none_chosen"))
        desk = self._desks.of(visit.rights, visit.actor)
        return redirect(back, say(await decide(desk, do, ids)))

    def _days(self, shown: Sequence[HeldMessage], rights: Rights) -> Sequence[_Day]:
        def day(held: HeldMessage) -> date:
            return self._times.day(held.held)

        return [
            _Day(
                self._times.name_of_day(of_day),
                self._times.long_date(of_day),
                [self._row(held, rights) for held in group],
            )
            for of_day, group in groupby(shown, day)
        ]

    def _row(self, held: HeldMessage, rights: Rights) -> _Row:
        return _Row(
            id=held.id,
            subject=held.message.subject,
            sender=words.person(held.message.from_header, str(held.message.sender)),
            recipient=str(held.recipient),
            reason=words.reason(held),
            kind=words.KINDS[held.kind],
            certainty=words.certainty(held, self._policy, self._certain),
            held=held.held,
            may_release=rights.may_release(held.recipient, held.kind),
            may_request=rights.may_request(held.recipient, held.kind),
            may_delete=rights.may_delete(held.recipient),
        )


DECISIONS = ("release", "spam", "delete")
"""What can be done with held messages, as the forms call it."""


async def decide(desk: Desk, do: str, ids: Sequence[str]) -> str:
    """
    Release or delete messages.

    @param do: one of L{DECISIONS}.
    @return: what L{words.notice} puts into words.
    """
    if do == "release":
        done = await desk.release(ids)
    elif do == "spam":
        done = await desk.delete_as_spam(ids)
    else:
        done = await desk.delete(ids)
    return f"{do}.{done.number}.{done.missed}.{done.refused}"


@frozen
class _View:
    """
    Which messages are asked for.
    """

    kind: Kind | None = None
    before: int | None = None
    query: str = ""
    """The words that are looked for, as they were typed."""

    @classmethod
    def of(cls, visit: Visit) -> _View:
        """
        Read the query of a request.

        @raise Refused: it asks for what cannot be.
        """
        query = visit.query.get("q", "").strip()[:QUERY_LENGTH]
        return cls(_kind(visit.query.get("kind", "")), cursor(visit.query.get("before", "")), query)

    @property
    def words(self) -> Sequence[str]:
        """
        Give the words that are looked for, as they are compared.
        """
        return split(self.query)

    @property
    def url(self) -> str:
        """
        Give the address of the page that shows them.
        """
        fields = {"kind": self.kind, "q": self.query or None, "before": self.before}
        query = urlencode({name: value for name, value in fields.items() if value is not None})
        return f"/quarantine?{query}" if query else "/quarantine"


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


def _chips(counts: Mapping[Kind, int], view: _View) -> Sequence[_Chip]:
    def chip(word: str, icon: str, kind: Kind | None, number: int) -> _Chip:
        url = evolve(view, kind=kind, before=None).url
        # Of what is searched nobody has counted the hits.
        return _Chip(word, icon, url, None if view.words else number, kind is view.kind)

    chips = [chip("All", "", None, sum(counts.values()))]
    for kind, of_kind in words.KINDS.items():
        number = counts.get(kind, 0)
        if number or kind is view.kind:
            chips.append(chip(of_kind.word, of_kind.icon, kind, number))
    return chips
