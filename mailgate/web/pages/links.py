"""
What the links of a digest open: a page that shows one message and asks, without a log-in.

Only its form does anything. What the link is for is in its token; whoever has it may do that, with
that one message, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from mailgate.config.model import Policy
from mailgate.knowledge.entry import EntryKind, EntryRefused, ListName, make_entry
from mailgate.message.header import Headers
from mailgate.message.message import HEAD_LIMIT
from mailgate.people.audit import Act, Actor
from mailgate.people.rights import Rights, Role
from mailgate.quarantine.desk import Desk, Desks
from mailgate.quarantine.digest import LINKED
from mailgate.quarantine.rows import HeldMessage, State
from mailgate.quarantine.tokens import Purpose, Token, Tokens
from mailgate.verdict import Kind
from mailgate.web.answer import Answer, Route, Visit, redirect, say
from mailgate.web.pages import senders, words
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates
from mailgate.wire.normal import normal_address

if TYPE_CHECKING:
    from mailgate.knowledge.list_store import ListStore

_FORM_BYTES = 4096

_NO_LINK = (
    "This link is not whole, or is none of ours. Open it from the mail again, or copy all of it."
    " You can also sign in and look at your quarantine."
)
_OVER = "The time of this link is over. Sign in to see whether the message is still held."
_GONE = (
    "This message is not held any more: it was deleted, or its time was over. There is nothing left"
    " to do."
)
_NOT_BY_LINK = "Mail like this is not released by a link. Sign in to ask for it in your quarantine."


@frozen
class _Opened:
    """
    What a link that works is about.
    """

    token: Token
    held: HeldMessage
    desk: Desk
    actor: Actor


@frozen
class _Dead:
    """
    Why a link does nothing, and how to go on.
    """

    code: int
    title: str
    sentence: str


class LinkPages:
    """
    Asks, and does what was said.
    """

    def __init__(
        self,
        tokens: Tokens,
        desks: Desks,
        lists: ListStore,
        policy: Policy,
        certain: float,
        releases: Collection[Kind],
        is_shared: Callable[[str], bool],
        times: Times,
        templates: Templates,
    ) -> None:
        """
        @param certain: the score of what is certainly spam by the statistics.
        @param releases: the kinds that people release themselves.
        @param is_shared: tells whether everybody may have an address at a domain.
        """
        self._tokens = tokens
        self._desks = desks
        self._lists = lists
        self._policy = policy
        self._certain = certain
        self._linked = LINKED & frozenset(releases)
        self._is_shared = is_shared
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of these pages.
        """
        return tuple(
            Route(method, f"/{purpose}/{{token}}", handler, False, _FORM_BYTES)
            for purpose in Purpose
            for method, handler in (("GET", self._ask), ("POST", self._act))
        )

    async def _ask(self, visit: Visit) -> Answer:
        found = await self._open(visit)
        if isinstance(found, _Dead):
            return self._dead(visit, found)
        return await self._page(visit, found)

    async def _act(self, visit: Visit) -> Answer:
        found = await self._open(visit)
        if isinstance(found, _Dead):
            return self._dead(visit, found)
        held, desk = found.held, found.desk
        if held.state is not State.HELD:
            return redirect(visit.path)
        do = visit.value("do")
        is_release = found.token.purpose is Purpose.RELEASE
        if do not in (("release",) if is_release else ("delete", "spam")):
            return await self._page(visit, found, "Say what is to be done with the message.")
        try:
            # The entry first: where it cannot be made, nothing has been done.
            is_listed = await self._list(visit, found)
        except EntryRefused as error:
            return await self._page(visit, found, str(error))
        if is_release:
            done = await desk.release([held.id])
        elif do == "spam":
            done = await desk.delete_as_spam([held.id])
        else:
            done = await desk.delete([held.id])
        what = "allow_release" if is_listed and is_release else do
        return redirect(visit.path, say(f"{what}.{done.number}.{done.missed}.{done.refused}"))

    async def _list(self, visit: Visit, opened: _Opened) -> bool:
        """
        Allow or block what was chosen for whom the message is held, and tell whether that was
        anything.
        """
        key = visit.value("sender")
        if not key:
            return False
        thing = senders.chosen(await self._things(opened), key)
        if thing is None:
            raise EntryRefused("That cannot be chosen for this message.")
        is_release = opened.token.purpose is Purpose.RELEASE
        entry = make_entry(
            ListName.ALLOW if is_release else ListName.BLOCK,
            thing.value,
            by=opened.actor.name,
            kind=thing.kind,
            scope=normal_address(opened.held.recipient.person),
            note=f"by a link in a digest, with {opened.held.id}",
        )
        stored = await self._lists.add(entry)
        text = f"made entry {stored.id}: {stored.list} {stored.value} for {stored.scope}"
        await self._desks.audit.note(opened.actor, Act.LISTED, text, opened.held.id)
        return True

    async def _open(self, visit: Visit) -> _Opened | _Dead:
        signer = await self._tokens.signer()
        token = signer.read(visit.segments["token"])
        if token is None or visit.path != f"/{token.purpose}/{visit.segments['token']}":
            return _Dead(404, "This link does not work", _NO_LINK)
        if self._times.now() >= token.until:
            return _Dead(410, "This link has ended", _OVER)
        held = await self._desks.quarantine.get(token.held)
        if held is None:
            return _Dead(200 if visit.notice else 410, "Nothing left to do", _GONE)
        if held.kind not in self._linked:
            return _Dead(403, "Not by a link", _NOT_BY_LINK)
        person = held.recipient.person
        rights = Rights(
            Role.USER, frozenset((normal_address(person),)), releases=frozenset(self._linked)
        )
        actor = Actor(f"{held.owner} (by a link)", visit.client)
        return _Opened(token, held, self._desks.of(rights, actor), actor)

    async def _things(self, opened: _Opened) -> Sequence[senders.Choice]:
        """
        Give what can be allowed or blocked: whole domains only where not everybody may be there.
        """
        message = await opened.desk.beginning(opened.held)
        if message is None:
            return ()
        try:
            headers = Headers.parse(message.head(HEAD_LIMIT))
        finally:
            message.close()
        return [
            choice
            for choice in senders.things(headers, opened.held.message.sender)
            if choice.kind is not EntryKind.DOMAIN or not self._is_shared(choice.value)
        ]

    async def _page(self, visit: Visit, opened: _Opened, problem: str = "") -> Answer:
        held, token = opened.held, opened.token
        is_held = held.state is State.HELD
        body = self._templates.render(
            "held_link.html",
            visit,
            times=self._times,
            held=held,
            is_held=is_held,
            is_release=token.purpose is Purpose.RELEASE,
            kind=words.KINDS[held.kind],
            certainty=words.certainty(held, self._policy, self._certain),
            sender=words.person(held.message.from_header, str(held.message.sender)),
            reason=words.reason(held),
            things=await self._things(opened) if is_held else (),
            chosen=visit.value("sender") or visit.query.get("allow", ""),
            teaches=self._desks.decisions.teaches,
            until=token.until,
            problem=problem,
            notice=words.notice(visit.notice),
        )
        return Answer(400 if problem else 200, body)

    def _dead(self, visit: Visit, dead: _Dead) -> Answer:
        body = self._templates.render(
            "held_link_dead.html",
            visit,
            title=dead.title,
            sentence=dead.sentence,
            notice=words.notice(visit.notice),
        )
        return Answer(dead.code, body)
