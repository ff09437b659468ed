"""
Who may be sent to, put together: the sources of the configuration, the upstreams that are asked,
and what is remembered of both. The workers use it, and the command that explains an address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.python.threadpool import ThreadPool

from mailgate.config.checks import CheckMode
from mailgate.config.model import Settings
from mailgate.config.recipients import (
    Aliases,
    AskedSource,
    FileSource,
    LdapSource,
    ListSource,
    PostgresqlSource,
    RecipientSource,
    SqliteSource,
    UpstreamSource,
)
from mailgate.config.sources import read_password
from mailgate.config.values import parse_ldap_url
from mailgate.delivery.call_forward import CallForward
from mailgate.delivery.endpoint import make_endpoint
from mailgate.delivery.recipients import Recipients
from mailgate.delivery.routes import Routes
from mailgate.delivery.tls import verified_tls
from mailgate.interfaces import IDelivery, IRecipientSource, IThreads
from mailgate.knowledge.recipient_asking import AskedRecipients
from mailgate.knowledge.recipient_cache import Remembered, Times
from mailgate.knowledge.recipient_presumption import Presumed
from mailgate.knowledge.recipient_sql import Pool, PostgresqlDatabase, SqliteDatabase
from mailgate.knowledge.recipient_table import ListedRecipients, RecipientFile
from mailgate.knowledge.recipients import Directory
from mailgate.knowledge.traps import TrapRule, Traps
from mailgate.store.threads import Threads
from mailgate.wire.address import Address

if TYPE_CHECKING:
    from mailgate.net.ldap import Server

LDAP_AT_A_TIME = 10
"""Questions to a directory, over one connection."""

MakeTls = Callable[[str, Path | None], IOpenSSLClientConnectionCreator]


@frozen
class _Sources:
    """
    Those that are asked for an address, in their order.
    """

    asked: tuple[IRecipientSource, ...]
    of_queued: tuple[IRecipientSource, ...]
    """The same for mail that is queued."""

    @classmethod
    def of(cls, sources: tuple[IRecipientSource, ...], upstream: IDelivery) -> _Sources:
        """
        Let nobody whose mail is queued wait for an upstream that fails.
        """

        def is_failing() -> bool:
            return bool(upstream.failures)

        return cls(sources, tuple(Presumed(each, is_failing) for each in sources))


_NO_SOURCES = _Sources((), ())


class Addressing:
    """
    All that knows recipients.
    """

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        reactor: Any,
        threads: IThreads,
        queries: IThreads | None = None,
        make_tls: MakeTls = verified_tls,
        traps: Traps | None = None,
    ) -> None:
        """
        Read what is written down. Blocks.

        @param threads: where files are read.
        @param queries: where databases are asked, if not in threads of our own.
        @param make_tls: makes what begins TLS with a host, by the file of authorities.
        @param traps: those that were made, beside those of the configuration.
        @raise SystemExit: a file of authorities cannot be used; the message says why.
        """
        self._settings = settings
        self._routes = routes
        self._reactor = reactor
        self._threads = threads
        self._make_tls = make_tls
        self._files: list[RecipientFile] = []
        self._closing: list[Callable[[], None]] = []
        number = sum(
            each.connections
            for each in settings.recipients.values()
            if isinstance(each, SqliteSource | PostgresqlSource)
        )
        self._pool: ThreadPool | None = None
        if queries is None:
            # Those of the files would be held up by a database that hangs.
            self._pool = ThreadPool(0, max(1, number), "mailgate recipients")
            queries = Threads(reactor, self._pool)
        self._queries = queries
        self._sources: dict[str, IRecipientSource | None] = {
            name: self._make(name, source) for name, source in settings.recipients.items()
        }
        # Of as many domains as the routes have.
        self._of_domains: dict[tuple[str, IDelivery], _Sources] = {}
        self._upstreams: dict[IDelivery, IRecipientSource] = {}
        self.recipients = Recipients(
            routes,
            self._directory(lambda address: self._sources_of(address).asked),
            self._directory(lambda address: self._sources_of(address).of_queued),
            settings.verification.aliases is Aliases.REWRITE,
            self._trap_rule(settings, traps or Traps()),
            settings.mail_commands.addresses,
        )

    def _directory(self, sources: Callable[[Address], Sequence[IRecipientSource]]) -> Directory:
        return Directory(
            sources,
            self._settings.verification.separator,
            lambda address: self._routes.route_for(address) is not None,
        )

    def _sources_of(self, address: Address) -> _Sources:
        """
        Give the sources that know the recipients of a domain: those of the configuration, or the
        upstream where there are none.
        """
        delivery = self._routes.route_for(address)
        if delivery is None:
            return _NO_SOURCES  # whether somebody elsewhere exists is not asked
        found = self._of_domains.get((address.host, delivery))
        if found is None:
            upstream = self._upstream(delivery)
            own = [
                self._sources[name] or upstream
                for name, source in self._settings.recipients.items()
                if not source.domains or address.host in source.domains
            ]
            found = _Sources.of(tuple(own) or (upstream,), delivery)
            self._of_domains[address.host, delivery] = found
        return found

    def start(self) -> None:
        """
        Let databases be asked.
        """
        if self._pool is not None:
            self._pool.start()

    def refresh(self) -> Deferred[Any]:
        """
        Read the files that have changed.
        """
        return DeferredList([file.refresh() for file in self._files])

    def stop(self) -> None:
        """
        Close all connections; a query that is being asked ends by its own time-out.
        """
        for close in self._closing:
            close()
        if self._pool is not None and self._pool.started:
            self._pool.stop()

    def _trap_rule(self, settings: Settings, traps: Traps) -> TrapRule | None:
        if settings.checks.traps.mode is CheckMode.OFF:
            return None
        return TrapRule.from_settings(settings, traps)

    # -- making them -------------------------------------------------------------------

    def _upstream(self, delivery: IDelivery) -> IRecipientSource:
        found = self._upstreams.get(delivery)
        if found is None:
            settings = self._settings.verification
            times = Times(settings.good_seconds, settings.bad_seconds, settings.entries)
            found = Remembered(CallForward(delivery), times, self._reactor.seconds)
            self._upstreams[delivery] = found
        return found

    def _make(self, name: str, source: RecipientSource) -> IRecipientSource | None:
        """
        Make a source; C{None} stands for the upstream of a route.
        """
        if isinstance(source, UpstreamSource):
            return None
        if isinstance(source, ListSource):
            return ListedRecipients(name, source.addresses)
        if isinstance(source, FileSource):
            return self._make_file(name, source)
        return self._make_asked(name, source)

    def _make_file(self, name: str, source: FileSource) -> IRecipientSource:
        file = RecipientFile(name, source.file, self._threads)
        self._files.append(file)
        return file

    def _make_asked(
        self, name: str, source: SqliteSource | PostgresqlSource | LdapSource
    ) -> IRecipientSource:
        if isinstance(source, LdapSource):
            look, at_a_time = self._make_ldap(source), LDAP_AT_A_TIME
        else:
            database: Any
            if isinstance(source, SqliteSource):
                database = SqliteDatabase(source)
            else:
                database = PostgresqlDatabase(source)
            pool: Pool[Any] = Pool(database, self._queries)
            self._closing.append(pool.close)
            look, at_a_time = pool.look, source.connections
        asked = AskedRecipients(name, look, at_a_time, source.answer_seconds, self._reactor)
        return Remembered(asked, self._times(source), self._reactor.seconds)

    def _make_ldap(self, source: LdapSource) -> Callable[[Address], Any]:
        # What it needs is installed only where it is wanted.
        from mailgate.knowledge.recipient_ldap import LdapRecipients
        from mailgate.net.ldap import Directory as LdapDirectory

        path = source.password_file
        directory = LdapDirectory(
            [self._make_server(source, url) for url in source.servers],
            source.bind_dn,
            lambda: "" if path is None else read_password(path),
            self._reactor,
            source.server_seconds,
        )
        self._closing.append(directory.close)
        return LdapRecipients(source, directory).look

    def _make_server(self, source: LdapSource, url: str) -> Server:
        from mailgate.net.ldap import Server

        begins_with_tls, host, port = parse_ldap_url(url)
        tls = None
        if begins_with_tls or source.starttls:
            try:
                tls = self._make_tls(host, source.ca_file)
            except (OSError, ValueError) as error:
                raise SystemExit(f"mailgate: {source.ca_file} cannot be used: {error}") from error
        endpoint = make_endpoint(self._reactor, host, port, source.server_seconds)
        return Server(url, endpoint, tls, begins_with_tls)

    def _times(self, source: AskedSource) -> Times:
        entries = self._settings.verification.entries
        return Times(source.good_seconds, source.bad_seconds, entries)
