"""
Digests: what is new in the quarantine, told by mail to whom it is held for.

A digest goes to the mailbox that its messages were for, and to no other: to the owner of an alias,
to a shared mailbox itself. So whoever can read it could have read the messages.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.config.model import Digest as Settings
from mailgate.config.schedule import Schedule, zone_of
from mailgate.message.envelope import new_id
from mailgate.message.message import MemoryMessage
from mailgate.message.writing import NOTICE, Letter, Part
from mailgate.quarantine.rows import HeldMessage
from mailgate.quarantine.tokens import Purpose, Signer, Token, Tokens
from mailgate.store import outbox
from mailgate.store.database import select
from mailgate.store.messages import Messages
from mailgate.verdict import Kind
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_domain

SHOWN = 30
"""How many messages one digest names; the others it counts."""

LINKED = frozenset((Kind.SPAM, Kind.BULK))
"""
Kinds that links without a log-in may be about, whatever is configured: a digest lies in a mailbox
that others may be able to read.
"""

SECONDS = 15.0
"""How often it is looked whether it is time."""

_AT_ONCE = 100
"""How many digests are written in one go, so that thousands at eight o'clock hold up nothing."""

_OWNERS = 20_000
_DAY = 86400


@frozen
class Digest:
    """
    What one digest tells.
    """

    to: Address
    shown: Sequence[HeldMessage]
    """Those it names, the most doubtful first."""

    number: int
    """How many are new."""

    links: Mapping[str, Mapping[Purpose, str]]
    """By the id of a held message, what a link can be for, and its token."""

    since: float | None
    """When the last one was sent, in seconds since the epoch, as all times here."""

    now: float
    until: float
    """Until when its links work."""

    schedule: Schedule
    zone: dt.tzinfo | None


@frozen
class _Waiting:
    """
    Somebody for whom something is new.
    """

    owner: str
    oldest: float
    sent: float | None
    schedule: Schedule
    zone: dt.tzinfo | None


class Digests:
    """
    Sends digests, through the outbox.
    """

    log = Logger()

    def __init__(
        self,
        messages: Messages,
        tokens: Tokens,
        now: Callable[[], float],
        hostname: str,
        queued: Callable[[], None],
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param hostname: what we call ourselves.
        @param queued: called when the outbox has something new.
        """
        self._messages = messages
        self._database = messages.database
        self._tokens = tokens
        self._now = now
        self._hostname = hostname
        self._queued = queued
        self.write: Callable[[Digest], Sequence[Part]]
        """Puts a digest into words; its subject is that of L{subject}."""

    def take_up(
        self,
        settings: Settings,
        is_on: bool,
        postmaster: Address,
        domains: Collection[str],
        keep_days: int,
        releases: Collection[Kind],
    ) -> None:
        """
        Take up the configuration.

        @param is_on: whether any are sent.
        @param postmaster: whom they are from; that address gets none.
        @param domains: of the routes; nobody else gets one.
        @param releases: the kinds that people release themselves.
        """
        self._settings = settings
        self._is_on = is_on
        self._postmaster = postmaster
        self._domains = domains
        self._keep_days = keep_days
        self._linked = LINKED & frozenset(releases)

    def look(self) -> Deferred[int]:
        """
        Send the digests for which it is time, and count them.
        """
        return Deferred.fromCoroutine(self._look())

    def send_now(self, owner: str) -> Deferred[bool]:
        """
        Send somebody what is new for them, whenever it is, and tell whether anything was.
        """
        return Deferred.fromCoroutine(self._send_now(owner))

    # ---------------------------------------------------------------------------------

    async def _look(self) -> int:
        now = self._now()
        waiting = await self._database.read(self._waiting)
        nobody = [each for each in waiting if not self._gets_any(each)]
        if nobody:
            await self._database.write(
                lambda connection: _nothing_is_owed(connection, [each.owner for each in nobody])
            )
        due = [
            each
            for each in waiting
            if self._gets_any(each)
            and each.schedule.is_time(each.oldest, each.sent, now, each.zone)
        ][:_AT_ONCE]
        if not due:
            return 0
        signer = await self._tokens.signer()
        return sum([await self._send(each, signer, now) for each in due])

    async def _send_now(self, owner: str) -> bool:
        owner = owner.lower()
        waiting = await self._database.read(lambda connection: self._waiting(connection, owner))
        if not waiting or not self._is_ours(owner):
            return False
        return await self._send(waiting[0], await self._tokens.signer(), self._now())

    def _gets_any(self, waiting: _Waiting) -> bool:
        return self._is_on and not waiting.schedule.is_never and self._is_ours(waiting.owner)

    def _is_ours(self, owner: str) -> bool:
        local, _, domain = owner.rpartition("@")
        if local.strip('"') == "postmaster" or owner == str(self._postmaster).lower():
            return False
        domain = normal_domain(domain)
        never = self._settings.never
        return domain in self._domains and owner not in never and f"@{domain}" not in never

    def _waiting(self, connection: sqlite3.Connection, owner: str = "") -> Sequence[_Waiting]:
        found = select(
            connection,
            "SELECT lower(held.owner) AS person, min(held) AS oldest, at, schedule, zone"
            # Without being told so, all that is held would be looked at.
            " FROM held INDEXED BY held_owes_digest"
            " LEFT JOIN digest_sent ON digest_sent.owner = lower(held.owner)"
            " LEFT JOIN digest_choice ON digest_choice.owner = lower(held.owner)"
            " WHERE owes_digest AND state = 'held' AND (:owner = '' OR lower(held.owner) = :owner)"
            " GROUP BY lower(held.owner) ORDER BY min(number) LIMIT :limit",
            {"owner": owner, "limit": _OWNERS},
        )
        return [
            _Waiting(
                row["person"],
                row["oldest"],
                row["at"],
                Schedule.parse(row["schedule"] or self._settings.schedule),
                zone_of(row["zone"] or self._settings.zone),
            )
            for row in found
        ]

    async def _send(self, waiting: _Waiting, signer: Signer, now: float) -> bool:
        owner = waiting.owner

        def read(connection: sqlite3.Connection) -> tuple[Sequence[int], Sequence[HeldMessage]]:
            wanted = (
                "FROM held INDEXED BY held_owes_digest{}"
                " WHERE owes_digest AND state = 'held' AND lower(owner) = ?"
                " ORDER BY kind = 'malware', total, number DESC"
            )
            numbers = connection.execute(f"SELECT number {wanted.format('')}", (owner,)).fetchall()
            joined = wanted.format(" JOIN messages USING (message)")
            found = select(connection, f"SELECT * {joined} LIMIT ?", (owner, SHOWN))
            return [number for (number,) in numbers], [HeldMessage.of(row) for row in found]

        numbers, shown = await self._database.read(read)
        if not shown:
            return False
        until = now + self._settings.link_days * _DAY
        to = shown[0].recipient.person
        digest = Digest(
            to=to,
            shown=shown,
            number=len(numbers),
            links={
                held.id: self._links(held, signer, until)
                for held in shown
                if held.kind in self._linked
            },
            since=waiting.sent,
            now=now,
            until=until,
            schedule=waiting.schedule,
            zone=waiting.zone,
        )
        letter = Letter(
            self._hostname,
            self._postmaster,
            to,
            subject(len(numbers)),
            now,
            list_id=f"digest.{self._hostname}",
        )
        written = letter.write(self.write(digest), alternative=True)
        trace = new_id()

        def work(connection: sqlite3.Connection, stored: str) -> None:
            connection.execute(
                "UPDATE held SET owes_digest = 0 WHERE number IN (SELECT value FROM json_each(?))",
                (json.dumps(numbers),),
            )
            connection.execute("INSERT OR REPLACE INTO digest_sent VALUES (?, ?)", (owner, now))
            outbox.add_own(connection, letter.identity, stored, to, now)

        envelope = written.envelope(self._hostname, NOTICE, trace, now)
        await self._messages.keep(envelope, MemoryMessage((written.content,)), work)
        self.log.info(
            "{event} {to}: {number} new",
            event="digest.sent",
            to=str(to),
            number=len(numbers),
            id=letter.identity,
            trace=trace,
        )
        self._queued()
        return True

    def _links(self, held: HeldMessage, signer: Signer, until: float) -> Mapping[Purpose, str]:
        ends = int(min(until, held.held + self._keep_days * _DAY))
        return {purpose: signer.write(Token(purpose, held.id, ends)) for purpose in Purpose}


def subject(number: int) -> str:
    """
    Give the subject of a digest, in which no stranger's words stand.
    """
    return "One new message is held" if number == 1 else f"{number:,} new messages are held"


def _nothing_is_owed(connection: sqlite3.Connection, owners: Sequence[str]) -> None:
    connection.execute(
        "UPDATE held INDEXED BY held_owes_digest SET owes_digest = 0"
        " WHERE owes_digest AND state = 'held'"
        " AND lower(owner) IN (SELECT value FROM json_each(?))",
        (json.dumps(owners),),
    )
