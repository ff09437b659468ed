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
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from mailgate.config import credentials, queries, values
from mailgate.config.forbidden import FORBIDDEN_EXTENSIONS, FORBIDDEN_TYPES, FileType
from mailgate.wire.address import Address


def _absolute(path: Path, info: ValidationInfo) -> Path:
    return values.absolute(path, (info.context or {}).get("folder"))


def _endpoint_or_none(text: str) -> str:
    return text and values.check_endpoint(text)


def _readable(path: Path, info: ValidationInfo) -> Path:
    found = credentials.resolve(path)
    return found if credentials.is_unread(found) else _absolute(found, info)


def _place(text: str, info: ValidationInfo) -> str:
    return values.check_place(text, (info.context or {}).get("folder"))


def _mail_host(text: str, info: ValidationInfo) -> str:
    return values.check_mail_host(text, (info.context or {}).get("folder"))


class Section(BaseModel):
    """
    A table of the configuration file.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class GatewayMode(StrEnum):
    """
    Whether verdicts are carried out or only written down.
    """

    ACTIVE = "active"
    OBSERVE = "observe"


class CheckMode(StrEnum):
    """
    How far a check may go.
    """

    OFF = "off"
    OBSERVE = "observe"
    SCORE = "score"
    ENFORCE = "enforce"


class EnforcedAction(StrEnum):
    """
    What a check in mode C{enforce} brings about when it finds something against a message.
    """

    TAG = "tag"
    DEFER = "defer"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    DISCARD = "discard"


class OnError(StrEnum):
    """
    What follows when a check fails or overruns its deadline.
    """

    IGNORE = "ignore"
    DEFER = "defer"
    QUARANTINE = "quarantine"


# Numbers are strict: a number in quotes is a mistake, and 1.5 recipients are none.
Seconds = Annotated[float, Field(gt=0, strict=True)]
Days = Annotated[int, Field(ge=1, le=3650, strict=True)]
Hours = Annotated[float, Field(gt=0, strict=True)]
Bytes = Annotated[int, Field(ge=1, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
Score = Annotated[float, Field(strict=True)]
Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
        description="a name of at most 63 small letters, digits, - and _",
    ),
]
HostName = Annotated[
    str, AfterValidator(values.check_host_name), Field(description=values.HOST_NAME)
]
FullName = Annotated[
    str, AfterValidator(values.check_full_name), Field(description=values.FULL_NAME)
]
Host = Annotated[str, AfterValidator(values.check_host), Field(description=values.HOST)]
MailHost = Annotated[str, AfterValidator(_mail_host), Field(description=values.MAIL_HOST)]
IpAddress = Annotated[
    str, AfterValidator(values.check_ip_address), Field(description=values.IP_ADDRESS)
]
MailAddress = Annotated[
    str, AfterValidator(values.check_address), Field(description=values.ADDRESS)
]
PinnedKey = Annotated[
    str, AfterValidator(values.check_pinned_key), Field(description=values.PINNED_KEY)
]
Endpoint = Annotated[str, AfterValidator(values.check_endpoint), Field(description=values.ENDPOINT)]
OptionalEndpoint = Annotated[
    str, AfterValidator(_endpoint_or_none), Field(description=f'{values.ENDPOINT}, or ""')
]
DnsServer = Annotated[str, AfterValidator(values.check_server), Field(description=values.SERVER)]
Network = Annotated[str, AfterValidator(values.check_network), Field(description=values.NETWORK)]
RELAY_NAME = r"^(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,250}[a-z0-9_])?$"
RelayName = Annotated[
    str,
    Field(
        pattern=RELAY_NAME,
        description="the name of a server in small letters, or *. and a domain for all below it",
    ),
]
BaseUrl = Annotated[str, AfterValidator(values.check_base_url), Field(description=values.BASE_URL)]
Place = Annotated[str, AfterValidator(_place), Field(description=values.PLACE)]
Extension = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$",
        description="an extension in small letters without its dot, as in exe",
    ),
]
SubjectMark = Annotated[
    str,
    Field(
        pattern=r"^([!-~]([ -~]{0,28}[!-~])?)?$",
        description="at most 30 characters of ASCII, as in [SPAM?]",
    ),
]
Separator = Annotated[
    str,
    Field(
        pattern=r"^[+=_.#~|-]?$",
        description='one of + = _ . # ~ | -, or ""',
    ),
]
Query = Annotated[str, AfterValidator(queries.check_query), Field(description=queries.QUERY)]
LdapUrl = Annotated[str, AfterValidator(values.check_ldap_url), Field(description=values.LDAP_URL)]
LdapFilter = Annotated[str, AfterValidator(queries.check_filter), Field(description=queries.FILTER)]
DatabaseHost = Annotated[
    str, AfterValidator(values.check_database_host), Field(description=values.DATABASE_HOST)
]
Sender = Annotated[str, AfterValidator(values.check_sender), Field(description=values.SENDER)]
Mailbox = Annotated[str, AfterValidator(values.check_mailbox), Field(description=values.MAILBOX)]
FilePath = Annotated[Path, AfterValidator(_absolute), Field(description="a path in quotes")]
ReadPath = Annotated[
    Path,
    AfterValidator(_readable),
    Field(description="a path in quotes, or credential: and a name"),
]
"""A file that is only read, and that systemd may hand over."""


ANY_DOMAIN = "*"


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


class Check(Section):
    """
    What every C{[checks.NAME]} table has.
    """

    mode: CheckMode = CheckMode.SCORE
    action: EnforcedAction = EnforcedAction.REJECT
    on_error: OnError = OnError.IGNORE
    deadline: Annotated[float, Field(gt=0, le=30, strict=True)] = 5


class HeloCheck(Check):
    """
    C{[checks.helo]}: what the client calls itself.
    """

    exempt_networks: tuple[Network, ...] = ("127.0.0.0/8", "::1/128")
    syntax_score: Score = 3
    literal_score: Score = 1
    forged_literal_score: Score = 4
    own_name_score: Score = 6
    unqualified_score: Score = 1


class HeadersCheck(Check):
    """
    C{[checks.headers]}: the headers that every message must have.
    """

    missing_from_score: Score = 4
    duplicate_from_score: Score = 4
    missing_date_score: Score = 1.5
    duplicate_date_score: Score = 1
    invalid_date_score: Score = 1
    future_date_score: Score = 2
    missing_message_id_score: Score = 0.5
    duplicate_message_id_score: Score = 1
    future_hours: Hours = 48
    cap_score: Score = 5
    """What the findings of this check add together at most."""


class ListsCheck(Check):
    """
    C{[checks.lists]}: what people allow and block.
    """

    block_score: Annotated[float, Field(ge=0, strict=True)] = 10
    allow_score: Annotated[float, Field(ge=-6, le=0, strict=True)] = -6
    """At most so much, since nothing vouches for a sender yet."""


class AttachmentsCheck(Check):
    """
    C{[checks.attachments]}: files that nobody should get by mail.
    """

    mode: CheckMode = CheckMode.ENFORCE
    action: EnforcedAction = EnforcedAction.QUARANTINE
    on_error: OnError = OnError.QUARANTINE
    deadline: Annotated[float, Field(gt=0, le=30, strict=True)] = 10
    forbidden_extensions: tuple[Extension, ...] = FORBIDDEN_EXTENSIONS
    forbidden_types: tuple[FileType, ...] = FORBIDDEN_TYPES
    forbidden_score: Score = 8
    disguised_score: Score = 4
    encrypted_score: Score = 5
    bomb_score: Score = 8
    unreadable_score: Score = 8
    cap_score: Score = 12
    """What the findings of this check add together at most."""

    depth: Annotated[int, Field(ge=1, le=20, strict=True)] = 4
    """Archives within archives; documents are archives too."""

    files: Annotated[int, Field(ge=1, le=10000, strict=True)] = 10000
    """How many are looked at in all archives of a message."""

    ratio: Annotated[int, Field(ge=10, le=1000, strict=True)] = 200
    """How many times larger than packed a file may be that is larger than 10 MiB."""

    unpacked_bytes: Annotated[int, Field(ge=1024**2, le=256 * 1024**2, strict=True)] = (
        64 * 1024 * 1024
    )


class BayesCheck(Check):
    """
    C{[checks.bayes]}: what the classifier says.
    """

    highest_score: Annotated[float, Field(ge=0, strict=True)] = 10
    lowest_score: Annotated[float, Field(le=0, strict=True)] = -3
    untrained_score: Annotated[float, Field(ge=0, strict=True)] = 5
    """At most so much before enough was learned."""


class Checks(Section):
    """
    C{[checks]}: one table for each check.
    """

    helo: HeloCheck = HeloCheck()
    headers: HeadersCheck = HeadersCheck()
    attachments: AttachmentsCheck = AttachmentsCheck()
    lists: ListsCheck = ListsCheck()
    bayes: BayesCheck = BayesCheck()


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


class MaildirUpstream(Section):
    """
    C{[upstream.NAME]} with C{kind = "maildir"}: messages end in a folder.
    """

    kind: Literal["maildir"]
    path: FilePath


USUAL_PORTS = {"smtp": 25, "smtps": 465, "lmtp": 24}


class UpstreamTls(StrEnum):
    """
    How the way to a mail server is protected.
    """

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    """With TLS where the server can do it; whoever sits on the line can prevent it."""

    REQUIRED = "required"
    """Never without, but whoever sits on the line can be the server."""

    VERIFIED = "verified"
    """Never without, and the certificate must be right."""

    PINNED = "pinned"
    """Never without, and the key must be one that is known."""


PROVEN = (UpstreamTls.VERIFIED, UpstreamTls.PINNED)
"""Where the server proves who it is, so that a password may be told to it."""


class ClientTold(StrEnum):
    """
    How a mail server is told who the client was.
    """

    NONE = "none"
    XFORWARD = "xforward"
    """For its log."""

    XCLIENT = "xclient"
    """As if the client had connected to it."""


class SmtpUpstream(Section):
    """
    C{[upstream.NAME]} with C{kind = "smtp"}, C{"smtps"} or C{"lmtp"}: a mail server.
    """

    kind: Literal["smtp", "smtps", "lmtp"]
    """C{smtps} is SMTP over TLS from the first byte on (RFC 8314), C{lmtp} that of RFC 2033."""

    host: MailHost
    """Or C{unix:} and the path of a socket."""

    port: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = None
    """Without one, that of its kind."""

    source_address: IpAddress | None = None
    """The address of ours from which it is connected to."""

    tls: UpstreamTls | None = None
    """Without one, see L{usual_tls}."""

    tls_name: Host | None = None
    """For whom the certificate must be, if not for C{host}."""

    ca_file: ReadPath | None = None
    """PEM file of the authorities to trust; without one, those of the system."""

    pinned_keys: tuple[PinnedKey, ...] = ()
    certificate: ReadPath | None = None
    """PEM file of the certificate that is shown to the server, with its chain."""

    key: ReadPath | None = None
    user: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """As whom to log in there."""

    password_file: ReadPath | None = None
    tell_client: ClientTold = ClientTold.NONE
    connections: Annotated[int, Field(ge=1, le=1000, strict=True)] = 20
    transactions: Count = 100
    idle_seconds: Seconds = 60
    connect_seconds: Seconds = 15
    reply_seconds: Seconds = 150
    breaker_failures: Count = 5
    """After how many failures in a row, to connect or to get an answer, nobody waits any more."""

    breaker_seconds: Seconds = 30
    """How often it is then tried, at the most seldom."""

    @property
    def usual_port(self) -> int:
        """
        Give the port.
        """
        return USUAL_PORTS[self.kind] if self.port is None else self.port

    @property
    def socket(self) -> Path | None:
        """
        Give the path of the Unix socket, or C{None} where it is reached by TCP.
        """
        return values.unix_path(self.host)

    @property
    def usual_tls(self) -> UpstreamTls:
        """
        Say how the way there is protected: as it is configured, else C{verified} for C{smtps},
        C{none} on this machine, and C{opportunistic} for all others.
        """
        if self.tls is not None:
            return self.tls
        if self.kind == "smtps":
            return UpstreamTls.VERIFIED
        is_here = self.socket is not None or values.is_this_machine(self.host)
        return UpstreamTls.NONE if is_here else UpstreamTls.OPPORTUNISTIC


Upstream = Annotated[MaildirUpstream | SmtpUpstream, Field(discriminator="kind")]


class Choice(Section):
    """
    One of the upstreams of a route.
    """

    name: Name
    preference: Annotated[int, Field(ge=0, le=65535, strict=True)] = 1
    """Those with a higher number get mail only where those with a lower one cannot (RFC 5321
    section 5.1)."""

    weight: Annotated[int, Field(ge=1, le=65535, strict=True)] = 1
    """How large its part is among those with the same preference."""


UPSTREAMS = (
    "the name of an upstream, a list of names in their order, or a list of tables with "
    "name, preference and weight"
)


def _choices(value: Any) -> tuple[Choice, ...]:
    """
    Read the upstreams of a route, which may be written in three ways.
    """
    each: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    if all(isinstance(one, str) for one in each):
        each = [{"name": name, "preference": number} for number, name in enumerate(each, 1)]
    try:
        choices = tuple(Choice.model_validate(one) for one in each)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        wrong = f"; {where} is wrong or missing" if where and isinstance(value, list) else ""
        raise ValueError(f"must be {UPSTREAMS}{wrong}") from None
    if not choices:
        raise ValueError(f"must be {UPSTREAMS}")
    return choices


Choices = Annotated[
    tuple[Choice, ...],
    BeforeValidator(_choices),
    WithJsonSchema(
        {
            "description": UPSTREAMS,
            "oneOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                {"type": "array", "items": Choice.model_json_schema(), "minItems": 1},
            ],
        }
    ),
]


class Group(Section):
    """
    C{[group.NAME]}: addresses with a name, for routes.
    """

    members: tuple[MailAddress, ...] = ()
    file: ReadPath | None = None
    """Further ones, one a line. When it is changed it is read again."""


class Route(Section):
    """
    C{[[route]]}: where the mail of some domains, addresses or groups goes.
    """

    domains: tuple[HostName | Literal["*"], ...] = ()
    """C{*} stands for all other domains, for people and machines of ours only."""

    addresses: tuple[MailAddress, ...] = ()
    """These come before all domains and groups."""

    groups: tuple[Name, ...] = ()
    """These come before all domains."""

    upstream: Choices
    """One upstream, or several."""


class Relays(Section):
    """
    C{[relays]}: servers of ours that bring the mail of strangers.
    """

    networks: tuple[Network, ...] = ()
    """Where they are."""

    names: tuple[RelayName, ...] = ()
    """What they call themselves in Received."""

    refuse: bool = False
    """Whether what they bring may be refused, so that they have to send a notice."""


class Aliases(StrEnum):
    """
    What an alias decides.
    """

    OWNER = "owner"
    """Whom a copy belongs to; the upstream gets the address that was written."""

    REWRITE = "rewrite"
    """Also the address that the upstream gets, where it leads to a single one."""


class Verification(Section):
    """
    C{[verification]}: how recipients are looked up, and how long an upstream's word on one is
    remembered.
    """

    good_seconds: Seconds = 7 * 86400
    bad_seconds: Seconds = 3600
    entries: Count = 100_000
    """Of those that exist, and as many of those that do not; for each source."""

    separator: Separator = ""
    """What stands between an address and an extension, or C{""}: there are none."""

    aliases: Aliases = Aliases.OWNER


class Source(Section):
    """
    What every C{[recipients.NAME]} has.
    """

    domains: tuple[HostName, ...] = ()
    """Those it knows; without any, all of the routes."""


class ListSource(Source):
    """
    C{[recipients.NAME]} with C{kind = "list"}: recipients and aliases in the configuration.
    """

    kind: Literal["list"]
    addresses: Annotated[tuple[str, ...], Field(min_length=1)]
    """Lines of the table of L{mailgate.wire.virtual}."""


class FileSource(Source):
    """
    C{[recipients.NAME]} with C{kind = "file"}: recipients and aliases in a file.
    """

    kind: Literal["file"]
    file: ReadPath


class UpstreamSource(Source):
    """
    C{[recipients.NAME]} with C{kind = "upstream"}: the upstream of the route is asked.
    """

    kind: Literal["upstream"]


class AskedSource(Source):
    """
    What sources have that are asked for each address.
    """

    answer_seconds: Annotated[float, Field(gt=0, le=60, strict=True)] = 10
    """How long an answer is waited for."""

    good_seconds: Seconds = 600
    """How long a good answer counts without asking again."""

    bad_seconds: Seconds = 60


class SqliteSource(AskedSource):
    """
    C{[recipients.NAME]} with C{kind = "sqlite"}: a database in a file.
    """

    kind: Literal["sqlite"]
    file: FilePath
    query: Query
    connections: Annotated[int, Field(ge=1, le=32, strict=True)] = 2


class DatabaseTls(StrEnum):
    """
    Whether a database is asked over TLS.
    """

    NONE = "none"
    VERIFIED = "verified"


class PostgresqlSource(AskedSource):
    """
    C{[recipients.NAME]} with C{kind = "postgresql"}: a database server.
    """

    kind: Literal["postgresql"]
    host: DatabaseHost
    """A host name, an IP address, or the folder of a Unix socket."""

    port: Annotated[int, Field(ge=1, le=65535, strict=True)] = 5432
    database: str
    user: str
    password_file: ReadPath | None = None
    tls: DatabaseTls | None = None
    """Without one: C{verified}, but C{none} on this machine."""

    ca_file: ReadPath | None = None
    """PEM file of the authorities to trust; without one, those of the system."""

    query: Query
    connections: Annotated[int, Field(ge=1, le=32, strict=True)] = 2
    """How many at the same time, of each worker."""


class LdapSource(AskedSource):
    """
    C{[recipients.NAME]} with C{kind = "ldap"}: a directory, as Active Directory.
    """

    kind: Literal["ldap"]
    servers: Annotated[tuple[LdapUrl, ...], Field(min_length=1)]
    """In the order in which they are asked."""

    starttls: Annotated[bool, Field(strict=True, description="true or false")] = True
    """Whether C{ldap://} begins TLS before anything else."""

    ca_file: ReadPath | None = None
    bind_dn: str = ""
    """As whom it is asked; C{""}: as nobody."""

    password_file: ReadPath | None = None
    base: str
    """Below which entry it is looked."""

    filter: LdapFilter = "(|(mail={address})(proxyAddresses=smtp:{address}))"
    attributes: Annotated[tuple[str, ...], Field(min_length=1)] = ("mail", "proxyAddresses")
    """Which of an entry say whose it is; the first that has an address counts."""

    server_seconds: Annotated[float, Field(gt=0, le=60, strict=True)] = 3
    """How long one server may take for each step."""


RecipientSource = Annotated[
    ListSource | FileSource | UpstreamSource | SqliteSource | PostgresqlSource | LdapSource,
    Field(discriminator="kind"),
]


class Quarantine(Section):
    """
    C{[quarantine]}: the held messages.
    """

    keep_days: Days = 30


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
