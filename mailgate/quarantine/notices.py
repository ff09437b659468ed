"""
What recipients and the postmaster are told by mail: what could not be delivered and is held, and
what else needs somebody's eye.

However much happens at once, there are few notices: one for each person in a while, which tells of
everything since the last one, and only so many in an hour for all of them together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from email.utils import formatdate
from textwrap import fill

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.config.model import Notices as Settings
from mailgate.message.envelope import new_id
from mailgate.message.message import MemoryMessage
from mailgate.message.writing import NOTICE, Letter, in_words, text_part
from mailgate.quarantine import owed
from mailgate.quarantine.rows import HeldMessage
from mailgate.store import history, outbox
from mailgate.store.messages import Messages
from mailgate.wire.address import Address

SHOWN = 30
"""How many held messages one notice names."""

_HOUR = 3600.0
_WIDTH = 72


class Notices:
    """
    Sends notices, through the outbox.
    """

    log = Logger()

    def __init__(
        self,
        messages: Messages,
        now: Callable[[], float],
        settings: Settings,
        hostname: str,
        postmaster: Address,
        base_url: str,
        queued: Callable[[], None],
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param hostname: what we call ourselves.
        @param queued: called when the outbox has something new.
        """
        self._messages = messages
        self._database = messages.database
        self._now = now
        self._hostname = hostname
        self._queued = queued
        self.take_up(settings, postmaster, base_url)

    def take_up(self, settings: Settings, postmaster: Address, base_url: str) -> None:
        """
        Take up what has changed in the configuration.

        @param postmaster: whom notices are from, and who is told what nobody else can mend.
        @param base_url: where the review pages are.
        """
        self._settings = settings
        self._postmaster = postmaster
        self._base_url = base_url

    def look(self) -> Deferred[None]:
        """
        Tell what there is to tell, as far as it is time for it.
        """
        return Deferred.fromCoroutine(self._look())

    def tell_postmaster(self, subject: str, text: str, about: str, pause: float) -> Deferred[bool]:
        """
        Tell the postmaster something else.

        @param text: lines.
        @param about: a word for what it is about; of that nothing was told for C{pause} seconds.
        @return: whether the notice is queued now.
        """
        return Deferred.fromCoroutine(self._tell_postmaster(subject, text, about, pause))

    def send(self, to: Address, subject: str, paragraphs: Sequence[str]) -> Deferred[None]:
        """
        Send somebody what they have asked for; how often they may ask is the caller's to bound.
        """
        return Deferred.fromCoroutine(
            self._send(to, subject, paragraphs, f"asked:{to}", self._now(), lambda connection: None)
        )

    # ---------------------------------------------------------------------------------

    async def _look(self) -> None:
        now = self._now()
        before = now - self._settings.pause_seconds

        def begin(connection: sqlite3.Connection) -> None:
            owed.purge_notified(connection, min(before, now - 7 * 24 * _HOUR))
            if not self._settings.tell_recipients:
                owed.nobody_is_owed(connection)

        def read(connection: sqlite3.Connection) -> tuple[bool, Sequence[str]]:
            is_time = not owed.was_notified(connection, str(self._postmaster), before, now)
            left = self._settings.per_hour - owed.notified_since(connection, now - _HOUR, now)
            return is_time, owed.owners(connection, before, now, max(0, left))

        await self._database.write(begin)
        is_time, owners = await self._database.read(read)
        if is_time:
            await self._tell_of_held(now)
        for owner in owners:
            await self._tell_owner(owner, now)

    async def _tell_of_held(self, now: float) -> None:
        number, held = await self._database.read(
            lambda connection: owed.for_postmaster(connection, SHOWN)
        )
        if not held:
            return
        what = _copies(number)
        paragraphs = [
            fill(
                f"{what} could not be delivered and "
                f"{'is' if number == 1 else 'are'} held now. Nothing more is tried by itself. "
                "Release what should be tried once more, and delete what is not needed:",
                _WIDTH,
            ),
            f"{self._base_url}/quarantine?kind=undeliverable",
            *_listed(held, number, True),
        ]
        await self._send(
            self._postmaster,
            f"{what} could not be delivered",
            paragraphs,
            str(self._postmaster),
            now,
            lambda connection: owed.postmaster_is_told(connection, held[0].number),
        )

    async def _tell_owner(self, owner: str, now: float) -> None:
        number, held = await self._database.read(
            lambda connection: owed.of_owner(connection, owner, SHOWN)
        )
        if not held:
            return
        what = "One message" if number == 1 else f"{number:,} messages"
        paragraphs = [
            fill(
                f"{what} for you could not be put into your mailbox: your mail server did not take "
                f"{'it' if number == 1 else 'them'}. {'It is' if number == 1 else 'They are'} "
                f"kept at {self._hostname}. Ask {self._postmaster} if you need "
                f"{'it' if number == 1 else 'any of them'}, and name what stands behind Id.",
                _WIDTH,
            ),
            *_listed(held, number, False),
        ]
        await self._send(
            held[0].recipient.person,
            f"{what} for you could not be delivered",
            paragraphs,
            owner,
            now,
            lambda connection: owed.owner_is_told(connection, owner, held[0].number),
            [each.message.trace for each in held],
        )

    async def _tell_postmaster(self, subject: str, text: str, about: str, pause: float) -> bool:
        now = self._now()
        if await self._database.read(
            lambda connection: owed.was_notified(connection, about, now - pause, now)
        ):
            return False
        await self._send(self._postmaster, subject, [text], about, now, lambda connection: None)
        return True

    async def _send(
        self,
        to: Address,
        subject: str,
        paragraphs: Sequence[str],
        noted_as: str,
        now: float,
        told: Callable[[sqlite3.Connection], None],
        traces: Sequence[str] = (),
    ) -> None:
        """
        Queue a notice, and note in the same transaction that it was.

        @param traces: of the messages that it is about, for their histories.
        """
        letter = Letter(self._hostname, self._postmaster, to, subject, now)
        foot = f"This was written by mailgate at {self._hostname}."
        written = letter.write((text_part("\n\n".join((*paragraphs, foot))),))
        trace = new_id()

        def work(connection: sqlite3.Connection, stored: str) -> None:
            told(connection)
            owed.note_notified(connection, noted_as, now)
            outbox.add_own(connection, letter.identity, stored, to, now)
            for each in dict.fromkeys(traces):
                history.note(
                    connection, each, now, "notice.sent", f"{to} is told by {letter.identity}"
                )

        envelope = written.envelope(self._hostname, NOTICE, trace, now)
        await self._messages.keep(envelope, MemoryMessage((written.content,)), work)
        self.log.info(
            "{event} {to}: {subject}",
            event="notice.sent",
            to=str(to),
            subject=subject,
            id=letter.identity,
            trace=trace,
        )
        self._queued()


def _copies(number: int) -> str:
    return "One copy" if number == 1 else f"{number:,} copies"


def _listed(held: Sequence[HeldMessage], number: int, to_postmaster: bool) -> Sequence[str]:
    """
    Name held messages, a paragraph each. All of it is strangers' text.
    """
    paragraphs = []
    for each in held:
        message = each.message
        lines = [
            ("Id", each.id),
            ("From", message.from_header or f"<{message.sender}>"),
            ("To", str(each.recipient) if to_postmaster else ""),
            ("Subject", message.subject or "(none)"),
            ("Came", formatdate(message.received, localtime=True)),
            ("Reply", each.reason),
        ]
        paragraphs.append(
            "\n".join(
                fill(
                    f"{name}: {in_words(words, 300)}",
                    _WIDTH,
                    initial_indent="  ",
                    subsequent_indent="    ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
                for name, words in lines
                if words
            )
        )
    if number > len(held):
        more = number - len(held)
        paragraphs.append(f"  and {more:,} {'other' if more == 1 else 'others'}, which are older.")
    return paragraphs
