"""
SPF: whether a client may send mail for a domain, as the domain says (RFC 7208).

What is counted is counted for one check as a whole, so that no record, however it is nested, costs
more than L{mailgate.authentication.lookups.QUERIES}. How long they take is bounded by the resolver,
which is to be asked for with L{SECONDS}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from time import time

from attrs import evolve, frozen

from mailgate.authentication.domain import canonical, is_within
from mailgate.authentication.lookups import (
    SHOWN,
    Lookups,
    PermanentError,
    TemporaryError,
    as_text,
    is_name,
    shown,
)
from mailgate.authentication.macro import MacroError, MacroString, explain_string
from mailgate.authentication.spf_record import Mechanism, RecordError, SpfRecord, is_spf, parse
from mailgate.interfaces import IResolver
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import AAAA, MX, PTR, TXT, A

EXCHANGES = 10
"""Names of an MX; more is C{permerror} (section 4.6.4)."""

POINTERS = 10
"""Names of an address that are looked at (section 4.6.4)."""

SECONDS = 20.0
"""How long a check may take (section 4.6.4)."""

_UNKNOWN = "unknown"


class SpfResult(StrEnum):
    """
    What comes of a check (section 2.6), in the words of RFC 8601.
    """

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


_OF_QUALIFIER = {
    "+": SpfResult.PASS,
    "-": SpfResult.FAIL,
    "~": SpfResult.SOFTFAIL,
    "?": SpfResult.NEUTRAL,
}


class Identity(StrEnum):
    """
    Whose domain is checked (sections 2.3 and 2.4).
    """

    MAIL_FROM = "mailfrom"
    HELO = "helo"


@frozen
class Spf:
    """
    What SPF says.
    """

    result: SpfResult
    identity: Identity
    domain: str
    """The domain that was checked, in ASCII and small letters."""

    reason: str
    """Why, in words; what a stranger has written stands in it as Python writes a string."""

    matched: tuple[str, ...] = ()
    """
    The mechanism that has matched, as it is written; in front of it those C{include} and
    C{redirect} that have led to it.
    """

    explanation: str = ""
    """
    Why the domain says that it fails (section 6.2), in visible ASCII, or C{""}. It is a
    stranger's text: whoever shows it says whose it is.
    """


@frozen
class Peer:
    """
    Who sends, and to whom.
    """

    address: IPv4Address | IPv6Address
    helo: str
    """What it calls itself; C{""} before it has said so."""

    receiver: str = _UNKNOWN
    """Our own name."""

    now: Callable[[], float] = time
    """The time in seconds since 1970, which an explanation may tell."""


async def check_sender(resolver: IResolver, peer: Peer, sender: Address) -> Spf:
    """
    Check the domain of the envelope sender; for the null sender that of HELO (section 2.4).

    @param resolver: the one of this check; how long it takes is what bounds the whole.
    """
    if not sender.domain:
        return await check_helo(resolver, peer)
    check = _Check(resolver, peer, sender.local or "postmaster", sender.domain)
    return await check.run(Identity.MAIL_FROM)


async def check_helo(resolver: IResolver, peer: Peer) -> Spf:
    """
    Check the name that the client calls itself (section 2.3).
    """
    check = _Check(resolver, peer, "postmaster", peer.helo)
    return await check.run(Identity.HELO)


@frozen
class _Found:
    """
    What a record says, and which one has the last word.
    """

    result: SpfResult
    domain: str
    reason: str = ""
    matched: tuple[str, ...] = ()
    record: SpfRecord | None = None


class _Check:
    """
    One run of C{check_host()} (section 4), with all that it counts.
    """

    __slots__ = ("_address", "_local", "_lookups", "_peer", "_sender_domain")

    def __init__(self, resolver: IResolver, peer: Peer, local: str, domain: str) -> None:
        address = peer.address
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        if not domain.isascii():
            domain = canonical(domain) or domain  # RFC 8616 section 4
        domain = domain.removesuffix(".").lower()
        self._lookups = Lookups(resolver)
        self._peer = peer
        self._address = address
        self._sender_domain = domain
        self._local = local

    async def run(self, identity: Identity) -> Spf:
        domain = self._sender_domain
        if not _is_domain(domain):
            return Spf(SpfResult.NONE, identity, domain, f"{shown(domain)} is no domain name")
        explanation = ""
        try:
            found = await self._check_host(domain)
            if found.result is SpfResult.FAIL:
                explanation = await self._explanation(found)
        except PermanentError as error:
            found = _Found(SpfResult.PERMERROR, domain, str(error))
        except TemporaryError as error:
            found = _Found(SpfResult.TEMPERROR, domain, str(error))
        return Spf(found.result, identity, domain, found.reason, found.matched, explanation)

    async def _check_host(self, domain: str) -> _Found:
        records = [
            record
            for record in await self._lookups.ask(as_text(domain), TXT, False)
            if is_spf(record)
        ]
        if not records:
            return _Found(SpfResult.NONE, domain, f"{shown(domain)} has no SPF record")
        if len(records) > 1:
            raise PermanentError(f"{shown(domain)} has {len(records)} SPF records")
        try:
            record = parse(records[0])
        except RecordError as error:
            raise PermanentError(f"the SPF record of {shown(domain)} is wrong: {error}") from None
        return await self._evaluate(domain, record)

    async def _evaluate(self, domain: str, record: SpfRecord) -> _Found:
        for mechanism in record.mechanisms:
            matched: tuple[str, ...] | None = None
            if mechanism.network is not None:
                if self._address in mechanism.network:
                    matched = ()
            elif mechanism.name == "all":
                matched = ()
            else:
                matched = await self._match(domain, mechanism)
            if matched is not None:
                result = _OF_QUALIFIER[mechanism.qualifier]
                terms = (mechanism.text, *matched)
                said = " -> ".join(term[:SHOWN] for term in terms)
                reason = f"{self._address} matches {said!a} of {shown(domain)}"
                return _Found(result, domain, reason, terms, record)
        if record.redirect is None:
            reason = f"nothing in the SPF record of {shown(domain)} matches {self._address}"
            return _Found(SpfResult.NEUTRAL, domain, reason, (), record)
        self._lookups.count_term(f"redirect={record.redirect.text}")
        target = await self._name(domain, record.redirect)
        if target is None:
            raise PermanentError(f"{shown(domain)} redirects to what is no domain name")
        found = await self._check_host(target)
        if found.result is SpfResult.NONE:
            raise PermanentError(f"{shown(domain)} redirects, but {found.reason}")
        return evolve(found, matched=(f"redirect={record.redirect.text}", *found.matched))

    async def _match(self, domain: str, mechanism: Mechanism) -> tuple[str, ...] | None:
        """
        Give what has matched beneath this mechanism, or C{None} where it does not match.
        """
        self._lookups.count_term(mechanism.text)
        target: str | None = domain
        if mechanism.target is not None:
            target = await self._name(domain, mechanism.target)
        if mechanism.name == "include":
            return await self._include(mechanism, target)
        if target is None:
            return None
        target = as_text(target)
        if mechanism.name == "a":
            is_matching = await self._has_address(target, mechanism)
        elif mechanism.name == "mx":
            is_matching = await self._has_exchange(target, mechanism)
        elif mechanism.name == "exists":
            is_matching = bool(await self._lookups.ask(target, A))
        else:
            is_matching = await self._is_pointed_to(target)
        return () if is_matching else None

    async def _include(self, mechanism: Mechanism, target: str | None) -> tuple[str, ...] | None:
        if target is None:
            raise PermanentError(f"{mechanism.text[:SHOWN]!a} includes what is no domain name")
        found = await self._check_host(target)
        if found.result is SpfResult.NONE:
            raise PermanentError(f"{mechanism.text[:SHOWN]!a}: {found.reason}")
        return found.matched if found.result is SpfResult.PASS else None

    async def _has_address(self, name: str, mechanism: Mechanism, counts: bool = True) -> bool:
        if isinstance(self._address, IPv4Address):
            shift = 32 - mechanism.prefix4
            found = [int(each) for each in await self._lookups.ask(name, A, counts)]
        else:
            shift = 128 - mechanism.prefix6
            found = [int(each) for each in await self._lookups.ask(name, AAAA, counts)]
        ours = int(self._address) >> shift
        return any(each >> shift == ours for each in found)

    async def _has_exchange(self, name: str, mechanism: Mechanism) -> bool:
        exchanges = await self._lookups.ask(name, MX)
        if len(exchanges) > EXCHANGES:
            raise PermanentError(f"{shown(name)} has more than {EXCHANGES} mail exchanges")
        for exchange in sorted(exchanges, key=lambda each: (each.preference, each.host)):
            if exchange.host != "." and await self._has_address(exchange.host, mechanism):
                return True
        return False

    async def _is_pointed_to(self, target: str) -> bool:
        """
        Tell whether a name of the client's address is C{target} or below it (section 5.5).
        """
        try:
            names = await self._names()
        except TemporaryError as error:
            if not error.is_of_name:
                raise
            return False
        for name in names:
            if is_within(name, target.lower()) and await self._is_true(name):
                return True
        return False

    async def _names(self, counts: bool = True) -> Sequence[str]:
        """
        Give the names that the client's address claims to have, the first of them.

        Who they are is the client's choice and not the domain's, so those that lead nowhere
        count as no void look-ups: else a client could make any record that asks for them wrong.
        """
        return (await self._lookups.ask(self._address.reverse_pointer, PTR, counts))[:POINTERS]

    async def _is_true(self, name: str) -> bool:
        whole = Mechanism("a", "+", "a")
        try:
            return await self._has_address(name, whole, counts=False)
        except TemporaryError as error:
            if not error.is_of_name:
                raise
            return False

    async def _validated(self, domain: str) -> str:
        """
        Give the name of the client's address that C{%{p}} stands for (section 7.3).
        """
        try:
            names = await self._names(counts=False)
        except TemporaryError as error:
            if not error.is_of_name:
                raise
            return _UNKNOWN
        domain = domain.lower()
        for name in sorted(names, key=lambda each: (each != domain, not is_within(each, domain))):
            if await self._is_true(name):
                return name
        return _UNKNOWN

    async def _name(self, domain: str, written: MacroString) -> str | None:
        """
        Give the name that a C{domain-spec} stands for, or C{None} where it is none.
        """
        if written.letters.isdisjoint("sl") or self._local.isascii():
            name = written.name(await self._known(domain, written) if written.letters else {})
        else:
            return None  # RFC 8616 section 4: such a mechanism does not match
        return name if is_name(name) else None

    async def _known(self, domain: str, written: MacroString) -> dict[str, str]:
        address, sender = self._address, self._sender_domain
        values = {
            "s": f"{self._local}@{sender}",
            "l": self._local,
            "o": sender,
            "d": domain,
            "i": _dotted(address),
            "v": "in-addr" if address.version == 4 else "ip6",
            "h": self._peer.helo,
            "c": str(address),
            "r": self._peer.receiver,
        }
        if "p" in written.letters:
            values["p"] = await self._validated(domain)
        return values

    async def _explanation(self, found: _Found) -> str:
        """
        Give what the domain has to say of a failure, or C{""} (section 6.2). A mistake in it
        changes no result.
        """
        if found.record is None or found.record.explanation is None:
            return ""
        try:
            name = await self._name(found.domain, found.record.explanation)
            if name is None:
                return ""
            texts = await self._lookups.ask(as_text(name), TXT, False)
            if len(texts) != 1:
                return ""
            written = explain_string(texts[0].decode("ascii"))
            values = await self._known(found.domain, written)
            values["t"] = str(int(self._peer.now()))
        except (PermanentError, TemporaryError, MacroError, UnicodeDecodeError):
            return ""
        text = written.explanation(values)
        return text if text.isascii() and text.isprintable() else ""


def _dotted(address: IPv4Address | IPv6Address) -> str:
    """
    Write an address as C{%{i}} does: that of IPv6 digit by digit (section 7.3).
    """
    if isinstance(address, IPv4Address):
        return str(address)
    return ".".join(address.packed.hex().upper())


def _is_domain(name: str) -> bool:
    """
    Tell whether there can be a record: a name of several labels, in ASCII (section 4.3).
    """
    return "." in name and is_name(name) and not name.startswith("[")
