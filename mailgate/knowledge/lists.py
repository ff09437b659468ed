"""
The allow and block lists in memory, where every message is looked up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from attrs import field, frozen

from mailgate.knowledge.entry import (
    Entry,
    EntryKind,
    Key,
    ListName,
)
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address, normal_domain

Width = int | tuple[int, int] | None
"""
What has to be known to look for keys that stand for many values: the number of labels of
C{.example.org}, the IP version and length of prefix of a network; C{None} for all others.
"""

_KINDS = {kind: number for number, kind in enumerate(EntryKind)}
_ALONE = 1000
"""How narrow a domain without those below it is: beyond any number of labels."""


class Source(StrEnum):
    """
    What of a message an entry can fit.
    """

    AUTHOR = "From address"
    SENDER = "envelope sender"
    MAILING_LIST = "mailing list"
    CLIENT = "client"


@frozen
class Evidence:
    """
    What of a message is looked up.
    """

    authors: tuple[str, ...]
    """
    The addresses in From, as L{normal_address} gives them. An allow entry counts only where
    there is one alone, since nobody knows which of several a reader is shown.
    """

    sender: str
    """The envelope sender in the same form, or C{""}."""

    list_ids: tuple[str, ...]
    """What stands in List-Id, in lower case and without brackets; with several as above."""

    client: str
    """The client's IP address."""

    vouched: frozenset[str] | None = None
    """
    The domains that SPF or DKIM vouch for; C{None}: whoever it claims to be from is believed. An
    allow entry for anything but a client counts only where what it fits is in one of them.
    """

    def is_vouched(self, seen: str) -> bool:
        """
        Tell whether an address or a List-Id is believed.
        """
        if self.vouched is None:
            return True
        domain = seen.rpartition("@")[2]
        return any(domain == each or domain.endswith(f".{each}") for each in self.vouched)


@frozen
class Match:
    """
    The entry that counts for a message and a recipient.
    """

    entry: Entry
    source: Source
    seen: str
    """What of the message it fits."""

    overruled: Entry | None = None
    """The best entry of the other list, where that has one that fits too."""


@frozen(eq=False)
class Index:
    """
    All entries at one moment. It never changes: look-ups that have begun are not disturbed.
    """

    entries: Mapping[Key, Mapping[str, Entry]]
    """By key, then by scope."""

    widths: Mapping[Width, int]
    """How many keys of each width there are."""

    size: int
    depths: tuple[int, ...] = field(init=False)
    prefixes: tuple[tuple[int, int], ...] = field(init=False)

    @depths.default
    def _depths(self) -> tuple[int, ...]:
        return tuple(width for width in self.widths if isinstance(width, int))

    @prefixes.default
    def _prefixes(self) -> tuple[tuple[int, int], ...]:
        return tuple(width for width in self.widths if isinstance(width, tuple))

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Index:
        """
        Make the index of some entries.
        """
        return cls({}, {}, 0).changed(added=entries)

    def changed(self, added: Iterable[Entry] = (), removed: Iterable[Entry] = ()) -> Index:
        """
        Give the index with some entries less and some more, which take the place of others with
        the same key and scope. To remove one that is not there is fine.
        """
        entries: dict[Key, Mapping[str, Entry]] = dict(self.entries)
        touched: dict[Key, dict[str, Entry]] = {}

        def scopes(key: Key) -> dict[str, Entry]:
            if key not in touched:
                entries[key] = touched[key] = dict(entries.get(key, ()))
            return touched[key]

        for entry in removed:
            there = scopes(entry.key)
            if entry.scope in there and there[entry.scope].id == entry.id:
                del there[entry.scope]
        for entry in added:
            scopes(entry.key)[entry.scope] = entry
        widths, size = Counter(self.widths), self.size
        for key, after in touched.items():
            before = self.entries.get(key, ())
            widths[_width(key)] += bool(after) - bool(before)
            size += len(after) - len(before)
            if not after:
                del entries[key]
        return Index(entries, +widths, size)


class Lists:
    """
    Finds the entry that counts for a message. Of several it is the narrowest: first by scope (a
    person, a domain of ours, everybody), then by kind (address, list-id, domain, network), then
    within the kind; of two that are equally narrow, the one that blocks.

    A look-up makes a few look-ups in dictionaries, however many entries there are.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.index = Index.of(entries)
        """What counts now; only ever replaced as a whole."""

    def __len__(self) -> int:
        return self.index.size

    def look_up(self, evidence: Evidence, recipient: Address, now: float) -> Match | None:
        """
        Give the entry that counts, if any fits.

        @param now: the time in seconds since the epoch, for the entries that end.
        """
        index = self.index
        scopes = (normal_address(recipient), normal_domain(recipient.host), "")
        best: dict[ListName, tuple[tuple[int, ...], Match]] = {}
        for key, source, seen in _keys(index, evidence):
            found = index.entries.get(key)
            if found is None:
                continue
            for nearness, scope in enumerate(scopes):
                entry = found.get(scope)
                if entry is None or not _counts(entry, source, seen, evidence, now):
                    continue
                rank = (nearness, *_narrowness(entry), entry.list is ListName.ALLOW)
                if entry.list not in best or rank < best[entry.list][0]:
                    best[entry.list] = (rank, Match(entry, source, seen))
        if not best:
            return None
        (_, first), *rest = sorted(best.values(), key=lambda ranked: ranked[0])
        return Match(first.entry, first.source, first.seen, rest[0][1].entry if rest else None)


def _keys(index: Index, evidence: Evidence) -> Sequence[tuple[Key, Source, str]]:
    """
    Give all keys that fit, each with what of the message it fits.
    """
    keys: list[tuple[Key, Source, str]] = [
        (f"<{list_id}>", Source.MAILING_LIST, list_id) for list_id in evidence.list_ids
    ]
    addresses = [(author, Source.AUTHOR) for author in evidence.authors]
    if evidence.sender:
        addresses.append((evidence.sender, Source.SENDER))
    for address, source in addresses:
        domain = address.rpartition("@")[2]
        keys += ((address, source, address), (domain, source, address))
        if index.depths:
            labels = domain.split(".")
            for depth in index.depths:
                if depth <= len(labels):
                    keys.append((f".{'.'.join(labels[-depth:])}", source, address))
    if index.prefixes:
        client = ip_address(evidence.client)
        if isinstance(client, IPv6Address):
            client = client.ipv4_mapped or client
        version, bits, width = client.version, int(client), client.max_prefixlen
        for its, length in index.prefixes:
            if its == version:
                keys.append(
                    ((version, length, bits >> (width - length)), Source.CLIENT, str(client))
                )
    return keys


def _counts(entry: Entry, source: Source, seen: str, evidence: Evidence, now: float) -> bool:
    if entry.has_ended(now):
        return False
    if entry.list is ListName.BLOCK:
        return True
    if source is not Source.CLIENT and not evidence.is_vouched(seen):
        return False
    if source is Source.AUTHOR:
        return len(evidence.authors) == 1
    return source is not Source.MAILING_LIST or len(evidence.list_ids) == 1


def _narrowness(entry: Entry) -> tuple[int, int]:
    """
    Give the rank of what an entry names; less is narrower.
    """
    within = _width(entry.key)
    if isinstance(within, tuple):
        within = within[1]
    return _KINDS[entry.kind], -(_ALONE if within is None else within)


def _width(key: Key) -> Width:
    if isinstance(key, tuple):
        return key[:2]
    return key.count(".") if key.startswith(".") else None
