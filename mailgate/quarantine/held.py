"""
The quarantine: messages that are held until a person decides.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.interfaces import Hold, IMessage, IThreads
from mailgate.message.envelope import Envelope, new_id
from mailgate.message.spool import FileMessage
from mailgate.people.audit import Act, Actor, note
from mailgate.people.reach import EVERYTHING, Reach
from mailgate.quarantine import rows, search
from mailgate.quarantine.rows import HeldMessage, State
from mailgate.quarantine.search import Found
from mailgate.store import history, outbox
from mailgate.store.messages import Messages
from mailgate.store.threads import undone_when_cancelled
from mailgate.verdict import Action, Kind, Verdict

__all__ = ["HeldMessage", "Quarantine", "State"]

_DAY = 86400
_AT_A_TIME = 500


class Quarantine:
    """
    Holds, shows, releases and deletes.
    """

    log = Logger()

    def __init__(
        self,
        messages: Messages,
        threads: IThreads,
        now: Callable[[], float],
        keep_days: int,
        released: Callable[[], None],
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param keep_days: for how many days a message is held.
        @param released: called when the outbox has something new.
        """
        self._messages = messages
        self._database = messages.database
        self._threads = threads
        self._now = now
        self._keep_days = keep_days
        self._released = released

    # -- for the gateway --------------------------------------------------------------

    def hold(
        self, envelope: Envelope, message: IMessage, holds: Sequence[Hold], provisional: bool
    ) -> Deferred[Sequence[str]]:
        """
        Store a message and a row for each hold; see L{mailgate.interfaces.IHub.hold}.

        Cancelling it takes back what was stored.
        """
        state = State.PROVISIONAL if provisional else State.HELD

        def insert(connection: sqlite3.Connection, stored: str) -> Sequence[str]:
            now = self._now()
            return [
                rows.add(connection, stored, hold, envelope.wish_of(hold.recipient), state, now)
                for hold in holds
            ]

        working = self._messages.keep(envelope, message, insert)
        return undone_when_cancelled(working, self.relinquish)

    def confirm(self, ids: Sequence[str]) -> Deferred[None]:
        """
        Turn provisional holds into ordinary ones.
        """
        return self._database.write(lambda connection: rows.confirm(connection, ids))

    def withdraw(self, ids: Sequence[str]) -> Deferred[None]:
        """
        Forget provisional holds.
        """
        return self._remove(ids, (State.PROVISIONAL,))

    def relinquish(self, ids: Sequence[str]) -> Deferred[None]:
        """
        Forget holds of which whoever asked for them has not been told, whatever they are.
        """
        return self._remove(ids, tuple(State))

    def recover(self) -> Deferred[int]:
        """
        Turn the provisional holds that a crash has left into ordinary ones, and count them.
        """

        def work(connection: sqlite3.Connection) -> int:
            found = rows.provisional(connection)
            rows.confirm(connection, [held.id for held in found])
            for held in found:
                self._note(connection, held, "quarantine.recovered", "held after a restart")
            return len(found)

        return self._database.write(work)

    def purge(self) -> Deferred[int]:
        """
        Remove what has been held for longer than it is kept, and count it.
        """
        return Deferred.fromCoroutine(self._purge())

    async def _purge(self) -> int:
        before = self._now() - self._keep_days * _DAY

        def work(connection: sqlite3.Connection, loose: set[str]) -> int:
            gone = rows.purge(connection, before, _AT_A_TIME)
            for held in gone:
                self._note(connection, held, "quarantine.purged", "removed, as its time was over")
                loose.add(held.message.id)
            return len(gone)

        total = number = await self._messages.change(work)
        while number == _AT_A_TIME:
            number = await self._messages.change(work)
            total += number
        if total:
            self.log.info("{event} {number} messages", event="quarantine.purged", number=total)
        return total

    # -- for people -------------------------------------------------------------------

    def list(
        self,
        limit: int | None = None,
        before: int | None = None,
        kind: Kind | None = None,
        reach: Reach = EVERYTHING,
    ) -> Deferred[Sequence[HeldMessage]]:
        """
        Give what is held, the newest first.

        @param limit: at most so many; C{None} is all.
        @param before: the C{number} of the last one seen, to go on from there.
        @param reach: only mail within it; so in the others.
        """
        return self._database.read(
            lambda connection: rows.newest(connection, limit, before, kind, reach)
        )

    def search(
        self,
        words: Sequence[str],
        limit: int,
        before: int | None = None,
        kind: Kind | None = None,
        reach: Reach = EVERYTHING,
    ) -> Deferred[Found]:
        """
        Give what is held that has all of some words; see L{mailgate.quarantine.search.find}.
        """
        return self._database.read(
            lambda connection: search.find(connection, words, limit, before, kind, reach)
        )

    def count(self, reach: Reach = EVERYTHING) -> Deferred[dict[Kind, int]]:
        """
        Count what is held, by kind; kinds of which there is none are left out.
        """
        return self._database.read(lambda connection: rows.count(connection, reach))

    def get(self, identity: str, reach: Reach = EVERYTHING) -> Deferred[HeldMessage | None]:
        """
        Give one held or released message, or C{None} where there is none of that id.
        """
        return self._database.read(lambda connection: rows.get(connection, identity, reach))

    def trace_of(self, identity: str) -> Deferred[str | None]:
        """
        Give the trace of a held message, also where it was deleted or its time was over, or
        C{None} where nothing is known of it.
        """

        def work(connection: sqlite3.Connection) -> str | None:
            held = rows.get(connection, identity)
            return history.trace_of(connection, identity) if held is None else held.message.trace

        return self._database.read(work)

    def open(self, identity: str) -> Deferred[IMessage | None]:
        """
        Give the bytes of a held or released message as they were received.

        @return: C{None} where there is no message of that id.
        @raise OSError: (here or while reading) its file cannot be read.
        """
        return Deferred.fromCoroutine(self._open(identity))

    async def _open(self, identity: str) -> IMessage | None:
        held = await self.get(identity)
        if held is None:
            return None
        blobs = self._messages.blobs
        stored = held.message
        beginning = await blobs.beginning(stored.id)
        return FileMessage(blobs.path(stored.id), stored.size, beginning, self._threads)

    def release(self, identity: str, by: str) -> Deferred[bool]:
        """
        Put a held message into the outbox, past all checks.

        @param by: who releases it, in words.
        @return: whether it is queued now; not where it was before, or is there no more.
        """

        def work(connection: sqlite3.Connection) -> HeldMessage | None:
            now = self._now()
            held = rows.release(connection, identity, by, now)
            if held is not None:
                verdict = Verdict(Action.ACCEPT, held.findings, held.total, (held.recipient,))
                outbox.add(
                    connection,
                    new_id(),
                    held.message.id,
                    verdict,
                    held.wish,
                    now,
                    now,
                    released_from=held.id,
                )
                self._note(connection, held, "quarantine.released", f"released by {by}")
                self._audit(connection, held, Act.RELEASED, by)
            return held

        def committed(held: HeldMessage | None) -> bool:
            if held is None:
                return False
            self._tell("quarantine.released", held, by)
            self._released()
            return True

        return self._database.write(work).addCallback(committed)

    def delete(self, identity: str, by: str) -> Deferred[bool]:
        """
        Delete a held or released message. One that is in the outbox is delivered all the same.

        @param by: who deletes it, in words.
        @return: whether there was one.
        """

        def work(connection: sqlite3.Connection, loose: set[str]) -> HeldMessage | None:
            held = rows.get(connection, identity)
            if held is not None:
                loose |= rows.remove(connection, [identity], (State.HELD, State.RELEASED))
                self._note(connection, held, "quarantine.deleted", f"deleted by {by}")
                self._audit(connection, held, Act.DELETED, by)
            return held

        def committed(held: HeldMessage | None) -> bool:
            if held is None:
                return False
            self._tell("quarantine.deleted", held, by)
            return True

        return self._messages.change(work).addCallback(committed)

    # -- shared -----------------------------------------------------------------------

    def _remove(self, ids: Sequence[str], states: Sequence[State]) -> Deferred[None]:
        return self._messages.change(
            lambda connection, loose: loose.update(rows.remove(connection, ids, states))
        )

    def _note(
        self, connection: sqlite3.Connection, held: HeldMessage, event: str, text: str
    ) -> None:
        words = f"copy {held.id} for {held.owner} {text}"
        history.note(connection, held.message.trace, self._now(), event, words, held.id)

    def _audit(self, connection: sqlite3.Connection, held: HeldMessage, act: Act, by: str) -> None:
        text = f"{act.partition('.')[2]} the message for {held.owner}"
        note(connection, self._now(), Actor(by), act, text, held.id, held.message.trace)

    def _tell(self, event: str, held: HeldMessage, by: str) -> None:
        trace = held.message.trace
        self.log.info("{event} {id} by {by}", event=event, id=held.id, trace=trace, by=by)
