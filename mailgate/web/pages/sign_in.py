"""
Signing in and out, and the first administrator's account.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from attrs import evolve
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailgate.web.accounts import Account, AccountRefused, Accounts, key_of
from mailgate.web.answer import Answer, Cookie, Refused, Route, Visit, own_path, redirect, say
from mailgate.web.links import LogInLinks
from mailgate.web.pages import words
from mailgate.web.second_factor import SecondFactor, factor_key
from mailgate.web.sign_in import FirstAdministrator, LogIns, Tries, network_of
from mailgate.web.templates import Templates

TRIES_OF_A_NAME = 10
"""Wrong passwords for one name within 15 minutes."""

TRIES_OF_A_NETWORK = 30
"""Wrong passwords from one address within 15 minutes."""

LINKS_OF_A_NAME = 3
"""Links that are sent to one address within 15 minutes. Nobody is told that more are not sent."""

LINKS_OF_A_NETWORK = 10
"""Links that one address asks for within 15 minutes."""

_FORM_BYTES = 8192
_WRONG = "The name, the password or the code is wrong."


class SignInPages:
    """
    The pages that are shown without a log-in.
    """

    log = Logger()

    def __init__(
        self,
        accounts: Accounts,
        log_ins: LogIns,
        first_administrator: FirstAdministrator,
        clock: IReactorTime,
        log_in_cookie: str,
        factor: SecondFactor,
        links: LogInLinks,
        templates: Templates,
    ) -> None:
        """
        @param clock: counts tries.
        @param log_in_cookie: the name of the cookie that holds a log-in's token.
        """
        self._accounts = accounts
        self._log_ins = log_ins
        self._first = first_administrator
        self._cookie = log_in_cookie
        self._factor = factor
        self._links = links
        self._links_of_names = Tries(clock, LINKS_OF_A_NAME)
        self._links_of_networks = Tries(clock, LINKS_OF_A_NETWORK)
        self._templates = templates
        self.tries_of_names = Tries(clock, TRIES_OF_A_NAME)
        self._tries_of_networks = Tries(clock, TRIES_OF_A_NETWORK)

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of these pages.
        """
        return (
            Route("GET", "/sign-in", self._ask, False),
            Route("POST", "/sign-in", self._sign_in, False, _FORM_BYTES),
            Route("POST", "/sign-in/link", self._send_link, False, _FORM_BYTES),
            Route("GET", "/sign-in/{token}", self._ask_link, False),
            Route("POST", "/sign-in/{token}", self._use_link, False, _FORM_BYTES),
            Route("POST", "/sign-out", self._sign_out, True, _FORM_BYTES),
            Route("GET", "/setup/{token}", self._ask_first, False),
            Route("POST", "/setup/{token}", self._make_first, False, _FORM_BYTES),
        )

    # -- signing in -------------------------------------------------------------------

    async def _ask(self, visit: Visit) -> Answer:
        onward = own_path(visit.query.get("next", "/"))
        if visit.log_in is not None:
            return redirect(onward)
        return await self._sign_in_page(visit, onward)

    async def _sign_in(self, visit: Visit) -> Answer:
        onward = own_path(visit.value("next"))
        name, password = visit.value("name"), visit.value("password")
        by_name, by_network = key_of(name), network_of(visit.client)
        wait = max(self.tries_of_names.wait(by_name), self._tries_of_networks.wait(by_network))
        if wait:
            self.log.warn("{event} from {client}", event="web.sign_in_limited", client=visit.client)
            return await self._too_many(visit, onward, name, wait)
        # Counted before the answer is known, so that many tries at once are many tries.
        self.tries_of_names.add(by_name)
        self._tries_of_networks.add(by_network)
        account = await self._accounts.check(name, password)
        # A wrong code is told apart from a wrong password by nobody.
        if account is None or not await self._has_code(account, visit):
            # Without the name: some type their password there.
            self.log.warn("{event} from {client}", event="web.sign_in_refused", client=visit.client)
            page = await self._sign_in_page(visit, onward, name, _WRONG)
            return evolve(page, code=403)
        self.tries_of_names.forget(by_name)
        self._tries_of_networks.take_back(by_network)
        self.log.info(
            "{event} {name} from {client}",
            event="web.signed_in",
            name=account.name,
            client=visit.client,
        )
        means = "password and code" if account.has_second_factor else "password"
        return redirect(onward, await self._begin(visit, account, means))

    async def _has_code(self, account: Account, visit: Visit) -> bool:
        """
        Tell whether the form has the code that an account needs, if it needs one.
        """
        if not account.has_second_factor:
            return True
        key = factor_key(account)
        if self.tries_of_names.wait(key):
            return False
        self.tries_of_names.add(key)
        is_right = await self._factor.check(account, visit.value("code"))
        if is_right:
            self.tries_of_names.forget(key)
        return is_right

    # -- by link ----------------------------------------------------------------------

    async def _send_link(self, visit: Visit) -> Answer:
        by_network, address = network_of(visit.client), visit.value("address")
        if self._links_of_networks.wait(by_network):
            raise Refused(429)
        self._links_of_networks.add(by_network)
        by_name = key_of(address)
        if not self._links_of_names.wait(by_name):
            self._links_of_names.add(by_name)
            # Not waited for, so that the time tells nobody whether there is such a person.
            self._links.ask(address)
        return redirect("/sign-in", say("link_asked"))

    async def _ask_link(self, visit: Visit) -> Answer:
        account = await self._links.find(visit.segments["token"])
        if account is None:
            raise _no_log_in_link()
        return self._link_page(visit, account)

    async def _use_link(self, visit: Visit) -> Answer:
        token = visit.segments["token"]
        account = await self._links.find(token)
        if account is None:
            raise _no_log_in_link()
        if not await self._has_code(account, visit):
            return evolve(self._link_page(visit, account, "The code is wrong."), code=403)
        if not await self._links.use(token):
            raise _no_log_in_link()
        means = "link and code" if account.has_second_factor else "link"
        return redirect("/quarantine", await self._begin(visit, account, means))

    def _link_page(self, visit: Visit, account: Account, problem: str = "") -> Answer:
        body = self._templates.render(
            "link.html",
            visit,
            name=account.name,
            asks_code=account.has_second_factor,
            problem=problem,
        )
        return Answer(body=body)

    async def _sign_out(self, visit: Visit) -> Answer:
        await self._log_ins.end(visit.visitor)
        return redirect("/sign-in", Cookie(self._cookie, "", 0), say("signed_out"))

    async def _begin(self, visit: Visit, account: Account, means: str) -> Cookie:
        token = await self._log_ins.begin(account, visit.client, visit.program, means)
        return Cookie(self._cookie, token)

    async def _too_many(self, visit: Visit, onward: str, name: str, wait: float) -> Answer:
        minutes = ceil(wait / 60)
        span = "a minute" if minutes == 1 else f"{minutes} minutes"
        problem = f"There were too many tries. Try again in {span}."
        page = await self._sign_in_page(visit, onward, name, problem)
        return evolve(page, code=429, headers=(("Retry-After", str(ceil(wait))),))

    async def _sign_in_page(
        self, visit: Visit, onward: str, name: str = "", problem: str = ""
    ) -> Answer:
        body = self._templates.render(
            "sign_in.html",
            visit,
            onward=onward,
            name=name,
            problem=problem,
            is_empty=await self._accounts.count() == 0,
            notice=words.notice(visit.notice),
        )
        return Answer(body=body)

    # -- the first administrator ------------------------------------------------------

    async def _ask_first(self, visit: Visit) -> Answer:
        if not await self._first.works(visit.segments["token"]):
            raise _no_link()
        return self._first_page(visit)

    async def _make_first(self, visit: Visit) -> Answer:
        name = visit.value("name")
        try:
            account = await self._first.create(
                visit.segments["token"], name, visit.value("password")
            )
        except AccountRefused as problem:
            return evolve(self._first_page(visit, name, str(problem)), code=400)
        if account is None:
            raise _no_link()
        return redirect(
            "/quarantine", await self._begin(visit, account, "password"), say("welcome")
        )

    def _first_page(self, visit: Visit, name: str = "", problem: str = "") -> Answer:
        return Answer(body=self._templates.render("set_up.html", visit, name=name, problem=problem))


def _no_log_in_link() -> Refused:
    return Refused(
        404,
        "This link does not work, or no longer: it works once, for 15 minutes. Ask for a new one"
        " where you sign in.",
    )


def _no_link() -> Refused:
    return Refused(
        404,
        "This link does not work, or no longer: it makes one account, for 15 minutes from the start"
        " of the gateway. As long as there is no account, each start prints a new one.",
    )
