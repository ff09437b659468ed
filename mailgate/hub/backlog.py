"""
Whether mail piles up in the outbox, and who is told.
"""

from __future__ import annotations

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
        """
        self._database = database
        self._now = now
        self._notices = notices
        self._told: float | None = None
        self.take_up(settings, base_url)

    def take_up(self, settings: Settings, base_url: str) -> None:
        """
        Take up what has changed in the configuration.

        @param base_url: where the review pages are.
        """
        self._settings = settings
        self._base_url = base_url

    def look(self) -> Deferred[None]:
        """
        Look, and tell.
        """
        return Deferred.fromCoroutine(self._look())

    async def _look(self) -> None:
        settings = self._settings
        found = await self._database.read(outbox.backlog)
        now = self._now()
        number, age = found.copies, found.age(now)
        if not found.is_large(now, settings.alert_seconds, settings.alert_copies):
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
                for name, count in found.by_destination
            ),
            "",
            "Each is tried again by itself. What the upstreams have said:",
            "",
            f"{self._base_url}/outbox",
        ]
        await self._notices.tell_postmaster(
            "Mail piles up in the outbox", "\n".join(lines), "outbox.backlog", DAY
        )
