"""
Whether mail piles up in the outbox, and who is told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.config.model import Outbox as Settings
from mailgate.quarantine.notices import Notices
from mailgate.reporting.overview import span
from mailgate.store import outbox
from mailgate.store.database import Database

DAY = 86400.0
"""After how long somebody is told once more."""

SECONDS = 60.0
"""How often it is looked at."""


class Backlog:
    """
    Looks how much waits, and for how long, and tells when it is too much and when no more.
    """

    log = Logger()

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        settings: Settings,
        notices: Notices,
        base_url: str,
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param base_url: where the review pages are.
        """
        self._database = database
        self._now = now
        self._settings = settings
        self._notices = notices
        self._base_url = base_url
        self._told: float | None = None

    def look(self) -> Deferred[None]:
        """
        Look, and tell.
        """
        return Deferred.fromCoroutine(self._look())

    async def _look(self) -> None:
        def work(connection: sqlite3.Connection) -> tuple[int, float | None, list[tuple[str, int]]]:
            waiting, trying, _, oldest = outbox.survey(connection)
            return waiting + trying, oldest, outbox.count_by_destination(connection)

        number, oldest, by_destination = await self._database.read(work)
        now = self._now()
        age = 0.0 if oldest is None else max(0.0, now - oldest)
        if age < self._settings.alert_seconds and number < self._settings.alert_copies:
            if self._told is not None:
                self._told = None
                self.log.info("{event}", event="outbox.backlog_over")
            return
        if self._told is not None and 0 <= now - self._told < DAY:
            return
        self._told = now
        self.log.warn(
            "{event} {number} copies wait, the oldest for {age:.0f} s",
            event="outbox.backlog",
            number=number,
            age=age,
        )
        copies = "1 copy waits" if number == 1 else f"{number:,} copies wait"
        lines = [
            f"{copies} in the outbox, the oldest for {span(age)}.",
            "",
            *(
                f"  {count:,} for {f'the upstream {name}' if name else 'no known upstream'}"
                for name, count in by_destination
            ),
            "",
            "Each is tried again by itself. What the upstreams have said:",
            "",
            f"{self._base_url}/outbox",
        ]
        await self._notices.tell_postmaster(
            "Mail piles up in the outbox", "\n".join(lines), "outbox.backlog", DAY
        )
