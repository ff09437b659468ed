"""
The quarantine as one person sees it: what is not theirs is not there, what they may not do is
refused, and what they look at is written down.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence

from attrs import evolve, frozen
from twisted.internet.defer import Deferred

from mailgate.interfaces import IMessage
from mailgate.people.audit import Act, Actor, Audit, Noted, note
from mailgate.people.rights import Rights
from mailgate.quarantine import requests
from mailgate.quarantine.deciding import Decisions, Done
from mailgate.quarantine.held import HeldMessage, Quarantine
from mailgate.quarantine.requests import NOTE_LENGTH, Request
from mailgate.quarantine.rows import State
from mailgate.quarantine.search import Found
from mailgate.store.database import Database
from mailgate.verdict import Kind

_SHOWN = 100


class NotAllowed(Exception):
    """
    Somebody sees what it is about, and may not do it; the message is a sentence for them.
    """


@frozen
class Desks:
    """
    Gives everybody a desk of their own.
    """

    quarantine: Quarantine
    decisions: Decisions
    database: Database
    audit: Audit
    now: Callable[[], float]
    """The time in seconds since the epoch."""

    def of(self, rights: Rights, actor: Actor) -> Desk:
        """
        Give the desk of a person.
        """
        return Desk(self, rights, actor)


class Desk:
    """
    What one person sees of the quarantine and does with it.
    """

    def __init__(self, desks: Desks, rights: Rights, actor: Actor) -> None:
        self._quarantine = desks.quarantine
        self._decisions = desks.decisions
        self._database = desks.database
        self._audit = desks.audit
        self._now = desks.now
        self._rights = rights
        self._actor = actor

    # -- looking ----------------------------------------------------------------------

    def list(
        self, limit: int | None = None, before: int | None = None, kind: Kind | None = None
    ) -> Deferred[Sequence[HeldMessage]]:
        """
        Give what is held; see L{Quarantine.list}.
        """
        return self._quarantine.list(limit, before, kind, self._rights.reach)

    def search(
        self, words: Sequence[str], limit: int, before: int | None = None, kind: Kind | None = None
    ) -> Deferred[Found]:
        """
        Give what is held that has all of some words; see L{Quarantine.search}.
        """
        return self._quarantine.search(words, limit, before, kind, self._rights.reach)

    def count(self) -> Deferred[dict[Kind, int]]:
        """
        Count what is held, by kind.
        """
        return self._quarantine.count(self._rights.reach)

    def get(self, identity: str) -> Deferred[HeldMessage | None]:
        """
        Give one held or released message, or C{None} where there is none for this person.
        """
        return self._quarantine.get(identity, self._rights.reach)

    async def read(self, held: HeldMessage, act: Act = Act.READ) -> IMessage | None:
        """
        Give the bytes of a message, once it is written down that they are looked at.

        @raise NotAllowed: its content is not for this person.
        """
        if not self._rights.reads(held.recipient):
            raise NotAllowed("You may see that this message is held, but not what is in it.")
        words = "looked at" if act is Act.READ else "downloaded"
        text = f"{words} the message for {held.owner}"
        await self._audit.note(self._actor, act, text, held.id, held.message.trace)
        return await self._quarantine.open(held.id)

    async def beginning(self, held: HeldMessage) -> IMessage | None:
        """
        Give the bytes of a message of which nothing is shown, to take its senders out.
        """
        return await self._quarantine.open(held.id)

    def seen(self, held: HeldMessage) -> Deferred[Sequence[Noted]]:
        """
        Give what people have done with a message, the newest first.
        """
        return self._audit.newest(_SHOWN, held=held.id)

    # -- deciding ---------------------------------------------------------------------

    async def release(self, ids: Sequence[str]) -> Done:
        """
        Release messages.
        """
        return await self._do(ids, self._may_release, self._decisions.release)

    async def delete(self, ids: Sequence[str]) -> Done:
        """
        Delete messages.
        """
        return await self._do(ids, self._may_delete, self._decisions.delete)

    async def delete_as_spam(self, ids: Sequence[str]) -> Done:
        """
        Delete messages and learn that they are spam.
        """
        return await self._do(ids, self._may_delete, self._decisions.delete_as_spam)

    async def _do(
        self,
        ids: Sequence[str],
        may: Callable[[HeldMessage], bool],
        do: Callable[[Sequence[str], str], Awaitable[Done]],
    ) -> Done:
        allowed, refused = [], 0
        for identity in ids:
            held = await self.get(identity)
            if held is not None and may(held):
                allowed.append(identity)
            refused += held is not None and not may(held)
        done = await do(allowed, self._actor.name)
        missed = done.missed + len(ids) - len(allowed) - refused
        return evolve(done, missed=missed, refused=refused)

    def _may_release(self, held: HeldMessage) -> bool:
        return self._rights.may_release(held.recipient, held.kind)

    def _may_delete(self, held: HeldMessage) -> bool:
        return self._rights.may_delete(held.recipient)

    # -- asking and answering ---------------------------------------------------------

    async def request(self, held: HeldMessage, why: str) -> bool:
        """
        Ask that a message be released, and tell whether that is a new request.

        @raise NotAllowed: this person has nothing to ask for.
        """
        is_held = held.state is State.HELD
        if not is_held or not self._rights.may_request(held.recipient, held.kind):
            raise NotAllowed("There is nothing to ask for with this message.")
        why = " ".join(why.split())[:NOTE_LENGTH]

        def work(connection: sqlite3.Connection) -> bool:
            now = self._now()
            is_new = requests.ask(connection, held.id, self._actor.name, why, now)
            if is_new:
                text = f"asked to release the message for {held.owner}"
                self._note(connection, now, Act.REQUESTED, text, held)
            return is_new

        return await self._database.write(work)

    async def answer(self, held: HeldMessage, is_allowed: bool) -> bool:
        """
        Answer a request, and tell whether it was open. What is allowed is released.

        @raise NotAllowed: this is not for this person to answer.
        """
        if not self._rights.manages(held.recipient):
            raise NotAllowed("Whoever manages the mail of the domain answers this.")

        def work(connection: sqlite3.Connection) -> bool:
            now = self._now()
            is_open = requests.answer(connection, held.id, self._actor.name, is_allowed, now)
            if is_open:
                act = Act.ALLOWED if is_allowed else Act.REFUSED
                text = f"answered the request for {held.owner}: {act.partition('.')[2]}"
                self._note(connection, now, act, text, held)
            return is_open

        if is_allowed:
            request = await self.request_of(held)
            if request is None or request.answer:
                return False
            # First: an answer without its release would be a promise that nobody keeps.
            await self._decisions.release([held.id], self._actor.name)
        return await self._database.write(work)

    def request_of(self, held: HeldMessage) -> Deferred[Request | None]:
        """
        Give the request for a message.
        """
        return self._database.read(lambda connection: requests.get(connection, held.id))

    async def requests(self) -> Sequence[tuple[HeldMessage, Request]]:
        """
        Give the open requests that this person may answer, the oldest first.
        """
        found = await self._database.read(
            lambda connection: requests.waiting(connection, self._rights.reach, _SHOWN)
        )
        return [pair for pair in found if self._rights.manages(pair[0].recipient)]

    def _note(
        self, connection: sqlite3.Connection, now: float, act: Act, text: str, held: HeldMessage
    ) -> None:
        note(connection, now, self._actor, act, text, held.id, held.message.trace)
