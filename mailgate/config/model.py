"""
Every setting, its default and what is allowed. A component gets the part that is its own.

Times are seconds and sizes are bytes. Paths in the file are relative to the file's own
folder; in the settings they are absolute.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mailgate.config import values
from mailgate.config.checks import Checks
from mailgate.config.delivery import ANY_DOMAIN, Group, Route, Upstream
from mailgate.config.recipients import RecipientSource, Verification
from mailgate.config.types import (
    AuthservId,
    BaseUrl,
    Bytes,
    Count,
    Days,
    DnsServer,
    Endpoint,
    FilePath,
    FullName,
    Host,
    HostName,
    Mailbox,
    Name,
    Network,
    OptionalEndpoint,
    Place,
    ReadPath,
    RelayName,
    ScheduleText,
    Score,
    Seconds,
    Section,
    Sender,
    SubjectMark,
    ZoneName,
)
from mailgate.finding import Kind
from mailgate.wire.address import Address

MAIL_COMMANDS = ("spam", "ham", "analyze", "digest")
"""The local parts of the addresses at which people tell the gateway something."""


class GatewayMode(StrEnum):
    """
    Whether verdicts are carried out or only written down.
    """

    ACTIVE = "active"
    OBSERVE = "observe"


class Role(StrEnum):
    """
    Whom a listener is for.
    """

    MX = "mx"
    INTERNAL = "internal"
    SUBMISSION = "submission"
    SUBMISSIONS = "submissions"
    LMTP = "lmtp"


PEOPLE = (Role.SUBMISSION, Role.SUBMISSIONS)
"""Roles of listeners for people, who log in."""


class BareNewline(StrEnum):
    """
    What is done with a CR without LF and an LF without CR.
    """

    REJECT = "reject"
    NORMALIZE = "normalize"


class ClientCertificate(StrEnum):
    """
    Whether a client is asked for a certificate.
    """

    NONE = "none"
    REQUEST = "request"
    REQUIRE = "require"


class Listener(Section):
    """
    C{[[listener]]}: one place where mail comes in.
    """

    name: Name = "mx"
    address: Place
    """An endpoint, or C{unix:} and the path of a socket."""

    role: Role = Role.MX
    networks: tuple[Network, ...] = ()
    """Who may use a listener of role C{internal}."""

    bare_newline: BareNewline | None = None
    """Without one: C{normalize} for C{internal}, C{submission} and C{submissions}."""

    greet_wait: Annotated[float, Field(ge=0, le=6, strict=True)] = 0
    """Seconds that clients of C{greet_wait_networks} wait for the greeting."""

    greet_wait_networks: tuple[Network, ...] = ()
    proxy_networks: tuple[Network, ...] = ()
    """Whose connections begin with the PROXY protocol."""

    xclient_networks: tuple[Network, ...] = ()
    """Who may say by XCLIENT and XFORWARD who the client is."""

    client_certificate: ClientCertificate = ClientCertificate.NONE
    client_ca_file: ReadPath | None = None
    """PEM file of the authorities whose certificates a client may show."""

    @property
    def mends_line_ends(self) -> bool:
        """
        Tell whether bare CR and LF are turned into CRLF.
        """
        if self.bare_newline is None:
            return self.role in (Role.INTERNAL, Role.SUBMISSION, Role.SUBMISSIONS)
        return self.bare_newline is BareNewline.NORMALIZE


class CertificateFiles(Section):
    """
    C{[[tls.certificates]]}: a further certificate, for the clients that ask for one of its names.
    """

    certificate: ReadPath
    """PEM file with the chain."""

    key: ReadPath


class Tls(Section):
    """
    C{[tls]}: the certificates for TLS.
    """

    certificate: ReadPath | None = None
    """PEM file with the chain; without one a self-signed certificate is made in the data folder."""

    key: ReadPath | None = None
    certificates: tuple[CertificateFiles, ...] = ()


class ClientLimits(Section):
    """
    C{[limits.clients]}: what one client may open and try, over all its sessions.
    """

    connections: Count = 10_000
    """Of everybody together; less where the system does not allow as many open files."""

    handshakes: Count = 1000
    """TLS handshakes of everybody together at the same time."""

    handshakes_per_address: Count = 25
    connections_per_address: Count = 50
    connections_per_network: Count = 200
    """Of a /24 or /64 network."""

    rate_per_address: Count = 120
    """New connections a minute."""

    rate_per_network: Count = 600
    unknown_recipients: Count = 30
    """Recipients that do not exist, from a network in ten minutes."""

    junk_commands: Count = 1000
    """Commands without mail, from an address in ten minutes."""

    failures_per_address: Count = 10
    """Failed log-ins in ten minutes."""

    failures_per_account: Count = 20
    exempt_networks: tuple[Network, ...] = ("127.0.0.0/8", "::1/128")


class Limits(Section):
    """
    C{[limits]}: what one client may cost.
    """

    message_bytes: Bytes = 50 * 1024 * 1024
    header_bytes: Bytes = 256 * 1024
    header_fields: Annotated[int, Field(ge=100, le=10_000, strict=True)] = 1000
    """Header fields of a message, which may have ten times as many lines."""

    command_bytes: Annotated[int, Field(ge=512, le=65536, strict=True)] = 2048
    recipients: Annotated[int, Field(ge=100, le=10000, strict=True)] = 100
    errors: Annotated[int, Field(ge=1, le=1000, strict=True)] = 10
    idle_commands: Count = 100
    """Commands without mail (RSET, NOOP, EHLO and so on) in a session."""

    hops: Annotated[int, Field(ge=10, le=1000, strict=True)] = 50
    """Received headers from which on a message goes round in a circle."""

    command_seconds: Seconds = 300
    session_seconds: Seconds = 3600
    tarpit: Annotated[float, Field(ge=0, le=60, strict=True)] = 0
    """Seconds that a stranger waits for a reply, for each point above C{tag}."""

    tarpit_most: Annotated[float, Field(gt=0, le=60, strict=True)] = 20
    """Of one reply; a client waits at least two minutes (RFC 5321 section 4.5.3.2)."""

    tarpit_sessions: Count = 100
    """How many wait at the same time; above it nobody waits."""

    handshake_seconds: Seconds = 30
    reply_seconds: Seconds = 180
    check_seconds: Seconds = 30
    memory_bytes: Bytes = 256 * 1024 * 1024
    free_bytes: Bytes = 256 * 1024 * 1024
    drain_seconds: Seconds = 30
    clients: ClientLimits = ClientLimits()


class Policy(Section):
    """
    C{[policy]}: from which total on what happens.
    """

    tag: Score = 5
    quarantine: Score = 8
    reject: Score = 15
    subject_mark: SubjectMark = ""
    """What is put before the subject of a tagged message, or C{""}."""


class Dns(Section):
    """
    C{[dns]}: how names are looked up.
    """

    servers: Annotated[tuple[DnsServer, ...], Field(max_length=8)] = ()
    """Without one, those of this machine's C{/etc/resolv.conf}."""

    reply_seconds: Annotated[float, Field(ge=0.1, le=10, strict=True)] = 1.5
    """How long the first server may take before another is asked as well."""

    tries: Annotated[int, Field(ge=1, le=5, strict=True)] = 2
    """How often each server is asked."""

    queries: Annotated[int, Field(ge=16, le=4096, strict=True)] = 256
    """How many at the same time."""

    queries_per_check: Annotated[int, Field(ge=10, le=1000, strict=True)] = 100
    """How many one check may need for one message."""

    cache_bytes: Annotated[int, Field(ge=64 * 1024, strict=True)] = 16 * 1024 * 1024
    """What answers take that are remembered."""

    shortest_seconds: Annotated[float, Field(ge=0, le=300, strict=True)] = 10
    """How long an answer is remembered at least."""

    longest_seconds: Annotated[float, Field(ge=300, le=604800, strict=True)] = 86400
    nothing_seconds: Annotated[float, Field(ge=0, le=10800, strict=True)] = 3600
    """How long it is remembered at most that there is nothing."""


class Relays(Section):
    """
    C{[relays]}: servers of ours that bring the mail of strangers.
    """

    networks: tuple[Network, ...] = ()
    """Where they are."""

    names: tuple[RelayName, ...] = ()
    """What they call themselves in Received."""

    authserv_ids: tuple[AuthservId, ...] = ()
    """
    What they call themselves in Authentication-Results, where these are believed; C{""}: those in
    which nobody is named.
    """

    refuse: bool = False
    """Whether what they bring may be refused, so that they have to send a notice."""


class Quarantine(Section):
    """
    C{[quarantine]}: the held messages.
    """

    keep_days: Days = 30
    release: tuple[Kind, ...] = (Kind.SPAM, Kind.BULK)
    """What people release themselves, of their own mail; of the rest they ask for it."""

    audit_days: Days = 400


class Outbox(Section):
    """
    C{[outbox]}: mail of people and machines of ours on its way, and copies that could not be
    delivered at once.
    """

    retry_seconds: Annotated[tuple[Seconds, ...], Field(min_length=1, max_length=100)] = (
        300,
        900,
        3600,
        14400,
    )
    """The wait before each further try; the last one repeats."""

    give_up_seconds: Seconds = 5 * 86400
    delay_notice_seconds: Annotated[float, Field(ge=0, strict=True)] = 4 * 3600
    """After which a sender of ours is told that a message is late; 0: never."""

    return_bytes: Annotated[int, Field(ge=0, strict=True)] = 1024 * 1024
    """The largest message that goes back in full, where its sender has asked for that."""

    deliveries: Annotated[int, Field(ge=1, le=1000, strict=True)] = 20
    """How many at the same time."""

    deliveries_per_upstream: Annotated[int, Field(ge=1, le=1000, strict=True)] = 10
    """How many of them to one upstream."""

    alert_seconds: Seconds = 3600
    """How old a copy may become before somebody is told."""

    alert_copies: Count = 1000
    """How many copies may wait before somebody is told."""


class Notices(Section):
    """
    C{[notices]}: what recipients and the postmaster are told by mail.
    """

    postmaster: Mailbox | None = None
    """The address; without one, C{postmaster} of the first domain."""

    tell_recipients: bool = True
    """Whether recipients are told of mail for them that could not be delivered."""

    pause_seconds: Annotated[float, Field(ge=60, strict=True)] = 3600
    """How long nobody is sent a second notice."""

    per_hour: Count = 100
    """How many notices recipients are sent in an hour, all together."""


class Digest(Section):
    """
    C{[digest]}: what people are told by mail of what is held for them.
    """

    enabled: bool | None = None
    """Whether any are sent; without it where C{base_url} is https."""

    schedule: ScheduleText = "daily 08:00 16:00"
    zone: ZoneName = ""
    """Of these times; C{""} is the machine's own."""

    link_days: Days = 7
    """How long the links work."""

    never: tuple[Sender, ...] = ()
    """Addresses that get none, such as those of mailing lists."""


class MailCommands(Section):
    """
    C{[mail_commands]}: what people of ours tell the gateway by mail.
    """

    domain: HostName | None = None
    """Where the addresses are; without it there are none."""

    per_hour: Count = 60
    """How many messages of one person are taken in an hour."""

    @property
    def addresses(self) -> frozenset[str]:
        """
        Give all of them, in lower case.
        """
        if self.domain is None:
            return frozenset()
        return frozenset(f"{name}@{self.domain.lower()}" for name in MAIL_COMMANDS)


class Trace(Section):
    """
    C{[trace]}: what is kept of each transaction.
    """

    keep_days: Days = 30


class LogFormat(StrEnum):
    """
    How events are written.
    """

    TEXT = "text"
    JSON = "json"


class Log(Section):
    """
    C{[log]}: one JSON line for each transaction, and how events are written.
    """

    format: LogFormat = LogFormat.TEXT
    transactions: FilePath | None = None
    """The file; without one, C{transactions.jsonl} in the data folder."""


class AccountUpstreamKind(StrEnum):
    """
    How TLS begins at the mail server that knows the accounts.
    """

    SUBMISSIONS = "submissions"
    """With the first byte; port 465."""

    SUBMISSION = "submission"
    """By STARTTLS; port 587."""


class AccountUpstream(Section):
    """
    C{[accounts.upstream]}: the mail server that is asked whether a password is right.
    """

    kind: AccountUpstreamKind = AccountUpstreamKind.SUBMISSIONS
    host: Host
    """Its certificate must be for this name or address."""

    port: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = None
    """Without one, that of its kind."""

    ca_file: ReadPath | None = None
    """PEM file of the authorities to trust; without one, those of the system."""

    connections: Annotated[int, Field(ge=1, le=100, strict=True)] = 10
    """How many at the same time: one for each log-in."""

    answer_seconds: Annotated[float, Field(gt=0, le=120, strict=True)] = 15
    domain: HostName | None = None
    """What is put behind a name that is no address, to know its address."""

    senders: dict[str, tuple[Sender, ...]] = {}
    """As whom an account may send beside its own address, by its name."""

    @property
    def usual_port(self) -> int:
        """
        Give the port.
        """
        if self.port is not None:
            return self.port
        return 465 if self.kind is AccountUpstreamKind.SUBMISSIONS else 587


class AccountFile(Section):
    """
    C{[accounts]}: who may log in to send mail.
    """

    file: FilePath | None = None
    """The file of C{mailgate account}; without one, C{accounts} in the data folder."""

    upstream: AccountUpstream | None = None
    """Who knows the accounts in the place of the file."""


class Web(Section):
    """
    C{[web]}: the review pages.
    """

    address: Endpoint = "127.0.0.1:8025"
    base_url: BaseUrl = "http://127.0.0.1:8025"
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Further names under which the pages may be asked for, beside that of C{base_url}."""

    idle_seconds: Seconds = 3600
    session_seconds: Seconds = 12 * 3600


class Health(Section):
    """
    C{[health]}: where other programs ask how the gateway is.
    """

    address: OptionalEndpoint = "127.0.0.1:8026"
    """C{""}: nowhere."""

    networks: tuple[Network, ...] = ()
    """Who may ask, beside this machine."""


class Settings(Section):
    """
    The whole configuration.
    """

    hostname: FullName
    mode: GatewayMode = GatewayMode.ACTIVE
    data: FilePath
    """The folder that holds everything that must survive."""

    workers: Annotated[int, Field(ge=0, le=64)] = 1
    """How many processes take mail in; 0: the hub does it itself, which is for tests."""

    listener: Annotated[tuple[Listener, ...], Field(min_length=1)]
    route: Annotated[tuple[Route, ...], Field(min_length=1)]
    upstream: Annotated[dict[Name, Upstream], Field(min_length=1)]
    group: dict[Name, Group] = {}
    tls: Tls = Tls()
    limits: Limits = Limits()
    policy: Policy = Policy()
    checks: Checks = Checks()
    relays: Relays = Relays()
    dns: Dns = Dns()
    verification: Verification = Verification()
    recipients: dict[Name, RecipientSource] = {}
    quarantine: Quarantine = Quarantine()
    outbox: Outbox = Outbox()
    notices: Notices = Notices()
    digest: Digest = Digest()
    mail_commands: MailCommands = MailCommands()
    trace: Trace = Trace()
    log: Log = Log()
    accounts: AccountFile = AccountFile()
    web: Web = Web()
    health: Health = Health()

    @property
    def domains(self) -> frozenset[str]:
        """
        Give the domains that mail is taken for, in lower case.
        """
        return frozenset(self._domains())

    @property
    def first_domain(self) -> str:
        """
        Give the first domain that mail is taken for, or that of this machine.
        """
        return next((each for each in self._domains() if each != ANY_DOMAIN), self.hostname)

    def _domains(self) -> Iterator[str]:
        for route in self.route:
            yield from route.domains
        for route in self.route:
            named = (self.group[name].members for name in route.groups if name in self.group)
            for address in chain(route.addresses, *named):
                yield address.rpartition("@")[2]

    @property
    def postmaster(self) -> Address:
        """
        Give whom notices are from, and who is told of what nobody else can mend.
        """
        if self.notices.postmaster is not None:
            return values.parse_mailbox(self.notices.postmaster)
        named = (each for route in self.route for each in route.domains if each != ANY_DOMAIN)
        return Address("postmaster", next(named, self.hostname))

    @property
    def sends_digests(self) -> bool:
        """
        Tell whether people get digests: where nothing is said of it, only where their links can be
        https, since whoever reads one on its way can use it.
        """
        if self.digest.enabled is not None:
            return self.digest.enabled
        return self.web.base_url.startswith("https:")

    @property
    def digest_domains(self) -> frozenset[str]:
        """
        Give the domains whose people get digests; a route for all others names nobody of ours.
        """
        return self.domains - {ANY_DOMAIN}

    @property
    def mailbox_upstreams(self) -> frozenset[str]:
        """
        Give the names of the upstreams that put mail into mailboxes, rather than hand it on.
        """
        keep = ("maildir", "lmtp")
        return frozenset(name for name, each in self.upstream.items() if each.kind in keep)

    @property
    def self_signed(self) -> Path:
        """
        Give the folder of the certificate that is made where none is configured.
        """
        return self.data / "tls"

    @property
    def certificates(self) -> tuple[CertificateFiles, ...]:
        """
        Give the files of all certificates. The first is for whoever asks for no name, or for one
        that none of them has.
        """
        tls, folder = self.tls, self.self_signed
        first = CertificateFiles(
            certificate=tls.certificate or folder / "certificate.pem",
            key=tls.key or folder / "key.pem",
        )
        return (first, *tls.certificates)
