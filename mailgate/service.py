"""
The composition root: it makes every part, joins them, starts them and ends them in order.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    DeferredLock,
    maybeDeferred,
    succeed,
)
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from mailgate import __version__, sandboxed
from mailgate.checks.combined import CERTAIN_LOGIT, score_at
from mailgate.checks.known import Known
from mailgate.classify.known import FREE_MAIL
from mailgate.config.delivery import ANY_DOMAIN, MaildirUpstream, SmtpUpstream
from mailgate.config.model import Settings
from mailgate.config.problem import ConfigurationError
from mailgate.config.schedule import Schedule
from mailgate.delivery.deadline import ends_within
from mailgate.delivery.routes import Routes, make_deliveries, make_routes
from mailgate.edge.certificates import Certificates
from mailgate.edge.files import raise_file_limit
from mailgate.edge.smtp import CUT_SECONDS
from mailgate.edge.tls import make_self_signed
from mailgate.fleet import Fleet
from mailgate.hub.border import served
from mailgate.hub.certificates import DAY, CertificateWatch
from mailgate.hub.commands import CommandError
from mailgate.hub.dns import SECONDS, ServerWatch
from mailgate.hub.dnslists import SECONDS as LISTS_SECONDS
from mailgate.hub.dnslists import TEST_QUERIES, TEST_SECONDS, ListWatch
from mailgate.hub.generation import ENDING_SECONDS, WorkerFailed
from mailgate.hub.health import Around, Health
from mailgate.hub.hub import Hub
from mailgate.hub.jobs import Job
from mailgate.hub.lock import InUse
from mailgate.hub.mail_commands import MailCommands
from mailgate.hub.orders import (
    DNS_LIST_FAILED,
    DNS_LISTS,
    EXCEEDED,
    PENALIZED,
    RELISTED,
    ROOM,
    TRAPPED,
    TRAPS,
    Beginning,
    Relisted,
)
from mailgate.hub.poison import Poison
from mailgate.hub.reading import SandboxReader
from mailgate.hub.storage import Storage, open_for_command
from mailgate.hub.supervisor import Watchdog
from mailgate.interfaces import IDelivery, SandboxUnavailable
from mailgate.knowledge.rates import excesses_under
from mailgate.net.confinement import bequeath_nothing
from mailgate.net.dns.resolver import Resolver
from mailgate.net.sandbox import Sandbox
from mailgate.parts import FILE_THREADS, Parts
from mailgate.quarantine.digest import SECONDS as DIGEST_SECONDS
from mailgate.quarantine.digest import Digests
from mailgate.quarantine.tokens import Tokens
from mailgate.reporting.measures import Measured
from mailgate.reporting.status import WorkerSeen
from mailgate.rewrite.headers import HeaderRewriter
from mailgate.store.schema import SchemaTooNew
from mailgate.store.threads import Threads, immediate_result
from mailgate.web.digest import DigestWriter
from mailgate.web.health import HealthSite
from mailgate.web.sign_in import FirstAdministrator, LogIns
from mailgate.web.site import ReviewSite, make_site
from mailgate.web.templates import Templates
from mailgate.wire.address import Address
from mailgate.worker import GROUP_SECONDS, Worker, upstream_states

MOMENT = 1.0
"""How long the end of anything may take, in seconds, even when the time to drain is over."""

HUB_SECONDS = 30.0
"""How long the hub may take to write what waits, after the time to drain."""

MARGIN = 20.0
"""How long the process may take beyond that, in seconds."""

_NAMED = 10
"""How many domains and upstreams are named at the start."""

SANDBOX_SECONDS = 60.0
"""How often it is looked whether the sandbox starts, where it did not."""

AT_START_ONLY = (
    "hostname",
    "data",
    "quarantine",
    "trace",
    "log",
    "health",
)
"""The sections that a reload does not take up."""


def make_gateway(
    settings: Settings,
    reactor: Any,
    parts: Parts | None = None,
    read: Callable[[], Settings] | None = None,
) -> Gateway:
    """
    Make the gateway from its settings.

    @param reactor: the reactor it shall live in.
    @param read: reads the configuration anew, for a reload.
    @raise ConfigurationError: the checks cannot be brought into an order.
    """
    return Gateway(settings, reactor, parts or Parts(), read or (lambda: settings))


class Gateway(Service):
    """
    The hub, and the workers: processes of their own or, without any, the half that talks SMTP in
    this process.
    """

    log = Logger()

    def __init__(
        self, settings: Settings, reactor: Any, parts: Parts, read: Callable[[], Settings]
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        self._parts = parts
        self._read = read
        self._turn = DeferredLock()
        self._began = reactor.seconds()
        self._file_pool = ThreadPool(0, FILE_THREADS, "mailgate files")
        self._writer_pool = ThreadPool(0, 1, "mailgate writer")
        threads = Threads(reactor, self._file_pool)
        # Two pages at a time, what decisions teach, and a command.
        self._sandbox = Sandbox(reactor, sandboxed.PROGRAM, size=4, jobs=1000)
        self._sandbox_apart = Sandbox(reactor, sandboxed.PROGRAM, jobs=1)
        self._documents = Sandbox(reactor, sandboxed.PROGRAM, size=2, jobs=sandboxed.DOCUMENTS)
        self._storage = storage = Storage(
            settings,
            threads,
            Threads(reactor, self._writer_pool),
            parts.files,
            parts.wall_clock,
            parts.connect,
            reader=SandboxReader(self._sandbox, self._sandbox_apart),
        )
        self._threads = threads
        self._deliveries = self._make_deliveries(settings)
        self._routes = self._make_routes(settings, self._deliveries)
        self._watch = CertificateWatch(
            lambda: self._settings.certificates, parts.wall_clock, threads
        )
        self._resolver = self._make_resolver(settings)
        self._server_watch = ServerWatch(
            lambda: self._settings.dns,
            parts.resolv_conf,
            threads,
            lambda servers: self._resolver.use(servers),
        )
        self._list_watch = ListWatch(settings.checks.dnslists, reactor.seconds, parts.wall_clock)
        self._hub = Hub(
            reactor,
            storage,
            self._upstream_for,
            self._make_rewriter(settings),
            (
                Job("look at the certificates", DAY, self._watch.look),
                Job("look for changed groups", GROUP_SECONDS, lambda: self._routes.refresh()),
                Job("look at the DNS servers", SECONDS, self._server_watch.look),
                Job("test of the DNS lists", LISTS_SECONDS, self._test_lists),
                Job("look at the sandbox", SANDBOX_SECONDS, self._look_at_sandbox),
                Job("digests", DIGEST_SECONDS, lambda: self._digests.look()),
            ),
        )
        self._digests = Digests(
            storage.messages,
            Tokens(storage.database),
            storage.now,
            settings.hostname,
            self._hub.outbox.kick,
        )
        self._by_mail = MailCommands(
            reactor,
            storage.messages,
            storage.now,
            storage.reader,
            storage.learning,
            storage.traces,
            self._digests,
            settings.hostname,
            self._hub.outbox.kick,
        )
        self._write_digests_by(settings)
        self._health = Health(
            reactor,
            storage,
            self._hub.has_room,
            Around(
                self._look_at_workers,
                # Without workers of its own the hub has the same upstreams as the one in it.
                lambda: () if self._worker is not None else upstream_states(self._deliveries),
                lambda: self._settings,
                lambda: self._web is not None,
                self._sandbox,
                self._list_watch.status,
            ),
        )
        self._hub.commands.reload = self.reload
        self._hub.commands.status = self._health.status
        self._first_administrator = FirstAdministrator(
            reactor, storage.accounts, settings.web.base_url
        )
        self._site = self._make_site(settings)
        self._possible = raise_file_limit()
        self._worker: Worker | None = None
        self._fleet: Fleet | None = None
        if settings.workers:
            self._fleet = self._make_fleet()
        else:
            self._worker = Worker(
                settings,
                reactor,
                parts,
                threads,
                self._hub,
                Known(
                    storage.lists.lists,
                    excesses=self._hub.rates.excesses,
                    penalties=storage.penalty_box.penalties,
                    traps=storage.traps.traps,
                    trapped=storage.traps.trapped,
                ),
                self._deliveries,
                self._possible,
                sandbox=self._documents,
                list_failed=self._list_watch.failed,
            )
            self._list_watch.changed = self._worker.take_up_lists
        self._sockets: list[socket] = []
        self._web_socket: socket | None = None
        self._web: IListeningPort | None = None
        self._health_socket: socket | None = None
        self._health_port: IListeningPort | None = None
        self._starting: Deferred[None] | None = None
        self._watchdog = self._make_watchdog()

    def _make_watchdog(self) -> Watchdog:
        asked = {"the writer of the database": self._storage.database.is_there}
        if self._fleet is not None:
            asked["the workers"] = self._fleet.is_there
        return Watchdog(self._reactor, self._parts.supervisor, asked)

    def _make_deliveries(self, settings: Settings) -> Mapping[str, IDelivery]:
        parts = self._parts
        made = make_deliveries(
            settings, self._reactor, parts.files, self._threads, parts.wall_clock
        )
        return {name: parts.delivery(delivery) for name, delivery in made.items()}

    def _make_routes(self, settings: Settings, deliveries: Mapping[str, IDelivery]) -> Routes:
        return make_routes(settings, deliveries, self._reactor, self._threads)

    def _make_resolver(self, settings: Settings) -> Resolver:
        """
        Make what the tests of the DNS lists ask with. It remembers nothing, so that a list which
        works again passes at once.
        """
        forgetful = {"shortest_seconds": 0.0, "longest_seconds": 0.0, "nothing_seconds": 0.0}
        return Resolver(settings.dns.model_copy(update=forgetful), self._reactor)

    def _make_rewriter(self, settings: Settings) -> HeaderRewriter:
        # The name is that of the start, as everything else of the hub that knows it.
        return HeaderRewriter(settings.policy.subject_mark, self._settings.hostname)

    def _make_fleet(self) -> Fleet:
        hub, storage = self._hub, self._storage
        poison = Poison(storage.spool, self._threads)

        def beginning(settings: Settings, notes: Path) -> Beginning:
            self._make_self_signed(settings)
            entries = storage.lists.lists.index.entries.values()
            return Beginning(
                settings,
                tuple(entry for scopes in entries for entry in scopes.values()),
                hub.has_room(),
                poison.known,
                notes,
                fleet.clients(),
                self._list_watch.states(),
                tuple(excesses_under(hub.rates.excesses, settings.checks)),
                tuple(hub.penalty_box.penalties),
                traps=tuple(storage.traps.traps),
                trapped=tuple(storage.traps.trapped),
            )

        fleet = Fleet(
            self._reactor,
            {
                **served(hub, storage.spool, self._threads),
                DNS_LIST_FAILED: self._list_watch.failed,
            },
            beginning,
            poison,
            self._worker_died,
            self._parts.handed.bind,
        )
        hub.room.changed = lambda is_enough: fleet.tell(ROOM, is_enough)
        self._list_watch.changed = lambda states: fleet.tell(DNS_LISTS, states)
        storage.lists.changed = lambda added, removed: fleet.ask(
            RELISTED, Relisted(tuple(added), tuple(removed))
        )
        hub.rates.changed = lambda excess: fleet.tell(EXCEEDED, excess)
        hub.penalty_box.changed = lambda changes: fleet.tell(PENALIZED, tuple(changes))
        storage.traps.changed = lambda traps: fleet.ask(TRAPS, tuple(traps))
        storage.traps.was_trapped = lambda trapped: fleet.tell(TRAPPED, (trapped,))
        return fleet

    def _worker_died(self) -> None:
        self._hub.sums.died += 1

    def _look_at_workers(self, seconds: float) -> Deferred[Sequence[WorkerSeen]]:
        """
        Look how the workers are.
        """
        worker, fleet = self._worker, self._fleet
        if fleet is not None:
            return Deferred.fromCoroutine(fleet.look(seconds))
        assert worker is not None
        self._hub.sums.add(worker.take_measured())
        age = self._reactor.seconds() - self._began
        return succeed([WorkerSeen(os.getpid(), 1, True, True, age, worker.status())])

    def _make_site(self, settings: Settings) -> ReviewSite:
        storage = self._storage
        web = settings.web
        return make_site(
            web=web,
            policy=settings.policy,
            outbox=settings.outbox,
            certain=score_at(CERTAIN_LOGIT, settings.checks.bayes),
            keep_days=settings.quarantine.keep_days,
            hostname=settings.hostname,
            quarantine=self._hub.quarantine,
            queue=self._hub.queue,
            traces=storage.traces,
            statistics=storage.statistics,
            lists=storage.lists,
            database=storage.database,
            audit=storage.audit,
            accounts=storage.accounts,
            log_ins=LogIns(
                storage.database,
                storage.now,
                web.idle_seconds,
                web.session_seconds,
                settings.quarantine.release,
            ),
            first_administrator=self._first_administrator,
            mail=self._hub.notices.send,
            reader=storage.reader,
            reactor=self._reactor,
            now=storage.now,
            learner=storage.learning,
            rater=storage.reputations,
            status=self._health.status,
            releases=settings.quarantine.release,
            is_shared=FREE_MAIL.union(settings.checks.reputation.shared_domains).__contains__,
            schedule=Schedule.parse(settings.digest.schedule) if settings.sends_digests else None,
        )

    def _upstream_for(self, recipient: Address) -> IDelivery | None:
        """
        Give where the outbox brings mail for somebody.
        """
        if self._by_mail.is_for(recipient):
            return self._by_mail
        return self._routes.upstream_for(recipient)

    def _write_digests_by(self, settings: Settings) -> None:
        """
        Let digests, and what is done by mail, be as the configuration says.
        """
        digests = self._digests
        digests.write = DigestWriter(
            Templates(),
            settings.policy,
            score_at(CERTAIN_LOGIT, settings.checks.bayes),
            # The name is that of the start.
            self._storage.settings.hostname,
            settings.web.base_url,
        ).write
        digests.take_up(
            settings.digest,
            settings.sends_digests,
            settings.postmaster,
            settings.digest_domains,
            settings.quarantine.keep_days,
            settings.quarantine.release,
        )
        upstream = settings.accounts.upstream
        self._by_mail.take_up(
            settings.mail_commands,
            settings.postmaster,
            settings.digest_domains,
            f"@{upstream.domain}" if upstream is not None and upstream.domain else "",
        )

    # -- start -----------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """
        Bind the addresses, while a port below 1024 may still be bound, and read the
        certificate, while its key may still be read. Nobody is let in yet.

        @raise SystemExit: it is not possible; the message says why.
        """
        settings = self._settings
        # Without a handler of ours the signal would end the process.
        signal.signal(signal.SIGHUP, self._asked_to_reload)
        if self._fleet is not None:
            self._fleet.bind(settings)
        else:
            self._sockets = [
                self._parts.handed.bind(listener.address) for listener in settings.listener
            ]
        self._web_socket = self._parts.handed.bind(settings.web.address)
        if settings.health.address:
            self._health_socket = self._parts.handed.bind(settings.health.address)
        self._tell_unused(settings)
        if settings.tls.certificate is not None:
            self._load_certificates()
        # Only the hub binds addresses, now and at each reload.
        bequeath_nothing()

    def _tell_unused(self, settings: Settings) -> None:
        addresses = [listener.address for listener in settings.listener]
        first = self._settings  # the others are bound at the start only
        others = filter(None, (first.web.address, first.health.address))
        self._parts.handed.tell_unused([*addresses, *others])

    def startService(self) -> None:
        """
        Open the storage, then let clients in.

        @raise SystemExit: the storage cannot be opened; nothing has been changed.
        """
        super().startService()  # type: ignore[no-untyped-call]
        self._check_storage()
        if self._settings.tls.certificate is None:
            self._make_self_signed(self._settings)
            self._load_certificates()
        self._file_pool.start()
        self._writer_pool.start()
        self._starting = self._turn.run(lambda: Deferred.fromCoroutine(self._start()))
        self._starting.addErrback(self._not_started)

    def _check_storage(self) -> None:
        """
        Open the storage once before the reactor runs, as only then the process can still end
        with a sentence and an exit status.
        """
        try:
            storage = open_for_command(self._settings, self._parts.files)
            immediate_result(storage.close())
        except (InUse, SchemaTooNew, OSError) as error:
            raise SystemExit(f"mailgate: {error}") from error

    def _make_self_signed(self, settings: Settings) -> None:
        """
        Make a certificate where none is configured, and none was made before.

        @raise SystemExit: it cannot be made.
        """
        if settings.tls.certificate is not None:
            return
        now = datetime.fromtimestamp(self._parts.wall_clock(), UTC)
        folder = settings.self_signed
        try:
            certificate, _, is_new = make_self_signed(folder, settings.hostname, now)
        except OSError as error:
            raise SystemExit(
                f"mailgate: a self-signed certificate cannot be made in {folder}: {error}"
            ) from error
        if is_new:
            self._parts.say(f"A self-signed certificate for STARTTLS was made: {certificate}")

    def _load_certificates(self) -> None:
        """
        Read the certificates: for our own worker, or to see whether the others can.
        """
        settings, worker = self._settings, self._worker
        if worker is None:
            files, listeners = settings.certificates, settings.listener
            certificates = Certificates(files, listeners, self._reactor, self._threads)
        else:
            certificates = worker.certificates
        try:
            certificates.load()
        except ValueError as error:
            words = str(error)
            if settings.tls.certificate is None:
                words = (
                    f"the self-signed certificate in {settings.self_signed} cannot be used: "
                    f"{error}. Remove the files there, and another is made."
                )
            raise SystemExit(f"mailgate: {words}") from error

    async def _start(self) -> None:
        self._begin_to_tell()
        await self._hub.start()
        if self._worker is not None:
            await self._worker.start()
            self._worker.listen(self._sockets)
            self._sockets = []
        elif self._fleet is not None:
            await self._fleet.start(self._settings)
        assert self._web_socket is not None
        with self._web_socket as web:
            self._web = self._reactor.adoptStreamPort(web.fileno(), web.family, self._site)
        link = ""
        if await self._storage.accounts.count() == 0:
            link = self._first_administrator.new_link()
        for line in self._introduction(link):
            self._parts.say(line)
        self.log.info(
            "{event} {version}, {sessions} sessions are possible at a time",
            event="gateway.started",
            version=__version__,
            sessions=min(
                self._possible * max(1, self._settings.workers),
                self._settings.limits.clients.connections,
            ),
        )
        self._parts.supervisor.ready(self._status())
        self._watchdog.start()

    def _status(self) -> str:
        number = self._settings.workers
        workers = f", by {number} worker{'' if number == 1 else 's'}" if number else ""
        return f"takes mail in{workers}"

    def _begin_to_tell(self) -> None:
        """
        Let other programs ask how the gateway is, also while it starts.
        """
        bound = self._health_socket
        if bound is not None:
            health = self._health
            site = HealthSite(
                self._settings.health.networks,
                health.is_alive,
                health.status,
                self._hub.sums,
                self._reactor,
            )
            with bound:
                self._health_port = self._reactor.adoptStreamPort(
                    bound.fileno(), bound.family, site
                )

    def _not_started(self, failure: Failure) -> None:
        """
        Say why, and end the process. Twisted has no exit status for that, so it is ended when
        everything has been stopped.
        """
        if isinstance(failure.value, CancelledError):
            return
        words = failure.getErrorMessage()
        if isinstance(
            failure.value, (OSError, CannotListenError, InUse, SchemaTooNew, WorkerFailed)
        ):
            self.log.critical("{event} {words}", event="gateway.not_started", words=words)
        else:
            self.log.failure("{event}", failure, event="gateway.not_started")
        self._parts.say(f"mailgate: cannot start: {words}")
        self._reactor.addSystemEventTrigger("after", "shutdown", self._parts.end, 1)
        self._reactor.stop()

    def _introduction(self, link: str) -> Iterator[str]:
        """
        Say in three lines where everything is.
        """
        settings = self._settings
        places = ", ".join(listener.address for listener in settings.listener)
        domains = [
            "all others" if domain == ANY_DOMAIN else domain
            for route in settings.route
            for domain in route.domains
        ] or sorted(settings.domains)
        domains = _shortened(domains, "domains")
        yield f"Mail comes in by SMTP at {places}, for {', '.join(domains)}."
        first = f" To make the first account, open within 15 minutes: {link}" if link else ""
        yield f"The review pages are at {settings.web.base_url}.{first}"
        upstreams = list(dict.fromkeys(map(_describe, settings.upstream.values())))
        yield f"Mail goes to {', '.join(_shortened(upstreams, 'servers'))}."

    # -- reload ----------------------------------------------------------------------

    def reload(self) -> Deferred[Sequence[str]]:
        """
        Take up the configuration anew: workers that know it take the place of those that do not,
        who let nobody in any more and end once their clients have gone. Whatever is wrong with
        it, the old ones go on.

        @return: what has happened, in lines for a person; it fires once the new ones work.
        @raise CommandError: nothing has changed; the words say why.
        """
        return self._turn.run(lambda: Deferred.fromCoroutine(self._reload()))

    def _asked_to_reload(self, *_: Any) -> None:
        def failed(failure: Failure) -> None:
            if not failure.check(CommandError):
                self.log.failure("{event}", failure, event="gateway.reload_failed")

        self._reactor.callFromThread(lambda: self.reload().addErrback(failed))

    async def _reload(self) -> Sequence[str]:
        if not self.running:
            raise CommandError("nothing has changed: the gateway does not run, or is being stopped")
        status, supervisor = "", self._parts.supervisor
        supervisor.reloading()
        try:
            return await self._take_up(await self._threads.run(self._read))
        except (ConfigurationError, WorkerFailed, SystemExit) as error:
            words = str(error).removeprefix("mailgate: ")
            self.log.error(
                "{event} the old configuration goes on: {words}",
                event="gateway.not_reloaded",
                words=words,
            )
            self._reloaded(words)
            status = "; the configuration that was read last cannot be used, see the log"
            raise CommandError(f"nothing has changed: {words}") from error
        finally:
            if self.running:
                supervisor.ready(self._status() + status)

    async def _take_up(self, settings: Settings) -> Sequence[str]:
        old, fleet = self._settings, self._fleet
        if fleet is None or not settings.workers:
            raise CommandError(
                "with workers = 0 nothing can be reloaded, nor can that be changed; restart it"
            )
        deliveries = self._make_deliveries(settings)
        routes = self._make_routes(settings, deliveries)
        await fleet.start(settings)
        self._settings, self._routes = settings, routes
        leaving, self._deliveries = self._deliveries, deliveries
        for delivery in leaving.values():
            delivery.close()
        self._hub.take_up(settings, self._make_rewriter(settings))
        self._write_digests_by(settings)
        self._site = self._make_site(settings)
        if self._web is not None:
            cast(Any, self._web).factory = self._site
        self._tell_unused(settings)
        later = [name for name in AT_START_ONLY if getattr(settings, name) != getattr(old, name)]
        if settings.web.address != old.web.address:
            later.append("web.address")
        if settings.dns != old.dns:
            self._resolver.close()
            self._resolver = self._make_resolver(settings)
        self._list_watch.take_up(settings.checks.dnslists)
        await self._watch.look()
        await self._server_watch.look()
        # Nobody waits for it: what is not tested yet is not asked.
        self._test_lists().addErrback(self._lists_not_tested)
        self.log.info("{event} workers {pids}", event="gateway.reloaded", pids=fleet.generations[0])
        self._reloaded()
        lines = [f"{settings.workers} workers have the new configuration."]
        if later:
            lines.append(f"A restart is needed for what has changed in {', '.join(later)}.")
        return lines

    def _lists_not_tested(self, failure: Failure) -> None:
        self.log.failure("{event} {job}", failure, event="job.failed", job="test of the DNS lists")

    def _reloaded(self, error: str = "") -> None:
        self._health.reloaded(error)
        self._hub.sums.reloads[not error] += 1

    # -- stop ------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """
        Take no new client, let messages under way end, write what waits, and close everything.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        clock = self._reactor
        drain_seconds = self._settings.limits.drain_seconds
        over = clock.seconds() + drain_seconds
        self._parts.supervisor.stopping(drain_seconds + CUT_SECONDS + HUB_SECONDS + MARGIN)
        self._watchdog.ask_nobody()
        starting = self._starting
        if starting is not None:
            starting.cancel()
            await self._ends("start", lambda: starting, over)
        for bound in filter(None, (*self._sockets, self._web_socket, self._health_socket)):
            bound.close()
        # What comes in may still be held or queued while it ends, so the hub is the last.
        await self._ends("listening", self._stop_listening, over)
        cut = over + CUT_SECONDS
        if self._fleet is not None:
            cut += 2 * ENDING_SECONDS  # to tell what became of the last messages, and to end
        await self._ends("mail under way", lambda: self._finish(over), cut)
        await self._ends("upstreams", self._close_deliveries, cut)
        if self._worker is not None:
            await self._ends("worker", self._worker.stop, cut)
        await self._ends("sandbox", self._close_sandboxes, cut)
        self._resolver.close()
        await self._ends("hub", self._hub.stop, over + HUB_SECONDS)
        await self._ends("watchdog", self._watchdog.stop, over + HUB_SECONDS)
        self._writer_pool.stop()
        self._file_pool.stop()
        self.log.info("{event}", event="gateway.stopped")

    def _stop_listening(self) -> Deferred[Any]:
        ports = [port for port in (self._web, self._health_port) if port is not None]
        self._web = self._health_port = None
        ending = [maybeDeferred(port.stopListening) for port in ports]
        if self._worker is not None:
            ending.append(self._worker.stop_listening())
        return DeferredList(ending)

    def _finish(self, over: float) -> Deferred[Any]:
        """
        Let the messages that come in, and those that leave the outbox, end until C{over}.
        """
        seconds = max(0.0, over - self._reactor.seconds())
        ending = [self._hub.finish(seconds)]
        if self._worker is not None:
            ending.append(self._worker.finish(seconds))
        elif self._fleet is not None:
            ending.append(self._fleet.stop(seconds))
        return DeferredList(ending)

    def _test_lists(self) -> Deferred[None]:
        """
        Test the DNS lists whose time it is.
        """

        def test(_: None) -> Deferred[None] | None:
            if not self.running:
                return None
            resolver = self._resolver.for_check("test of the DNS lists", TEST_SECONDS, TEST_QUERIES)
            return Deferred.fromCoroutine(self._list_watch.test(resolver)).addCallback(count)

        def count(_: None) -> None:
            self._hub.sums.add(Measured(dns=self._resolver.take_counts()))

        # At the start it is not known yet who is asked.
        return self._server_watch.look().addCallback(test)

    def _look_at_sandbox(self) -> Deferred[Any]:
        """
        Find out what holds it before it is needed, and where none starts try again.
        """
        # Whoever reads how the gateway is hears of it, and an event has told.
        return self._sandbox.probe().addErrback(lambda failure: failure.trap(SandboxUnavailable))

    def _close_sandboxes(self) -> Deferred[Any]:
        return DeferredList(
            [each.close() for each in (self._sandbox, self._sandbox_apart, self._documents)]
        )

    def _close_deliveries(self) -> Deferred[Any]:
        return DeferredList([delivery.close() for delivery in self._deliveries.values()])

    async def _ends(self, what: str, end: Callable[[], Deferred[Any]], over: float) -> None:
        """
        End a part of the gateway. Whatever goes wrong with it, and however long it takes, is an
        event, and the others are ended all the same.
        """
        ending = maybeDeferred(end)

        def failed(failure: Failure) -> None:
            self.log.failure("{event} {what}", failure, event="gateway.not_stopped", what=what)

        ending.addErrback(failed)
        # What is ended at once is ended whatever the time is.
        seconds = max(MOMENT, over - self._reactor.seconds())
        if not await ends_within(self._reactor, ending, seconds):
            self.log.error("{event} waited for {what}", event="gateway.cut", what=what)


def _shortened(names: list[str], what: str) -> list[str]:
    """
    Name the first of many, and count the others.
    """
    rest = len(names) - _NAMED
    return names if rest <= 0 else [*names[:_NAMED], f"{rest} more {what}"]


def _describe(upstream: MaildirUpstream | SmtpUpstream) -> str:
    if isinstance(upstream, MaildirUpstream):
        return f"the Maildir {upstream.path}"
    if upstream.socket is not None:
        return f"the socket {upstream.socket}"
    return f"{upstream.host}, port {upstream.usual_port}"
