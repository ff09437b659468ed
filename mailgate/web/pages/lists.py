"""
What is allowed and what is blocked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from mailgate.knowledge.entry import Entry, EntryKind, EntryRefused, ListName, kind_of, make_entry
from mailgate.people.audit import Act, Audit
from mailgate.people.rights import Rights
from mailgate.web.answer import Answer, Refused, Route, Visit, own_path, redirect, say
from mailgate.web.pages import words
from mailgate.web.pages.quarantine import QUERY_LENGTH, cursor
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

if TYPE_CHECKING:
    from mailgate.knowledge.list_store import ListStore

PAGE = 100
"""How many entries one page shows."""

DAYS = (7, 30, 90, 365)
"""For how many days an entry can be made to count; without, for ever."""

_KINDS = {
    EntryKind.ADDRESS: "address",
    EntryKind.LIST_ID: "mailing list",
    EntryKind.DOMAIN: "domain",
    EntryKind.NETWORK: "network of clients",
}
_WORDS = 8
_DAY = 86400
_ON_THE_COMMAND_LINE = (
    "A network of clients is allowed or blocked on the command line, by mailgate allow and"
    " mailgate block."
)


def _touches(rights: Rights) -> bool:
    return rights.touches


class ListsPage:
    """
    Shows the entries, the newest first, adds and removes them.
    """

    def __init__(self, lists: ListStore, audit: Audit, times: Times, templates: Templates) -> None:
        self._lists = lists
        self._audit = audit
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of the page.
        """
        return (
            Route("GET", "/lists", self._show),
            Route("POST", "/lists", self._add, body_limit=4096, may=_touches),
            Route("POST", "/lists/remove", self._remove, body_limit=4096, may=_touches),
        )

    async def _show(self, visit: Visit) -> Answer:
        return await self._page(visit)

    async def _page(self, visit: Visit, problem: str = "") -> Answer:
        query = visit.query.get("q", "").strip()[:QUERY_LENGTH]
        name = _list_name(visit.query.get("list", ""))
        before = cursor(visit.query.get("before", ""))
        within = visit.rights.entry_scopes
        words_asked = query.split()[:_WORDS]
        found = await self._lists.newest(PAGE + 1, before, name, words=words_asked, within=within)
        shown = found[:PAGE]
        older = shown[-1].id if len(found) > PAGE else None
        body = self._templates.render(
            "lists.html",
            visit,
            times=self._times,
            entries=shown,
            kinds=_KINDS,
            is_over=lambda entry: entry.has_ended(self._times.now()),
            total=await self._lists.count(within=within),
            own=sorted(within or ()),
            is_for_all=visit.rights.may_list_for(""),
            chips=[
                (word, _url(of, query), of is name)
                for word, of in (
                    ("All", None),
                    ("Allowed", ListName.ALLOW),
                    ("Blocked", ListName.BLOCK),
                )
            ],
            name=name,
            query=query,
            here=_url(name, query, before),
            all_url=_url(name),
            newest=_url(name, query) if before is not None else None,
            older=_url(name, query, older) if older is not None else None,
            days=DAYS,
            problem=problem,
            notice=words.notice(visit.notice),
        )
        return Answer(400 if problem else 200, body)

    async def _add(self, visit: Visit) -> Answer:
        name = _list_name(visit.value("list"))
        if name is None:
            raise Refused(400)
        value = visit.value("value")
        try:
            if kind_of(value) is EntryKind.NETWORK:
                raise EntryRefused(_ON_THE_COMMAND_LINE)
            entry = await add_entry(
                self._lists,
                self._audit,
                visit,
                self._times,
                name,
                value,
                None,
                visit.value("scope"),
            )
        except EntryRefused as error:
            return await self._page(visit, str(error))
        return redirect("/lists", say(f"{entry.list}.{entry.id}"))

    async def _remove(self, visit: Visit) -> Answer:
        identity = cursor(visit.value("remove"))
        if identity is None:
            raise Refused(400)
        entry = await self._lists.get(identity)
        if entry is not None and not visit.rights.sees_entries_for(entry.scope):
            raise Refused(404)
        gone = await self._lists.remove(identity, visit.visitor.account.name)
        if gone is not None:
            text = f"removed entry {gone.id}: {gone.list} {gone.value} for {gone.scope or 'all'}"
            await self._audit.note(visit.actor, Act.UNLISTED, text)
        said = "entry_removed" if gone else "entry_gone"
        return redirect(own_path(visit.value("back"), "/lists"), say(said))


async def add_entry(
    lists: ListStore,
    audit: Audit,
    visit: Visit,
    times: Times,
    name: ListName,
    value: str,
    kind: EntryKind | None,
    scope: str,
    note: str = "",
) -> Entry:
    """
    Add an entry with the note and the end that the form of C{visit} gives.

    @param kind: what C{value} names; without it the value itself tells.
    @param note: the note, where the form gives none.
    @raise EntryRefused: it cannot be taken; the message is a sentence for the person.
    """
    days = visit.value("days")
    if days not in ("", *map(str, DAYS)):
        raise Refused(400)
    entry = make_entry(
        name,
        value,
        by=visit.visitor.account.name,
        kind=kind,
        scope=scope,
        note=visit.value("note") or note,
        expires=times.now() + int(days) * _DAY if days else None,
    )
    if not visit.rights.may_list_for(entry.scope):
        own = ", ".join(sorted(visit.rights.entry_scopes or ())) or "nobody"
        raise EntryRefused(f"You can do this for {own}.")
    stored = await lists.add(entry)
    text = f"made entry {stored.id}: {stored.list} {stored.value} for {stored.scope or 'all'}"
    await audit.note(visit.actor, Act.LISTED, text)
    return stored


def _list_name(text: str) -> ListName | None:
    """
    Read the name of a list.

    @raise Refused: there is no such list.
    """
    if not text:
        return None
    try:
        return ListName(text)
    except ValueError:
        raise Refused(404) from None


def _url(name: ListName | None = None, query: str = "", before: int | None = None) -> str:
    fields = {"list": name, "q": query or None, "before": before}
    asked = urlencode({key: value for key, value in fields.items() if value is not None})
    return f"/lists?{asked}" if asked else "/lists"
