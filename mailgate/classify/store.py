"""
What was learned, as a file: docs/checks/bayes.rst describes it byte by byte.

A file is never changed. Readers map it into memory; the one writer puts a new one in its place.
"""

from __future__ import annotations

import json
import mmap
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from mailgate.classify.model import FEATURES, Counts, Regression
from mailgate.classify.tokens import VERSION
from mailgate.classify.words import Keys
from mailgate.interfaces import IFiles

MAGIC = b"mailgate tokens\n"
FORMAT = 2
_FIXED = len(MAGIC) + 8
_HEADER_LIMIT = 1024 * 1024
_BUCKET_BITS = 16
_BUCKET_SHIFT = np.uint32(32 - _BUCKET_BITS)


def file_of(folder: Path) -> Path:
    """
    Name the file with what was learned, in the folder of the classifier.
    """
    return folder / "tokens"


class Unusable(Exception):
    """
    A file that cannot be read: damaged, of another version, or none of ours.
    """


@frozen(eq=False)
class Learned:
    """
    What was learned at one time.
    """

    spam: int
    ham: int
    log: int
    """The number of the last log whose lessons are in it."""

    keys: Keys
    """Sorted, each once."""

    spam_counts: NDArray[np.uint32]
    ham_counts: NDArray[np.uint32]
    days: NDArray[np.uint16]
    """When each key was last learned, in days since the epoch."""

    identities: NDArray[np.uint64]
    """Of the messages that were learned, sorted."""

    are_spam: NDArray[np.uint8]
    """Whether each of them was spam."""

    regression: Regression
    recent: bytes = b""
    """The lessons that have taught the weights, as they stand in the log."""

    @classmethod
    def nothing(cls) -> Learned:
        """
        Give what is known before anything was learned.
        """
        none = np.zeros(0, np.uint32)
        return cls(
            0,
            0,
            0,
            none,
            none,
            none,
            np.zeros(0, np.uint16),
            np.zeros(0, np.uint64),
            np.zeros(0, np.uint8),
            Regression.fresh(),
        )

    def look_up(self, keys: Keys) -> tuple[Counts, Counts]:
        """
        Give in how many messages of spam and of ham each of some keys was.
        """
        if len(self.keys) == 0:
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
        places = self._places(keys)
        is_known = self.keys.take(places, mode="clip") == keys
        spam = self.spam_counts.take(places, mode="clip")
        ham = self.ham_counts.take(places, mode="clip")
        return (
            np.multiply(spam, is_known, dtype=np.int64),
            np.multiply(ham, is_known, dtype=np.int64),
        )

    def _places(self, keys: Keys) -> NDArray[np.intp]:
        """
        Give for each of some keys the first place whose key is not less, or one behind the last.

        It is C{searchsorted} at half its cost: keys are spread evenly, so that their first bits
        tell the place to within a few steps, and these are taken for all keys at once.
        """
        starts, steps = self._buckets
        places = starts.take(keys >> _BUCKET_SHIFT)
        for step, behind in steps:
            places += (behind.take(places, mode="clip") < keys) * step
        return places

    @cached_property
    def _buckets(self) -> tuple[NDArray[np.intp], list[tuple[np.intp, Keys]]]:
        """
        Give where the keys with each beginning start, and the halving steps of a search among the
        most that any beginning has: each with the keys from that on that it compares with the
        first.
        """
        firsts = np.arange(1 << _BUCKET_BITS, dtype=np.uint32) << _BUCKET_SHIFT
        starts = self.keys.searchsorted(firsts)
        most = int(np.diff(starts, append=len(self.keys)).max())
        steps = [1 << bit for bit in reversed(range(most.bit_length()))]
        return starts, [(np.intp(step), self.keys[step - 1 :]) for step in steps]

    def is_spam(self, identity: int) -> bool | None:
        """
        Tell whether a message was learned as spam, or C{None} where it was not learned.
        """
        at = int(self.identities.searchsorted(np.uint64(identity)))
        if at < len(self.identities) and int(self.identities[at]) == identity:
            return bool(self.are_spam[at])
        return None


# -- the file -----------------------------------------------------------------------------


def encode(learned: Learned) -> bytes:
    """
    Write what was learned as the content of a file.
    """
    header = {
        "format": FORMAT,
        "tokens": VERSION,
        "spam": learned.spam,
        "ham": learned.ham,
        "log": learned.log,
        "keys": len(learned.keys),
        "messages": len(learned.identities),
        "recent": len(learned.recent),
        "features": FEATURES,
    }
    text = json.dumps(header).encode("ascii")
    text += b" " * (-len(text) % 8)
    body = b"".join(
        padded(array.astype(kind))
        for array, kind in (
            (learned.keys, "<u4"),
            (learned.spam_counts, "<u4"),
            (learned.ham_counts, "<u4"),
            (learned.days, "<u2"),
            (learned.identities, "<u8"),
            (learned.are_spam, "<u1"),
            (learned.regression.weights, "<f8"),
        )
    )
    body += padded(np.frombuffer(learned.recent, "<u1"))
    checksum = crc32(body, crc32(text))
    return b"".join(
        (MAGIC, len(text).to_bytes(4, "little"), checksum.to_bytes(4, "little"), text, body)
    )


def padded(array: NDArray[Any]) -> bytes:
    """
    Write an array so that the next one begins at a multiple of eight bytes.
    """
    data = array.tobytes()
    return data + bytes(-len(data) % 8)


def load(path: Path, files: IFiles) -> Learned:
    """
    Map a file into memory.

    @raise FileNotFoundError: there is none.
    @raise Unusable: what is there cannot be read; the words name the file.
    """
    try:
        return decode(map_file(path, files))
    except Unusable as error:
        raise Unusable(f"{path}: {error}") from error


def map_file(path: Path, files: IFiles) -> mmap.mmap | bytes:
    """
    Map a file into memory, whatever is in it.
    """
    with files.open(path) as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file cannot be mapped
            return b""


def decode(content: bytes | mmap.mmap) -> Learned:
    """
    Read the content of a file; the arrays refer to it.

    @raise Unusable: it cannot be read.
    """
    if content[: len(MAGIC)] != MAGIC:
        raise Unusable("this is no file of tokens of mailgate")
    view = memoryview(content)
    length = int.from_bytes(view[len(MAGIC) : len(MAGIC) + 4], "little")
    checksum = int.from_bytes(view[len(MAGIC) + 4 : _FIXED], "little")
    if length > _HEADER_LIMIT or crc32(view[_FIXED:]) != checksum:
        raise Unusable("the file is damaged: its checksum is wrong")
    try:
        return _decode(json.loads(bytes(view[_FIXED : _FIXED + length])), view, _FIXED + length)
    except (KeyError, TypeError, ValueError) as error:
        raise Unusable(f"the file does not hold what it should ({error!r})") from error


def _decode(header: dict[str, Any], view: memoryview, at: int) -> Learned:
    if header["format"] != FORMAT or header["tokens"] != VERSION:
        raise Unusable(
            f"the file was written by another version (format {header['format']}, tokens "
            f"{header['tokens']}; this one reads {FORMAT} and {VERSION}): move it away and "
            "train anew"
        )
    arrays = Arrays(view, at)
    count, messages, features = header["keys"], header["messages"], header["features"]
    return Learned(
        header["spam"],
        header["ham"],
        header["log"],
        arrays.take("<u4", count),
        arrays.take("<u4", count),
        arrays.take("<u4", count),
        arrays.take("<u2", count),
        arrays.take("<u8", messages),
        arrays.take("<u1", messages),
        _fitting(features, arrays.take("<f8", len(features))),
        arrays.take("<u1", header["recent"]).tobytes(),
    )


class Arrays:
    """
    The arrays of a file, one after the other.
    """

    def __init__(self, view: memoryview, at: int) -> None:
        self._view = view
        self._at = at

    def take(self, kind: str, count: int) -> NDArray[Any]:
        """
        Give the next one.

        @raise ValueError: there is not as much.
        """
        array: NDArray[Any] = np.frombuffer(self._view, kind, count, self._at)
        self._at += (array.nbytes + 7) // 8 * 8
        return array


def _fitting(features: list[str], weights: NDArray[np.float64]) -> Regression:
    """
    Bring weights into the order of this version's features; those that are new get their priors,
    those that are gone are forgotten.
    """
    if tuple(features) == FEATURES:
        return Regression(weights)
    fresh = Regression.fresh()
    known = {name: index for index, name in enumerate(features)}
    both = [index for index, name in enumerate(FEATURES) if name in known]
    theirs = [known[FEATURES[index]] for index in both]
    fresh.weights[both] = weights[theirs]
    return fresh
