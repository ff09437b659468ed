"""
One entry of the allow and block lists, and how people write it.

Everything is compared in lower case, local parts too: RFC 5321 section 2.4 lets a domain tell
C{Bob} from C{bob}, but hardly any does, and a block that a capital letter gets around is none.
"""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import ip_network

from attrs import frozen

from mailgate.config.values import parse_network
from mailgate.wire.address import Address
from mailgate.wire.normal import (
    DOMAIN_NAME,
    NAME_LIMIT,
    TEXT,
    normal_address,
    normal_domain,
)


class ListName(StrEnum):
    """
    The two lists.
    """

    ALLOW = "allow"
    BLOCK = "block"


class EntryKind(StrEnum):
    """
    What an entry names, from the narrowest to the widest.
    """

    ADDRESS = "address"
    LIST_ID = "list-id"
    DOMAIN = "domain"
    NETWORK = "network"


Key = str | tuple[int, int, int]
"""
Under what an entry is looked up. The spelling tells the kinds apart: C{bob@example.org},
C{<dev.example.org>}, C{example.org}, C{.example.org}; a network is its IP version, the length
of its prefix and the bits of that.
"""

TEXT_LIMIT = 200
"""Characters of a note, and of the name of whoever made an entry."""

ADDRESS = "an address, as in bob@example.org"
DOMAIN = "a domain in ASCII, as in example.org, or .example.org for it and all below it"
LIST_ID = "what stands in angle brackets in List-Id, as in dev.lists.example.org"
SCOPE = "one of your addresses, as in ada@example.com, or one of your domains, as in example.com"

_VALUE_LIMIT = 320
_LOCAL = rf'{TEXT}|"(?:[ !#-\[\]-~]|\\[ -~])+"'
_ADDRESS = re.compile(rf"({_LOCAL})@([^@]+)")
_LIST_ID = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)+")


class EntryRefused(ValueError):
    """
    An entry that cannot be taken; its message is a sentence for the person.
    """


@frozen
class Entry:
    """
    One thing that is allowed or blocked. Make new ones with L{make_entry}.
    """

    list: ListName
    kind: EntryKind
    value: str
    """What is named, in its normal form: lower case, without brackets."""

    scope: str
    """Whose mail it is about: C{ada@example.com}, C{example.com}, or C{""} for everybody's."""

    note: str
    """Why, in the words of whoever made it, or C{""}."""

    by: str
    """Who made it or changed it last, in words."""

    expires: float | None = None
    """When it ends, in seconds since the epoch, as all times here; C{None} is never."""

    made: float = 0.0
    """When it was made or changed last; 0 until it is stored."""

    id: int = 0
    """Rises with each entry and never comes again; 0 until it is stored."""

    @property
    def key(self) -> Key:
        """
        Give that under which it is looked up.
        """
        if self.kind is EntryKind.LIST_ID:
            return f"<{self.value}>"
        if self.kind is EntryKind.NETWORK:
            network = ip_network(self.value)
            length = network.prefixlen
            bits = int(network.network_address) >> (network.max_prefixlen - length)
            return network.version, length, bits
        return self.value

    @property
    def is_unverified(self) -> bool:
        """
        Tell whether it allows what anybody can write into a message, and so counts only where SPF
        or DKIM vouches for it: all but the client's address.
        """
        return self.list is ListName.ALLOW and self.kind is not EntryKind.NETWORK

    def has_ended(self, now: float) -> bool:
        """
        Tell whether its time is over.
        """
        return self.expires is not None and self.expires <= now


def make_entry(
    list: ListName,
    value: str,
    *,
    by: str,
    kind: EntryKind | None = None,
    scope: str = "",
    note: str = "",
    expires: float | None = None,
) -> Entry:
    """
    Make an entry from what a person has written.

    @param kind: what C{value} names; without it the value itself tells (L{kind_of}).
    @raise EntryRefused: something cannot be taken; the message names what is allowed.
    """
    value = value.strip()
    kind = kind_of(value) if kind is None else kind
    return Entry(
        list,
        kind,
        _READERS[kind](value),
        _read_scope(scope.strip()),
        _line(note, "A note"),
        _line(by, "The name of whoever makes an entry"),
        expires,
    )


def kind_of(value: str) -> EntryKind:
    """
    Guess what a value names by its spelling: C{<...>} without an C{@} is a list-id, anything
    with an C{@} an address, with a slash or colon or digits alone a network, else a domain.
    """
    value = value.strip()
    if "@" in value:
        return EntryKind.ADDRESS
    if value.startswith("<"):
        return EntryKind.LIST_ID
    if "/" in value or ":" in value or value.replace(".", "").isdigit():
        return EntryKind.NETWORK
    return EntryKind.DOMAIN


# -- what a person writes ---------------------------------------------------------------


def _read_address(text: str) -> str:
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    found = _ADDRESS.fullmatch(text)
    is_pattern = text.startswith("*@")  # grammatical, but everybody means the domain
    if found is None or is_pattern or len(text) > _VALUE_LIMIT or not text.isprintable():
        raise EntryRefused(f"This must be {ADDRESS}{_domain_meant(text)}.")
    local, domain = found.groups()
    host = _read_host(domain)
    if host is None:
        raise EntryRefused(f"This must be {ADDRESS}; what stands behind the @ is no domain.")
    return normal_address(Address(local, host))


def _read_domain(text: str) -> str:
    tree, name = (".", text[1:]) if text.startswith(".") else ("", text)
    host = _read_host(name)
    if host is not None:
        return f"{tree}{host}"
    raise EntryRefused(f"This must be {DOMAIN}{_domain_meant(text)}.")


def _domain_meant(text: str) -> str:
    """
    Say how a domain is written that came as C{@example.org} or C{*.example.org}.
    """
    meant = text.removeprefix("*").removeprefix("@")
    if meant == text or _read_host(meant.removeprefix(".")) is None:
        return ""
    return f"; for a whole domain write {meant}"


def _read_host(text: str) -> str | None:
    """
    Give the normal form of a domain, or C{None} where it is none.
    """
    host = normal_domain(text)
    return host if len(host) <= NAME_LIMIT and DOMAIN_NAME.fullmatch(host) else None


def _read_network(text: str) -> str:
    try:
        # A zone says on which of our interfaces a link is, which is nothing of the client.
        network = parse_network(text.replace("%", " "))
    except ValueError as error:
        raise EntryRefused(f"This {error}.") from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        network = ip_network((mapped, network.prefixlen - 96))
    if network.prefixlen == 0:
        raise EntryRefused("This holds every address; name a smaller network.")
    return str(network.network_address if network.num_addresses == 1 else network)


def _read_list_id(text: str) -> str:
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    text = text.lower()
    if len(text) > _VALUE_LIMIT or _LIST_ID.fullmatch(text) is None:
        raise EntryRefused(f"This must be {LIST_ID}.")
    return text


_READERS = {
    EntryKind.ADDRESS: _read_address,
    EntryKind.LIST_ID: _read_list_id,
    EntryKind.DOMAIN: _read_domain,
    EntryKind.NETWORK: _read_network,
}


def _read_scope(text: str) -> str:
    if not text:
        return ""
    try:
        if "@" in text:
            return _read_address(text)
        host = _read_host(text)
    except EntryRefused:
        host = None
    if host is None:
        raise EntryRefused(f"Whom it is for must be {SCOPE}, or nothing for everybody.")
    return host


def _line(text: str, what: str) -> str:
    text = " ".join(text.split())
    if len(text) > TEXT_LIMIT:
        raise EntryRefused(f"{what} has at most {TEXT_LIMIT} characters.")
    if not text.isprintable():
        raise EntryRefused(f"{what} holds no characters that cannot be seen.")
    return text
