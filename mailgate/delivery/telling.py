"""
What senders of ours are told of their mail: to whom a report goes, and what it holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from attrs import field, frozen
from twisted.logger import Logger

from mailgate.config.model import Outbox as Settings
from mailgate.config.values import parse_mailbox
from mailgate.delivery import report
from mailgate.delivery.report import Fate, Original, Told
from mailgate.interfaces import IDelivery, IMessage, IThreads
from mailgate.message.envelope import TRUSTED_ROLES, Envelope, new_id
from mailgate.message.message import MemoryMessage
from mailgate.message.section import cut
from mailgate.message.spool import FileMessage
from mailgate.message.writing import REPORT, Written
from mailgate.reply import Reply
from mailgate.store import history, outbox
from mailgate.store.messages import Messages, StoredMessage
from mailgate.store.outbox import OutboxRow
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address


@frozen
class Sending:
    """
    What is needed to tell somebody something.
    """

    hostname: str
    """What we call ourselves."""

    postmaster: Address
    """Whom notices are from."""

    route_for: Callable[[Address], IDelivery | None]
    """Gives the upstream for a recipient."""

    suffix: str = ""
    """
    What is put behind the name of an account that is no address, to make it one: C{@} and a domain.
    """

    keeps: frozenset[str] = frozenset()
    """The names of the upstreams that put mail into mailboxes themselves."""


@frozen
class Report:
    """
    A notice to be sent, and the rows that it is about.
    """

    told: Told
    rows: Sequence[OutboxRow]
    written: Written
    destination: str
    identity: str = field(factory=new_id)
    """Its own id in the outbox."""


class Telling:
    """
    Writes reports and queues them.
    """

    log = Logger()

    def __init__(
        self, messages: Messages, threads: IThreads, settings: Settings, sending: Sending
    ) -> None:
        self._messages = messages
        self._threads = threads
        self._settings = settings
        self._sending = sending

    def return_address(self, stored: StoredMessage) -> Address | None:
        """
        Give who is told what becomes of a message, or C{None} where nobody is: only who has sent
        it from here, and never the null sender.

        An account may be allowed to send as others. What it sends as somebody else than itself is
        told to the account, as nobody else has sent anything.
        """
        if stored.role not in TRUSTED_ROLES or stored.sender.is_null:
            return None
        account = self._address_of(stored.account)
        return stored.sender if account is None or _is(stored.sender, account) else account

    def _address_of(self, account: str) -> Address | None:
        """
        Give an account's own address: its name, if need be with the domain behind it; or C{None}
        where it has none.
        """
        try:
            return parse_mailbox(account if "@" in account else f"{account}{self._sending.suffix}")
        except ValueError:
            return None

    def success(self, upstream: IDelivery | None) -> Told | None:
        """
        Give what is told of a copy that was taken, or C{None} where the upstream tells it.
        """
        if upstream is None:
            return None
        if upstream.name in self._sending.keeps:
            return Told.DELIVERED
        return None if "DSN" in upstream.capabilities.extensions else Told.RELAYED

    async def reports(
        self, told: Told, results: Sequence[tuple[OutboxRow, Reply | None]], now: float
    ) -> Sequence[Report]:
        """
        Write what is to be told of copies of one message: one report, or none.
        """
        stored = results[0][0].message
        to = self.return_address(stored)
        wanted = [(row, reply) for row, reply in results if report.is_wanted(told, row.wish)]
        if to is None or not wanted:
            return ()
        rows = [row for row, _ in wanted]
        upstream = self._sending.route_for(to)
        original = await self._original(stored, told)
        if original.whole is not None and upstream is not None:
            # It may be that nothing has gone there yet.
            await upstream.probe()
        written = report.write(
            told,
            original,
            [
                Fate(row.recipient, row.wish, row.reason if reply is None else str(reply))
                for row, reply in wanted
            ],
            to,
            hostname=self._sending.hostname,
            postmaster=self._sending.postmaster,
            now=now,
            until=max(row.queued for row in rows) + self._settings.give_up_seconds,
            takes_8bit=upstream is not None and "8BITMIME" in upstream.capabilities.extensions,
        )
        return (Report(told, rows, written, "" if upstream is None else upstream.name),)

    async def _original(self, stored: StoredMessage, told: Told) -> Original:
        """
        Read as much of a message as goes back. What cannot be read does not.
        """
        blobs = self._messages.blobs
        # RFC 3461 section 4.3: RET is about failures only.
        is_whole = told is Told.FAILED and stored.ret == "FULL"
        try:
            beginning = await blobs.beginning(stored.id)
            section = cut(beginning)
            if not is_whole or stored.size > self._settings.return_bytes:
                return Original(stored, section)
            path = blobs.path(stored.id)
            message = FileMessage(path, stored.size, beginning, self._threads)
            chunks = [c if isinstance(c, bytes) else await c for c in message.chunks()]
            return Original(stored, section, b"".join(chunks))
        except OSError:
            self.log.failure(
                "{event} {id}", event="outbox.not_read", id=stored.id, trace=stored.trace
            )
            return Original(stored, b"")

    def letters(self, reports: Sequence[Report], now: float) -> Sequence[tuple[Envelope, IMessage]]:
        """
        Give reports as they are stored.
        """
        return [
            (
                each.written.envelope(
                    self._sending.hostname, REPORT, each.rows[0].message.trace, now
                ),
                MemoryMessage((each.written.content,)),
            )
            for each in reports
        ]

    def queue(
        self,
        connection: sqlite3.Connection,
        reports: Sequence[Report],
        stored: Sequence[str],
        now: float,
    ) -> None:
        """
        Queue reports, inside a transaction.

        @param stored: the ids under which they are stored, in their order.
        """
        for each, identity in zip(reports, stored, strict=True):
            outbox.add_own(
                connection, each.identity, identity, each.written.recipient, now, each.destination
            )
            for row in each.rows:
                text = (
                    f"{each.told.value.action} for {row.recipient}: "
                    f"{each.written.recipient} is told by {each.identity}"
                )
                history.note(connection, row.message.trace, now, "outbox.told", text)


def _is(sender: Address, account: Address) -> bool:
    """
    Tell whether a sender is an account itself, whatever stands behind a C{+}.
    """
    own = normal_address(account)
    local, _, domain = normal_address(sender).rpartition("@")
    return own in (f"{local}@{domain}", f"{local.partition('+')[0]}@{domain}")
