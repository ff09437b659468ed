"""
One's own account, and how the pages look and behave in this browser.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from mailgate.web.accounts import AccountRefused, Accounts, key_of
from mailgate.web.answer import (
    Answer,
    Cookie,
    Refused,
    Route,
    Theme,
    Visit,
    own_path,
    redirect,
    say,
)
from mailgate.web.front import KEYS, THEME
from mailgate.web.pages import words
from mailgate.web.pages.times import Times
from mailgate.web.sign_in import LogIns, Tries
from mailgate.web.templates import Templates

_FORM_BYTES = 8192
_YEAR = 365 * 86400


class AccountPages:
    """
    The page of one's own account, and the form at the foot of every page.
    """

    def __init__(
        self,
        accounts: Accounts,
        log_ins: LogIns,
        tries: Tries,
        times: Times,
        templates: Templates,
    ) -> None:
        """
        @param tries: wrong passwords by name, the same ones that signing in counts.
        """
        self._accounts = accounts
        self._log_ins = log_ins
        self._tries = tries
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of these pages.
        """
        return (
            Route("GET", "/account", self._show),
            Route("POST", "/account", self._change_password, body_limit=_FORM_BYTES),
            Route("POST", "/appearance", self._change_appearance, body_limit=_FORM_BYTES),
        )

    async def _show(self, visit: Visit) -> Answer:
        return await self._page(visit)

    async def _change_password(self, visit: Visit) -> Answer:
        log_in = visit.visitor
        new = visit.value("new")
        if new != visit.value("again"):
            return await self._page(visit, "The new password was typed in two different ways.")
        by_name = key_of(log_in.account.name)
        if self._tries.wait(by_name):
            raise Refused(429)
        self._tries.add(by_name)
        try:
            is_changed = await self._accounts.change_password(
                log_in.account, visit.value("current"), new, log_in.token
            )
        except AccountRefused as problem:
            return await self._page(visit, str(problem))
        if not is_changed:
            return await self._page(visit, "The current password is wrong.")
        self._tries.forget(by_name)
        return redirect("/account", say("password"))

    async def _change_appearance(self, visit: Visit) -> Answer:
        back = own_path(visit.value("back"))
        theme, keys = visit.value("theme"), visit.value("keys")
        cookies = []
        if theme in Theme.__members__.values():
            cookies.append(Cookie(THEME, theme, _YEAR if theme != Theme.SYSTEM else 0))
        if keys in ("on", "off"):
            cookies.append(Cookie(KEYS, keys, _YEAR if keys == "off" else 0))
        return redirect(back, *cookies)

    async def _page(self, visit: Visit, problem: str = "") -> Answer:
        body = self._templates.render(
            "account.html",
            visit,
            times=self._times,
            others=await self._log_ins.others(visit.visitor),
            problem=problem,
            notice=words.notice(visit.notice),
        )
        return evolve(Answer(body=body), code=400 if problem else 200)
