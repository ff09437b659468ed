"""
What people ask to be released, for whoever answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailgate.people.rights import Rights, Role
from mailgate.quarantine.desk import Desks
from mailgate.web.answer import Answer, Route, Visit
from mailgate.web.pages import words
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates


def _answers(rights: Rights) -> bool:
    return rights.role in (Role.MANAGER, Role.ADMINISTRATOR)


class RequestsPage:
    """
    Lists the open requests. They are answered by the forms of their messages.
    """

    def __init__(self, desks: Desks, times: Times, templates: Templates) -> None:
        self._desks = desks
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the route of the page.
        """
        return (Route("GET", "/requests", self._show, sees=_answers),)

    async def _show(self, visit: Visit) -> Answer:
        waiting = await self._desks.of(visit.rights, visit.actor).requests()
        body = self._templates.render(
            "requests.html",
            visit,
            times=self._times,
            waiting=waiting,
            kinds=words.KINDS,
            person=words.person,
            reason=words.reason,
            notice=words.notice(visit.notice),
        )
        return Answer(body=body)
