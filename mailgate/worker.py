"""
The half of the gateway that talks SMTP: it takes mail in, judges it and hands it on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from mmap import PAGESIZE
from socket import socket
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort

from mailgate.addressing import Addressing
from mailgate.checks.known import Known
from mailgate.classify.classifier import Classifier, Reader
from mailgate.config.model import PEOPLE, GatewayMode, Settings
from mailgate.delivery.accounts import UpstreamAccounts
from mailgate.delivery.deadline import ends_within
from mailgate.delivery.dispatch import Dispatcher
from mailgate.delivery.routes import make_routes
from mailgate.delivery.tls import verified_tls
from mailgate.edge.account_file import accounts_path
from mailgate.edge.accounts import Accounts
from mailgate.edge.attempts import Attempts
from mailgate.edge.auth import Authentication
from mailgate.edge.certificates import Certificates
from mailgate.edge.limits import ConnectionLimits
from mailgate.edge.listening import listen
from mailgate.edge.mailing import Services
from mailgate.edge.smtp import SmtpFactory
from mailgate.edge.tarpit import Tarpit
from mailgate.hub.jobs import Job, Jobs
from mailgate.hub.learning import FOLDER
from mailgate.hub.storage import SPOOL
from mailgate.interfaces import (
    Counted,
    IDelivery,
    IHub,
    ISandbox,
    IThreads,
    Share,
    share_with_nobody,
)
from mailgate.judging import make_pipeline
from mailgate.knowledge.contacts import Contacts
from mailgate.knowledge.dnslists import DnsLists, ListState
from mailgate.knowledge.geo import Geo
from mailgate.knowledge.standing import Standings
from mailgate.message.spool import Spool
from mailgate.net.dns.resolver import Resolver
from mailgate.net.dns.servers import find_servers
from mailgate.parts import Parts
from mailgate.pipeline.suspects import Suspects
from mailgate.reporting.measures import Measured, Stopwatch
from mailgate.reporting.status import (
    DnsServerStatus,
    DnsStatus,
    SandboxStatus,
    UpstreamStatus,
    WorkerStatus,
)
from mailgate.rewrite.headers import HeaderRewriter

PROBE_SECONDS = 300.0
"""How often an upstream is asked again what it can take."""

PATIENCE = 2.0
"""How long the start waits for the first answers; until they come, less is offered."""

RECIPIENT_SECONDS = 5.0
"""How often it is looked whether the files of recipients have changed."""

CERTIFICATE_SECONDS = 60.0
"""How often it is looked whether certificates were renewed."""

GROUP_SECONDS = 60.0
"""How often it is looked whether the files of groups have changed."""

SERVERS_SECONDS = 10.0
"""How often it is looked whether the machine has other DNS servers."""

GEO_SECONDS = 60.0
"""How often it is looked whether the files of places have changed."""

LEARNED_SECONDS = 5.0
"""How often it is looked whether more was learned."""


class Worker:
    """
    Everything between the listening sockets and the upstreams. What has to be kept it gives to
    the hub.
    """

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        parts: Parts,
        threads: IThreads,
        hub: IHub,
        known: Known,
        deliveries: Mapping[str, IDelivery],
        possible: int,
        share: Share = share_with_nobody,
        suspects: Suspects | None = None,
        list_failed: Callable[[ListState], None] = lambda state: None,
        sandbox: ISandbox | None = None,
    ) -> None:
        """
        @param threads: where files are read and written.
        @param known: what the hub lets the checks know, as it is at any moment.
        @param deliveries: the upstreams by their names.
        @param possible: how many sessions the machine allows.
        @param suspects: the messages that have killed a process, and the sandbox for them.
        @param sandbox: where parsers of others look into attachments.
        @param share: tells the other workers what is counted of clients.
        @param list_failed: tells the hub of a list in the DNS that is not to be believed.
        @raise ConfigurationError: the checks cannot be brought into an order.
        @raise SystemExit: a file of authorities cannot be used.
        """
        self._settings = settings
        self._reactor = reactor
        self._parts = parts
        self._deliveries = deliveries
        self._possible = possible
        self._threads = threads
        self._sandbox = sandbox
        self._resolver = Resolver(settings.dns, reactor)
        self._dns_lists = DnsLists.of_check(settings.checks.dnslists, list_failed)
        self._geo = Geo.of_check(settings.checks.geo)
        classifier = Classifier(threads)
        self._learned = Reader(classifier, settings.data / FOLDER, parts.files, threads)
        routes = make_routes(settings, deliveries, reactor, threads)
        self._addressing = Addressing(settings, routes, reactor, threads, traps=known.traps)
        rewriter = HeaderRewriter(settings.policy.subject_mark, settings.hostname)
        self._people = self._make_people(threads)
        clients = settings.limits.clients
        self._connections = ConnectionLimits(clients, reactor, possible, share)
        self._attempts = Attempts(clients, reactor, share)
        self._stopwatch = Stopwatch()
        self._services = Services(
            hostname=settings.hostname,
            limits=settings.limits,
            pipeline=make_pipeline(
                settings,
                evolve(
                    known,
                    classifier=classifier,
                    resolvers=self._resolver,
                    dns_lists=self._dns_lists,
                    geo=self._geo,
                    hub=hub,
                    standings=Standings(hub, reactor.seconds),
                    contacts=Contacts(hub, reactor.seconds),
                ),
                threads,
                reactor,
                parts.wall_clock,
                self._stopwatch,
                suspects,
                sandbox=sandbox,
            ),
            recipients=self._addressing.recipients,
            dispatcher=Dispatcher(hub, rewriter, routes.upstream_for, reactor, routes.full_address),
            hub=hub,
            spool=Spool(settings.data / SPOOL, parts.files, threads, settings.limits.memory_bytes),
            reactor=reactor,
            wall_clock=parts.wall_clock,
            tls=None,
            connections=self._connections,
            authentication=(
                None if self._people is None else Authentication(self._people, self._attempts)
            ),
            tarpit=self._tarpit(),
        )
        self.certificates = Certificates(settings.certificates, settings.listener, reactor, threads)
        """What TLS needs; it must be loaded before L{listen}."""

        self._edges: list[SmtpFactory] = []
        self._ports: list[IListeningPort] = []
        self._jobs = Jobs(
            reactor,
            (
                Job("probe of the upstreams", PROBE_SECONDS, self._probe),
                Job("reading of what was learned", LEARNED_SECONDS, self._learned.refresh),
                Job("look for new recipients", RECIPIENT_SECONDS, self._addressing.refresh),
                Job("look for DNS servers", SERVERS_SECONDS, self._find_servers),
                Job("look for new certificates", CERTIFICATE_SECONDS, self.certificates.refresh),
                Job("look for changed files of places", GEO_SECONDS, self._refresh_geo),
                Job("look for changed groups", GROUP_SECONDS, routes.refresh),
            ),
        )

    async def start(self) -> None:
        """
        Read what is needed for the first message, and learn what the upstreams can take, so that
        the first client is offered as much; but let none of them that is down keep everybody out.
        """
        self._addressing.start()
        await self._learned.refresh()
        await self._find_servers()
        await self._geo.refresh(self._threads)
        if self._people is not None:
            await ends_within(self._reactor, self._people.load(), PATIENCE)
        await ends_within(self._reactor, self._probe(), PATIENCE)
        self._jobs.start()

    def listen(self, sockets: Sequence[socket]) -> None:
        """
        Let clients in. Those who came before have waited in the kernel.

        @param sockets: one for each listener of the settings; they are closed here.
        """
        for bound, listener in zip(sockets, self._settings.listener, strict=True):
            services = evolve(self._services, tls=self.certificates.tls_of(listener))
            edge = SmtpFactory(services, listener)
            self._edges.append(edge)
            self._ports.append(listen(self._reactor, bound, edge))
            bound.close()

    def open_elsewhere(self, clients: Sequence[str]) -> None:
        """
        Count the connections that other workers have already.

        @param clients: the address of each.
        """
        for client in clients:
            self._connections.open_elsewhere(client)

    def counted_elsewhere(self, what: Counted, client: str, name: str = "") -> None:
        """
        Count what another worker has counted.
        """
        self._connections.elsewhere(what, client)
        self._attempts.elsewhere(what, client, name)

    def take_up_lists(self, states: Sequence[ListState]) -> None:
        """
        Take up how lists in the DNS are, as the hub knows it.
        """
        for one in self._dns_lists.take_up(states):
            self._resolver.cache.forget(one.zone)

    def stop_listening(self) -> Deferred[Any]:
        """
        Let nobody in any more.
        """
        ports, self._ports = self._ports, []
        return DeferredList([maybeDeferred(port.stopListening) for port in ports])

    def when_empty(self) -> Deferred[Any]:
        """
        Wait until all clients have gone by themselves.
        """
        return DeferredList([edge.when_empty() for edge in self._edges])

    def finish(self, seconds: float) -> Deferred[Any]:
        """
        Send away who has no message under way, and let the others end theirs for C{seconds}.
        """
        return DeferredList([edge.finish(seconds) for edge in self._edges])

    def stop(self) -> Deferred[Any]:
        """
        End what is done from time to time, look up no name any more, and close the connections to
        where log-ins are asked.
        """
        self._resolver.close()
        if isinstance(self._people, UpstreamAccounts):
            self._people.close()
        self._addressing.stop()
        return self._jobs.stop()

    @property
    def sessions(self) -> int:
        """
        Count the sessions that are possible at the same time.
        """
        return min(self._possible, self._settings.limits.clients.connections)

    def status(self) -> WorkerStatus:
        """
        Tell how it is at the moment.
        """
        return WorkerStatus(
            self._services.connections.open,
            self.sessions,
            resident_bytes(),
            upstream_states(self._deliveries),
            documents=None if self._sandbox is None else SandboxStatus.of(self._sandbox),
            dns=DnsStatus(
                tuple(
                    DnsServerStatus(str(each.server), each.is_up, each.server.is_public)
                    for each in self._resolver.remotes
                ),
                len(self._resolver.cache),
                self._resolver.cache.size,
            ),
        )

    def take_measured(self) -> Measured:
        """
        Give what was counted since this was last asked.
        """
        connections = self._services.connections
        measured = Measured(
            self._stopwatch.take(),
            connections.admitted,
            connections.turned_away,
            self._resolver.take_counts(),
        )
        connections.admitted = connections.turned_away = 0
        return measured

    def _find_servers(self) -> Deferred[None]:
        finding = self._threads.run(
            find_servers, self._settings.dns.servers, self._parts.resolv_conf
        )
        return finding.addCallback(self._resolver.use)

    def _refresh_geo(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._geo.refresh(self._threads))

    def _probe(self) -> Deferred[Any]:
        return DeferredList(
            [delivery.probe() for delivery in self._deliveries.values()], consumeErrors=True
        )

    def _make_people(self, threads: IThreads) -> Accounts | UpstreamAccounts | None:
        """
        Give who knows whether a password is right, or C{None} where nobody logs in.
        """
        settings = self._settings
        if not any(listener.role in PEOPLE for listener in settings.listener):
            return None
        asked = settings.accounts.upstream
        if asked is None:
            return Accounts(accounts_path(settings), self._reactor, threads)
        try:
            tls = verified_tls(asked.host, asked.ca_file)
        except (OSError, ValueError) as error:
            raise SystemExit(f"mailgate: {asked.ca_file} cannot be used: {error}") from error
        return UpstreamAccounts(asked, settings.hostname, self._reactor, tls)

    def _tarpit(self) -> Tarpit | None:
        """
        Make the tarpit where there is one. To watch is to hold nobody up.
        """
        settings = self._settings
        if not settings.limits.tarpit or settings.mode is GatewayMode.OBSERVE:
            return None
        return Tarpit(settings.limits, settings.policy.tag, self._reactor, self.sessions)


def upstream_states(deliveries: Mapping[str, IDelivery]) -> tuple[UpstreamStatus, ...]:
    """
    Tell how upstreams are, as this process knows them.
    """
    return tuple(
        UpstreamStatus(
            name,
            delivery.failures,
            delivery.load.busy,
            delivery.load.idle,
            delivery.load.waiting,
            delivery.is_open,
        )
        for name, delivery in deliveries.items()
    )


def resident_bytes() -> int:
    """
    Tell how much memory this process has.
    """
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * PAGESIZE
