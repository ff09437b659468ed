"""
What the tables of the configuration are made of: kinds of values, and what is allowed in each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from mailgate.config import credentials, queries, schedule, values


def _absolute(path: Path, info: ValidationInfo) -> Path:
    return values.absolute(path, (info.context or {}).get("folder"))


def _endpoint_or_none(text: str) -> str:
    return text and values.check_endpoint(text)


def _readable(path: Path, info: ValidationInfo) -> Path:
    found = credentials.resolve(path)
    return found if credentials.is_unread(found) else _absolute(found, info)


def _readable_or_none(text: str, info: ValidationInfo) -> str:
    return text and str(_readable(Path(text), info))


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
ListCode = Annotated[
    str, AfterValidator(values.check_list_code), Field(description=values.LIST_CODE)
]
ListId = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)+$",
        max_length=320,
        description="what stands in angle brackets in List-Id, in small letters, as in "
        "dev.lists.example.org",
    ),
]
RELAY_NAME = r"^(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,250}[a-z0-9_])?$"
RelayName = Annotated[
    str,
    Field(
        pattern=RELAY_NAME,
        description="the name of a server in small letters, or *. and a domain for all below it",
    ),
]
AuthservId = Annotated[
    str,
    Field(
        pattern=rf"{RELAY_NAME}|^$",
        description="the name at the start of Authentication-Results in small letters, or *. and "
        'a domain for all below it, or "" where there is none',
    ),
]
BaseUrl = Annotated[str, AfterValidator(values.check_base_url), Field(description=values.BASE_URL)]
ScheduleText = Annotated[
    str, AfterValidator(schedule.check_schedule), Field(description=schedule.SCHEDULE)
]
ZoneName = Annotated[str, AfterValidator(schedule.check_zone), Field(description=schedule.ZONE)]
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
OptionalReadPath = Annotated[
    str, AfterValidator(_readable_or_none), Field(description='a path in quotes, or ""')
]
CountryCode = Annotated[
    str,
    Field(pattern=r"^[A-Z]{2}$", description="a country's code of two capital letters, as in NO"),
]
SystemNumber = Annotated[
    str,
    Field(
        pattern=r"^(0|[1-9][0-9]{0,9})$",
        description="the number of an autonomous system, as in 64496",
    ),
]
Query = Annotated[str, AfterValidator(queries.check_query), Field(description=queries.QUERY)]
LdapUrl = Annotated[str, AfterValidator(values.check_ldap_url), Field(description=values.LDAP_URL)]
LdapFilter = Annotated[str, AfterValidator(queries.check_filter), Field(description=queries.FILTER)]
DatabaseHost = Annotated[
    str, AfterValidator(values.check_database_host), Field(description=values.DATABASE_HOST)
]
Sender = Annotated[str, AfterValidator(values.check_sender), Field(description=values.SENDER)]
TrapAddress = Annotated[str, AfterValidator(values.check_trap), Field(description=values.TRAP)]
Mailbox = Annotated[str, AfterValidator(values.check_mailbox), Field(description=values.MAILBOX)]
FilePath = Annotated[Path, AfterValidator(_absolute), Field(description="a path in quotes")]
ReadPath = Annotated[
    Path,
    AfterValidator(_readable),
    Field(description="a path in quotes, or credential: and a name"),
]
"""A file that is only read, and that systemd may hand over."""
