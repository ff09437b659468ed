"""
One held message: why it is held, what is in it, the way it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredSemaphore

from mailgate.config.model import Policy
from mailgate.interfaces import IMessage, IThreads
from mailgate.knowledge.entry import EntryRefused, ListName
from mailgate.message import mime
from mailgate.message.header import Headers
from mailgate.message.message import HEAD_LIMIT
from mailgate.quarantine.deciding import Decisions
from mailgate.quarantine.rows import HeldMessage, State
from mailgate.reporting.why import nearness
from mailgate.verdict import Kind
from mailgate.web.answer import Answer, Refused, Route, Visit, redirect, say
from mailgate.web.headers import DOWNLOAD, attachment
from mailgate.web.pages import senders, weights, words
from mailgate.web.pages.lists import DAYS, add_entry
from mailgate.web.pages.quarantine import DECISIONS, decide
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

if TYPE_CHECKING:
    from mailgate.knowledge.list_store import ListStore
    from mailgate.quarantine.held import Quarantine

READ_BYTES = 16 * 1024 * 1024
"""How much of a message is read for its page."""

TEXT_SHOWN = 64 * 1024
"""How many characters of its text are shown, and of its headers."""

ATTACHMENTS_SHOWN = 100

_AT_A_TIME = 2
_DAY = 86400


class MessagePage:
    """
    Shows one message, gives its bytes, releases or deletes it, and allows or blocks its sender.
    """

    def __init__(
        self,
        quarantine: Quarantine,
        decisions: Decisions,
        lists: ListStore,
        policy: Policy,
        keep_days: int,
        threads: IThreads,
        times: Times,
        templates: Templates,
    ) -> None:
        self._quarantine = quarantine
        self._decisions = decisions
        self._lists = lists
        self._policy = policy
        self._keep_days = keep_days
        self._threads = threads
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
        message = await self._open(held)
        try:
            parsed, is_whole = await self._turns.run(
                lambda: Deferred.fromCoroutine(self._read(message))
            )
        finally:
            message.close()
        following = await self._quarantine.list(limit=1, before=held.number)
        is_weighed = held.kind is not Kind.UNDELIVERABLE
        near = nearness(held.total, held.action, held.findings, self._policy)
        body = self._templates.render(
            "message.html",
            visit,
            times=self._times,
            held=held,
            is_held=held.state is State.HELD,
            kind=words.KINDS[held.kind],
            certainty=words.certainty(held, self._policy),
            sender=words.person(held.message.from_header, str(held.message.sender)),
            reasons=_reasons(held),
            rail=weights.Rail.of(held.total, self._policy) if is_weighed else None,
            sides=weights.draw(held.findings),
            nearness=near if is_weighed else None,
            in_words=weights.in_words,
            text=parsed.text[:TEXT_SHOWN],
            is_cut=parsed.is_cut or len(parsed.text) > TEXT_SHOWN,
            is_from_html=parsed.is_from_html,
            head=parsed.head.replace("\r\n", "\n").strip("\n")[:TEXT_SHOWN],
            is_head_cut=len(parsed.head) > TEXT_SHOWN,
            date=parsed.headers.text("date"),
            attachments=parsed.attachments[:ATTACHMENTS_SHOWN],
            more_attachments=max(0, len(parsed.attachments) - ATTACHMENTS_SHOWN),
            flaws=parsed.flaws,
            read_bytes=None if is_whole else READ_BYTES,
            removed=held.held + self._keep_days * _DAY,
            following=following[0] if following else None,
            teaches=self._decisions.teaches and is_weighed,
            things=senders.things(parsed.headers, held.message.sender),
            scopes=senders.scopes(held.recipient),
            days=DAYS,
            problem=problem,
            notice=words.notice(visit.notice),
            size=words.size,
        )
        return Answer(400 if problem else 200, body)

    async def _act(self, visit: Visit) -> Answer:
        held = await self._held(visit)
        do = visit.value("do")
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
        said = await decide(self._decisions, do, [held.id], visit)
        return redirect("/quarantine", say(f"allow_{said}" if is_allowed else said))

    async def _allow_sender(self, visit: Visit, held: HeldMessage) -> None:
        things = await self._things(held)
        if not things:
            raise EntryRefused("The sender has no address that could be allowed.")
        scope = senders.scopes(held.recipient)[0].value
        note = f"with the release of {held.id}"
        await add_entry(
            self._lists,
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
        thing = senders.chosen(await self._things(held), visit.value("thing"))
        scope = senders.chosen(senders.scopes(held.recipient), visit.value("scope"))
        if thing is None or scope is None or name not in list(ListName):
            raise Refused(400)
        try:
            entry = await add_entry(
                self._lists,
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

    async def _things(self, held: HeldMessage) -> Sequence[senders.Choice]:
        """
        Give what of a message can be allowed or blocked.
        """
        message = await self._open(held)
        try:
            return senders.things(Headers.parse(message.head(HEAD_LIMIT)), held.message.sender)
        finally:
            message.close()

    async def _download(self, visit: Visit) -> Answer:
        held = await self._held(visit)
        return Answer(
            kind="message/rfc822",
            headers=(
                *DOWNLOAD,
                ("Content-Disposition", attachment(held.message.subject or held.id, ".eml")),
            ),
            message=await self._open(held),
        )

    async def _held(self, visit: Visit) -> HeldMessage:
        held = await self._quarantine.get(visit.segments["id"])
        if held is None:
            raise Refused(404)
        return held

    async def _open(self, held: HeldMessage) -> IMessage:
        message = await self._quarantine.open(held.id)
        if message is None:
            raise Refused(404)
        return message

    async def _read(self, message: IMessage) -> tuple[mime.Parsed, bool]:
        """
        Read a message, or as much of it as is read for a page, and say whether that is all.
        """
        pieces: list[bytes] = []
        size = 0
        for chunk in message.chunks():
            data = chunk if isinstance(chunk, bytes) else await chunk
            pieces.append(data)
            size += len(data)
            if size >= READ_BYTES:
                break
        parsed = await self._threads.run(_parse, pieces)
        return parsed, size >= message.size


def _parse(pieces: Sequence[bytes]) -> mime.Parsed:
    parsed = mime.read(b"".join(pieces))
    _ = parsed.text  # It is put together when first asked for: here, in the thread.
    return parsed


def _reasons(held: HeldMessage) -> str:
    """
    Say what decided: the upstream's words, or the two weightiest findings.
    """
    if held.kind is Kind.UNDELIVERABLE:
        return words.reason(held)
    return " ".join(
        words.first_sentence(found.detail) for found in words.against(held.findings)[:2]
    )
