"""
People whose names others like to borrow, as a sender's name may write them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from attrs import frozen

from mailgate.classify.brands import words_of
from mailgate.config.checks import Person
from mailgate.message.confusable import skeleton

_TITLE_WORDS = """
    ceo cfo chair chairman chairwoman chief cio coo cto dean director dr executive extern external
    general hon jr managing mba md miss mr mrs ms office officer of phd president principal prof
    professor rector rev sir sr the vp
    dipl frau geschaftsfuhrer geschaftsfuhrerin herr ing leiter leiterin mag vorstand
    directeur directrice madame monsieur mme presidente directora direttore dott dottssa gerente
    senor senora sig
    """
_TITLES = frozenset(_TITLE_WORDS.split())
"""What may stand beside a name."""


@frozen
class KnownPerson:
    """
    One of them.
    """

    name: str
    words: tuple[str, ...]
    """Those of the name, the family name last, by how they look."""

    addresses: frozenset[str]
    """Those from which they write, beside those of our domains, as they are compared."""

    def is_meant(self, words: Collection[str], joined: str) -> bool:
        """
        Tell whether a sender's name is theirs.

        @param words: those of it, without titles, by how they look.
        @param joined: the same, without spaces.
        """
        first, *middle = self.words
        if not middle:
            return joined == first
        last = middle.pop()
        if joined in (first + last, last + first):
            return True
        if last not in words:
            return False
        rest = [word for word in words if word not in (first, last)]
        if first in words:
            return all(len(word) == 1 or word in middle for word in rest)
        return rest == [first[0]]


@frozen
class People:
    """
    All of them.
    """

    known: tuple[KnownPerson, ...]
    _by_word: dict[str, list[KnownPerson]]

    @classmethod
    def from_settings(cls, people: Iterable[Person]) -> People:
        """
        Take them from a configuration.
        """
        known = []
        for person in people:
            given, comma, rest = person.name.partition(",")
            name = f"{rest} {given}" if comma else given
            known.append(
                KnownPerson(
                    person.name,
                    tuple(map(skeleton, words_of(name))),
                    frozenset(map(str.lower, person.addresses)),
                )
            )
        by_word: dict[str, list[KnownPerson]] = {}
        for each in known:
            first, last = each.words[0], each.words[-1]
            for word in dict.fromkeys((last, first + last, last + first)):
                by_word.setdefault(word, []).append(each)
        return cls(tuple(known), by_word)

    def named(self, name: str) -> KnownPerson | None:
        """
        Give whose name a sender's name is, or C{None}. Linear in its length.
        """
        if not self.known:
            return None
        words = [skeleton(word) for word in words_of(name) if word not in _TITLES]
        joined = "".join(words)
        for word in (*words, joined):
            for known in self._by_word.get(word, ()):
                if known.is_meant(words, joined):
                    return known
        return None
