"""
The people who may sign in: who they are, what they may do, and what they have done.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from mailgate.people.account import Account, AccountRefused
from mailgate.people.audit import Act, Audit
from mailgate.people.rights import Rights, Role
from mailgate.web.accounts import Accounts
from mailgate.web.answer import Answer, Refused, Route, Visit, redirect, say
from mailgate.web.links import LogInLinks
from mailgate.web.pages import words
from mailgate.web.pages.quarantine import QUERY_LENGTH, cursor
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

PAGE = 100
"""How many things one page of the audit shows."""

_FORM_BYTES = 16 * 1024
_ROLES = {
    Role.USER: ("User", "sees and decides about the mail for their own addresses"),
    Role.MANAGER: ("Manager", "looks after the held mail of domains, and answers requests"),
    Role.AUDITOR: ("Auditor", "sees everything and changes nothing"),
    Role.ADMINISTRATOR: ("Administrator", "may do everything"),
}


def _sees(rights: Rights) -> bool:
    return rights.sees_settings


def _may(rights: Rights) -> bool:
    return rights.manages_people


class PeoplePages:
    """
    Lists people, adds and changes them, and shows the audit.
    """

    def __init__(
        self,
        accounts: Accounts,
        links: LogInLinks,
        audit: Audit,
        times: Times,
        templates: Templates,
    ) -> None:
        self._accounts = accounts
        self._links = links
        self._audit = audit
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of these pages.
        """
        return (
            Route("GET", "/people", self._show, sees=_sees),
            Route("POST", "/people", self._add, True, _FORM_BYTES, _sees, _may),
            Route("GET", "/people/{id}", self._show_one, sees=_sees),
            Route("POST", "/people/{id}", self._change, True, _FORM_BYTES, _sees, _may),
            Route("POST", "/people/{id}/link", self._link, True, _FORM_BYTES, _sees, _may),
            Route("GET", "/audit", self._show_audit, sees=lambda rights: rights.sees_audit),
        )

    async def _show(self, visit: Visit) -> Answer:
        return await self._page(visit)

    async def _page(self, visit: Visit, problem: str = "") -> Answer:
        body = self._templates.render(
            "people.html",
            visit,
            times=self._times,
            people=await self._accounts.list(),
            roles=_ROLES,
            problem=problem,
            notice=words.notice(visit.notice),
        )
        return Answer(400 if problem else 200, body)

    async def _add(self, visit: Visit) -> Answer:
        name = visit.value("name")
        addresses = _words(visit.value("addresses"))
        if not addresses and "@" in name:
            addresses = [name]
        try:
            account = await self._accounts.add(
                name,
                visit.value("password") or None,
                _role(visit),
                addresses,
                _words(visit.value("domains")),
                bool(visit.value("reads_bodies")),
            )
        except AccountRefused as refused:
            return await self._page(visit, str(refused))
        await self._audit.note(visit.actor, Act.PERSON, f"made {_described(account)}")
        return redirect(f"/people/{account.id}", say("person_added"))

    async def _show_one(self, visit: Visit) -> Answer:
        return self._one(visit, await self._account(visit))

    def _one(self, visit: Visit, account: Account, problem: str = "", link: str = "") -> Answer:
        body = self._templates.render(
            "person.html",
            visit,
            times=self._times,
            person=account,
            roles=_ROLES,
            problem=problem,
            link=link,
            notice=words.notice(visit.notice),
        )
        return Answer(400 if problem else 200, body)

    async def _change(self, visit: Visit) -> Answer:
        account = await self._account(visit)
        try:
            changed = await self._accounts.change(
                account.id,
                _role(visit),
                _words(visit.value("addresses")),
                _words(visit.value("domains")),
                bool(visit.value("reads_bodies")),
                bool(visit.value("is_disabled")),
            )
        except AccountRefused as refused:
            return self._one(visit, account, str(refused))
        if changed is None:
            raise Refused(404)
        await self._audit.note(visit.actor, Act.PERSON, f"changed {_described(changed)}")
        return redirect(f"/people/{account.id}", say("person"))

    async def _link(self, visit: Visit) -> Answer:
        account = await self._account(visit)
        if account.is_disabled:
            raise Refused(400)
        # Before the link is there: nobody gets one that nothing is written of.
        await self._audit.note(visit.actor, Act.PERSON, f"made a link to sign in as {account.name}")
        return self._one(visit, account, link=await self._links.new(account))

    async def _show_audit(self, visit: Visit) -> Answer:
        by = visit.query.get("by", "").strip()[:QUERY_LENGTH]
        before = cursor(visit.query.get("before", ""))
        found = await self._audit.newest(PAGE + 1, before, by)
        older = found[PAGE - 1].number if len(found) > PAGE else None
        body = self._templates.render(
            "audit.html",
            visit,
            times=self._times,
            noted=found[:PAGE],
            by=by,
            newest=_audit_url(by) if before is not None else None,
            older=_audit_url(by, older) if older is not None else None,
        )
        return Answer(body=body)

    async def _account(self, visit: Visit) -> Account:
        identity = cursor(visit.segments["id"])
        account = None if identity is None else await self._accounts.get(identity)
        if account is None:
            raise Refused(404)
        return account


def _role(visit: Visit) -> Role:
    try:
        return Role(visit.value("role"))
    except ValueError:
        raise Refused(400) from None


def _words(text: str) -> Sequence[str]:
    """
    Read what stands on lines, or with commas or spaces between.
    """
    return text.replace(",", " ").split()


def _described(account: Account) -> str:
    scopes = ", ".join(sorted(account.addresses | account.domains)) or "no address"
    state = ", disabled" if account.is_disabled else ""
    blind = "" if account.reads_bodies else ", without reading mail of others"
    return f"{account.name}: {account.role}, {scopes}{blind}{state}"


def _audit_url(by: str, before: int | None = None) -> str:
    fields = {"by": by or None, "before": before}
    query = urlencode({name: value for name, value in fields.items() if value is not None})
    return f"/audit?{query}" if query else "/audit"
