"""
The grammar of SPF records (RFC 7208 sections 4.6.1 and 12).
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from attrs import frozen

from mailgate.authentication.macro import MacroError, MacroString, domain_spec, macro_string
from mailgate.wire.network import Network

RECORD_LIMIT = 16_384
"""Bytes of a record at most. Section 3.4 asks for no more than some hundred."""

_CACHED = 512

_VERSION = b"v=spf1"
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE | re.ASCII)
_MECHANISM = re.compile(
    r"([-+?~]?)(all|include|a|mx|ptr|ip4|ip6|exists)((?:[:/].*)?)", re.IGNORECASE | re.ASCII
)
_PREFIXES = re.compile(r"(.*?)(?:/([0-9]+))?(?://([0-9]+))?", re.ASCII)
_NETWORK = re.compile(r"([^/]*)(?:/([0-9]+))?", re.ASCII)


class RecordError(ValueError):
    """
    A record is not in the grammar; the message says what in words.
    """


@frozen
class Mechanism:
    """
    A mechanism with its qualifier: whether a client matches, and what that means.
    """

    name: str
    """In lower case: C{all}, C{include}, C{a}, C{mx}, C{ptr}, C{ip4}, C{ip6} or C{exists}."""

    qualifier: str
    """C{+}, C{-}, C{~} or C{?}."""

    text: str
    """As it is written."""

    target: MacroString | None = None
    """The name that is looked at, or C{None}: the domain that is checked."""

    network: Network | None = None
    """Of C{ip4} and C{ip6}."""

    prefix4: int = 32
    prefix6: int = 128
    """How many bits of an address count, of C{a} and C{mx}."""


@frozen
class SpfRecord:
    """
    A record: mechanisms in their order, and the two modifiers that mean something.
    """

    mechanisms: tuple[Mechanism, ...]
    redirect: MacroString | None = None
    explanation: MacroString | None = None


def is_spf(record: bytes) -> bool:
    """
    Tell whether a TXT record says that it is one of SPF (section 4.5).
    """
    return record[:6].lower() == _VERSION and record[6:7] in (b"", b" ")


@lru_cache(maxsize=_CACHED)
def parse(record: bytes) -> SpfRecord:
    """
    Read a record for which L{is_spf} holds.

    @raise RecordError: there is a mistake anywhere in it (section 4.6), or it is too long.
    """
    if len(record) > RECORD_LIMIT:
        raise RecordError(f"the record has more than {RECORD_LIMIT} bytes")
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, MacroString] = {}
    for term in record[len(_VERSION) :].decode("latin-1").split(" "):
        if not term:
            continue
        try:
            modifier = _MODIFIER.fullmatch(term)
            if modifier is None:
                mechanisms.append(_mechanism(term))
                continue
            name, value = modifier[1].lower(), modifier[2]
            if name not in ("redirect", "exp"):
                macro_string(value)
            elif name in modifiers:
                raise RecordError(f"{name}= stands there twice")
            else:
                modifiers[name] = domain_spec(value)
        except MacroError as error:
            raise RecordError(f"{term[:80]!a}: {error}") from None
    return SpfRecord(tuple(mechanisms), modifiers.get("redirect"), modifiers.get("exp"))


def _mechanism(term: str) -> Mechanism:
    match = _MECHANISM.fullmatch(term)
    if match is None:
        raise RecordError(f"{term[:80]!a} is no mechanism")
    qualifier, name, rest = match[1] or "+", match[2].lower(), match[3]
    if name == "all":
        if rest:
            raise RecordError(f"{term[:80]!a}: all takes nothing")
        return Mechanism(name, qualifier, term)
    if name in ("ip4", "ip6"):
        return Mechanism(name, qualifier, term, network=_network(name, term, rest))
    if name not in ("a", "mx"):
        if not rest and name == "ptr":
            return Mechanism(name, qualifier, term)
        if not rest.startswith(":"):
            raise RecordError(f"{term[:80]!a}: {name} takes a domain name")
        return Mechanism(name, qualifier, term, domain_spec(rest[1:]))
    prefixes = _PREFIXES.fullmatch(rest)
    assert prefixes is not None  # It matches whatever has no line end, and a term has none.
    target = None
    if prefixes[1]:
        if not prefixes[1].startswith(":"):
            raise RecordError(f"{term[:80]!a}: there is a wrong prefix length")
        target = domain_spec(prefixes[1][1:])
    return Mechanism(
        name,
        qualifier,
        term,
        target,
        prefix4=_prefix(term, prefixes[2], 32),
        prefix6=_prefix(term, prefixes[3], 128),
    )


def _network(name: str, term: str, rest: str) -> Network:
    match = _NETWORK.fullmatch(rest[1:])
    if not rest.startswith(":") or match is None:
        raise RecordError(f"{term[:80]!a}: {name} takes an address or a network")
    try:
        if name == "ip4":
            prefix = _prefix(term, match[2], 32)
            return IPv4Network((IPv4Address(match[1]), prefix), strict=False)
        address = IPv6Address(match[1])
        if address.scope_id is not None:
            raise RecordError(f"{term[:80]!a}: an address with a zone")
        return IPv6Network((address, _prefix(term, match[2], 128)), strict=False)
    except ValueError as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"{term[:80]!a} has no address") from None


def _prefix(term: str, digits: str | None, most: int) -> int:
    if digits is None:
        return most
    if len(digits) > 3 or (digits[0] == "0" and len(digits) > 1) or int(digits) > most:
        raise RecordError(f"{term[:80]!a}: a prefix length is 0 to {most}")
    return int(digits)
