"""
The way of a message before it came here, as the servers on it have written it down: the Received
fields (RFC 5321 section 4.4), and which of them are worth belief.

Everybody can write such fields. Those that stand above the one by which a server of ours took the
message over from a stranger were added later, by servers of ours; all below them are the
stranger's word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

from mailgate.message.section import cut
from mailgate.wire.network import Network, address_of, is_within

RESULTS = "authentication-results"
"""The name of the field in which a server says what SPF, DKIM and DMARC were (RFC 8601)."""

HOPS = 50
"""How many Received fields are looked at."""

_FIELD_LIMIT = 2000
_DEPTH = 8

_TOKEN = re.compile(r"[^\s();]+|[();]")
_BRACKETED = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]{2,45})\]", re.IGNORECASE)
_HELO = re.compile(r"\b(?:helo|ehlo)[= ]\[?([^\s()\]]{1,255})", re.IGNORECASE)
_PORT = re.compile(r"(?<=[0-9])(?:#|:)[0-9]{1,5}$")
_CLAUSES = frozenset(("from", "by", "via", "with", "id", "for"))

Address = IPv4Address | IPv6Address


@frozen
class Hop:
    """
    One Received field: a server has taken the message over.
    """

    client: Address | None
    """From whom, or C{None} where it came from a program on the same machine, or the address cannot
    be read."""

    helo: str
    """What the client has called itself, or C{""}."""

    name: str
    """The name that the server has found for the client's address, or C{""}."""

    by: str
    """The name of the server, in lower case, or C{""}."""

    protocol: str
    """How it came, in upper case (C{ESMTPS}), or C{""}."""


@frozen
class Trust:
    """
    Whose fields are believed.
    """

    networks: tuple[Network, ...] = ()
    """Where servers of ours are."""

    names: tuple[str, ...] = ()
    """
    Names of servers of ours, in lower case, as they stand behind C{by}; C{*.example.com} stands for
    all names below.
    """

    def __bool__(self) -> bool:
        return bool(self.networks or self.names)

    def has_address(self, address: Address) -> bool:
        """
        Tell whether a server of ours is there.
        """
        return is_within(address, self.networks)

    def has_name(self, name: str) -> bool:
        """
        Tell whether a server of ours has a name.
        """
        return is_named(name, self.names)


@frozen
class Origin:
    """
    Where a message has come to a server of ours from.
    """

    hop: Hop
    """How that server took it over. It always has a client."""

    above: tuple[tuple[str, bytes], ...]
    """The header fields that servers of ours have added since: names in lower case, and values."""

    def added(self, name: str) -> tuple[bytes, ...]:
        """
        Give the values that servers of ours have added of a field, whose name is in lower case.
        """
        return tuple(value for each, value in self.above if each == name)


def is_named(name: str, patterns: Sequence[str]) -> bool:
    """
    Tell whether the name of a server is one of some, or below one of those that begin with C{*.},
    which are in lower case.
    """
    name = name.lower().rstrip(".")
    return any(
        name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern
        for pattern in patterns
    )


def parse_hop(value: bytes) -> Hop:
    """
    Read the value of a Received field, in the forms that mail servers write. Never raises; what
    cannot be read is empty.
    """
    clauses: dict[str, list[str]] = {}
    comments: dict[str, list[str]] = {}
    clause = ""
    for word, is_comment in _pieces(value[:_FIELD_LIMIT].decode("utf-8", "replace")):
        if is_comment:
            comments.setdefault(clause, []).append(word)
        elif word.lower() in _CLAUSES and word.lower() not in clauses:
            clause = word.lower()
            clauses[clause] = []
        elif clause:
            clauses[clause].append(word)
    who, told = clauses.get("from", []), comments.get("from", [])
    called = who[0] if who else ""
    client, name = _client(who, told)
    helo = next((match[1] for each in told for match in _HELO.finditer(each)), "")
    by = clauses.get("by", [])
    protocol = clauses.get("with", [])
    return Hop(
        client,
        _printable(helo or called),
        _printable(name),
        _printable(by[0]).lower().rstrip(".") if by else "",
        _printable(protocol[0]).upper() if protocol else "",
    )


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """
    Give the words and the comments (with those inside them) until the date begins.
    """
    depth, start = 0, 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == "(":
            depth += 1
            if depth == 1:
                start = token.end()
            elif depth > _DEPTH:
                return
        elif mark == ")":
            if depth == 1:
                yield text[start : token.start()], True
            depth = max(0, depth - 1)
        elif depth == 0:
            if mark == ";":
                return
            yield mark, False


def _client(who: Sequence[str], told: Sequence[str]) -> tuple[Address | None, str]:
    """
    Find the client's address, and the name that the server has found for it: in the comments
    behind what the client has called itself, where it is the server that speaks.
    """
    told = [_HELO.sub(" ", comment) for comment in told]
    for comment in told:
        for match in _BRACKETED.finditer(comment):
            address = address_of(match[1])
            if address is not None:
                words = comment[: match.start()].split()
                name = words[-1].rpartition("@")[2].rstrip(".") if words else ""
                return address, "" if name.lower() in ("", "unknown") or "=" in name else name
    for comment in told:
        for word in comment.split():
            word = word.rpartition("@")[2]
            address = address_of(word) or address_of(_PORT.sub("", word))
            if address is not None:
                return address, ""
    # Some put it behind the name, and of a client that gave no name it stands in the name's place.
    literals = map(_BRACKETED.fullmatch, (*who[1:2], *who[:1]))
    return next((address_of(literal[1]) for literal in literals if literal), None), ""


def _printable(text: str) -> str:
    return text[:255] if text.isprintable() else ""


def origin_of(head: bytes, trust: Trust, client: str | None) -> Origin | None:
    """
    Find where a message has come to a server of ours from.

    @param head: the message, from its beginning.
    @param client: the address of who has brought it here, who is one of these servers; C{None}
        where nobody has (a stored message): then the topmost field by one of these servers, or of
        mail from one, is where to begin, as all above it was added later.
    @return: C{None} where nobody but servers of ours has written of it, or it cannot be told.
    """
    above: list[tuple[str, bytes]] = []
    hops = 0
    has_begun = client is not None
    for name, value in fields_in(head):
        if name == "received":
            hops += 1
            if hops > HOPS:
                return None
            hop = parse_hop(value)
            is_known = hop.client is not None and trust.has_address(hop.client)
            has_begun = has_begun or is_known or trust.has_name(hop.by)
            # From an address that the Internet does not carry only a neighbour of ours can come.
            if has_begun and not is_known:
                if hop.client is not None and hop.client.is_global:
                    return Origin(hop, tuple(above))
                if hop.client is None and hop.helo:
                    return None  # there was a client, and nobody can tell where
        above.append((name, value))
    return None


def fields_in(head: bytes) -> Iterator[tuple[str, bytes]]:
    """
    Give the header fields in their order: names in lower case, and values with their lines joined
    (RFC 5322 section 2.2.3). A line that is neither is passed over.
    """
    lines: list[bytes] = []
    for line in (*cut(head).split(b"\r\n"), b""):
        if line[:1] in (b" ", b"\t"):
            if lines:
                lines.append(line)
            continue
        if lines:
            name, _, value = b"".join(lines).partition(b":")
            yield name.rstrip(b" \t").decode("latin-1").lower(), value.strip(b" \t")
        lines = [line] if b":" in line else []
