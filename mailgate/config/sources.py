"""
What must hold of the sources of recipients, beyond what each option allows by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from stat import S_IROTH

from mailgate.config import certificate
from mailgate.config.checks import TrapsCheck
from mailgate.config.credentials import is_unread
from mailgate.config.delivery import ANY_DOMAIN, Route
from mailgate.config.problem import Problem, as_key, as_toml, nearest
from mailgate.config.queries import NAMES, filled
from mailgate.config.recipients import (
    DatabaseTls,
    FileSource,
    LdapSource,
    ListSource,
    PostgresqlSource,
    RecipientSource,
    SqliteSource,
)
from mailgate.config.values import is_this_machine, parse_ldap_url
from mailgate.wire.virtual import BadLine, parse_table

INSTALL = "needs a library that is not installed: install mailgate with pip install '.[{}]'"


def mistakes(
    sources: Mapping[str, RecipientSource], routes: Mapping[int, Route], file: Path
) -> Iterator[Problem]:
    """
    Give what makes the sources unusable.
    """
    ours = [domain for route in routes.values() for domain in route.domains if domain != ANY_DOMAIN]
    for name, source in sources.items():
        table = f"[recipients.{as_key(name)}]"
        for domain in source.domains:
            if domain not in ours:
                why = "is in no [[route]], so no mail for it is taken"
                yield Problem(file, table, "domains", as_toml(domain), why, nearest(domain, ours))
        yield from _of_kind(source, table, file)


def trap_mistakes(
    section: TrapsCheck,
    sources: Mapping[str, RecipientSource],
    routes: Mapping[int, Route],
    file: Path,
) -> Iterator[Problem]:
    """
    Give the traps that can be none: their domain is not ours, or they are written down as somebody.
    """
    table, key = "[checks.traps]", "addresses"
    ours = {domain for route in routes.values() for domain in route.domains}
    ours |= {each.rpartition("@")[2] for route in routes.values() for each in route.addresses}
    has_groups = any(route.groups for route in routes.values())
    for each in section.addresses:
        domain = each.rpartition("@")[2]
        if domain not in ours and ANY_DOMAIN not in ours and not has_groups:
            why = "is in no [[route]], so no mail for it is taken"
            yield Problem(file, table, key, as_toml(each), why, nearest(domain, sorted(ours)))
        for name, source in sources.items():
            if isinstance(source, ListSource) and each in _written(source):
                why = f"is a recipient in [recipients.{as_key(name)}], who would get no mail"
                yield Problem(file, table, key, as_toml(each), why)


def _written(source: ListSource) -> Mapping[str, object]:
    try:
        return parse_table(source.addresses)
    except BadLine:
        return {}


def warnings(sources: Mapping[str, RecipientSource], file: Path) -> Iterator[Problem]:
    """
    Give what is allowed but perhaps not meant.
    """
    for name, source in sources.items():
        path = getattr(source, "password_file", None)
        if path is not None and _is_public(path):
            why = "everybody on this machine can read it; chmod it"
            table = f"[recipients.{as_key(name)}]"
            yield Problem(file, table, "password_file", as_toml(str(path)), why)


def _of_kind(source: RecipientSource, table: str, file: Path) -> Iterator[Problem]:
    if isinstance(source, ListSource):
        try:
            parse_table(source.addresses)
        except BadLine as error:
            yield Problem(
                file, table, "addresses", as_toml(source.addresses[error.number - 1]), str(error)
            )
    elif isinstance(source, FileSource):
        if not is_unread(source.file):
            yield from _table_file(source.file, table, file)
    elif isinstance(source, SqliteSource):
        if not source.file.is_file():
            yield Problem(file, table, "file", as_toml(str(source.file)), "there is no such file")
    elif isinstance(source, PostgresqlSource):
        yield from _postgresql(source, table, file)
    elif isinstance(source, LdapSource):
        yield from _ldap(source, table, file)


def _table_file(path: Path, table: str, file: Path) -> Iterator[Problem]:
    try:
        with path.open(encoding="utf-8") as lines:
            parse_table(lines)
    except BadLine as error:
        yield Problem(file, table, "file", as_toml(str(path)), f"line {error.number}: {error}")
    except UnicodeDecodeError:
        yield Problem(file, table, "file", as_toml(str(path)), "it is not UTF-8 text")
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        yield Problem(file, table, "file", as_toml(str(path)), why)


def _postgresql(source: PostgresqlSource, table: str, file: Path) -> Iterator[Problem]:
    if find_spec("psycopg") is None:
        yield Problem(file, table, "kind", '"postgresql"', INSTALL.format("postgresql"))
    if not is_this_machine(source.host):
        if source.tls is DatabaseTls.NONE:
            why = f"must be {as_toml('verified')}: {source.host} is not this machine"
            yield Problem(file, table, "tls", '"none"', why)
        if source.password_file is None:
            why = f"is missing; {source.host} is not this machine"
            yield Problem(file, table, "password_file", "", why)
    yield from _secrets(source, table, file)


def _ldap(source: LdapSource, table: str, file: Path) -> Iterator[Problem]:
    if find_spec("ldaptor") is None:
        yield Problem(file, table, "kind", '"ldap"', INSTALL.format("ldap"))
        return
    from ldaptor.ldapfilter import InvalidLDAPFilter, parseFilter

    try:
        parseFilter(filled(source.filter, dict.fromkeys(NAMES, "x")))
    except InvalidLDAPFilter:
        why = "is no filter of RFC 4515"
        yield Problem(file, table, "filter", as_toml(source.filter), why)
    if not source.starttls:
        for url in source.servers:
            is_tls, host, _ = parse_ldap_url(url)
            if not (is_tls or is_this_machine(host)):
                why = f"must be true: {host} is not this machine"
                yield Problem(file, table, "starttls", "false", why)
                break
    if bool(source.bind_dn) != (source.password_file is not None):
        pair = ("bind_dn", "password_file")
        other, key = pair if source.bind_dn else reversed(pair)
        yield Problem(file, table, key, "", f"is missing; it belongs to {other}")
    yield from _secrets(source, table, file)


def _secrets(source: PostgresqlSource | LdapSource, table: str, file: Path) -> Iterator[Problem]:
    """
    Give what is wrong with the file of a password and that of the authorities.
    """
    path = source.password_file
    if path is not None and not is_unread(path):
        try:
            read_password(path)
        except OSError as error:
            why = f"cannot be read: {error.strerror}"
            yield Problem(file, table, "password_file", as_toml(str(path)), why)
        except ValueError as error:
            yield Problem(file, table, "password_file", as_toml(str(path)), str(error))
    if source.ca_file is not None and not is_unread(source.ca_file):
        try:
            certificate.read_authorities(source.ca_file)
        except ValueError as error:
            yield Problem(file, table, "ca_file", as_toml(str(source.ca_file)), str(error))


def read_password(path: Path) -> str:
    """
    Read the first line of a file. Blocks.

    @raise OSError: it cannot be read.
    @raise ValueError: there is nothing in it, or it is no text.
    """
    try:
        password = path.read_text("utf-8").partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    if not password:
        # An empty one would let some directories answer as if nobody had asked for anything.
        raise ValueError("its first line is empty; the password belongs there")
    return password


def _is_public(path: Path) -> bool:
    try:
        return bool(os.stat(path).st_mode & S_IROTH)
    except OSError:
        return False
