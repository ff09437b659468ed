"""
What lists in the DNS say of an address and of names, as findings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from mailgate.config.checks import DnsListOf
from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.finding import Finding
from mailgate.interfaces import IResolver, MaybeDeferred
from mailgate.knowledge.dnslists import (
    Code,
    DnsLists,
    ListInDns,
    ListTrouble,
    Meaning,
    reversed_address,
)
from mailgate.message.envelope import Session
from mailgate.message.urls import organisation
from mailgate.wire.dns.answer import A, Answer, Nothing
from mailgate.wire.network import Network, address_of, is_within

IpAddress = IPv4Address | IPv6Address

CLIENT, HELO, SENDER, AUTHOR, LINK = "CLIENT", "HELO", "SENDER", "AUTHOR", "LINK"
ASKED_BEFORE = ""
"""In the place of what a name is, where it is asked for no more."""

# Only a plain name with a domain that is no address; so it can stand in a reply too.
_NAME = re.compile(
    r"(?=.{4,200}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+(?!\d+\Z)[a-z0-9-]{2,63}"
)
_WHAT = {
    CLIENT: "The client's address",
    HELO: "The client's name",
    SENDER: "The sender's domain",
    AUTHOR: "The domain in From",
    LINK: "The host of a link",
}


class _Question(NamedTuple):
    """
    One look-up. A message has many, and a frozen value takes three times as long to make.
    """

    list: ListInDns
    about: str
    subject: str
    name: str


@frozen
class Listed:
    """
    Asks the lists.
    """

    lists: DnsLists
    hostname: str
    domains: frozenset[str]
    has_organizations: bool
    exempt_networks: tuple[Network, ...]

    @classmethod
    def from_settings(cls, settings: Settings, lists: DnsLists) -> Listed:
        """
        Take our own names of a configuration, and who is left alone.
        """
        return cls(
            lists,
            settings.hostname.lower(),
            frozenset(settings.domains),
            any(one.of is DnsListOf.ORGANIZATIONS for one in lists.lists),
            tuple(map(parse_network, settings.checks.dnslists.exempt_networks)),
        )

    def client_of(self, session: Session) -> IpAddress | None:
        """
        Give the address of the client, or C{None} where nothing is asked of its mail: there is no
        list, it is left alone, or it is one of ours.
        """
        if not self.lists.lists or session.is_trusted or session.account:
            return None
        client = address_of(session.client)
        return None if client is None or is_within(client, self.exempt_networks) else client

    def ask(
        self,
        resolver: IResolver,
        named: Sequence[tuple[str, str]],
        client: IpAddress | None = None,
        linked: Sequence[IpAddress] = (),
    ) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give a finding for each entry, and one for the lists of which nothing is known. Of links a
        list gives each of its findings once.

        @param named: names, each behind what it is; whatever else it may be, it is asked for as the
            first. What is no plain name, ours, or below one of ours is never asked for.
        @param client: the address to ask for, where there is one.
        @param linked: addresses to which links lead, for the lists that know such.
        """
        questions, off = self._questions(named, client, linked)
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

    def _questions(
        self,
        named: Sequence[tuple[str, str]],
        client: IpAddress | None,
        linked: Sequence[IpAddress],
    ) -> tuple[list[_Question], list[str]]:
        """
        Give what is looked up, and what is not as the list is switched off.
        """
        names: dict[str, str] = {}
        for about, name in named:
            name = name.lower().removesuffix(".")
            if _NAME.fullmatch(name) and not self._is_ours(name):
                names.setdefault(name, about)
        organizations: dict[str, str] = {}
        if self.has_organizations:
            for name, about in names.items():
                organizations.setdefault(organisation(name), about)
        subject = "" if client is None else str(client)
        labels = "" if client is None else reversed_address(client)
        questions, off = [], []
        for one in self.lists.lists:
            found = []
            if one.of is not DnsListOf.ADDRESSES:
                found += [
                    _Question(one, about, name, f"{name}.{one.zone}")
                    for name, about in (
                        names if one.of is DnsListOf.DOMAINS else organizations
                    ).items()
                    if about is not ASKED_BEFORE
                ]
            elif client is not None and (client.version == 4 or one.has_ipv6):
                found.append(_Question(one, CLIENT, subject, f"{labels}.{one.zone}"))
            if one.has_linked_addresses:
                found += [
                    _Question(one, LINK, str(each), f"{reversed_address(each)}.{one.zone}")
                    for each in linked
                    if each.version == 4 or one.has_ipv6
                ]
            if one.state.trouble is None:
                questions += found
            elif found:
                off.append(f"the list {one.name} (switched off: {one.state.reason})")
        return questions, off

    def _is_ours(self, name: str) -> bool:
        """
        Tell whether a domain is one of ours, or below one.
        """
        while name:
            if name == self.hostname or name in self.domains:
                return True
            name = name.partition(".")[2]
        return False

    def _found(
        self,
        questions: Sequence[_Question],
        answers: Sequence[Answer[IPv4Address]],
        off: Sequence[str],
    ) -> Sequence[Finding]:
        findings: list[Finding] = []
        unknown = list(off)
        told: set[tuple[str, Code]] = set()
        for question, answer in zip(questions, answers, strict=True):
            if isinstance(answer, Nothing) and not question.list.unanswered:
                continue
            meaning = question.list.read(answer)
            self.lists.note(question.list, question.name, meaning)
            if meaning.codes:
                findings += _entries(question, meaning, told)
            elif meaning.trouble in (ListTrouble.REFUSED, ListTrouble.HIJACKED):
                is_hijacked = meaning.trouble is ListTrouble.HIJACKED
                symbol = "DNSLIST_HIJACKED" if is_hijacked else "DNSLIST_REFUSED"
                words = f"The list {question.list.name} says nothing: {meaning.reason}."
                findings.append(Finding(symbol, 0, words))
            elif meaning.reason:
                unknown.append(f"the list {question.list.name} ({meaning.reason})")
        if any(finding.score < 0 for finding in findings):
            # Who vouches for a client does not undo what is said against it, but refuses nothing.
            findings = [evolve(finding, is_enforced=False) for finding in findings]
        if unknown:
            words = f"No answer from {', '.join(dict.fromkeys(unknown))}."
            findings.append(Finding("DNSLIST_UNKNOWN", 0, words))
        return findings


def _entries(
    question: _Question, meaning: Meaning, told: set[tuple[str, Code]]
) -> Iterator[Finding]:
    """
    Put entries into words.

    @param told: what was told of links, by list and code; it is told once.
    """
    one, subject = question.list, question.subject
    for code, answer in meaning.codes:
        score = code.score
        if question.about is LINK:
            score = score if code.link_score is None else code.link_score
            if (one.name, code) in told:
                continue
            told.add((one.name, code))
        kind = "DNSWL" if score < 0 else "DNSBL"
        page = f", see {one.page.replace('{}', subject)}" if one.page else ""
        yield Finding(
            f"{kind}_{question.about}",
            score,
            f"{_WHAT[question.about]}, {subject}, is on the list {one.name}: "
            f"{code.words} ({answer}).",
            f"{subject} is listed by {one.name}{page}" if score > 0 else "",
        )
