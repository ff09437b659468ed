"""
The settings of where mail goes: upstreams, groups and routes.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema

from mailgate.config import values
from mailgate.config.types import (
    Count,
    FilePath,
    Host,
    HostName,
    IpAddress,
    MailAddress,
    MailHost,
    Name,
    PinnedKey,
    ReadPath,
    Seconds,
    Section,
)

ANY_DOMAIN = "*"


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
