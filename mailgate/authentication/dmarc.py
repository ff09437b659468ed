"""
DMARC: whether the author's domain stands for a message, and what its owner asks for where it does
not (RFC 9989).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum

from attrs import frozen
from twisted.internet.defer import Deferred

from mailgate.authentication.author import Author
from mailgate.authentication.dkim import Dkim, DkimResult
from mailgate.authentication.dmarc_record import DmarcRecord, Policy, Suffix, parse
from mailgate.authentication.domain import canonical, is_within
from mailgate.authentication.spf import Spf, SpfResult
from mailgate.interfaces import IResolver
from mailgate.wire.dns.answer import TXT, A, Nothing, Unknown

QUERIES = 120
"""
Look-ups that a resolver should allow: a walk has 8 steps, and there is one for the author, or for
each of L{CANDIDATES}, and for each of L{IDENTIFIERS}.
"""

SECONDS = 20.0
"""Seconds that it should allow."""

IDENTIFIERS = 8
"""How many authenticated domains are looked at."""

CANDIDATES = 5
"""How many domains are looked at of those that a From may be read as, where it names none."""

LABELS = 8
"""From a name with so many labels on a walk goes to the last seven (section 4.10)."""

Organization = Callable[[str], str | None]
"""
Gives the domain that was registered of a domain in A-labels, by a list of public suffixes, or
C{None} where it is a public suffix itself.
"""


class DmarcResult(StrEnum):
    """
    What comes of it (section 9.2).
    """

    NONE = "none"
    PASS = "pass"
    FAIL = "fail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


@frozen
class Identifier:
    """
    What SPF or DKIM says of a domain (section 3.2.1).
    """

    method: str
    """C{spf}, C{dkim}, or C{dmarc} where another server has found so and not said by which."""

    domain: str
    has_passed: bool
    is_unknown: bool = False
    """Whether it could not be found out at the moment."""

    @classmethod
    def of_spf(cls, spf: Spf) -> Identifier:
        """
        Take what was found of the envelope sender (section 4.4.2); for a null sender that is the
        name in HELO (section 3.2.4).
        """
        return cls(
            "spf", spf.domain, spf.result is SpfResult.PASS, spf.result is SpfResult.TEMPERROR
        )

    @classmethod
    def of_dkim(cls, dkim: Dkim) -> Identifier:
        """
        Take what was found of a signature (section 4.4.1).
        """
        is_unknown = dkim.result is DkimResult.TEMPERROR
        return cls("dkim", dkim.domain, dkim.result is DkimResult.PASS, is_unknown)


@frozen
class Dmarc:
    """
    What DMARC says.
    """

    result: DmarcResult
    author: str
    """The author's domain, or C{""} where From names none."""

    reason: str
    """Why, in words; names stand in it as they are looked up."""

    policy: Policy = Policy.NONE
    """What the owner asks for where it fails, with regard to C{sp}, C{np} and C{t}."""

    policy_domain: str = ""
    """Where the record was found."""

    record: DmarcRecord | None = None
    aligned: tuple[Identifier, ...] = ()
    """Those that have passed and are aligned."""

    @property
    def is_failed(self) -> bool:
        """
        Tell whether nobody vouches for the author: a failure, and a From that names no author, as
        section 11.5 warns of it.
        """
        return self.result is DmarcResult.FAIL or not self.author


async def evaluate(
    resolver: IResolver,
    author: Author,
    identifiers: Iterable[Identifier],
    organization: Organization | None = None,
) -> Dmarc:
    """
    Judge a message.

    @param resolver: the one of this check.
    @param identifiers: what SPF and DKIM say, in any order.
    @param organization: find organizational domains so (RFC 7489 section 3.2); by the walk through
        the DNS (section 4.10) where it is C{None}.
    """
    domains = TreeWalk(resolver) if organization is None else SuffixList(resolver, organization)
    if author.domain:
        return await _Evaluation(domains, author.domain).run(identifiers)
    return await _of_nobody(domains, author, tuple(identifiers))


async def _of_nobody(
    domains: TreeWalk | SuffixList, author: Author, identifiers: Sequence[Identifier]
) -> Dmarc:
    """
    Judge a From that names no domain. Since nobody knows how it is read, what counts is the
    strictest policy of those that it may be read as and that fail: else who spoofs a domain would
    only have to write its address in a way that is out of the grammar.
    """
    worst: Dmarc | None = None
    for candidate in author.candidates[:CANDIDATES]:
        found = await _Evaluation(domains, candidate).run(identifiers)
        if found.result is DmarcResult.FAIL and (
            worst is None or found.policy.strength > worst.policy.strength
        ):
            worst = found
    if worst is None:
        return Dmarc(DmarcResult.PERMERROR, "", author.problem)
    reason = f"{author.problem}; read as {worst.author} it fails, and {_policy_of(worst)}"
    return Dmarc(DmarcResult.PERMERROR, "", reason, worst.policy, worst.policy_domain)


def _policy_of(dmarc: Dmarc) -> str:
    return f"the policy of {dmarc.policy_domain} is {dmarc.policy}"


@frozen
class Discovery:
    """
    What the way up from a domain tells.
    """

    organization: str
    policy_domain: str = ""
    """Where the record for the domain is, or C{""} where there is none."""

    record: DmarcRecord | None = None


def steps(domain: str) -> Iterator[str]:
    """
    Name the domains at which a walk looks, from the longest on (section 4.10).
    """
    yield domain
    labels = domain.split(".")
    labels = labels[-LABELS + 1 :] if len(labels) >= LABELS else labels[1:]
    for at in range(len(labels)):
        yield ".".join(labels[at:])


def select(domain: str, found: Sequence[tuple[str, DmarcRecord]]) -> Discovery:
    """
    Choose organizational domain and record by what a walk from C{domain} has found, from the
    longest name to the shortest (sections 4.10.1 and 4.10.2).
    """
    records = dict(found)
    organization = found[-1][0] if found else domain
    for name, record in found:
        if record.suffix is Suffix.NO:
            organization = name
            break
        if record.suffix is Suffix.YES and name != domain:
            organization = ".".join(domain.split(".")[-name.count(".") - 2 :])
            break
    for name in (domain, organization, found[-1][0] if found else ""):
        if name in records:
            return Discovery(organization, name, records[name])
    return Discovery(organization)


class _Unanswered(Exception):
    """
    The DNS has no answer at the moment.
    """


class _Records:
    """
    Policy records, each looked up once.
    """

    def __init__(self, resolver: IResolver) -> None:
        self._resolver = resolver
        self._known: dict[str, DmarcRecord | None] = {}

    async def record(self, domain: str) -> DmarcRecord | None:
        """
        Give the one record of a domain; several are none (section 4.10 step 2).
        """
        if domain not in self._known:
            answer = self._resolver.look_up(f"_dmarc.{domain}", TXT)
            if isinstance(answer, Deferred):
                answer = await answer
            if isinstance(answer, Unknown):
                raise _Unanswered(f"TXT of _dmarc.{domain} is not known: {answer.reason}")
            texts = () if isinstance(answer, Nothing) else answer.values
            found = [record for record in map(parse, texts) if record is not None]
            self._known[domain] = found[0] if len(found) == 1 else None
        return self._known[domain]

    async def exists(self, domain: str) -> bool:
        """
        Tell whether there is such a name (section 3.2.13). Where nobody knows, there is.
        """
        answer = self._resolver.look_up(domain, A)
        if isinstance(answer, Deferred):
            answer = await answer
        return not isinstance(answer, Nothing) or answer.exists


class TreeWalk(_Records):
    """
    Organizational domains by the walk through the DNS (section 4.10).
    """

    async def discover(self, domain: str) -> Discovery:
        """
        Walk up from a domain.
        """
        found: list[tuple[str, DmarcRecord]] = []
        for name in steps(domain):
            record = await self.record(name)
            if record is not None:
                found.append((name, record))
                if record.suffix is not Suffix.UNKNOWN:
                    break
        return select(domain, found)


class SuffixList(_Records):
    """
    Organizational domains by a list of public suffixes (RFC 7489 sections 3.2 and 6.6.3).
    """

    def __init__(self, resolver: IResolver, organization: Organization) -> None:
        super().__init__(resolver)
        self._organization = organization

    async def discover(self, domain: str) -> Discovery:
        """
        Look at a domain, then at its organizational domain.
        """
        organization = self._organization(domain) or domain
        for name in (domain, organization):
            record = await self.record(name)
            if record is not None:
                return Discovery(organization, name, record)
        return Discovery(organization)


class _Evaluation:
    """
    One message.
    """

    def __init__(self, domains: TreeWalk | SuffixList, author: str) -> None:
        self._domains = domains
        self._author = author
        self._organization = ""

    async def run(self, identifiers: Iterable[Identifier]) -> Dmarc:
        author = self._author
        policy, where = Policy.NONE, ""
        record: DmarcRecord | None = None
        try:
            record, where = await self._record()
            if record is None:
                return Dmarc(DmarcResult.NONE, author, f"there is no DMARC record for {author}")
            if not record.is_usable:
                reason = f"the DMARC record of {where} has no valid policy, so it does not apply"
                return Dmarc(DmarcResult.NONE, author, reason, policy, where, record)
            policy = await self._policy(record, where)
            aligned, unknown = await self._aligned(record, _relevant(identifiers))
        except _Unanswered as unanswered:
            reason = str(unanswered)
            return Dmarc(DmarcResult.TEMPERROR, author, reason, policy, where, record)
        if aligned:
            names = " and ".join(f"{each.method} of {each.domain}" for each in aligned)
            verbs = "passes and is" if len(aligned) == 1 else "pass and are"
            reason = f"{names} {verbs} aligned with {author}"
            return Dmarc(DmarcResult.PASS, author, reason, policy, where, record, aligned)
        if unknown:
            reason = f"{unknown[0].method} of {unknown[0].domain} is not known, which is aligned"
            return Dmarc(DmarcResult.TEMPERROR, author, reason, policy, where, record)
        reason = (
            f"nothing that passes is aligned with {author}, and the policy of {where} is {policy}"
        )
        return Dmarc(DmarcResult.FAIL, author, reason, policy, where, record)

    async def _record(self) -> tuple[DmarcRecord | None, str]:
        """
        Give the record that applies, and where it is. Only where the author's domain has none the
        way up is gone.
        """
        record = await self._domains.record(self._author)
        if record is not None:
            return record, self._author
        discovery = await self._domains.discover(self._author)
        self._organization = discovery.organization
        return discovery.record, discovery.policy_domain

    async def _policy(self, record: DmarcRecord, where: str) -> Policy:
        is_below = where != self._author
        exists = True
        if is_below and record.asks_for_existence:
            exists = await self._domains.exists(self._author)
        policy = record.policy_for(is_below, exists)
        return policy.lowered if record.is_test else policy

    async def _aligned(
        self, record: DmarcRecord, identifiers: Sequence[Identifier]
    ) -> tuple[tuple[Identifier, ...], tuple[Identifier, ...]]:
        """
        Give those that are aligned (section 4.10.2): what has passed, and what is not known. A
        look-up without an answer counts only where nothing has passed.
        """
        aligned: list[Identifier] = []
        unknown: list[Identifier] = []
        unanswered: _Unanswered | None = None
        for identifier in identifiers:
            is_strict = (
                record.has_strict_spf if identifier.method == "spf" else record.has_strict_dkim
            )
            try:
                is_aligned = await self._is_aligned(identifier.domain, is_strict)
            except _Unanswered as error:
                unanswered = error
                continue
            if is_aligned:
                (aligned if identifier.has_passed else unknown).append(identifier)
        if unanswered is not None and not aligned:
            raise unanswered
        return tuple(aligned), tuple(unknown)

    async def _is_aligned(self, domain: str, is_strict: bool) -> bool:
        if domain == self._author:
            return True
        # Domains without as much as the last label in common have no common organizational domain.
        if is_strict or domain.rpartition(".")[2] != self._author.rpartition(".")[2]:
            return False
        if not self._organization:
            self._organization = (await self._domains.discover(self._author)).organization
        if not is_within(domain, self._organization):
            return False
        return (await self._domains.discover(domain)).organization == self._organization


def _relevant(identifiers: Iterable[Identifier]) -> list[Identifier]:
    """
    Give the identifiers that can matter, each once and with its name as names are compared.
    """
    relevant: dict[tuple[str, str, bool], Identifier] = {}
    for identifier in identifiers:
        name = canonical(identifier.domain)
        if name is not None and (identifier.has_passed or identifier.is_unknown):
            known = Identifier(
                identifier.method, name, identifier.has_passed, not identifier.has_passed
            )
            relevant.setdefault((known.method, name, known.has_passed), known)
    # What has passed comes first, so that no number of others can push it out.
    ordered = sorted(relevant.values(), key=lambda each: not each.has_passed)
    return ordered[:IDENTIFIERS]
