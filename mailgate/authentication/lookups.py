"""
The look-ups of one check of SPF, counted (RFC 7208 section 4.6.4).
"""

from __future__ import annotations

import re
from typing import TypeVar

from twisted.internet.defer import Deferred

from mailgate.authentication.macro import NAME_LIMIT
from mailgate.interfaces import IResolver
from mailgate.wire.dns.answer import Nothing, RecordType, Trouble, Unknown
from mailgate.wire.dns.name import LABEL_LIMIT

QUERIES = 60
"""Look-ups in all; more is C{permerror}."""

TERMS = 10
"""Mechanisms and modifiers that ask the DNS; more is C{permerror}."""

VOIDS = 2
"""Look-ups that may find nothing; more is C{permerror}."""

SHOWN = 80
"""Characters of what a stranger has written that stand in a sentence."""

_ESCAPED = re.compile(r"[^!-\[\]-~]")
_LABELS = re.compile(rf"[^.]{{1,{LABEL_LIMIT}}}(?:\.[^.]{{1,{LABEL_LIMIT}}})*")
_PLAIN = re.compile(r"[a-z0-9._-]+", re.IGNORECASE | re.ASCII)

T = TypeVar("T")


class PermanentError(Exception):
    """
    The record is wrong, or asks for too much; the message says why in words.
    """


class TemporaryError(Exception):
    """
    A look-up has no answer at the moment; the message says why in words.
    """

    def __init__(self, reason: str, is_of_name: bool) -> None:
        super().__init__(reason)
        self.is_of_name = is_of_name
        """Whether it is only this look-up, and not that the check may ask no more."""


class Lookups:
    """
    What asks for one check.
    """

    __slots__ = ("_asked", "_resolver", "_terms", "_voids")

    def __init__(self, resolver: IResolver) -> None:
        self._resolver = resolver
        self._asked = self._terms = self._voids = 0

    def count_term(self, term: str) -> None:
        """
        Count a mechanism or modifier that asks the DNS.

        @raise PermanentError: there are too many.
        """
        self._terms += 1
        if self._terms > TERMS:
            raise PermanentError(
                f"more than {TERMS} terms ask the DNS; {term[:SHOWN]!a} is too many"
            )

    async def ask(self, name: str, type: RecordType[T], counts: bool = True) -> tuple[T, ...]:
        """
        Look records up.

        @param name: as L{as_text} gives it, or as it stands in an answer.
        @param counts: whether it is a void look-up where there are none.
        @raise PermanentError: there are too many look-ups, or too many void ones.
        @raise TemporaryError: it is not known.
        """
        self._asked += 1
        if self._asked > QUERIES:
            raise PermanentError(f"it takes more than {QUERIES} look-ups")
        answer = self._resolver.look_up(name, type)
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, Unknown):
            raise TemporaryError(
                f"{type} of {shown(name)} is not known: {answer.reason}",
                answer.trouble is not Trouble.BUDGET,
            )
        if not isinstance(answer, Nothing):
            return answer.values
        if counts:
            self._voids += 1
            if self._voids > VOIDS:
                raise PermanentError(
                    f"more than {VOIDS} look-ups find nothing, as of {shown(name)}"
                )
        return ()


def is_name(name: str) -> bool:
    """
    Tell whether labels and name have the length that they can have, in ASCII.
    """
    return len(name) <= NAME_LIMIT and name.isascii() and _LABELS.fullmatch(name) is not None


def as_text(name: str) -> str:
    """
    Write a name for which L{is_name} holds as resolvers take it: any character can stand in a
    label, since a macro stands for what a stranger has written.
    """
    return _ESCAPED.sub(_escaped, name)


def shown(name: str) -> str:
    """
    Give a name to stand in a sentence: what a stranger chose is cut, and escaped where it is no
    plain name.
    """
    cut = name[:SHOWN]
    return cut if _PLAIN.fullmatch(cut) else ascii(cut)


def _escaped(match: re.Match[str]) -> str:
    """
    Write a character that is to stand in a label (RFC 1035 section 5.1).
    """
    return "\\\\" if match[0] == "\\" else f"\\{ord(match[0]):03d}"
