"""
What lists in the DNS say of the client's address, its name, and the sender's domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, NamedTuple

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.checks import DnsListOf
from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IResolvers, MaybeDeferred, Phase, Scope
from mailgate.knowledge.dnslists import DnsLists, ListInDns, ListTrouble, Meaning, reversed_address
from mailgate.wire.dns.answer import A, Answer, Nothing

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

# Only a plain name with a domain that is no address; so it can stand in a reply too.
_NAME = re.compile(
    r"(?=.{4,200}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+(?!\d+\Z)[a-z0-9-]{2,63}"
)
_CLIENT, _HELO, _SENDER = "CLIENT", "HELO", "SENDER"
_WHAT = {
    _CLIENT: "The client's address",
    _HELO: "The client's name",
    _SENDER: "The sender's domain",
}


class _Question(NamedTuple):
    """
    One look-up. A message has many, and a frozen value takes three times as long to make.
    """

    list: ListInDns
    about: str
    subject: str
    name: str


@implementer(ICheck)
@frozen
class DnsListsCheck:
    """
    The lists of the configuration, those for a client and those against it.
    """

    lists: DnsLists
    resolvers: IResolvers
    hostname: str
    domains: frozenset[str]
    exempt_networks: tuple[IpNetwork, ...]
    deadline: float

    name = "dnslists"
    phase = Phase.RCPT
    scope = Scope.RECIPIENT
    after = ()
    needs = ()
    symbols = frozenset(
        {
            "DNSBL_CLIENT",
            "DNSBL_HELO",
            "DNSBL_SENDER",
            "DNSWL_CLIENT",
            "DNSWL_HELO",
            "DNSWL_SENDER",
            "DNSLIST_REFUSED",
            "DNSLIST_HIJACKED",
            "DNSLIST_UNKNOWN",
        }
    )

    @classmethod
    def from_settings(
        cls, settings: Settings, lists: DnsLists, resolvers: IResolvers
    ) -> DnsListsCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.dnslists
        return cls(
            lists,
            resolvers,
            settings.hostname.lower(),
            frozenset(settings.domains),
            tuple(map(parse_network, section.exempt_networks)),
            section.deadline,
        )

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give a finding for each entry, and one for the lists of which nothing is known.
        """
        if not self.lists.lists or view.session.is_trusted or view.session.account:
            return ()
        questions, off = self._questions(view)
        resolver = self.resolvers.for_check(self.name, self.deadline)
        asked = [resolver.look_up(each.name, A) for each in questions]
        answers = [each for each in asked if not isinstance(each, Deferred)]
        if len(answers) == len(asked):
            return self._found(questions, answers, off)
        return Deferred.fromCoroutine(self._wait(questions, asked, off))

    async def _wait(
        self,
        questions: Sequence[_Question],
        asked: Sequence[MaybeDeferred[Answer[IPv4Address]]],
        off: Sequence[str],
    ) -> Sequence[Finding]:
        waiting = [each for each in asked if isinstance(each, Deferred)]
        for _, given in await DeferredList(waiting, consumeErrors=True):
            if isinstance(given, Failure):  # it was cancelled
                given.raiseException()
        answers = [await each if isinstance(each, Deferred) else each for each in asked]
        return self._found(questions, answers, off)

    def _questions(self, view: View) -> tuple[list[_Question], list[str]]:
        """
        Give what is looked up, and what is not as the list is switched off.
        """
        client = ip_address(view.session.client)
        client = getattr(client, "ipv4_mapped", None) or client
        if any(client in network for network in self.exempt_networks):
            return [], []
        is_asked = client.is_global and view.session.client != view.session.local
        names = {}
        for about, name in (
            (_HELO, view.session.helo),
            (_SENDER, view.envelope.sender.host),
        ):
            name = name.lower().removesuffix(".")
            is_ours = name == self.hostname or name in self.domains
            if _NAME.fullmatch(name) and not is_ours and name not in names:
                names[name] = about
        subject = str(client)
        labels = reversed_address(client) if is_asked else ""
        questions, off = [], []
        for one in self.lists.lists:
            if one.of is DnsListOf.DOMAINS:
                found = [
                    _Question(one, about, name, f"{name}.{one.zone}")
                    for name, about in names.items()
                ]
            elif is_asked and (client.version == 4 or one.has_ipv6):
                found = [_Question(one, _CLIENT, subject, f"{labels}.{one.zone}")]
            else:
                continue
            if one.trouble is None:
                questions += found
            elif found:
                off.append(f"{one.name} (switched off: {one.reason})")
        return questions, off

    def _found(
        self,
        questions: Sequence[_Question],
        answers: Sequence[Answer[IPv4Address]],
        off: Sequence[str],
    ) -> Sequence[Finding]:
        findings: list[Finding] = []
        unknown = list(off)
        for question, answer in zip(questions, answers, strict=True):
            if isinstance(answer, Nothing) and not question.list.unanswered:
                continue
            meaning = question.list.read(answer)
            self.lists.note(question.list, question.name, meaning)
            if meaning.codes:
                findings += _entries(question, meaning)
            elif meaning.trouble in (ListTrouble.REFUSED, ListTrouble.HIJACKED):
                is_hijacked = meaning.trouble is ListTrouble.HIJACKED
                symbol = "DNSLIST_HIJACKED" if is_hijacked else "DNSLIST_REFUSED"
                words = f"The list {question.list.name} says nothing: {meaning.reason}."
                findings.append(Finding(symbol, 0, words))
            elif meaning.reason:
                unknown.append(f"{question.list.name} ({meaning.reason})")
        if any(finding.score < 0 for finding in findings):
            # Who vouches for a client does not undo what is said against it, but refuses nothing.
            findings = [evolve(finding, is_enforced=False) for finding in findings]
        if unknown:
            words = f"Not known from {', '.join(dict.fromkeys(unknown))}."
            findings.append(Finding("DNSLIST_UNKNOWN", 0, words))
        return findings


def is_client_listed(findings: Iterable[Finding]) -> bool:
    """
    Tell whether a list speaks against the client's address, and none speaks for the message.

    @param findings: those of this check.
    """
    return any(
        finding.symbol == f"DNSBL_{_CLIENT}" and finding.score > 0 and finding.is_enforced
        for finding in findings
    )


def _entries(question: _Question, meaning: Meaning) -> Iterator[Finding]:
    one, subject = question.list, question.subject
    for code, answer in meaning.codes:
        kind = "DNSWL" if code.score < 0 else "DNSBL"
        page = f", see {one.page.replace('{}', subject)}" if one.page else ""
        yield Finding(
            f"{kind}_{question.about}",
            code.score,
            f"{_WHAT[question.about]}, {subject}, is on the list {one.name}: "
            f"{code.words} ({answer}).",
            f"{subject} is listed by {one.name}{page}" if code.score > 0 else "",
        )
