"""
The grammar of DMARC policy records (RFC 9989 sections 4.7 and 4.8).
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from attrs import frozen

RECORD_LIMIT = 16_384
"""Bytes of a record at most; what is longer is none."""

_CACHED = 512
_URIS = 20
_VERSION = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_NAME = re.compile(r"[a-z]+", re.IGNORECASE | re.ASCII)
_VALUE = re.compile(r"[ -:<-~]+")
_URI = re.compile(r"([a-z][a-z0-9+.-]*:[!-~]+?)(?:![0-9]+[kmgt]?)?", re.IGNORECASE | re.ASCII)


class Policy(StrEnum):
    """
    What the owner of a domain asks to be done with what fails.
    """

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def lowered(self) -> Policy:
        """
        Give the policy one level below, which C{t=y} asks for.
        """
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE

    @property
    def strength(self) -> int:
        """
        Give a number that is the greater the more is asked for.
        """
        return tuple(Policy).index(self)


class Suffix(StrEnum):
    """
    What C{psd} says of the domain of the record.
    """

    YES = "y"
    """It is a public suffix domain."""

    NO = "n"
    """It is the organizational domain of itself and all below it."""

    UNKNOWN = "u"


@frozen
class DmarcRecord:
    """
    A policy record, with the defaults for what is not in it or wrong.
    """

    policy: Policy = Policy.NONE
    """C{p}: for the domain itself, and for those below where nothing else is said."""

    of_subdomains: Policy | None = None
    """C{sp}: for domains below that exist."""

    of_nonexistent: Policy | None = None
    """C{np}: for domains below that do not."""

    suffix: Suffix = Suffix.UNKNOWN
    is_test: bool = False
    """C{t}: what is asked for is one level below the policy."""

    has_strict_dkim: bool = False
    has_strict_spf: bool = False
    aggregate: tuple[str, ...] = ()
    """C{rua}: URIs for aggregate reports."""

    failure: tuple[str, ...] = ()
    """C{ruf}: URIs for failure reports."""

    options: tuple[str, ...] = ("0",)
    """C{fo}: when failure reports are wanted."""

    is_usable: bool = True
    """
    Whether DMARC applies where this is the record: not where it has no valid C{p}, or a wrong C{sp}
    or C{np}, and no address for reports either (section 4.10.1).
    """

    def policy_for(self, is_below: bool, exists: bool) -> Policy:
        """
        Give the policy for an author's domain (section 4.10.1), without regard to C{t}.

        @param is_below: whether the record stands at a domain above it.
        @param exists: whether the author's domain exists.
        """
        if not is_below:
            return self.policy
        if not exists and self.of_nonexistent is not None:
            return self.of_nonexistent
        return self.policy if self.of_subdomains is None else self.of_subdomains

    @property
    def asks_for_existence(self) -> bool:
        """
        Tell whether it matters if a domain below exists.
        """
        return self.policy_for(True, True) is not self.policy_for(True, False)


@lru_cache(maxsize=_CACHED)
def parse(record: bytes) -> DmarcRecord | None:
    """
    Read a TXT record, or give C{None} where it does not begin with the version of DMARC. A mistake
    behind that costs its own tag only (section 4.8). Of a tag that stands there twice the first
    counts. Never raises.
    """
    if len(record) > RECORD_LIMIT:
        return None
    text = record.decode("latin-1")
    version = _VERSION.match(text)
    if version is None:
        return None
    tags: dict[str, str] = {}
    for piece in text[version.end() :].split(";"):
        name, _, value = (part.strip(" \t") for part in piece.partition("="))
        if _NAME.fullmatch(name) and _VALUE.fullmatch(value):
            tags.setdefault(name.lower(), value)
    lowered = {name: value.lower() for name, value in tags.items()}
    aggregate = _uris(tags.get("rua", ""))
    policies = {name: _policy(lowered.get(name)) for name in ("p", "sp", "np")}
    is_wrong = policies["p"] is None or any(
        name in tags and policies[name] is None for name in ("sp", "np")
    )
    policy = policies["p"]
    if is_wrong or policy is None:
        policy, policies = Policy.NONE, {}
    suffix = lowered.get("psd", "")
    return DmarcRecord(
        policy,
        policies.get("sp"),
        policies.get("np"),
        Suffix(suffix) if suffix in ("y", "n") else Suffix.UNKNOWN,
        lowered.get("t") == "y",
        lowered.get("adkim") == "s",
        lowered.get("aspf") == "s",
        aggregate,
        _uris(tags.get("ruf", "")),
        _options(lowered.get("fo", "")),
        bool(aggregate) or not is_wrong,
    )


def _policy(value: str | None) -> Policy | None:
    return Policy(value) if value in ("none", "quarantine", "reject") else None


def _uris(value: str) -> tuple[str, ...]:
    """
    Give the URIs in a list that are such, the first of them, without the size that RFC 7489 had
    behind them.
    """
    found = (_URI.fullmatch(piece.strip(" \t")) for piece in value.split(",", _URIS)[:_URIS])
    return tuple(uri[1] for uri in found if uri is not None)


def _options(value: str) -> tuple[str, ...]:
    options = tuple(option.strip(" \t") for option in value.split(":", 4))
    if len(set(options)) < len(options) or not {"0", "1", "d", "s"}.issuperset(options):
        return ("0",)
    return ("0",) if {"0", "1"}.issubset(options) else options
