"""
What must hold between options, beyond what each of them allows by itself.

A file with a mistake in one table is still examined in the others, so that all its mistakes
are told at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from stat import S_IROTH
from typing import Any, TypeVar

from attrs import frozen
from pydantic import TypeAdapter, ValidationError

from mailgate.config import certificate, geo, sources, upstreams
from mailgate.config.checks import GeoCheck, TrapsCheck
from mailgate.config.delivery import ANY_DOMAIN, Group, Route, SmtpUpstream, Upstream
from mailgate.config.model import (
    PEOPLE,
    AccountFile,
    CertificateFiles,
    ClientCertificate,
    Health,
    Limits,
    Listener,
    Notices,
    Policy,
    Role,
    Tls,
    Web,
)
from mailgate.config.problem import Problem, as_key, as_toml
from mailgate.config.recipients import RecipientSource
from mailgate.config.values import parse_endpoint, parse_mailbox, unix_path

T = TypeVar("T")

ACCOUNT_UPSTREAM = "[accounts.upstream]"


@frozen
class Parts:
    """
    The tables of a file that are right by themselves.
    """

    hostname: str | None
    listeners: dict[int, Listener]
    """By their number in the file, from 1."""

    routes: dict[int, Route]
    """By their number in the file, from 1."""

    upstreams: dict[str, Any]
    """By name; C{None} for one that is named but wrong in itself."""

    groups: dict[str, Any]
    """As C{upstreams}."""

    data: Path | None
    tls: Tls | None
    limits: Limits | None
    policy: Policy | None
    accounts: AccountFile | None
    web: Web | None
    health: Health | None
    recipients: dict[str, RecipientSource]
    """By name; one that is wrong in itself is left out."""
    notices: Notices | None
    traps: TrapsCheck | None
    geo: GeoCheck | None

    @classmethod
    def read(cls, tables: dict[str, Any], folder: Path) -> Parts:
        """
        Read what can be read of a file's tables; its paths are seen from C{folder}.
        """
        context = {"folder": folder}

        def one(kind: Any, value: object) -> Any:
            try:
                return TypeAdapter(kind).validate_python(value, context=context)
            except ValidationError:
                return None

        def many(kind: type[T], key: str) -> dict[int, T]:
            values = tables.get(key)
            read = [one(kind, value) for value in values] if isinstance(values, list) else []
            return {number: value for number, value in enumerate(read, 1) if value is not None}

        def named(kind: Any, key: str) -> dict[str, Any]:
            values = tables.get(key)
            found = values.items() if isinstance(values, dict) else ()
            return {name: one(kind, value) for name, value in found}

        hostname = tables.get("hostname")
        checks = tables.get("checks", {})
        data = tables.get("data")
        return cls(
            hostname=hostname if isinstance(hostname, str) else None,
            listeners=many(Listener, "listener"),
            routes=many(Route, "route"),
            upstreams=named(Upstream, "upstream"),
            groups=named(Group, "group"),
            data=folder / data if isinstance(data, str) else None,
            tls=one(Tls, tables.get("tls", {})),
            limits=one(Limits, tables.get("limits", {})),
            policy=one(Policy, tables.get("policy", {})),
            accounts=one(AccountFile, tables.get("accounts", {})),
            web=one(Web, tables.get("web", {})),
            health=one(Health, tables.get("health", {})),
            recipients={
                name: source
                for name, source in named(RecipientSource, "recipients").items()
                if source is not None
            },
            notices=one(Notices, tables.get("notices", {})),
            geo=one(GeoCheck, checks.get("geo", {}) if isinstance(checks, dict) else {}),
            traps=one(TrapsCheck, checks.get("traps", {}) if isinstance(checks, dict) else {}),
        )


def mistakes(parts: Parts, file: Path) -> Iterator[Problem]:
    """
    Give what makes the file unusable.
    """
    yield from _examples(parts, file)
    yield from _listeners(parts, file)
    yield from upstreams.route_mistakes(parts.routes, parts.upstreams, parts.groups, file)
    yield from upstreams.group_mistakes(parts.groups, file)
    yield from upstreams.upstream_mistakes(parts.upstreams, file)
    yield from _loops(parts, file)
    yield from _data(parts, file)
    if parts.policy is not None:
        yield from _thresholds(parts.policy, file)
    if parts.limits is not None:
        yield from _limits(parts.limits, file)
    if parts.tls is not None:
        yield from _tls(parts.tls, file)
    if parts.accounts is not None:
        yield from _accounts(parts.accounts, parts, file)
    yield from sources.mistakes(parts.recipients, parts.routes, file)
    if parts.traps is not None:
        yield from sources.trap_mistakes(parts.traps, parts.recipients, parts.routes, file)


def warnings(parts: Parts, file: Path) -> Iterator[Problem]:
    """
    Give what is allowed but perhaps not meant.
    """
    yield from upstreams.route_warnings(parts.routes, parts.upstreams, parts.groups, file)
    yield from _secret_warnings(parts, file)
    if parts.tls is not None:
        yield from _certificate_warnings(parts.tls, file)
    if parts.accounts is not None and parts.accounts.upstream is not None:
        if not any(listener.role in PEOPLE for listener in parts.listeners.values()):
            why = "nobody can log in: no listener has the role submission or submissions"
            yield Problem(file, ACCOUNT_UPSTREAM, "", "", why)
    yield from sources.warnings(parts.recipients, file)
    if parts.geo is not None:
        yield from geo.warnings(parts.geo, file)
    if parts.notices is not None and parts.notices.postmaster is not None:
        shown = parts.notices.postmaster
        domains = {domain for route in parts.routes.values() for domain in route.domains}
        if not domains.intersection((parse_mailbox(shown).host, ANY_DOMAIN)):
            why = "no route leads there, so no notice would arrive"
            yield Problem(file, "[notices]", "postmaster", as_toml(shown), why)
    if parts.web is not None and _is_in_the_clear(parts.web):
        why = "passwords cross the network in the clear; put a proxy with TLS before it"
        yield Problem(file, "[web]", "base_url", as_toml(parts.web.base_url), why)


def lapses(parts: Parts, file: Path) -> Iterator[Problem]:
    """
    Give what is as bad as a mistake, but keeps nobody from starting: a gateway that does not start
    would be worse.
    """
    now = datetime.now(UTC)
    for table, files in _certificates(parts.tls):
        with suppress(ValueError):
            why = certificate.read_chain(files.certificate).lapse(now)
            if why:
                shown = as_toml(str(files.certificate))
                yield Problem(file, table, "certificate", shown, f"it {why}")
    if parts.geo is not None:
        yield from geo.lapses(parts.geo, file)


def _examples(parts: Parts, file: Path) -> Iterator[Problem]:
    """
    Give the names that are still those of the sample. No real name ends so (RFC 6761).
    """
    why = "is only an example; put {} in its place"
    if parts.hostname is not None and _is_example(parts.hostname):
        yours = why.format("the full name of this machine in the DNS")
        yield Problem(file, "", "hostname", as_toml(parts.hostname), yours)
    for number, route in parts.routes.items():
        for key, named in (("domains", route.domains), ("addresses", route.addresses)):
            for each in filter(_is_example, named):
                yours = why.format("a domain whose mail comes here")
                yield Problem(file, f"[[route]] number {number}", key, as_toml(each), yours)
    for name, upstream in parts.upstreams.items():
        if isinstance(upstream, SmtpUpstream) and _is_example(upstream.host):
            yours = why.format("the name or IP address of your mail server")
            table = f"[upstream.{as_key(name)}]"
            yield Problem(file, table, "host", as_toml(upstream.host), yours)
    asked = parts.accounts.upstream if parts.accounts is not None else None
    if asked is not None and _is_example(asked.host):
        yours = why.format("the name of the mail server that knows the accounts")
        yield Problem(file, ACCOUNT_UPSTREAM, "host", as_toml(asked.host), yours)


def _accounts(accounts: AccountFile, parts: Parts, file: Path) -> Iterator[Problem]:
    """
    Give what is wrong with the mail server that knows the accounts.
    """
    upstream = accounts.upstream
    if upstream is None:
        return
    if accounts.file is not None:
        why = "must not be there beside [accounts.upstream], which takes its place"
        yield Problem(file, "[accounts]", "file", as_toml(str(accounts.file)), why)
    if upstream.ca_file is not None:
        yield from _authorities(upstream.ca_file, file, ACCOUNT_UPSTREAM, "ca_file")
    for number, listener in parts.listeners.items():
        if _is_same_server(upstream.host, upstream.usual_port, listener.address):
            why = f"log-ins would go round: [[listener]] number {number} listens there"
            yield Problem(file, ACCOUNT_UPSTREAM, "host", as_toml(upstream.host), why)
            break


def _authorities(authorities: Path, file: Path, table: str, key: str) -> Iterator[Problem]:
    try:
        certificate.read_authorities(authorities)
    except ValueError as error:
        yield Problem(file, table, key, as_toml(str(authorities)), str(error))


def _is_example(name: str) -> bool:
    return name.lower().endswith(".example")


def _listeners(parts: Parts, file: Path) -> Iterator[Problem]:
    names: dict[str, int] = {}
    taken: list[tuple[str, str]] = []
    if parts.web is not None:
        taken.append((parts.web.address, "the pages ([web] address)"))
    if parts.health is not None and parts.health.address:
        for other, owner in taken:
            if _overlap(parts.health.address, other):
                why = f"must be free; {owner} listens at {other}"
                yield Problem(file, "[health]", "address", as_toml(parts.health.address), why)
        taken.append((parts.health.address, "[health] address"))
    for number, listener in parts.listeners.items():
        table = f"[[listener]] number {number}"
        first = names.setdefault(listener.name, number)
        if first != number:
            why = f"must be a name of its own; number {first} has the same"
            yield Problem(file, table, "name", as_toml(listener.name), why)
        if listener.role is Role.INTERNAL and not listener.networks:
            why = "is missing; whoever may connect could send mail anywhere"
            yield Problem(file, table, "networks", "", why)
        yield from _client_certificates(listener, file, table)
        for other, owner in taken:
            if _overlap(listener.address, other):
                why = f"must be free; {owner} listens at {other}"
                yield Problem(file, table, "address", as_toml(listener.address), why)
        taken.append((listener.address, f"number {number}"))


def _client_certificates(listener: Listener, file: Path, table: str) -> Iterator[Problem]:
    wish = listener.client_certificate
    if listener.client_ca_file is None:
        if wish is not ClientCertificate.NONE:
            why = f'is missing; client_certificate = "{wish}" needs it'
            yield Problem(file, table, "client_ca_file", "", why)
        return
    if wish is ClientCertificate.NONE:
        why = 'is of no use without client_certificate = "request" or "require"'
        shown = as_toml(str(listener.client_ca_file))
        yield Problem(file, table, "client_ca_file", shown, why)
    yield from _authorities(listener.client_ca_file, file, table, "client_ca_file")


def _overlap(one: str, other: str) -> bool:
    """
    Tell whether two endpoints cannot both be listened at.
    """
    if unix_path(one) is not None or unix_path(other) is not None:
        return one == other
    host, port = parse_endpoint(one)
    other_host, other_port = parse_endpoint(other)
    if port != other_port or port == 0:
        return False
    if (":" in host) != (":" in other_host):
        # An IPv6 listener takes no IPv4 clients: the two kinds leave each other alone.
        return False
    return host == other_host or any(ip_address(each).is_unspecified for each in (host, other_host))


def _loops(parts: Parts, file: Path) -> Iterator[Problem]:
    """
    Give the upstreams that are the gateway itself.
    """
    for name, upstream in parts.upstreams.items():
        if not isinstance(upstream, SmtpUpstream):
            continue
        for number, listener in parts.listeners.items():
            if _is_same_server(upstream.host, upstream.usual_port, listener.address):
                why = f"mail would go round: [[listener]] number {number} listens there"
                yield Problem(
                    file, f"[upstream.{as_key(name)}]", "host", as_toml(upstream.host), why
                )
                break


def _is_same_server(host: str, port: int, listening: str) -> bool:
    if unix_path(host) is not None or unix_path(listening) is not None:
        return host == listening
    listening_host, listening_port = parse_endpoint(listening)
    if port != listening_port:
        return False
    listener = ip_address(listening_host)
    if host == "localhost":
        return listener.is_loopback or listener.is_unspecified
    if not _is_address(host):
        return False
    address = ip_address(host)
    return address == listener or (
        listener.is_unspecified and address.is_loopback and address.version == listener.version
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _data(parts: Parts, file: Path) -> Iterator[Problem]:
    if parts.data is not None and parts.data.exists() and not parts.data.is_dir():
        yield Problem(file, "", "data", as_toml(str(parts.data)), "must be a folder; it is a file")


def _thresholds(policy: Policy, file: Path) -> Iterator[Problem]:
    levels = [("tag", policy.tag), ("quarantine", policy.quarantine), ("reject", policy.reject)]
    for (lower_name, lower), (name, value) in pairwise(levels):
        if value < lower:
            why = f"must not be below {lower_name}, which is {lower:g}"
            yield Problem(file, "[policy]", name, f"{value:g}", why)


def _limits(limits: Limits, file: Path) -> Iterator[Problem]:
    order = [
        ("check_seconds", "reply_seconds", "delivery needs the rest of it"),
        ("command_seconds", "session_seconds", "a session has several commands"),
    ]
    if limits.tarpit:
        order += [
            ("tarpit_most", "reply_seconds", "so long a client waits for any reply at most"),
            ("tarpit_most", "session_seconds", "a session has several replies"),
        ]
    for lower, upper, why in order:
        least, most = getattr(limits, lower), getattr(limits, upper)
        if least >= most:
            problem = f"must be below {upper}, which is {most:g}: {why}"
            yield Problem(file, "[limits]", lower, f"{least:g}", problem)


def _tls(tls: Tls, file: Path) -> Iterator[Problem]:
    for key, value, other in (
        ("certificate", tls.certificate, tls.key),
        ("key", tls.key, tls.certificate),
    ):
        if value is None and other is not None:
            why = "is missing; certificate and key belong together"
            yield Problem(file, "[tls]", key, "", why)
    for table, files in _certificates(tls):
        for key, why in certificate.examine(files):
            yield Problem(file, table, key, as_toml(str(getattr(files, key))), why)


def _certificate_warnings(tls: Tls, file: Path) -> Iterator[Problem]:
    now, taken = datetime.now(UTC), set[str]()
    for table, files in _certificates(tls):
        if _is_public(files.key):
            why = "everybody on this machine can read it; chmod o-r it"
            yield Problem(file, table, "key", as_toml(str(files.key)), why)
        try:
            chain = certificate.read_chain(files.certificate)
        except ValueError:
            continue
        reasons = [f"it {soon}"] if (soon := chain.approaching_end(now)) else []
        reasons += [gap] if (gap := chain.gap()) else []
        if table != "[tls]" and taken.issuperset(chain.names):
            reasons.append("no client gets it: all its names are in certificates before it")
        taken.update(chain.names)
        for why in reasons:
            yield Problem(file, table, "certificate", as_toml(str(files.certificate)), why)


def _secret_warnings(parts: Parts, file: Path) -> Iterator[Problem]:
    for name, upstream in parts.upstreams.items():
        if not isinstance(upstream, SmtpUpstream):
            continue
        for key in ("key", "password_file"):
            secret = getattr(upstream, key)
            if secret is not None and _is_public(secret):
                why = "everybody on this machine can read it; chmod o-r it"
                table = f"[upstream.{as_key(name)}]"
                yield Problem(file, table, key, as_toml(str(secret)), why)


def _certificates(tls: Tls | None) -> Iterator[tuple[str, CertificateFiles]]:
    """
    Give the certificates that are configured, each with its table.
    """
    if tls is None:
        return
    if tls.certificate is not None and tls.key is not None:
        yield "[tls]", CertificateFiles(certificate=tls.certificate, key=tls.key)
    for number, files in enumerate(tls.certificates, 1):
        yield f"[[tls.certificates]] number {number}", files


def _is_public(path: Path) -> bool:
    try:
        return bool(os.stat(path).st_mode & S_IROTH)
    except OSError:
        return False


def _is_in_the_clear(web: Web) -> bool:
    host, _ = parse_endpoint(web.address)
    return not ip_address(host).is_loopback and web.base_url.startswith("http://")
