"""
One's own account, and how the pages look and behave in this browser.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from mailgate.people.audit import Act, Audit
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
from mailgate.web.pages.quarantine import cursor
from mailgate.web.pages.times import Times
from mailgate.web.second_factor import SecondFactor, factor_key, is_secret, picture
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
        audit: Audit,
        tries: Tries,
        factor: SecondFactor,
        issuer: str,
        times: Times,
        templates: Templates,
    ) -> None:
        """
        @param issuer: how an authenticator names this gateway.
        @param tries: wrong passwords by name, the same ones that signing in counts.
        """
        self._accounts = accounts
        self._log_ins = log_ins
        self._audit = audit
        self._tries = tries
        self._factor = factor
        self._issuer = issuer
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of these pages.
        """
        return (
            Route("GET", "/account", self._show),
            Route("POST", "/account", self._change_password, body_limit=_FORM_BYTES),
            Route("POST", "/account/log-ins", self._end_log_ins, body_limit=_FORM_BYTES),
            Route("POST", "/account/second-factor", self._change_factor, body_limit=_FORM_BYTES),
            Route("POST", "/account/language", self._change_language, body_limit=_FORM_BYTES),
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
        await self._audit.note(visit.actor, Act.SETTING, "changed the password")
        return redirect("/account", say("password"))

    async def _end_log_ins(self, visit: Visit) -> Answer:
        end = visit.value("end")
        if end == "others":
            await self._log_ins.end_other(visit.visitor)
            return redirect("/account", say("signed_out_others"))
        number = cursor(end)
        if number is None:
            raise Refused(400)
        if not await self._log_ins.end_other(visit.visitor, number):
            raise Refused(404)
        return redirect("/account", say("signed_out_there"))

    async def _change_factor(self, visit: Visit) -> Answer:
        account, do = visit.visitor.account, visit.value("do")
        if do == "begin" and not account.has_second_factor:
            return self._factor_page(visit, self._factor.new_secret())
        if do == "confirm" and not account.has_second_factor:
            secret = visit.value("secret")
            if not is_secret(secret):
                raise Refused(400)
            codes = await self._factor.switch_on(account, secret, visit.value("code"))
            if codes is None:
                return self._factor_page(visit, secret, "This is not the code of now.")
            await self._log_ins.end_other(visit.visitor)
            await self._audit.note(visit.actor, Act.SETTING, "switched the second factor on")
            return self._factor_page(visit, "", codes=codes)
        if do != "off" or not account.has_second_factor:
            raise Refused(400)
        key = factor_key(account)
        if self._tries.wait(key):
            raise Refused(429)
        self._tries.add(key)
        if not await self._factor.check(account, visit.value("code")):
            return await self._page(visit, factor_problem="This code is wrong, or was used.")
        self._tries.forget(key)
        await self._factor.switch_off(account)
        await self._audit.note(visit.actor, Act.SETTING, "switched the second factor off")
        return redirect("/account", say("factor_off"))

    def _factor_page(
        self, visit: Visit, secret: str, problem: str = "", codes: Sequence[str] = ()
    ) -> Answer:
        name = visit.visitor.account.name
        body = self._templates.render(
            "second_factor.html",
            visit,
            secret=secret,
            spelled=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
            picture=picture(secret, name, self._issuer) if secret else None,
            problem=problem,
            codes=codes,
        )
        return Answer(400 if problem else 200, body)

    async def _change_language(self, visit: Visit) -> Answer:
        language = visit.value("language")
        if language not in ("", "en", "de"):
            raise Refused(400)
        await self._accounts.speak(visit.visitor.account, language)
        return redirect("/account", say("language"))

    async def _change_appearance(self, visit: Visit) -> Answer:
        back = own_path(visit.value("back"))
        theme, keys = visit.value("theme"), visit.value("keys")
        cookies = []
        if theme in Theme.__members__.values():
            cookies.append(Cookie(THEME, theme, _YEAR if theme != Theme.SYSTEM else 0))
        if keys in ("on", "off"):
            cookies.append(Cookie(KEYS, keys, _YEAR if keys == "off" else 0))
        return redirect(back, *cookies)

    async def _page(self, visit: Visit, problem: str = "", factor_problem: str = "") -> Answer:
        body = self._templates.render(
            "account.html",
            visit,
            times=self._times,
            others=await self._log_ins.others(visit.visitor),
            sessions=await self._log_ins.of(visit.visitor),
            codes_left=await self._factor.codes_left(visit.visitor.account),
            browser=words.browser,
            problem=problem,
            factor_problem=factor_problem,
            notice=words.notice(visit.notice),
        )
        return evolve(Answer(body=body), code=400 if problem or factor_problem else 200)
