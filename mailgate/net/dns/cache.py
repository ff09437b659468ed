"""
What is remembered of answers: until their time is over, and within so many bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from attrs import frozen

from mailgate.wire.dns.answer import Answer, MailExchange, Records

Key = tuple[str, int]
"""A name and the code of a type."""

_ENTRY = 560
"""Bytes of an entry with its key and its place, apart from the name and the values."""

_VALUE = 136
"""Bytes of a value, apart from its text."""


@frozen(eq=False)
class Entry:
    """
    An answer that is remembered.
    """

    answer: Answer[Any]
    until: float
    """By the clock."""

    size: int


class Cache:
    """
    Answers by name and type. What was not asked for the longest time goes first.
    """

    def __init__(self, limit: int) -> None:
        """
        @param limit: the bytes that all entries may take together.
        """
        self._limit = limit
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> Answer[Any] | None:
        """
        Give the answer, or C{None} where none is known any more.
        """
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.until <= now:
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        return entry.answer

    def put(self, key: Key, answer: Answer[Any], until: float) -> None:
        """
        Remember an answer, if it does not need all of the memory by itself.
        """
        self._remove(key)
        size = _size_of(key, answer)
        if size > self._limit:
            return
        self._entries[key] = Entry(answer, until, size)
        self.size += size
        while self.size > self._limit:
            _, oldest = self._entries.popitem(last=False)
            self.size -= oldest.size

    def forget(self, zone: str) -> None:
        """
        Forget all that is known of names in a zone.

        @param zone: in small letters, without a dot at its end.
        """
        end = f".{zone}"
        for key in [key for key in self._entries if key[0].endswith(end) or key[0] == zone]:
            self._remove(key)

    def _remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry.size


def _size_of(key: Key, answer: Answer[Any]) -> int:
    size = _ENTRY + len(key[0])
    if isinstance(answer, Records):
        for value in answer.values:
            size += _VALUE
            if isinstance(value, MailExchange):
                size += len(value.host)
            elif isinstance(value, (bytes, str)):
                size += len(value)
    return size
