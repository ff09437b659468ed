"""
The lessons since the last file was written: a log on disk, and the counts that they change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import chain
from zlib import crc32

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from mailgate.classify.evidence import Evidence
from mailgate.classify.model import Counts, ICounts, Regression, is_trained, teach
from mailgate.classify.signals import INDEX
from mailgate.classify.store import Learned
from mailgate.classify.tokens import VERSION, Tokens, nameless
from mailgate.classify.words import Keys


class What(StrEnum):
    """
    What a lesson is.
    """

    SPAM = "spam"
    HAM = "ham"
    FORGET = "forget"


class Result(StrEnum):
    """
    What became of a lesson.
    """

    LEARNED = "learned"
    CORRECTED = "corrected"
    """It had been learned as the other class; that is taken back."""

    KNOWN = "known"
    """It had been learned so before; nothing has changed."""

    FORGOTTEN = "forgotten"
    UNKNOWN = "unknown"
    """It was to be forgotten but had not been learned."""

    UNREADABLE = "unreadable"
    """Whatever reads it dies of it, or never comes to an end; nothing has changed."""

    LIMITED = "limited"
    """Who says so has taught enough for today; nothing has changed."""


@frozen(eq=False)
class Lesson:
    """
    One message that is learned or forgotten.
    """

    what: What
    identity: int
    day: int
    """Since the epoch."""

    evidence: Evidence


RECENT = 500
"""How many lessons of each class are kept to teach the weights: the newest."""

# -- the log ------------------------------------------------------------------------------


def encode_lesson(each: Lesson) -> bytes:
    """
    Write a lesson as it stands in the log: its length and checksum, a line of JSON, its keys.
    """
    return _framed(_record(each))


def _framed(record: bytes) -> bytes:
    return b"".join(
        (len(record).to_bytes(4, "little"), crc32(record).to_bytes(4, "little"), record)
    )


def _record(each: Lesson) -> bytes:
    header = {
        "what": each.what,
        "id": each.identity,
        "day": each.day,
        "tokens": VERSION,
        "ends": each.evidence.tokens.ends,
        "signals": sorted(each.evidence.signals),
    }
    record = json.dumps(header).encode("ascii") + b"\n"
    return record + each.evidence.tokens.keys.astype("<u4").tobytes()


def _name(record: bytes) -> tuple[bool, int]:
    """
    Tell whether a record is of spam, and its identity.
    """
    header = json.loads(record.partition(b"\n")[0])
    return header["what"] == What.SPAM, header["id"]


def decode_lessons(log: bytes) -> tuple[Sequence[Lesson], int]:
    """
    Read a log as far as it is whole; a crash can have cut the last record.

    Lessons with tokens of another version are passed over.

    @return: the lessons, and how many bytes at the end were not read.
    """
    lessons = []
    at = 0
    for record in _records(log):
        at += 8 + len(record)
        line, _, keys = record.partition(b"\n")
        header = json.loads(line)
        if header["tokens"] != VERSION:
            continue
        tokens = Tokens(np.frombuffer(keys, "<u4"), tuple(header["ends"]), nameless)
        # A later version may have dropped signals.
        signals = frozenset(name for name in header["signals"] if name in INDEX)
        evidence = Evidence(tokens, signals)
        lessons.append(Lesson(What(header["what"]), header["id"], header["day"], evidence))
    return lessons, len(log) - at


def _records(log: bytes) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(log):
        end = at + 8 + int.from_bytes(log[at : at + 4], "little")
        record = log[at + 8 : end]
        if end > len(log) or crc32(record) != int.from_bytes(log[at + 4 : at + 8], "little"):
            return
        yield record
        at = end


# -- what they change ---------------------------------------------------------------------


class Pending:
    """
    What was learned, with lessons that are in no file yet.
    """

    def __init__(self, base: Learned) -> None:
        self._base = base
        self.spam = base.spam
        self.ham = base.ham
        self._changes: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._days: dict[int, int] = {}
        self._messages: dict[int, bool | None] = {}
        self._recent: dict[bool, dict[int, bytes]] = {False: {}, True: {}}
        for record in _records(base.recent):
            self._keep(*_name(record), record)

    @property
    def size(self) -> int:
        """
        Give how many keys have changed.
        """
        return sum(map(len, self._changes))

    @property
    def has_changed(self) -> bool:
        """
        Tell whether any lesson has changed anything.
        """
        return bool(self._messages)

    def is_spam(self, identity: int) -> bool | None:
        """
        Tell whether a message was learned as spam, or C{None} where it was not learned.
        """
        if identity in self._messages:
            return self._messages[identity]
        return self._base.is_spam(identity)

    def is_idle(self, each: Lesson) -> bool:
        """
        Tell whether a lesson would change nothing.
        """
        before = self.is_spam(each.identity)
        if each.what is What.FORGET:
            return before is None
        return before is (each.what is What.SPAM)

    def look_up(self, keys: Keys) -> tuple[Counts, Counts]:
        """
        Give in how many messages of spam and of ham each of some keys was.
        """
        spam, ham = self._base.look_up(keys)
        if self.size:
            names = keys.tolist()
            for counts, changes in ((spam, self._changes[1]), (ham, self._changes[0])):
                get = changes.get
                counts += np.array([get(name, 0) for name in names], np.int64)
                np.maximum(counts, 0, out=counts)
        return spam, ham

    def apply(self, each: Lesson) -> Result:
        """
        Learn or forget a message.
        """
        if self.is_idle(each):
            return Result.UNKNOWN if each.what is What.FORGET else Result.KNOWN
        before = self.is_spam(each.identity)
        if before is not None:
            self._forget(each, before)
        if each.what is What.FORGET:
            return Result.FORGOTTEN
        is_spam = each.what is What.SPAM
        self._keep(is_spam, each.identity, _record(each))
        self._count(each, is_spam, 1)
        self._days.update(dict.fromkeys(each.evidence.tokens.keys.tolist(), each.day))
        self._messages[each.identity] = is_spam
        return Result.CORRECTED if before is not None else Result.LEARNED

    def _forget(self, each: Lesson, was_spam: bool) -> None:
        self._count(each, was_spam, -1)
        self._messages[each.identity] = None
        self._recent[was_spam].pop(each.identity, None)

    def _keep(self, is_spam: bool, identity: int, record: bytes) -> None:
        recent = self._recent[is_spam]
        recent[identity] = record
        if len(recent) > RECENT:
            del recent[next(iter(recent))]

    def _count(self, each: Lesson, is_spam: bool, step: int) -> None:
        if is_spam:
            self.spam = max(0, self.spam + step)
        else:
            self.ham = max(0, self.ham + step)
        changes = self._changes[is_spam]
        for key in each.evidence.tokens.keys.tolist():
            changes[key] = changes.get(key, 0) + step

    def merged(self, log: int, limit: int) -> Learned:
        """
        Give all as one.

        @param log: the number of the log that these lessons are in.
        @param limit: how many keys there may be; above it those go that were seen least often,
            the oldest of them first.
        """
        base = self._base
        changed = np.array(sorted({*self._changes[0], *self._changes[1]}), np.uint32)
        keys = np.union1d(base.keys, changed)
        old = keys.searchsorted(base.keys)
        spam, ham = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
        days = np.zeros(len(keys), np.uint16)
        spam[old], ham[old], days[old] = base.spam_counts, base.ham_counts, base.days
        for counts, changes in ((spam, self._changes[1]), (ham, self._changes[0])):
            counts[_places(keys, changes)] += np.array(list(changes.values()), np.int64)
            np.maximum(counts, 0, out=counts)
        if self._days:
            days[_places(keys, self._days)] = np.array(list(self._days.values()), np.uint16)
        kept = _kept(spam + ham, days, limit)
        identities, are_spam = self._merged_messages()
        return Learned(
            self.spam,
            self.ham,
            log,
            keys[kept],
            spam[kept].astype(np.uint32),
            ham[kept].astype(np.uint32),
            days[kept],
            identities,
            are_spam,
            self._taught(),
            b"".join(map(_framed, chain(*map(dict.values, self._recent.values())))),
        )

    def _taught(self) -> Regression:
        """
        Give the weights that the newest lessons teach, those of both classes in turn, by what is
        counted now. So it makes no difference in which order people have taught, and what is
        forgotten teaches no more.
        """
        if not is_trained(self):
            return Regression.fresh()
        number = min(map(len, self._recent.values()))
        counts = {is_spam: _Without(self, is_spam) for is_spam in self._recent}
        newest = [
            decode_lessons(b"".join(map(_framed, [*each.values()][len(each) - number :])))[0]
            for each in self._recent.values()
        ]
        in_turn = chain.from_iterable(zip(*newest, strict=False))
        return teach(
            (each.evidence, each.what is What.SPAM, counts[each.what is What.SPAM])
            for each in in_turn
        )

    def _merged_messages(self) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        base = self._base
        known = {k: bool(v) for k, v in zip(base.identities.tolist(), base.are_spam, strict=True)}
        for identity, is_spam in self._messages.items():
            if is_spam is None:
                known.pop(identity, None)
            else:
                known[identity] = is_spam
        identities = np.array(list(known), np.uint64)
        order = np.argsort(identities)
        return identities[order], np.array(list(known.values()), np.uint8)[order]


@frozen
class _Without:
    """
    Counts without a message that is in them, to look up its own tokens.
    """

    counts: ICounts
    is_spam: bool

    @property
    def spam(self) -> int:
        """
        Give how many messages of spam there are.
        """
        return self.counts.spam - self.is_spam

    @property
    def ham(self) -> int:
        """
        Give how many messages of ham there are.
        """
        return self.counts.ham - (not self.is_spam)

    def look_up(self, keys: Keys) -> tuple[Counts, Counts]:
        """
        Give in how many messages each of some keys was.
        """
        spam, ham = self.counts.look_up(keys)
        counts = spam if self.is_spam else ham
        counts -= 1
        np.maximum(counts, 0, out=counts)
        return spam, ham


def _places(keys: Keys, some: dict[int, int]) -> NDArray[np.intp]:
    return keys.searchsorted(np.array(list(some), np.uint32))


def _kept(counts: Counts, days: NDArray[np.uint16], limit: int) -> NDArray[np.bool_]:
    """
    Tell which keys stay: those that were seen, and of too many the most frequent and newest.
    """
    kept = counts > 0
    excess = int(np.count_nonzero(kept)) - limit
    if excess > 0:
        # A tenth more goes, so that it need not be done again at once.
        excess += limit // 10
        rank = np.where(kept, counts * 65536 + days, np.iinfo(np.int64).max)
        kept[np.argpartition(rank, excess)[:excess]] = False
    return kept
