"""
The outbox: mail of people and machines of ours on its way, copies that could not be delivered at
once or were released, and notices of ours; and when each of them is tried.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.model import Outbox as Settings
from mailgate.delivery.answer import NO_ROUTE, NOT_READ, is_unreached
from mailgate.delivery.deadline import ends_within
from mailgate.delivery.destinations import Change, Destinations
from mailgate.delivery.lookout import Lookout
from mailgate.delivery.results import Fail, Results
from mailgate.delivery.telling import Sending
from mailgate.interfaces import IDelivery, IMessage, IRewriter, IThreads, Outgoing
from mailgate.message.envelope import Envelope, new_id
from mailgate.message.received import fields_of_ours
from mailgate.message.spool import FileMessage
from mailgate.message.stored import envelope_of
from mailgate.message.writing import OURS
from mailgate.reply import Reply
from mailgate.store import due, history, outbox
from mailgate.store.messages import Messages, StoredMessage
from mailgate.store.outbox import OutboxRow
from mailgate.store.threads import undone_when_cancelled
from mailgate.verdict import Verdict
from mailgate.wire.address import Address

T = TypeVar("T")

TOGETHER = 50
"""How many recipients of one message are delivered to in one transaction."""

_LONGEST_PAUSE = 60.0
"""Seconds after which the outbox looks again in any case, as the clock may have been set."""

_ADDRESSES = 10_000
"""How many recipients are given a destination together."""


@define(eq=False)
class _Try:
    """
    Copies of one message that are being delivered together.
    """

    rows: Sequence[OutboxRow]
    done: Deferred[None] = field(init=False)
    waits_for: Deferred[Any] | None = None
    """What may be cancelled."""

    @property
    def destination(self) -> str:
        return self.rows[0].destination


class Outbox:
    """
    Delivers each copy at least once, or has it held or told to its sender after its last try.

    What is due for one upstream waits for its turn there, in the order in which it became due, and
    recipients of one message go together; see L{Destinations} for how many go at a time.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        messages: Messages,
        threads: IThreads,
        settings: Settings,
        sending: Sending,
        rewriter: IRewriter,
        fail: Fail,
    ) -> None:
        """
        @param clock: drives the tries.
        @param now: the time in seconds since the epoch.
        @param fail: has a copy held that is given up and not told to its sender.
        """
        self._clock = clock
        self._now = now
        self._messages = messages
        self._database = messages.database
        self._threads = threads
        self._settings = settings
        self._hostname = sending.hostname
        self._route_for = sending.route_for
        self.rewriter = rewriter
        """Writes what a delivered copy needs."""

        self._results = Results(now, messages, threads, settings, sending, fail)
        self._destinations = Destinations(settings.deliveries, settings.deliveries_per_upstream)
        self._lookout = Lookout(
            clock, now, self._database, self._destinations, sending.route_for, self.kick
        )
        self._is_running = False
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None
        self._look_again = False
        self._late_at = 0.0
        """When, on the reactor's clock, it is looked again for what is late."""

        self._tries: list[_Try] = []

    def start(self) -> Deferred[None]:
        """
        Begin to deliver. Copies whose delivery a crash interrupted are noted and tried again.
        """
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for row in outbox.interrupted(connection):
                text = f"delivery to {row.recipient} was interrupted; duplicate possible"
                history.note(connection, row.message.trace, self._now(), "outbox.unknown", text)

        await self._database.write(work)
        await self._reroute()
        self._is_running = True
        self.kick()

    def take_up(self, settings: Settings, sending: Sending, rewriter: IRewriter) -> Deferred[None]:
        """
        Take up what has changed in the configuration, as far as copies have not been begun with.

        @return: fires when the routes have been asked anew. Never fails; what goes wrong is an
            event.
        """
        self._settings = settings
        self.rewriter = rewriter
        self._results.take_up(settings, sending)
        self._destinations.total = settings.deliveries
        self._destinations.each = settings.deliveries_per_upstream
        rerouting = Deferred.fromCoroutine(self._reroute())
        return rerouting.addErrback(self._not_rerouted).addCallback(lambda _: self.kick())

    async def _reroute(self) -> None:
        after: Address | None = None
        while True:
            last = after
            found = await self._database.read(
                lambda connection, last=last: due.recipients(  # type: ignore[misc]
                    connection, last, _ADDRESSES
                )
            )
            changed = [who for who, noted in found if self._destination_of(who) != noted]
            if changed:
                await self._redirect(changed)
            if len(found) < _ADDRESSES:
                return
            after, _ = found[-1]

    def _redirect(self, recipients: Sequence[Address]) -> Deferred[None]:
        named = [(who, self._destination_of(who)) for who in recipients]

        def work(connection: sqlite3.Connection) -> None:
            for who, destination in named:
                due.redirect(connection, who, destination)

        return self._database.write(work)

    def _destination_of(self, recipient: Address) -> str:
        upstream = self._route_for(recipient)
        return "" if upstream is None else upstream.name

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
        destinations = {copy.recipient: self._destination_of(copy.recipient) for copy in copies}

        def insert(connection: sqlite3.Connection, stored: str) -> Sequence[str]:
            now = self._now()
            ids = []
            for copy in copies:
                verdict = Verdict(copy.action, copy.findings, copy.total, (copy.recipient,))
                first_try = now + (self._settings.retry_seconds[0] if copy.reason else 0)
                identity = new_id()
                wish = envelope.wish_of(copy.recipient)
                outbox.add(
                    connection,
                    identity,
                    stored,
                    verdict,
                    wish,
                    now,
                    first_try,
                    reason=copy.reason,
                    destination=destinations[copy.recipient],
                )
                ids.append(identity)
            return ids

        def stored(ids: Sequence[str]) -> Sequence[str]:
            self.kick()
            return ids

        working = self._messages.keep(envelope, message, insert).addCallback(stored)
        return undone_when_cancelled(working, self.take_back)

    # -- looking for what is due ------------------------------------------------------

    async def _look(self) -> None:
        now = self._now()
        latest = now + max(self._settings.retry_seconds)

        def read(
            connection: sqlite3.Connection,
        ) -> tuple[Sequence[Address], Sequence[str], float | None]:
            return (
                due.unrouted(connection, now, _ADDRESSES),
                due.destinations(connection),
                due.next_due(connection, now),
            )

        unrouted, names, next_due = await self._database.read(read)
        routed = [who for who in unrouted if self._destination_of(who)]
        if routed:
            await self._redirect(routed)
            _, names, next_due = await self._database.read(read)
        places = self._destinations.places(names)

        def work(connection: sqlite3.Connection) -> tuple[bool, Sequence[Sequence[OutboxRow]]]:
            begun: list[Sequence[OutboxRow]] = []
            idle = set()
            for name in places:
                rows = () if name in idle else due.begin_next(connection, name, now, TOGETHER)
                if rows:
                    begun.append(rows)
                else:
                    idle.add(name)
            return due.mend_times(connection, now, latest), begun

        is_mended, begun = await self._database.write(work)
        self._look_again |= is_mended
        for rows in begun:
            self._begin(rows)
        if self._clock.seconds() >= self._late_at:
            is_more = await self._results.tell_late()
            self._look_again |= is_more
            self._late_at = self._clock.seconds() + (0 if is_more else _LONGEST_PAUSE)
        self._lookout.look()
        if next_due is not None:
            self._wait(next_due - self._now())

    def _begin(self, rows: Sequence[OutboxRow]) -> None:
        trying = _Try(rows)
        self._tries.append(trying)
        self._destinations.begins(trying.destination)
        trying.done = Deferred.fromCoroutine(self._try(trying))
        trying.done.addErrback(self._not_settled, trying).addBoth(self._tried, trying)

    def _not_looked(self, failure: Failure) -> None:
        self.log.failure("{event} trying again in a minute", failure, event="outbox.not_read")

    def _not_rerouted(self, failure: Failure) -> None:
        self.log.failure(
            "{event} each copy is sent its new way when it is tried",
            failure,
            event="outbox.not_read",
        )

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
        self._lookout.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            await self._looking
        for trying in list(self._tries):
            if trying.waits_for is not None:
                trying.waits_for.cancel()
        ends = DeferredList([trying.done for trying in self._tries])
        if not await ends_within(self._clock, ends, seconds):
            for trying in self._tries:
                for row in trying.rows:
                    self.log.warn(
                        "{event} {id} has no outcome yet", event="outbox.abandoned", id=row.id
                    )

    # -- one try ----------------------------------------------------------------------

    async def _try(self, trying: _Try) -> None:
        rows = trying.rows
        upstream = self._route_for(rows[0].recipient)
        # The routes may have changed since it was noted where the copies go.
        is_moved = any(self._destination_of(row.recipient) != trying.destination for row in rows)
        replies: Sequence[Reply | None] = [None] * len(rows)
        if not is_moved:
            replies = await self._deliver(trying, upstream)
        change = self._learn(trying.destination, replies)
        while True:
            try:
                if is_moved:
                    await self._redirect([row.recipient for row in rows])
                await self._results.settle(rows, replies, upstream, change)
                return
            except OSError:
                for row, reply in zip(rows, replies, strict=True):
                    self.log.failure(
                        "{event} {id}: {reply}",
                        event="outbox.not_settled",
                        id=row.id,
                        reply=str(reply),
                    )
            if not self._is_running:
                return
            # What has been delivered must not be delivered again: the row is left as it is
            # until the disk takes the result, or until the next start.
            await self._cancellably(trying, deferLater(self._clock, _LONGEST_PAUSE, _nothing))

    def _learn(self, destination: str, replies: Sequence[Reply | None]) -> Change:
        """
        Note whether the destination was reached.
        """
        said = [reply for reply in replies if reply is not None]
        if not said or said[0] in (NO_ROUTE, NOT_READ):
            return Change.NONE
        if all(map(is_unreached, said)):
            now = self._clock.seconds()
            return self._destinations.not_reached(destination, said[0], now)
        return self._destinations.reached(destination)

    async def _deliver(self, trying: _Try, upstream: IDelivery | None) -> Sequence[Reply | None]:
        """
        @return: a reply for each row; C{None} for each where nothing was tried, as the gateway
            ends.
        """
        rows = trying.rows
        number = len(rows)
        if upstream is None:
            return [NO_ROUTE] * number
        trouble = self._destinations.trouble(
            trying.destination, self._clock.seconds() - _LONGEST_PAUSE
        )
        end = self._now() - self._settings.give_up_seconds
        if trouble is not None and all(row.queued <= end for row in rows):
            # Their time is over, and another copy has just been there in vain.
            return [trouble] * number
        stored = rows[0].message
        wishes = {row.recipient.key: row.wish for row in rows if row.wish}
        envelope = evolve(envelope_of(stored, rows[0].recipient, rows[0].wish), wishes=wishes)
        recipients = [row.recipient for row in rows]
        try:
            message = await self._open(stored)
            if stored.role not in OURS:
                # What is stored is as it was received, without the fields that the edge had added.
                ours = fields_of_ours(self._hostname, envelope, recipients, message.headers)
                message = message.prepend(ours)
            verdict = Verdict(rows[0].action, rows[0].findings, rows[0].total, tuple(recipients))
            message = self.rewriter.apply(stored.trace, verdict, message)
            try:
                if not self._is_running:
                    return [None] * number
                delivering = upstream.deliver(envelope, recipients, message)
                return await self._cancellably(trying, delivering)
            finally:
                message.close()
        except CancelledError:
            # Only stop() cancels, and a delivery that has begun does not heed it.
            return [None] * number
        except OSError:
            self.log.failure(
                "{event} {id}", event="outbox.not_read", id=rows[0].id, trace=stored.trace
            )
            return [NOT_READ] * number

    async def _open(self, stored: StoredMessage) -> IMessage:
        blobs = self._messages.blobs
        beginning = await blobs.beginning(stored.id)
        return FileMessage(blobs.path(stored.id), stored.size, beginning, self._threads)

    async def _cancellably(self, trying: _Try, waiting: Deferred[T]) -> T:
        trying.waits_for = waiting
        try:
            return await waiting
        finally:
            trying.waits_for = None

    def _not_settled(self, failure: Failure, trying: _Try) -> None:
        if not isinstance(failure.value, CancelledError):
            for row in trying.rows:
                self.log.failure(
                    "{event} {id} stays until the next start",
                    failure,
                    event="outbox.broken",
                    id=row.id,
                )

    def _tried(self, _: None, trying: _Try) -> None:
        self._tries.remove(trying)
        self._destinations.ends(trying.destination)
        self.kick()

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
