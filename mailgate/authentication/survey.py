"""
What a domain says of its mail in the DNS, in words, with the mistakes in it, for its owner.

Surveys ask the same resolver, and read records with the same grammar, as what judges messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from mailgate.interfaces import IResolver
from mailgate.wire.dns.answer import TXT, Answer, Nothing, RecordType, Unknown

T = TypeVar("T")

TEXT_LIMIT = 2_000
"""Characters of a record that are shown."""


class Weight(StrEnum):
    """
    What a remark means for the owner of the domain.
    """

    FINE = "fine"
    NOTE = "note"
    """It is worth knowing, and no mistake."""

    MISTAKE = "mistake"
    UNKNOWN = "unknown"
    """It could not be asked."""


@frozen
class Remark:
    """
    One thing that was seen.
    """

    weight: Weight
    words: str
    """A sentence, with what stands in records as it is."""


@frozen
class Shown:
    """
    A record as it was found.
    """

    name: str
    type: str
    text: str


@frozen
class Part:
    """
    What was found about one thing.
    """

    title: str
    records: tuple[Shown, ...]
    remarks: tuple[Remark, ...]

    def has(self, weight: Weight) -> bool:
        """
        Tell whether there is a remark of that weight.
        """
        return any(remark.weight is weight for remark in self.remarks)


@define
class Report:
    """
    Gathers records and remarks.
    """

    title: str
    records: list[Shown] = field(factory=list)
    remarks: list[Remark] = field(factory=list)

    def show(self, name: str, type: str, value: bytes | str) -> None:
        """
        Show a record.
        """
        text = value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")
        if len(text) > TEXT_LIMIT:
            text = f"{text[:TEXT_LIMIT]}…"
        self.records.append(Shown(name, type, text))

    def fine(self, words: str) -> None:
        """
        Remark that something is as it should be.
        """
        self.remarks.append(Remark(Weight.FINE, words))

    def note(self, words: str) -> None:
        """
        Remark something that is worth knowing.
        """
        self.remarks.append(Remark(Weight.NOTE, words))

    def mistake(self, words: str) -> None:
        """
        Remark a mistake.
        """
        self.remarks.append(Remark(Weight.MISTAKE, words))

    def unknown(self, words: str) -> None:
        """
        Remark that something could not be asked.
        """
        self.remarks.append(Remark(Weight.UNKNOWN, words))

    def made(self) -> Part:
        """
        Give all of it.
        """
        return Part(self.title, tuple(self.records), tuple(self.remarks))


class Unanswered(Exception):
    """
    The DNS has no answer at the moment; the message says of what and why.
    """


async def ask(resolver: IResolver, name: str, type: RecordType[T]) -> Sequence[T] | Nothing:
    """
    Look records up: those that there are, or that there are none.

    @raise Unanswered: it is not known.
    """
    asked = resolver.look_up(name, type)
    answer: Answer[T] = await asked if isinstance(asked, Deferred) else asked
    if isinstance(answer, Unknown):
        raise Unanswered(f"{type} of {name} is not known: {answer.reason}.")
    return answer if isinstance(answer, Nothing) else answer.values


async def texts_of(resolver: IResolver, name: str) -> Sequence[bytes]:
    """
    Give the TXT records of a name.

    @raise Unanswered: they are not known.
    """
    found = await ask(resolver, name, TXT)
    return () if isinstance(found, Nothing) else found


def excerpt(text: bytes | str, most: int = 80) -> str:
    """
    Give what stands in a record to stand in a sentence, in quotation marks, what cannot be seen
    spelled out.
    """
    read = text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")
    cut = read if len(read) <= most else f"{read[: most - 1]}…"
    return f"“{cut if cut.isprintable() else cut.encode('unicode_escape').decode('ascii')}”"


def listed(names: Iterable[str]) -> str:
    """
    Name things in a sentence.
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def count(number: int, one: str, many: str) -> str:
    """
    Say how many.
    """
    return f"1 {one}" if number == 1 else f"{number:,} {many}"
