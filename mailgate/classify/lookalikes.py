"""
Names of hosts that are made to be taken for others: of ours, and of companies that are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from attrs import field, frozen

from mailgate.classify.brands import Brand, Brands, known_brands, parents
from mailgate.classify.known import CHEAP_ENDINGS, FREE_HOSTING
from mailgate.message.confusable import skeleton
from mailgate.message.host import decoded_label
from mailgate.message.urls import organisation
from mailgate.wording import Sentence, say

_NEAR = 6
"""So many letters a name must have that one more, less or other is no coincidence."""

_JOINED = 6
"""So many it must have to be seen where other words touch it."""

_PIECES = 5
"""So many pieces between hyphens a name has at most, and so far behind the first it begins."""

_ENDINGS = frozenset(("com", "net", "org", "de", "fr", "it", "es", "nl", "at", "ch", "pl"))

_OURS = 4
"""So many letters a name of ours must have to be looked for."""

_REMEMBERED = 4096
_LIMIT = 100
"""How many characters of a host are looked at; longer ones are shown to nobody in full."""


@frozen
class LookAlike:
    """
    Whom a host is made to be taken for.
    """

    name: str
    """The name or domain that it looks like."""

    way: Sentence
    """How, as a part of a sentence that follows the name of the host."""

    is_clear: bool
    """Whether it can hardly be a coincidence."""

    is_ours: bool = False
    """Whether it looks like one of our domains."""


@frozen(eq=False)
class LookAlikes:
    """
    Tells the hosts that look like others.
    """

    ours: frozenset[str]
    """Our domains."""

    others: frozenset[str] = frozenset()
    """Domains that are known not to be made for it, though they look like one."""

    brands: Brands = field(factory=known_brands)
    of: Callable[[str], LookAlike | None] = field(init=False, repr=False)
    """Gives whom a host looks like, in ASCII and small letters, or C{None}: in 50 us at first."""

    _our_labels: dict[str, str] = field(init=False, repr=False)
    """Our domains by their names."""

    _by_look: dict[str, str] = field(init=False, repr=False)
    """Names by how they look; of several ours, or the first."""

    _by_deletion: dict[str, str] = field(init=False, repr=False)
    """Names by what they are without one of their letters, and as they are."""

    @of.default
    def _remembering(self) -> Callable[[str], LookAlike | None]:
        # The same hosts come again and again.
        return lru_cache(maxsize=_REMEMBERED)(self._find)

    @_our_labels.default
    def _named(self) -> dict[str, str]:
        named = {organisation(domain).partition(".")[0]: domain for domain in self.ours}
        return {label: domain for label, domain in named.items() if len(label) >= _OURS}

    @_by_look.default
    def _looks(self) -> dict[str, str]:
        labels = [*self._our_labels, *self.brands.labels]
        return {skeleton(label): label for label in reversed(labels)}

    @_by_deletion.default
    def _deletions(self) -> dict[str, str]:
        labels = [
            *self._our_labels,
            *(each for each in self.brands.labels if each.isalpha() and self._is_rare(each)),
        ]
        return {
            less: label
            for label in reversed(labels)
            if len(label) >= _NEAR
            for less in (label, *_less(label))
        }

    def is_ours(self, domain: str) -> bool:
        """
        Tell whether a domain is one of ours or below one.
        """
        return any(parent in self.ours for parent in parents(domain))

    def other_ending(self, domain: str) -> str:
        """
        Give the domain of ours that has the name of C{domain} under another ending, or C{""}.
        """
        if self._is_known(domain):
            return ""
        return self._our_labels.get(organisation(domain).partition(".")[0], "")

    def _is_known(self, host: str) -> bool:
        return self.is_ours(host) or any(parent in self.others for parent in parents(host))

    def _is_rare(self, label: str) -> bool:
        brand = self._brand(label)
        return brand is None or not brand.is_ordinary

    def _is_name(self, label: str) -> bool:
        return label in self._our_labels or label in self.brands.labels

    def _brand(self, label: str) -> Brand | None:
        return None if label in self._our_labels else self.brands.labels.get(label)

    def _find(self, host: str) -> LookAlike | None:
        if "." not in host or host.startswith("[") or self._is_known(host):
            return None
        if self.brands.owner(host) is not None:
            return None
        host = host[-_LIMIT:]
        domain = organisation(host)
        label, _, ending = domain.partition(".")
        return (
            self._by_ending(label, ending)
            or self._by_letters(label)
            or self._by_words(label)
            or self._by_hosting(host, domain)
            or self._below(host.removesuffix(domain).strip("."), domain)
            or self._by_neighbour(label)
        )

    def _made(self, label: str, way: Sentence, is_clear: bool = True) -> LookAlike:
        ours = self._our_labels.get(label)
        if ours is not None:
            return LookAlike(ours, way, is_clear, True)
        brand = self.brands.labels.get(label)
        return LookAlike(brand.name if brand is not None else label, way, is_clear)

    def _by_ending(self, label: str, ending: str) -> LookAlike | None:
        brand = self._brand(label)
        if brand is None or brand.is_ordinary or ending not in CHEAP_ENDINGS:
            return None
        way = say("has this name under an ending that costs next to nothing")
        return self._made(label, way, is_clear=False)

    def _by_letters(self, label: str) -> LookAlike | None:
        written = decoded_label(label)
        known = self._by_look.get(skeleton(written))
        if known is None or known == label or len(known) < 5 or not self._is_rare(known):
            return None
        return self._made(known, say("is written with letters that look like others"))

    def _by_words(self, label: str) -> LookAlike | None:
        """
        Find a name among words that phishers add: C{paypal-secure}, C{securepaypal}.
        """
        known = self._lured(label)
        if known is None:
            return None
        return self._made(known, say("adds words to it that are to inspire trust"))

    def _lured(self, label: str) -> str | None:
        pieces = [piece for piece in label.split("-") if piece]
        for piece, rest in _runs(pieces):
            if self._is_name(piece):
                needed = 1 if self._is_rare(piece) else 2
                if len(rest) >= needed and self._are_lures(rest):
                    return piece
        for piece in pieces:
            if len(piece) <= _JOINED:
                continue
            for known, added in self._cut(piece):
                others = [p for p in pieces if p != piece]
                if self._is_rare(known) and self._are_lures([added, *others]):
                    return known
        return None

    def _are_lures(self, words: Iterable[str]) -> bool:
        """
        Tell whether all are words that phishers add; numbers may stand beside them.
        """
        rest = [word.strip("0123456789") for word in words]
        return any(rest) and all(not word or word in self.brands.lure_words for word in rest)

    def _cut(self, piece: str) -> Iterator[tuple[str, str]]:
        for at in range(3, len(piece) - 2):
            for known, rest in ((piece[:at], piece[at:]), (piece[at:], piece[:at])):
                if len(known) >= _JOINED and self._is_name(known):
                    yield known, rest

    def _by_hosting(self, host: str, domain: str) -> LookAlike | None:
        """
        Find a name below a host where anybody can put a page.
        """
        ending = next((each for each in FREE_HOSTING if host.endswith(each)), None)
        if ending is None:
            return None
        for piece, _ in _runs(host.removesuffix(ending).replace(".", "-").split("-")):
            if self._is_name(piece) and self._is_rare(piece):
                return self._made(piece, say("has this name at {host}", host=ending[1:]))
        return None

    def _below(self, left: str, domain: str) -> LookAlike | None:
        """
        Find a whole domain, or a name with words that phishers add, to the left of the domain.
        """
        if not left or domain.endswith(".edu") or ".ac." in domain:
            return None  # Libraries lead through hosts of such names.
        labels = left.split(".")
        for first, second in pairwise(labels):
            if self._is_domain(first, second):
                return self._made(first, say("has this domain to the left of another one"))
        for label in labels:
            for first, second in pairwise(label.split("-")):
                if self._is_domain(first, second):
                    return self._made(first, say("has this domain to the left of another one"))
            if (known := self._lured(label)) is not None:
                return self._made(known, say("has this name to the left of another domain"))
        return None

    def _is_domain(self, label: str, ending: str) -> bool:
        if label in self._our_labels:
            return self._our_labels[label].endswith(f"{label}.{ending}")
        return label in self.brands.labels and ending in (
            "com",
            "net",
            "org",
            "de",
            "fr",
            "it",
            "es",
        )

    def _by_neighbour(self, label: str) -> LookAlike | None:
        if len(label) < _NEAR - 1 or len(label) > 30 or label in self.brands.neighbours:
            return None
        for less in (label, *_less(label)):
            known = self._by_deletion.get(less)
            if known is not None and known != label and _is_near(label, known):
                return self._made(known, say("differs from it by one letter"), is_clear=False)
        return None


def _runs(pieces: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """
    Give each run of pieces, joined again, and what is beside it.
    """
    for start in range(min(len(pieces), _PIECES)):
        for end in range(start + 1, min(len(pieces), start + _PIECES) + 1):
            yield "-".join(pieces[start:end]), (*pieces[:start], *pieces[end:])


def _less(label: str) -> list[str]:
    """
    Give a label without one of its letters, each in turn.
    """
    return [label[:at] + label[at + 1 :] for at in range(len(label))]


def _is_near(one: str, other: str) -> bool:
    """
    Tell whether one becomes the other by one letter more, less or other, or two that change places.
    """
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    return (
        one[1:] == other[1:]
        or one[1:] == other
        or one == other[1:]
        or (len(one) > 1 and one[1::-1] + one[2:] == other)
    )
