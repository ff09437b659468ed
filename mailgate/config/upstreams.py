"""
What must hold between the options of routes, groups and upstreams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import frozen

from mailgate.config import certificate
from mailgate.config.delivery import (
    ANY_DOMAIN,
    PROVEN,
    ClientTold,
    Group,
    Route,
    SmtpUpstream,
    UpstreamTls,
)
from mailgate.config.membership import read_members
from mailgate.config.model import CertificateFiles
from mailgate.config.problem import Problem, as_key, as_toml, nearest
from mailgate.config.secret import read_secret

IN_CLEAR = (UpstreamTls.NONE, UpstreamTls.OPPORTUNISTIC)


def route_mistakes(
    routes: Mapping[int, Route], upstreams: Iterable[str], groups: Mapping[str, Any], file: Path
) -> Iterator[Problem]:
    """
    Give what is wrong with routes.

    @param routes: them by their number in the file.
    @param upstreams: the names of those that there are.
    @param groups: them by their name; C{None} for one that is wrong in itself.
    """
    taken: dict[tuple[str, str], int] = {}
    known = list(upstreams)
    for number, route in routes.items():
        table = f"[[route]] number {number}"
        if not (route.domains or route.addresses or route.groups):
            why = "is missing; a route needs domains, addresses or groups"
            yield Problem(file, table, "domains", "", why)
        yield from _choices(route, known, table, file)
        for name in route.groups:
            if name not in groups:
                yield _unknown(file, table, "groups", name, "group", groups)
        for key, one, names in (
            ("domains", "domain", route.domains),
            ("addresses", "address", route.addresses),
            ("groups", "group", route.groups),
        ):
            for name in dict.fromkeys(names):
                first = taken.setdefault((key, name), number)
                if first == number and names.count(name) == 1:
                    continue
                where = "twice in this route" if first == number else f"in number {first} as well"
                why = f"{'an' if key == 'addresses' else 'a'} {one} has one route; it is {where}"
                yield Problem(file, table, key, as_toml(name), why)


def _choices(route: Route, known: list[str], table: str, file: Path) -> Iterator[Problem]:
    names = [choice.name for choice in route.upstream]
    for name in dict.fromkeys(names):
        if name not in known:
            yield _unknown(file, table, "upstream", name, "upstream", known)
        if names.count(name) > 1:
            yield Problem(file, table, "upstream", as_toml(name), "must stand there only once")


def _unknown(
    file: Path, table: str, key: str, name: str, kind: str, known: Iterable[str]
) -> Problem:
    there = ", ".join(map(as_key, known)) or "none"
    why = f"there is no table [{kind}.{name}]; there is: {there}"
    return Problem(file, table, key, as_toml(name), why, nearest(name, known))


def route_warnings(
    routes: Mapping[int, Route], upstreams: Iterable[str], groups: Mapping[str, Any], file: Path
) -> Iterator[Problem]:
    """
    Give what is allowed of routes but perhaps not meant.
    """
    used = {choice.name for route in routes.values() for choice in route.upstream}
    for name in upstreams:
        if name not in used:
            yield Problem(file, f"[upstream.{as_key(name)}]", "", "", "no route uses it")
    used = {name for route in routes.values() for name in route.groups}
    for name in groups:
        if name not in used:
            yield Problem(file, f"[group.{as_key(name)}]", "", "", "no route uses it")
    domains = {domain for route in routes.values() for domain in route.domains} - {ANY_DOMAIN}
    for number, route in routes.items():
        for address in route.addresses:
            domain = address.rpartition("@")[2]
            if domain not in domains:
                why = f"no route has the domain {domain}, so all its other addresses are refused"
                table = f"[[route]] number {number}"
                yield Problem(file, table, "addresses", as_toml(address), why)


def group_mistakes(groups: Mapping[str, Any], file: Path) -> Iterator[Problem]:
    """
    Give what is wrong with groups.
    """
    for name, group in groups.items():
        table = f"[group.{as_key(name)}]"
        if not isinstance(group, Group):
            continue
        if not group.members and group.file is None:
            yield Problem(file, table, "members", "", "is missing; a group needs members or a file")
        if group.file is not None:
            try:
                read_members(group.file)
            except ValueError as error:
                yield Problem(file, table, "file", as_toml(str(group.file)), str(error))


def upstream_mistakes(upstreams: Mapping[str, Any], file: Path) -> Iterator[Problem]:
    """
    Give what is wrong with upstreams.
    """
    for name, upstream in upstreams.items():
        if isinstance(upstream, SmtpUpstream):
            yield from _Examination(upstream, f"[upstream.{as_key(name)}]", file).mistakes()


@frozen
class _Examination:
    """
    A mail server, as it is configured.
    """

    upstream: SmtpUpstream
    table: str
    file: Path

    def mistakes(self) -> Iterator[Problem]:
        """
        Give what is wrong with it.
        """
        yield from self._place()
        yield from self._tls()
        yield from self._certificate()
        yield from self._log_in()

    def _problem(self, key: str, why: str) -> Problem:
        value = getattr(self.upstream, key)
        if isinstance(value, Path):
            value = str(value)
        return Problem(self.file, self.table, key, "" if value is None else as_toml(value), why)

    def _place(self) -> Iterator[Problem]:
        upstream = self.upstream
        if upstream.socket is not None:
            if upstream.kind == "smtps":
                yield self._problem("host", 'kind = "smtps" needs a host; a socket has no TLS')
            for key in ("port", "source_address"):
                if getattr(upstream, key) is not None:
                    yield self._problem(key, "is of no use with the socket in host")
        elif upstream.source_address is not None:
            source = ip_address(upstream.source_address)
            try:
                host = ip_address(upstream.host)
            except ValueError:
                return
            if host.version != source.version:
                why = f"must be of the same kind as host: IPv{host.version}"
                yield self._problem("source_address", why)

    def _tls(self) -> Iterator[Problem]:
        upstream = self.upstream
        mode = upstream.usual_tls
        if upstream.kind == "smtps":
            if mode in IN_CLEAR:
                yield self._problem(
                    "tls", 'kind = "smtps" is always with TLS: required or stricter'
                )
        elif upstream.socket is not None and mode is not UpstreamTls.NONE:
            yield self._problem("tls", "must be none: what goes through a socket stays here")
        if mode is UpstreamTls.PINNED and not upstream.pinned_keys:
            why = 'is missing; tls = "pinned" needs the keys to trust'
            yield Problem(self.file, self.table, "pinned_keys", "", why)
        if mode is not UpstreamTls.PINNED and upstream.pinned_keys:
            yield self._problem("pinned_keys", 'is of no use without tls = "pinned"')
        if mode is not UpstreamTls.VERIFIED:
            for key in ("ca_file", "tls_name"):
                if getattr(upstream, key) is not None:
                    yield self._problem(key, 'is of no use without tls = "verified"')
        if upstream.ca_file is not None:
            yield from self._readable("ca_file", certificate.read_authorities, upstream.ca_file)

    def _certificate(self) -> Iterator[Problem]:
        upstream = self.upstream
        shown, key = upstream.certificate, upstream.key
        if shown is not None and key is not None:
            files = CertificateFiles(certificate=shown, key=key)
            for name, why in certificate.examine(files):
                yield self._problem(name, why)
        elif shown is not None or key is not None:
            missing = "key" if key is None else "certificate"
            yield self._problem(missing, "is missing; certificate and key belong together")
        if shown is not None and upstream.usual_tls is UpstreamTls.NONE:
            yield self._problem("certificate", "is of no use without TLS")

    def _log_in(self) -> Iterator[Problem]:
        upstream = self.upstream
        user, password = upstream.user, upstream.password_file
        if user is None and password is None:
            return
        if user is None or password is None:
            missing = "user" if user is None else "password_file"
            yield self._problem(missing, "is missing; user and password_file belong together")
        if user is not None and not user.isprintable():
            yield self._problem("user", "must have no control characters")
        if upstream.usual_tls not in PROVEN:
            why = "a password is told only to a server that proves who it is: verified or pinned"
            yield Problem(self.file, self.table, "tls", as_toml(str(upstream.usual_tls)), why)
        if password is not None:
            yield from self._readable("password_file", read_secret, password)
        if upstream.tell_client is ClientTold.XCLIENT:
            why = "must not be xclient beside user: it would end the log-in"
            yield self._problem("tell_client", why)

    def _readable(self, key: str, read: Callable[[Path], Any], path: Path) -> Iterator[Problem]:
        try:
            read(path)
        except ValueError as error:
            yield self._problem(key, str(error))
