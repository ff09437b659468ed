"""
What came of a try to deliver copies, written down, and who is told of it.

Mail of people and machines of ours is taken before it is delivered, so its sender is told what
became of it: that it is late, that it has failed, or that it has arrived, as far as that was asked
for (RFC 3461). Nothing else ever makes a message to an envelope sender: other copies that fail are
held.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby

from attrs import field, frozen
from twisted.logger import Logger

from mailgate.config.model import Outbox as Settings
from mailgate.delivery.answer import is_unknown, is_unreached
from mailgate.delivery.destinations import Change
from mailgate.delivery.report import Told
from mailgate.delivery.telling import Report, Sending, Telling
from mailgate.interfaces import IDelivery, IThreads
from mailgate.message.writing import NOTICE
from mailgate.reply import Reply
from mailgate.store import due, history, outbox
from mailgate.store.messages import Messages
from mailgate.store.outbox import OutboxRow
from mailgate.wire.address import Address

LATE_AT_ONCE = 200
"""How many late copies are looked at together."""

LATE_PER_HOUR = 20
"""How many reports of delays one sender gets in an hour: a machine may have sent thousands."""

_HOUR = 3600

Fail = Callable[[sqlite3.Connection, OutboxRow, str, float], str]
"""Turns a row into a held message, inside a transaction, and gives the id of that."""


@frozen
class _Results:
    """
    Rows by what came of them.
    """

    stopped: list[OutboxRow] = field(factory=list)
    delivered: list[tuple[OutboxRow, Reply]] = field(factory=list)
    failed: list[tuple[OutboxRow, Reply]] = field(factory=list)
    deferred: list[tuple[OutboxRow, Reply]] = field(factory=list)


class Results:
    """
    Writes down what came of tries.
    """

    log = Logger()

    def __init__(
        self,
        now: Callable[[], float],
        messages: Messages,
        threads: IThreads,
        settings: Settings,
        sending: Sending,
        fail: Fail,
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param fail: has a copy held that is given up and not told to its sender.
        """
        self._now = now
        self._messages = messages
        self._threads = threads
        self._fail = fail
        self._late_hour = 0
        self._late_told: Counter[Address] = Counter()
        self.take_up(settings, sending)

    def take_up(self, settings: Settings, sending: Sending) -> None:
        """
        Take up what has changed in the configuration.
        """
        self._settings = settings
        self._telling = Telling(self._messages, self._threads, settings, sending)

    async def settle(
        self,
        rows: Sequence[OutboxRow],
        replies: Sequence[Reply | None],
        upstream: IDelivery | None,
        change: Change,
    ) -> None:
        """
        Write down how one try of several copies of a message has ended, in one transaction with
        whatever follows from it.

        @param replies: one for each row; C{None} where it was not tried after all.
        @param change: what the try has shown of the destination.
        @raise OSError: the disk does not take it; nothing has been changed.
        """
        now = self._now()
        results = self._sorted(rows, replies, now)
        reports = [
            each
            for told, of in (
                (Told.FAILED, results.failed),
                (self._telling.success(upstream), results.delivered),
            )
            if told is not None and of
            for each in await self._telling.reports(told, of, now)
        ]
        held: dict[str, str] = {}

        def work(connection: sqlite3.Connection, ids: Sequence[str], loose: set[str]) -> None:
            held.clear()
            for row in results.stopped:
                outbox.postpone(connection, row, row.next_try, row.reason, row.tries)
            for row, reply in results.delivered:
                outbox.remove(connection, row.id)
                loose.add(row.message.id)
                text = f"delivered to {row.recipient}: {reply}"
                history.note(connection, row.message.trace, now, "outbox.delivered", text)
            told = {row.id: each for each in reports for row in each.rows}
            for row, reply in results.failed:
                held[row.id] = self._give_up(connection, row, reply, told.get(row.id), now)
                loose.add(row.message.id)
            for row, reply in results.deferred:
                self._postpone(connection, row, reply, now)
            self._telling.queue(connection, reports, ids, now)
            self._pass_on(connection, rows[0].destination, results, change, now)

        await self._messages.keep_all(self._telling.letters(reports, now), work)
        for row, reply in results.failed:
            self._tell_failed(row, reply, held[row.id], reports)

    async def tell_late(self) -> bool:
        """
        Tell senders of ours whose mail waits for long that it does.

        @return: whether there may be more of them.
        """
        wait = self._settings.delay_notice_seconds
        if not wait:
            return False
        now = self._now()
        late = await self._messages.database.read(
            lambda connection: due.late(connection, now - wait, now, LATE_AT_ONCE)
        )
        if not late:
            return False

        def message_of(row: OutboxRow) -> str:
            return row.message.id

        reports: list[Report] = []
        for _, of_message in groupby(sorted(late, key=message_of), message_of):
            rows = list(of_message)
            if self._may_hear_of_delay(self._telling.return_address(rows[0].message), now):
                reports += await self._telling.reports(
                    Told.DELAYED, [(row, None) for row in rows], now
                )

        def work(connection: sqlite3.Connection, ids: Sequence[str], loose: set[str]) -> None:
            due.delay_is_told(connection, [row.id for row in late])
            self._telling.queue(connection, reports, ids, now)

        await self._messages.keep_all(self._telling.letters(reports, now), work)
        for each in reports:
            self.log.info(
                "{event} {to}: {number} copies of {trace} wait",
                event="outbox.late",
                to=str(each.written.recipient),
                number=len(each.rows),
                trace=each.rows[0].message.trace,
            )
        return len(late) == LATE_AT_ONCE

    def _may_hear_of_delay(self, to: Address | None, now: float) -> bool:
        """
        Tell whether a sender has not been told of too many delays in this hour.
        """
        hour = int(now // _HOUR)
        if hour != self._late_hour:
            self._late_hour = hour
            self._late_told.clear()
        if to is None:
            return False
        self._late_told[to] += 1
        return self._late_told[to] <= LATE_PER_HOUR

    # -- what came of it --------------------------------------------------------------

    def _sorted(
        self, rows: Sequence[OutboxRow], replies: Sequence[Reply | None], now: float
    ) -> _Results:
        results = _Results()
        for row, reply in zip(rows, replies, strict=True):
            if reply is None:
                results.stopped.append(row)
            elif reply.is_positive:
                results.delivered.append((row, reply))
            elif reply.is_permanent or now >= row.queued + self._settings.give_up_seconds:
                results.failed.append((row, reply))
            else:
                results.deferred.append((row, reply))
        return results

    def _postpone(
        self, connection: sqlite3.Connection, row: OutboxRow, reply: Reply, now: float
    ) -> None:
        waits = self._settings.retry_seconds
        wait = waits[min(row.tries, len(waits) - 1)]
        next_try = min(now + wait, row.queued + self._settings.give_up_seconds)
        outbox.postpone(connection, row, next_try, str(reply), row.tries + 1, is_unreached(reply))
        if is_unknown(reply):
            text = f"duplicate possible at {row.recipient}: {reply}"
            history.note(connection, row.message.trace, now, "outbox.unknown", text)

    def _give_up(
        self,
        connection: sqlite3.Connection,
        row: OutboxRow,
        reply: Reply,
        told: Report | None,
        now: float,
    ) -> str:
        """
        @return: the id of the held message, or C{""} where none is held.
        """
        held, what = "", "dropped, as it only told something"
        if told is not None:
            what = f"told to {told.written.recipient} by {told.identity}"
        elif row.message.role != NOTICE:
            held = self._fail(connection, row, str(reply), now)
            what = f"held as {held}"
        outbox.remove(connection, row.id)
        text = f"could not be delivered to {row.recipient}, {what}: {reply}"
        history.note(connection, row.message.trace, now, "outbox.failed", text)
        return held

    def _pass_on(
        self,
        connection: sqlite3.Connection,
        destination: str,
        results: _Results,
        change: Change,
        now: float,
    ) -> None:
        """
        Spare others the try that has not reached its destination, or let them try where it has.
        """
        settings = self._settings
        if change is Change.REACHED_AGAIN:
            due.release_unreached(connection, destination, now)
        elif change is Change.NOT_REACHED:
            said = next(
                (str(reply) for _, reply in results.deferred + results.failed), "not reached"
            )
            due.postpone_all(
                connection, destination, now, said, settings.retry_seconds, settings.give_up_seconds
            )

    def _tell_failed(
        self, row: OutboxRow, reply: Reply, held: str, reports: Sequence[Report]
    ) -> None:
        trace, recipient = row.message.trace, str(row.recipient)
        told = next((each for each in reports if row in each.rows), None)
        if told is not None:
            self.log.warn(
                "{event} to {recipient}, told to {to} by {notice}: {reply}",
                event="outbox.returned",
                id=row.id,
                trace=trace,
                recipient=recipient,
                to=str(told.written.recipient),
                notice=told.identity,
                reply=str(reply),
            )
        elif held:
            self.log.error(
                "{event} to {recipient}, held as {held}: {reply}",
                event="outbox.failed",
                id=row.id,
                trace=trace,
                recipient=recipient,
                held=held,
                reply=str(reply),
            )
        else:
            self.log.error(
                "{event} to {recipient}: {reply}",
                event="notice.failed",
                id=row.id,
                trace=trace,
                recipient=recipient,
                reply=str(reply),
            )
