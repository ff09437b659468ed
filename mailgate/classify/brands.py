"""
Companies and offices that others like to be taken for: their names, and their domains.

The knowledge lies in C{brands.toml}. It is read once, when it is first needed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any
from unicodedata import combining, normalize

from attrs import field, frozen

from mailgate.classify.known import CHEAP_ENDINGS, FREE_MAIL
from mailgate.classify.phrases import Phrases
from mailgate.message.confusable import skeleton
from mailgate.message.urls import organisation

NAME_LIMIT = 200
"""How many characters of a name are looked at."""

_WORDS_LIMIT = 24
_WORD = re.compile(r"[^\W_]+")
_BETWEEN = re.compile(r"[\W_]+")
_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[\W_]{1,3}[^\W_](?![^\W_])){3,}")
"""Letters that stand each for itself, four and more."""

_APOSTROPHES = re.compile("['\u2019\u2018`\u00b4]")
_UNJOINED = 6
"""So many letters a name must have to be found in two words, or behind look-alike letters."""

_LABEL = 4
"""So many letters the label of a domain must have to be the name of somebody."""


@frozen(eq=False)
class Brand:
    """
    A company or office.
    """

    name: str
    """As people know it."""

    domains: frozenset[str]
    """Those that are its own, beside such as C{labels} name."""

    labels: frozenset[str]
    """First labels of its organisational domains, which it has under several endings."""

    is_ordinary: bool = False
    """Whether its name means other things as well."""

    members: frozenset[str] = frozenset()
    """Endings under which many of that name have domains of their own."""

    def owns(self, domain: str) -> bool:
        """
        Tell whether a domain is one of its own, as far as is known.

        @param domain: in ASCII and small letters.
        """
        if any(parent in self.domains for parent in parents(domain)):
            return True
        label, _, ending = organisation(domain).partition(".")
        if ending in CHEAP_ENDINGS:
            return False
        if label in self.labels:
            return True
        return ending in self.members and self.is_named_in(label)

    def is_named_in(self, label: str) -> bool:
        """
        Tell whether a label of a domain has its name in it.
        """
        pieces = label.split("-")
        return any(
            name in pieces or (len(name) >= _UNJOINED and name in label) for name in self.labels
        )

    def serves(self, domain: str) -> bool:
        """
        Tell whether a domain is its own but its customers have addresses there as well.
        """
        return organisation(domain) in FREE_MAIL and self.owns(domain)


@frozen
class Claim:
    """
    What a sender's name says of whom it is from.
    """

    brands: tuple[Brand, ...]
    """Those that it names."""

    is_whole: bool
    """Whether nothing else stands there but words that fit a company."""

    is_sure: bool
    """Whether one of the names can mean nobody else."""

    def is_true_of(self, domain: str) -> bool:
        """
        Tell whether a domain is of one of those named.
        """
        return any(brand.owns(domain) for brand in self.brands)


def parents(domain: str) -> Iterable[str]:
    """
    Give a domain and all that it lies in but the topmost.
    """
    while "." in domain:
        yield domain
        domain = domain.partition(".")[2]


def words_of(text: str) -> list[str]:
    """
    Give the words of a name as they are compared: without accents, apostrophes and capitals, and
    letters that stand apart as one word.
    """
    text = text[:NAME_LIMIT]
    if not text.isascii():
        text = _APOSTROPHES.sub("", text)
        text = "".join([c for c in normalize("NFKD", text) if not combining(c)])
    text = text.replace("'", "").replace("`", "").casefold()
    text = _SPACED.sub(lambda found: _BETWEEN.sub("", found[0]), text)
    return _WORD.findall(text)[:_WORDS_LIMIT]


@frozen(eq=False)
class Name:
    """
    A form of a name.
    """

    words: tuple[str, ...]
    brand: Brand
    is_sure: bool
    """Whether it can mean nobody else."""


@frozen(eq=False)
class Brands:
    """
    All that are known.
    """

    brands: tuple[Brand, ...]
    company_words: frozenset[str]
    """Words that fit a company beside its name."""

    lure_words: frozenset[str]
    """Words that phishers set beside a name in a domain."""

    neighbours: frozenset[str]
    """Labels that stand by themselves though they differ by one letter from one of a company."""

    shared_senders: tuple[str, ...]
    """Domains that a platform lends to its customers, each with a dot before it."""

    pressing: Phrases
    """Phrases of subjects that press for time."""

    payment: Phrases
    """Phrases of subjects about money that is to be moved."""

    _names: dict[str, list[Name]] = field(repr=False)
    """Names by their first word, the longest first."""

    _alike: dict[str, Name] = field(repr=False)
    """Names of one word by how they look."""

    labels: dict[str, Brand] = field(repr=False)
    """Who is named by the first label of a domain: long ones only, that can mean nobody else."""

    def claim(self, text: str) -> Claim | None:
        """
        Tell whom a sender's name names, or C{None} where it is nobody who is known. Linear in the
        length of the name.
        """
        words = words_of(text)
        found: list[Name] = []
        rest: list[str] = []
        at = 0
        while at < len(words):
            name, length = self._at(words, at)
            if name is None:
                rest.append(words[at])
            else:
                found.append(name)
            at += length
        if not found:
            return None
        is_whole = all(word in self.company_words or word.isdigit() for word in rest)
        brands = dict.fromkeys(name.brand for name in found if is_whole or name.is_sure)
        is_sure = any(name.is_sure for name in found)
        return Claim(tuple(brands), is_whole, is_sure) if brands else None

    def owner(self, domain: str) -> Brand | None:
        """
        Give one whose domain this is, or C{None}.
        """
        brand = self.labels.get(organisation(domain).partition(".")[0])
        if brand is not None and brand.owns(domain):
            return brand
        return next((b for p in parents(domain) if (b := self._owners.get(p))), None)

    _owners: dict[str, Brand] = field(init=False, repr=False)

    @_owners.default
    def _by_domain(self) -> dict[str, Brand]:
        return {domain: brand for brand in self.brands for domain in brand.domains}

    def _at(self, words: Sequence[str], at: int) -> tuple[Name | None, int]:
        """
        Find a name that begins at a word; give it, and how many words it takes.
        """
        word = words[at]
        for name in self._names.get(word, ()):
            length = len(name.words)
            if length == 1 or tuple(words[at : at + length]) == name.words:
                return name, length
        if at + 1 < len(words) and len(joined := word + words[at + 1]) >= _UNJOINED:
            for name in self._names.get(joined, ()):
                if len(name.words) == 1 and name.is_sure:
                    return name, 2
        if len(word) >= _UNJOINED - 1:
            alike = self._alike.get(skeleton(word))
            if alike is not None:
                return alike, 1
        if not word.isascii():
            return self._beginning(word), 1
        return None, 1

    def _beginning(self, word: str) -> Name | None:
        """
        Find a name that is written without a space before what follows, as in Japanese.
        """
        for length in range(min(len(word) - 1, 8), 1, -1):
            for name in self._names.get(word[:length], ()):
                if len(name.words) == 1 and not word[0].isascii():
                    return name
        return None


@lru_cache(maxsize=1)
def known_brands() -> Brands:
    """
    Give all that are known, read once.
    """
    text = files("mailgate.classify").joinpath("brands.toml").read_text("utf-8")
    return _read(tomllib.loads(text))


def _read(table: dict[str, Any]) -> Brands:
    names: dict[str, list[Name]] = {}
    alike: dict[str, Name] = {}
    labels: dict[str, Brand] = {}
    brands = []
    for row in table["brand"]:
        forms = [tuple(words_of(form)) for form in (row["name"], *row.get("also", ()))]
        joined = {"".join(form) for form in forms}
        own = {organisation(domain).partition(".")[0] for domain in row["domains"]}
        is_ordinary = row.get("ordinary", False)
        brand = Brand(
            row["name"],
            frozenset(row["domains"]),
            frozenset(joined | {"-".join(form) for form in forms} | own),
            is_ordinary,
            frozenset(row.get("members", ())),
        )
        brands.append(brand)
        for form in forms:
            is_sure = not is_ordinary or len(form) > 1
            for words in dict.fromkeys((form, ("".join(form),))):
                name = Name(words, brand, is_sure)
                names.setdefault(words[0], []).append(name)
                if len(words) == 1 and is_sure and len(words[0]) >= _UNJOINED - 1:
                    alike.setdefault(skeleton(words[0]), name)
        for label in brand.labels:
            if len(label) >= _LABEL and any(label.startswith(each) for each in joined):
                labels.setdefault(label, brand)
    for known in names.values():
        known.sort(key=lambda name: -len(name.words))
    return Brands(
        tuple(brands),
        frozenset(word for text in table["company_words"].split() for word in words_of(text)),
        frozenset(table["lure_words"].split()),
        frozenset(table["neighbours"].split()),
        tuple(f".{domain}" for domain in table["shared_senders"].split()),
        Phrases.of(table["pressing"]),
        Phrases.of(table["payment"]),
        names,
        alike,
        labels,
    )
