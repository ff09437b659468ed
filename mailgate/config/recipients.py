"""
The settings of who exists: the sources of recipients, and what is remembered of them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from mailgate.config.types import (
    Count,
    DatabaseHost,
    FilePath,
    HostName,
    LdapFilter,
    LdapUrl,
    Query,
    ReadPath,
    Seconds,
    Section,
    Separator,
)


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
