"""
When the digests for one's own addresses come.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import evolve, frozen

from mailgate.config.schedule import Schedule, check_schedule, check_zone
from mailgate.people.audit import Act, Audit
from mailgate.quarantine.digest_choice import DigestChoice, choice_of, choose
from mailgate.store.database import Database
from mailgate.web.answer import Answer, Refused, Route, Visit, redirect, say
from mailgate.web.pages import words
from mailgate.web.templates import Templates

_FORM_BYTES = 4096
_LONGEST = 100


@frozen
class _Row:
    """
    What is chosen for one address.
    """

    address: str
    choice: DigestChoice


class DigestPages:
    """
    Shows and keeps what people choose.
    """

    def __init__(
        self, database: Database, audit: Audit, configured: Schedule | None, templates: Templates
    ) -> None:
        """
        @param configured: what counts where nothing is chosen; C{None} where no digests are sent.
        """
        self._database = database
        self._audit = audit
        self._configured = configured
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of the page.
        """
        return (
            Route("GET", "/account/digest", self._show),
            Route("POST", "/account/digest", self._change, body_limit=_FORM_BYTES),
        )

    async def _show(self, visit: Visit) -> Answer:
        return await self._page(visit)

    async def _change(self, visit: Visit) -> Answer:
        address = visit.value("address")
        if address not in visit.rights.addresses:
            raise Refused(404)
        schedule, zone = (visit.value(name).strip()[:_LONGEST] for name in ("schedule", "zone"))
        try:
            choice = DigestChoice(schedule and check_schedule(schedule), check_zone(zone))
        except ValueError as error:
            return await self._page(visit, f"It {error}.")
        await self._database.write(lambda connection: choose(connection, address, choice))
        text = f"chose when digests for {address} come: {choice.schedule or 'as configured'}"
        await self._audit.note(visit.actor, Act.SETTING, text)
        return redirect("/account/digest", say("digest"))

    async def _page(self, visit: Visit, problem: str = "") -> Answer:
        addresses = sorted(visit.rights.addresses)

        def read(connection: sqlite3.Connection) -> Sequence[_Row]:
            return [_Row(each, choice_of(connection, each)) for each in addresses]

        rows = [
            # What was typed stands there again, to be mended.
            evolve(row, choice=DigestChoice(visit.value("schedule"), visit.value("zone")))
            if problem and row.address == visit.value("address")
            else row
            for row in await self._database.read(read)
        ]
        body = self._templates.render(
            "digests.html",
            visit,
            rows=rows,
            configured="" if self._configured is None else self._configured.in_words,
            problem=problem,
            wrong=visit.value("address"),
            notice=words.notice(visit.notice),
        )
        return Answer(400 if problem else 200, body)
