"""
The outbox: copies that could not be delivered at once, or were released, and their delivery.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.model import Outbox as Settings
from mailgate.delivery.deadline import ends_within
from mailgate.interfaces import IDelivery, IMessage, IRewriter, IThreads, Outgoing
from mailgate.message.envelope import Envelope, new_id
from mailgate.message.received import fields_of_ours
from mailgate.message.spool import FileMessage
from mailgate.message.stored import envelope_of
from mailgate.reply import Reply
from mailgate.store import history, outbox
from mailgate.store.messages import Messages, StoredMessage
from mailgate.store.outbox import OutboxRow
from mailgate.store.threads import undone_when_cancelled
from mailgate.verdict import Verdict
from mailgate.wire.address import Address

T = TypeVar("T")

NO_ROUTE = Reply(451, "4.4.4", "no route to this domain is configured")
NOT_READ = Reply(451, "4.3.0", "the stored message could not be read")
STOPPED = Reply(451, "4.3.2", "the gateway was stopped before the delivery began")

_LONGEST_PAUSE = 60.0
"""Seconds after which the outbox looks again in any case, as the clock may have been set."""

Fail = Callable[[sqlite3.Connection, OutboxRow, str, float], str]
"""Turns a row into a held message, inside a transaction, and gives the id of that."""


class Outbox:
    """
    Delivers each copy at least once, or has it held after its last try.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        messages: Messages,
        threads: IThreads,
        settings: Settings,
        hostname: str,
        route_for: Callable[[Address], IDelivery | None],
        rewriter: IRewriter,
        fail: Fail,
    ) -> None:
        """
        @param clock: drives the tries.
        @param now: the time in seconds since the epoch.
        @param hostname: what we call ourselves.
        @param route_for: gives the upstream for a recipient.
        @param fail: has a copy held that is given up.
        """
        self._clock = clock
        self._now = now
        self._messages = messages
        self._database = messages.database
        self._threads = threads
        self._settings = settings
        self._hostname = hostname
        self._route_for = route_for
        self.rewriter = rewriter
        """Writes what a delivered copy needs."""

        self._fail = fail
        self._is_running = False
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None
        self._look_again = False
        self._tries: dict[str, Deferred[None]] = {}
        self._cancellable: dict[str, Deferred[Any]] = {}

    def start(self) -> Deferred[None]:
        """
        Begin to deliver. Copies whose delivery a crash interrupted are noted and tried again.
        """

        def work(connection: sqlite3.Connection) -> None:
            for row in outbox.interrupted(connection):
                text = f"delivery to {row.recipient} was interrupted; duplicate possible"
                history.note(connection, row.message.trace, self._now(), "outbox.unknown", text)

        def started(_: None) -> None:
            self._is_running = True
            self.kick()

        return self._database.write(work).addCallback(started)

    def stop(self, seconds: float) -> Deferred[None]:
        """
        Cancel the deliveries that have not begun, and wait for the others.

        One that has no outcome after C{seconds} is left alone: its row says at the next start
        that the delivery was interrupted.
        """
        return Deferred.fromCoroutine(self._stop(seconds))

    def kick(self) -> None:
        """
        Look for what is due now.
        """
        if not self._is_running:
            return
        if self._looking is not None:
            self._look_again = True
            return
        self._looking = Deferred()
        Deferred.fromCoroutine(self._look()).addErrback(self._not_looked).addBoth(self._looked)

    def enqueue(
        self, envelope: Envelope, message: IMessage, copies: Sequence[Outgoing]
    ) -> Deferred[Sequence[str]]:
        """
        Queue copies; see L{mailgate.interfaces.IHub.enqueue}.

        One that carries a reason has just failed, and waits for its first further try.
        Cancelling it takes the copies out again.
        """

        def insert(connection: sqlite3.Connection, stored: str) -> Sequence[str]:
            now = self._now()
            ids = []
            for copy in copies:
                verdict = Verdict(copy.action, copy.findings, copy.total, (copy.recipient,))
                first_try = now + (self._settings.retry_seconds[0] if copy.reason else 0)
                identity = new_id()
                wish = envelope.wish_of(copy.recipient)
                outbox.add(
                    connection, identity, stored, verdict, wish, now, first_try, reason=copy.reason
                )
                ids.append(identity)
            return ids

        def stored(ids: Sequence[str]) -> Sequence[str]:
            self.kick()
            return ids

        working = self._messages.keep(envelope, message, insert).addCallback(stored)
        return undone_when_cancelled(working, self.take_back)

    def list(
        self, limit: int | None = None, before: int | None = None
    ) -> Deferred[Sequence[OutboxRow]]:
        """
        Give what waits, the newest first, from below the number C{before} on.
        """
        return self._database.read(lambda connection: outbox.newest(connection, limit, before))

    def show(self, identity: str) -> Deferred[OutboxRow | None]:
        """
        Give one copy, or C{None} where there is none of that id.
        """
        return self._database.read(lambda connection: outbox.get(connection, identity))

    # -- looking for what is due ------------------------------------------------------

    async def _look(self) -> None:
        free = self._settings.deliveries - len(self._tries)
        now = self._now()
        latest = now + max(self._settings.retry_seconds)

        def work(connection: sqlite3.Connection) -> Sequence[OutboxRow]:
            outbox.mend_times(connection, now, latest)
            due = outbox.due(connection, now, free)
            outbox.begin(connection, [row.id for row in due])
            return due

        for row in await self._database.write(work):
            trying = Deferred.fromCoroutine(self._try(row))
            self._tries[row.id] = trying
            trying.addErrback(self._not_settled, row).addBoth(self._tried, row)
        if len(self._tries) < self._settings.deliveries:
            next_due = await self._database.read(outbox.next_due)
            if next_due is not None:
                self._wait(next_due - self._now())

    def _not_looked(self, failure: Failure) -> None:
        self.log.failure("{event} trying again in a minute", failure, event="outbox.not_read")

    def _looked(self, _: None) -> None:
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.callback(None)
        if self._look_again:
            self._look_again = False
            self.kick()
        elif self._is_running and self._timer is None:
            self._wait(_LONGEST_PAUSE)

    def _wait(self, seconds: float) -> None:
        if not self._is_running:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.callLater(min(max(seconds, 0), _LONGEST_PAUSE), self._timed)

    def _timed(self) -> None:
        self._timer = None
        self.kick()

    async def _stop(self, seconds: float) -> None:
        if not self._is_running:
            return
        self._is_running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            await self._looking
        for waiting in list(self._cancellable.values()):
            waiting.cancel()
        if not await ends_within(self._clock, DeferredList(list(self._tries.values())), seconds):
            for row in self._tries:
                self.log.warn("{event} {id} has no outcome yet", event="outbox.abandoned", id=row)

    # -- one try ----------------------------------------------------------------------

    async def _try(self, row: OutboxRow) -> None:
        reply = await self._deliver(row)
        while True:
            try:
                await self._settle(row, reply)
                return
            except OSError:
                self.log.failure(
                    "{event} {id}: {reply}", event="outbox.not_settled", id=row.id, reply=str(reply)
                )
            if not self._is_running:
                return
            # What has been delivered must not be delivered again: the row is left as it is
            # until the disk takes the result, or until the next start.
            await self._cancellably(row, deferLater(self._clock, _LONGEST_PAUSE, _nothing))

    async def _deliver(self, row: OutboxRow) -> Reply:
        upstream = self._route_for(row.recipient)
        if upstream is None:
            return NO_ROUTE
        trace = row.message.trace
        envelope = envelope_of(row.message, row.recipient, row.wish)
        try:
            stored = await self._open(row.message)
            # What is stored is as it was received, without the fields that the edge had added.
            ours = fields_of_ours(self._hostname, envelope, [row.recipient], stored.headers)
            message = self.rewriter.apply(trace, row.verdict, stored.prepend(ours))
            try:
                if not self._is_running:
                    return STOPPED
                delivering = upstream.deliver(envelope, [row.recipient], message)
                (reply,) = await self._cancellably(row, delivering)
            finally:
                message.close()
        except CancelledError:
            # Only stop() cancels, and a delivery that has begun does not heed it.
            return STOPPED
        except OSError:
            self.log.failure("{event} {id}", event="outbox.not_read", id=row.id, trace=trace)
            return NOT_READ
        return reply

    async def _open(self, stored: StoredMessage) -> IMessage:
        blobs = self._messages.blobs
        beginning = await blobs.beginning(stored.id)
        return FileMessage(blobs.path(stored.id), stored.size, beginning, self._threads)

    async def _cancellably(self, row: OutboxRow, waiting: Deferred[T]) -> T:
        self._cancellable[row.id] = waiting
        try:
            return await waiting
        finally:
            del self._cancellable[row.id]

    def _not_settled(self, failure: Failure, row: OutboxRow) -> None:
        if not isinstance(failure.value, CancelledError):
            self.log.failure(
                "{event} {id} stays until the next start",
                failure,
                event="outbox.broken",
                id=row.id,
            )

    def _tried(self, _: None, row: OutboxRow) -> None:
        del self._tries[row.id]
        self.kick()

    # -- what came of it --------------------------------------------------------------

    async def _settle(self, row: OutboxRow, reply: Reply) -> None:
        now = self._now()
        if reply is STOPPED:
            await self._put_back(row)
        elif reply.is_positive:
            await self._delivered(row, reply, now)
        elif reply.is_permanent or now >= row.queued + self._settings.give_up_seconds:
            await self._failed(row, reply, now)
        else:
            await self._postpone(row, reply, now)

    def _put_back(self, row: OutboxRow) -> Deferred[None]:
        return self._database.write(
            lambda connection: outbox.postpone(connection, row, row.next_try, row.reason, row.tries)
        )

    def _delivered(self, row: OutboxRow, reply: Reply, now: float) -> Deferred[None]:
        def work(connection: sqlite3.Connection, loose: set[str]) -> None:
            outbox.remove(connection, row.id)
            loose.add(row.message.id)
            text = f"delivered to {row.recipient}: {reply}"
            history.note(connection, row.message.trace, now, "outbox.delivered", text)

        return self._messages.change(work)

    async def _failed(self, row: OutboxRow, reply: Reply, now: float) -> None:
        def work(connection: sqlite3.Connection) -> str:
            held = self._fail(connection, row, str(reply), now)
            outbox.remove(connection, row.id)
            text = f"could not be delivered to {row.recipient}, held as {held}: {reply}"
            history.note(connection, row.message.trace, now, "outbox.failed", text)
            return held

        held = await self._database.write(work)
        self.log.error(
            "{event} to {recipient}, held as {held}: {reply}",
            event="outbox.failed",
            trace=row.message.trace,
            id=row.id,
            recipient=str(row.recipient),
            held=held,
            reply=str(reply),
        )

    def _postpone(self, row: OutboxRow, reply: Reply, now: float) -> Deferred[None]:
        waits = self._settings.retry_seconds
        wait = waits[min(row.tries, len(waits) - 1)]
        next_try = min(now + wait, row.queued + self._settings.give_up_seconds)

        def work(connection: sqlite3.Connection) -> None:
            outbox.postpone(connection, row, next_try, str(reply), row.tries + 1)
            if reply.enhanced == "4.4.2":
                text = f"duplicate possible at {row.recipient}: {reply}"
                history.note(connection, row.message.trace, now, "outbox.unknown", text)

        return self._database.write(work)

    def take_back(self, ids: Sequence[str]) -> Deferred[None]:
        """
        Take copies out again that nobody wants delivered any more, unless one is being tried.
        """

        def work(connection: sqlite3.Connection, loose: set[str]) -> None:
            for row in filter(None, (outbox.get(connection, identity) for identity in ids)):
                if not row.is_trying:
                    outbox.remove(connection, row.id)
                    loose.add(row.message.id)

        return self._messages.change(work)


def _nothing() -> None:
    """
    Only let time pass.
    """
