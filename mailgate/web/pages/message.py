"""
One held message: why it is held, what is in it, the way it came.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredSemaphore

from mailgate.config.model import Policy
from mailgate.interfaces import IMessage, IReader, SandboxError
from mailgate.knowledge.entry import EntryRefused, ListName
from mailgate.message.header import Headers
from mailgate.message.message import HEAD_LIMIT
from mailgate.message.page import TEXT_SHOWN, Page
from mailgate.message.text import characters
from mailgate.people.audit import Act, Noted
from mailgate.quarantine.desk import Desk, Desks, NotAllowed
from mailgate.quarantine.rows import HeldMessage, State
from mailgate.reporting.why import nearness
from mailgate.verdict import Kind
from mailgate.web.answer import Answer, Refused, Route, Visit, own_path, redirect, say
from mailgate.web.front import NOT_FOR_YOU
from mailgate.web.headers import DOWNLOAD, attachment
from mailgate.web.pages import senders, weights, words
from mailgate.web.pages.lists import DAYS, add_entry
from mailgate.web.pages.quarantine import DECISIONS, decide
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

if TYPE_CHECKING:
    from mailgate.knowledge.list_store import ListStore

READ_BYTES = 16 * 1024 * 1024
"""How much of a message is read for its page."""

_AT_A_TIME = 2
_DAY = 86400


Opening = Callable[[HeldMessage], Awaitable[IMessage | None]]


class MessagePage:
    """
    Shows one message, gives its bytes, releases or deletes it, and allows or blocks its sender.
    """

    def __init__(
        self,
        desks: Desks,
        lists: ListStore,
        policy: Policy,
        certain: float,
        keep_days: int,
        reader: IReader,
        times: Times,
        templates: Templates,
    ) -> None:
        """
        @param certain: the score of what is certainly spam by the statistics.
        @param reader: takes messages apart; here only their header section is read.
        """
        self._desks = desks
        self._lists = lists
        self._policy = policy
        self._certain = certain
        self._keep_days = keep_days
        self._reader = reader
        self._times = times
        self._templates = templates
        self._turns = DeferredSemaphore(_AT_A_TIME)

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of a message.
        """
        return (
            Route("GET", "/quarantine/{id}", self._show),
            Route("POST", "/quarantine/{id}", self._act, body_limit=4096),
            Route("POST", "/quarantine/{id}/sender", self._list_sender, body_limit=4096),
            Route("GET", "/quarantine/{id}/raw", self._download),
        )

    async def _show(self, visit: Visit) -> Answer:
        return await self._page(visit, await self._held(visit))

    async def _page(self, visit: Visit, held: HeldMessage, problem: str = "") -> Answer:
        """
        @param problem: why what was asked for was not done.
        """
        desk, rights = self._desk(visit), visit.rights
        is_read = rights.reads(held.recipient)
        message = await self._open(held, desk.read if is_read else desk.beginning)
        content: Page | str = ""
        is_whole = True
        try:
            head = message.head(HEAD_LIMIT)
            if is_read:
                content, is_whole = await self._turns.run(
                    lambda: Deferred.fromCoroutine(self._read(message, held.is_deadly))
                )
        finally:
            message.close()
        headers = Headers.parse(head)
        page = content if isinstance(content, Page) else None
        following = await desk.list(limit=1, before=held.number)
        touches = rights.may_delete(held.recipient)
        is_weighed = held.kind is not Kind.UNDELIVERABLE
        near = nearness(held.total, held.action, held.findings, self._policy)
        body = self._templates.render(
            "message.html",
            visit,
            times=self._times,
            held=held,
            is_held=held.state is State.HELD,
            kind=words.KINDS[held.kind],
            certainty=words.certainty(held, self._policy, self._certain),
            sender=words.person(held.message.from_header, str(held.message.sender)),
            reasons=_reasons(held),
            rail=weights.Rail.of(held.total, self._policy) if is_weighed else None,
            sides=weights.draw(held.findings),
            nearness=near if is_weighed else None,
            in_words=weights.in_words,
            page=page,
            unread="" if isinstance(content, Page) else words.sentence(content),
            head=characters(head[: headers.end]).replace("\r\n", "\n").strip("\n")[:TEXT_SHOWN],
            is_head_cut=headers.end > TEXT_SHOWN,
            date=headers.text("date"),
            read_bytes=None if is_whole else READ_BYTES,
            removed=held.held + self._keep_days * _DAY,
            following=following[0] if following else None,
            teaches=self._desks.decisions.teaches and is_weighed and not held.is_deadly,
            things=senders.things(headers, held.message.sender) if touches else (),
            scopes=_scopes(visit, held),
            is_read=is_read,
            may_release=rights.may_release(held.recipient, held.kind),
            may_request=rights.may_request(held.recipient, held.kind),
            may_delete=touches,
            may_answer=rights.manages(held.recipient),
            request=await desk.request_of(held),
            seen_by=[each for each in await desk.seen(held) if not _is_own_look(visit, each)],
            days=DAYS,
            problem=problem,
            notice=words.notice(visit.notice),
            size=words.size,
        )
        return Answer(400 if problem else 200, body)

    async def _act(self, visit: Visit) -> Answer:
        held = await self._held(visit)
        do = visit.value("do")
        if do in ("request", "allow", "refuse"):
            return await self._ask_or_answer(visit, held, do)
        rights = visit.rights
        may = rights.may_delete(held.recipient)
        if do in ("release", "release_allow"):
            may = rights.may_release(held.recipient, held.kind)
        if not may:
            raise Refused(403, NOT_FOR_YOU)
        is_allowed = do == "release_allow"
        if is_allowed:
            # The entry first: where it cannot be made, nothing has been done.
            try:
                await self._allow_sender(visit, held)
            except EntryRefused as error:
                return await self._page(visit, held, str(error))
            do = "release"
        if do not in DECISIONS:
            raise Refused(400)
        said = await decide(self._desk(visit), do, [held.id])
        return redirect("/quarantine", say(f"allow_{said}" if is_allowed else said))

    async def _ask_or_answer(self, visit: Visit, held: HeldMessage, do: str) -> Answer:
        desk = self._desk(visit)
        try:
            if do == "request":
                is_new = await desk.request(held, visit.value("why"))
                said = "asked" if is_new else "asked_before"
            else:
                is_done = await desk.answer(held, do == "allow")
                said = ("allowed" if do == "allow" else "refused") if is_done else "answered_before"
        except NotAllowed as refused:
            raise Refused(403, str(refused)) from None
        back = own_path(visit.value("back"), f"/quarantine/{held.id}")
        return redirect(back, say(said))

    async def _allow_sender(self, visit: Visit, held: HeldMessage) -> None:
        things, scopes = await self._things(visit, held), _scopes(visit, held)
        if not things or not scopes:
            raise EntryRefused("The sender has no address that could be allowed.")
        scope = scopes[0].value
        note = f"with the release of {held.id}"
        await add_entry(
            self._lists,
            self._desks.audit,
            visit,
            self._times,
            ListName.ALLOW,
            things[0].value,
            things[0].kind,
            scope,
            note,
        )

    async def _list_sender(self, visit: Visit) -> Answer:
        held = await self._held(visit)
        name = visit.value("list")
        if not visit.rights.may_delete(held.recipient):
            raise Refused(403, NOT_FOR_YOU)
        thing = senders.chosen(await self._things(visit, held), visit.value("thing"))
        scope = senders.chosen(_scopes(visit, held), visit.value("scope"))
        if thing is None or scope is None or name not in list(ListName):
            raise Refused(400)
        try:
            entry = await add_entry(
                self._lists,
                self._desks.audit,
                visit,
                self._times,
                ListName(name),
                thing.value,
                thing.kind,
                scope.value,
            )
        except EntryRefused as error:
            return await self._page(visit, held, str(error))
        return redirect(f"/quarantine/{held.id}", say(f"{entry.list}.{entry.id}"))

    async def _things(self, visit: Visit, held: HeldMessage) -> Sequence[senders.Choice]:
        """
        Give what of a message can be allowed or blocked.
        """
        message = await self._open(held, self._desk(visit).beginning)
        try:
            return senders.things(Headers.parse(message.head(HEAD_LIMIT)), held.message.sender)
        finally:
            message.close()

    async def _download(self, visit: Visit) -> Answer:
        held = await self._held(visit)
        desk = self._desk(visit)
        try:
            message = await self._open(held, lambda held: desk.read(held, Act.DOWNLOADED))
        except NotAllowed as refused:
            raise Refused(403, str(refused)) from None
        return Answer(
            kind="message/rfc822",
            headers=(
                *DOWNLOAD,
                ("Content-Disposition", attachment(held.message.subject or held.id, ".eml")),
            ),
            message=message,
        )

    async def _held(self, visit: Visit) -> HeldMessage:
        held = await self._desk(visit).get(visit.segments["id"])
        if held is None:
            raise Refused(404)
        return held

    def _desk(self, visit: Visit) -> Desk:
        return self._desks.of(visit.rights, visit.actor)

    async def _open(self, held: HeldMessage, opened: Opening) -> IMessage:
        message = await opened(held)
        if message is None:
            raise Refused(404)
        return message

    async def _read(self, message: IMessage, is_deadly: bool) -> tuple[Page | str, bool]:
        """
        Read a message, or as much of it as is read for a page.

        @return: what is shown of it, or why nothing is; and whether that is all.
        """
        pieces: list[bytes] = []
        size = 0
        for chunk in message.chunks():
            data = chunk if isinstance(chunk, bytes) else await chunk
            pieces.append(data)
            size += len(data)
            if size >= READ_BYTES:
                break
        try:
            page = await self._reader.page(b"".join(pieces), is_deadly)
        except SandboxError as error:
            # What went wrong there is told in the log by whoever has seen it.
            return str(error), True
        return page, size >= message.size


def _scopes(visit: Visit, held: HeldMessage) -> Sequence[senders.Choice]:
    """
    Give for whose mail the visitor may allow and block.
    """
    may = visit.rights.may_list_for
    return [choice for choice in senders.scopes(held.recipient) if may(choice.value)]


def _is_own_look(visit: Visit, noted: Noted) -> bool:
    return noted.act == Act.READ and noted.by == visit.visitor.account.name


def _reasons(held: HeldMessage) -> str:
    """
    Say what decided: the upstream's words, or the two weightiest findings.
    """
    if held.kind is Kind.UNDELIVERABLE:
        return words.reason(held)
    return " ".join(
        words.first_sentence(found.detail) for found in words.against(held.findings)[:2]
    )
