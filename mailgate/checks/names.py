"""
Whether the names that stand for a message are in the DNS: the client's, that of HELO, the sender's.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from zope.interface import implementer

from mailgate.checks.waiting import at_once
from mailgate.checks.words import quote
from mailgate.config.checks import NamesCheck as Section
from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IResolver, IResolvers, MaybeDeferred, Phase, Scope
from mailgate.knowledge.dnslists import reversed_address
from mailgate.wire.dns.answer import AAAA, MX, PTR, A, Answer, MailExchange, Records, Unknown
from mailgate.wire.network import Network, address_of, is_within

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

IpAddress = IPv4Address | IPv6Address
T = TypeVar("T")

NAMES = 5
"""Names of a client that are looked up; strangers can give themselves any number."""

_NAME = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+(?!\d+\Z)[a-z0-9-]{2,63}"
)
_NULL = "."
_A = "A of {}"


class _Unknown(Exception):
    """
    What was asked is not known.
    """


@implementer(ICheck)
@frozen
class NamesCheck:
    """
    What the DNS says of the names around a message.
    """

    section: Section
    resolvers: IResolvers
    hostname: str
    domains: frozenset[str]
    exempt_networks: tuple[Network, ...]
    deadline: float

    name = "names"
    phase = Phase.RCPT
    scope = Scope.RECIPIENT
    after = ()
    needs = ()
    symbols = frozenset(
        {
            "CLIENT_NO_NAME",
            "CLIENT_NAME_UNCONFIRMED",
            "HELO_UNRESOLVABLE",
            "SENDER_UNRESOLVABLE",
            "SENDER_NULL_MX",
            "NAMES_UNKNOWN",
        }
    )

    @classmethod
    def from_settings(cls, settings: Settings, resolvers: IResolvers) -> NamesCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.names
        return cls(
            section,
            resolvers,
            settings.hostname.lower(),
            frozenset(settings.domains),
            tuple(map(parse_network, section.exempt_networks)),
            section.deadline,
        )

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give a finding for each name that is wrong, and one for what is not known.
        """
        session = view.session
        client = address_of(session.client)
        if (
            session.is_trusted
            or session.account
            or session.client == session.local
            or client is None
            or is_within(client, self.exempt_networks)
        ):
            return ()
        return at_once(self._judge(view, client))

    async def _judge(self, view: View, client: IpAddress) -> Sequence[Finding]:
        resolver = self.resolvers.for_check(self.name, self.deadline)
        helo = view.session.helo.lower().removesuffix(".")
        sender = view.envelope.sender.host
        questions: list[Coroutine[Any, Any, Finding | None]] = []
        begun: list[object] = []
        # All are asked before one is waited for.
        if client.is_global:
            tree = "in-addr.arpa" if client.version == 4 else "ip6.arpa"
            pointers = resolver.look_up(f"{reversed_address(client)}.{tree}", PTR)
            begun.append(pointers)
            questions.append(self._client(resolver, client, pointers))
        if helo != self.hostname and _NAME.fullmatch(helo):
            addresses = resolver.look_up(helo, A)
            begun.append(addresses)
            questions.append(self._helo(resolver, helo, addresses))
        is_name = sender.isascii() and not sender.startswith("[")
        if sender and is_name and sender not in self.domains:
            exchanges = resolver.look_up(sender, MX)
            begun.append(exchanges)
            questions.append(self._sender(resolver, sender, exchanges))
        findings: list[Finding] = []
        unknown: list[str] = []
        try:
            for each in questions:
                try:
                    found = await each
                except _Unknown as error:
                    unknown.append(str(error))
                else:
                    findings += () if found is None else (found,)
        finally:
            # Where all was waited for, nothing is left to end.
            for each in questions:
                each.close()
            for answer in begun:
                if isinstance(answer, Deferred) and not answer.called:
                    answer.addErrback(lambda failure: failure.trap(CancelledError))
                    answer.cancel()
        if unknown:
            findings.append(Finding("NAMES_UNKNOWN", 0, f"Not known: {'; '.join(unknown)}."))
        return findings

    async def _client(
        self, resolver: IResolver, client: IpAddress, begun: MaybeDeferred[Answer[str]]
    ) -> Finding | None:
        """
        Judge whether one of the client's names leads back to it (RFC 1912 section 2.1).
        """
        answer = await begun if isinstance(begun, Deferred) else begun
        names = _values(answer, "the name of {}", client)
        if not names:
            return Finding(
                "CLIENT_NO_NAME",
                self.section.no_name_score,
                f"The client's address, {client}, has no name.",
                f"{client} has no name in the DNS",
                is_enforced=False,
            )
        unknown = None
        for name in names[:NAMES]:
            try:
                if client in await _addresses(resolver, name, client.version):
                    return None
            except _Unknown as error:
                unknown = error
        if unknown is not None:
            raise unknown
        return Finding(
            "CLIENT_NAME_UNCONFIRMED",
            self.section.unconfirmed_score,
            f"The client's name, {quote(names[0])}, does not lead back to {client}.",
            f"the name of {client} does not lead back to it",
            is_enforced=False,
        )

    async def _helo(
        self, resolver: IResolver, helo: str, begun: MaybeDeferred[Answer[IPv4Address]]
    ) -> Finding | None:
        answer = await begun if isinstance(begun, Deferred) else begun
        if _values(answer, _A, helo) or await _addresses(resolver, helo, 6):
            return None
        return Finding(
            "HELO_UNRESOLVABLE",
            self.section.helo_score,
            f"The client calls itself {quote(helo)}, a name without an address.",
            "HELO gives a name without an address",
            is_enforced=False,
        )

    async def _sender(
        self, resolver: IResolver, domain: str, begun: MaybeDeferred[Answer[MailExchange]]
    ) -> Finding | None:
        """
        Judge whether a reply to the sender could be delivered (RFC 5321 section 5.1).
        """
        answer = await begun if isinstance(begun, Deferred) else begun
        exchanges = _values(answer, "MX of {}", domain)
        if len(exchanges) == 1 and exchanges[0].host == _NULL:
            return Finding(
                "SENDER_NULL_MX",
                self.section.null_mx_score,
                f"The sender's domain, {quote(domain)}, says that it has no mail (RFC 7505).",
                "the sender's domain takes no mail",
            )
        if exchanges:
            return None
        for version in (4, 6):
            if await _addresses(resolver, domain, version):
                return None
        return Finding(
            "SENDER_UNRESOLVABLE",
            self.section.sender_score,
            f"The sender's domain, {quote(domain)}, has neither MX nor an address.",
            "the sender's domain has neither MX nor an address",
        )


async def _addresses(resolver: IResolver, name: str, version: int) -> Sequence[IpAddress]:
    answer: MaybeDeferred[Answer[Any]] = resolver.look_up(name, A if version == 4 else AAAA)
    if isinstance(answer, Deferred):
        answer = await answer
    return _values(answer, _A if version == 4 else "AAAA of {}", name)


def _values(answer: Answer[T], what: str, name: object) -> tuple[T, ...]:
    """
    Give records.

    @param what: what was asked for, with C{{}} in the place of the name.
    @raise _Unknown: nobody knows whether there are any.
    """
    if isinstance(answer, Records):
        return answer.values
    if isinstance(answer, Unknown):
        subject = quote(name) if isinstance(name, str) else name
        raise _Unknown(f"{what.format(subject)}: {answer.reason}")
    return ()
