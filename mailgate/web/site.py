"""
The review pages, put together, behind Twisted's HTTP server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import tzinfo
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mailgate.config.model import Outbox, Policy, Web
from mailgate.config.schedule import Schedule
from mailgate.interfaces import ILearner, IRater, IReader
from mailgate.people.rights import USERS_RELEASE
from mailgate.quarantine.deciding import Decisions
from mailgate.quarantine.desk import Desks
from mailgate.quarantine.tokens import Tokens
from mailgate.verdict import Kind
from mailgate.web.channel import LimitedRequest, LimitedSite
from mailgate.web.front import LOG_IN, Asked, Front
from mailgate.web.links import LogInLinks, Mail
from mailgate.web.names import Names
from mailgate.web.pages.account import AccountPages
from mailgate.web.pages.digests import DigestPages
from mailgate.web.pages.links import LinkPages
from mailgate.web.pages.lists import ListsPage
from mailgate.web.pages.message import MessagePage
from mailgate.web.pages.outbox import OutboxPage
from mailgate.web.pages.overview import OverviewPage
from mailgate.web.pages.people import PeoplePages
from mailgate.web.pages.quarantine import QuarantinePage
from mailgate.web.pages.requests import RequestsPage
from mailgate.web.pages.sign_in import SignInPages
from mailgate.web.pages.static import StaticFiles
from mailgate.web.pages.times import Times
from mailgate.web.pages.trace import TracePage
from mailgate.web.second_factor import SecondFactor
from mailgate.web.sending import send
from mailgate.web.sign_in import FirstAdministrator, LogIns
from mailgate.web.templates import Templates

if TYPE_CHECKING:
    from mailgate.delivery.queue import Queue
    from mailgate.knowledge.list_store import ListStore
    from mailgate.people.audit import Audit
    from mailgate.quarantine.held import Quarantine
    from mailgate.reporting.statistics import Statistics
    from mailgate.reporting.status import Status
    from mailgate.reporting.trace import Traces
    from mailgate.store.database import Database
    from mailgate.web.accounts import Accounts

CONNECTIONS = 500
"""How many there may be at the same time."""


def make_site(
    *,
    web: Web,
    policy: Policy,
    outbox: Outbox,
    certain: float,
    keep_days: int,
    hostname: str,
    quarantine: Quarantine,
    queue: Queue,
    traces: Traces,
    statistics: Statistics,
    lists: ListStore,
    database: Database,
    audit: Audit,
    accounts: Accounts,
    log_ins: LogIns,
    first_administrator: FirstAdministrator,
    mail: Mail,
    reader: IReader,
    reactor: IReactorTime,
    now: Callable[[], float],
    learner: ILearner | None = None,
    rater: IRater | None = None,
    status: Callable[[], Awaitable[Status]] | None = None,
    zone: tzinfo | None = None,
    releases: Collection[Kind] = USERS_RELEASE,
    is_shared: Callable[[str], bool] = lambda domain: False,
    schedule: Schedule | None = None,
) -> ReviewSite:
    """
    Put the review pages together.

    @param certain: the score of what is certainly spam by the statistics.
    @param keep_days: for how many days a held message is kept.
    @param hostname: what the gateway calls itself.
    @param database: holds what happened after a transaction.
    @param audit: where it is written down what people do.
    @param mail: sends links to sign in.
    @param reader: reads messages for display.
    @param reactor: drives time limits.
    @param now: the time in seconds since the epoch.
    @param learner: learns from what is decided here; C{None} where nothing does.
    @param rater: learns of senders from it; C{None} where nothing does.
    @param status: tells how the gateway is; C{None} where nobody can.
    @param zone: the time zone in which times are shown; C{None} is the machine's own.
    @param releases: the kinds that people release themselves.
    @param is_shared: tells whether everybody may have an address at a domain.
    @param schedule: of digests for those who have chosen nothing; C{None} where none are sent.
    """
    names = Names(web.base_url, web.hosts)
    templates = Templates()
    times = Times(now, zone)
    desks = Desks(quarantine, Decisions(quarantine, learner, rater), database, audit, now)
    factor = SecondFactor(database, now)
    links = LogInLinks(database, now, web.base_url, mail)
    issuer = f"mailgate {urlsplit(web.base_url).hostname}"
    sign_in = SignInPages(
        accounts,
        log_ins,
        first_administrator,
        reactor,
        names.cookie(LOG_IN),
        factor,
        links,
        templates,
    )
    pages = (
        StaticFiles(),
        sign_in,
        QuarantinePage(desks, policy, certain, keep_days, times, templates),
        MessagePage(desks, lists, policy, certain, keep_days, reader, times, templates),
        LinkPages(
            Tokens(database),
            desks,
            lists,
            policy,
            certain,
            releases,
            is_shared,
            times,
            templates,
        ),
        ListsPage(lists, audit, times, templates),
        OutboxPage(queue, quarantine, outbox, times, templates),
        OverviewPage(statistics, status, hostname, times, templates),
        TracePage(traces, database, policy, times, templates),
        AccountPages(
            accounts,
            log_ins,
            audit,
            sign_in.tries_of_names,
            factor,
            issuer,
            times,
            templates,
        ),
        DigestPages(database, audit, schedule, templates),
        RequestsPage(desks, times, templates),
        PeoplePages(accounts, links, audit, times, templates),
    )
    routes = [route for page in pages for route in page.routes()]
    return ReviewSite(Front(names, routes, templates, log_ins), names.is_secure, reactor)


class ReviewSite(LimitedSite):
    """
    The HTTP server of the review pages.
    """

    def __init__(self, front: Front, is_secure: bool, reactor: IReactorTime) -> None:
        """
        @param is_secure: whether the pages are asked for by https.
        """
        super().__init__(reactor, CONNECTIONS)
        self._front = front
        self._is_secure = is_secure

    def too_many(self, client: str) -> None:
        """
        Tell that a connection was turned away.
        """
        self.events.warn("{event} {client}", event="web.connections", client=client)

    # -- for the channel --------------------------------------------------------------

    def body_limit(self, path: bytes) -> int:
        """
        Give the bytes that the body of a request for C{path} may have.
        """
        return self._front.body_limit(path.decode("latin-1"))

    def refusal(self, code: int) -> bytes:
        """
        Give a whole response that ends the connection.
        """
        answer = self._front.refuse(code)
        head = [
            f"HTTP/1.1 {code} {HTTPStatus(code).phrase}",
            *(f"{name}: {value}" for name, value in answer.headers),
            f"Content-Length: {len(answer.body)}",
            "Connection: close",
        ]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + answer.body

    def answer(self, request: LimitedRequest) -> None:
        """
        Answer a request that is complete.
        """
        answering = Deferred.fromCoroutine(self._answer(request))
        answering.addErrback(self._not_answered, request)

    async def _answer(self, request: LimitedRequest) -> None:
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        answer = await self._front.answer(_asked(request))
        if not gone:
            await send(request, answer, self._is_secure)
        elif answer.message is not None:
            answer.message.close()

    def _not_answered(self, failure: Failure, request: LimitedRequest) -> None:
        self.events.failure("{event}", failure, event="web.not_answered")
        request.loseConnection()  # type: ignore[no-untyped-call]


def _asked(request: LimitedRequest) -> Asked:
    headers: dict[str, list[str]] = {}
    for name, values in request.requestHeaders.getAllRawHeaders():
        known = headers.setdefault(name.decode("latin-1").lower(), [])
        known += [value.decode("latin-1") for value in values]
    return Asked(
        method=request.method.decode("latin-1"),
        url=request.uri.decode("latin-1"),
        body=request.body(),
        headers=headers,
        cookies={
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in request.received_cookies.items()
        },
        client=getattr(request.client, "host", ""),
    )
