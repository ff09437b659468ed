"""
What was learned of texts, structures and files, so that one that is nearly the same is found.

It is a file that is never changed. Readers map it into memory; the hub puts a new one in its place.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from mailgate.classify.marks import SKETCH_BYTES
from mailgate.classify.shingles import BAND, PLACES, Sketch, bands
from mailgate.classify.store import Arrays, Unusable, map_file, padded
from mailgate.interfaces import IFiles, Remembered

MAGIC = b"mailgate alikes\n"
FORMAT = 1

ALIKE = 0.7
"""From which likeness on two texts are nearly the same."""

MOST_COMPARED = 128
"""With how many texts of one band a text is compared: those that were learned last."""

_LEAST_ALIKE = int(np.ceil(ALIKE * PLACES))
_BANDS = PLACES // BAND
_FIXED = len(MAGIC) + 8


@frozen
class Sighting:
    """
    How often something was learned.
    """

    spam: int = 0
    ham: int = 0
    day: int = 0
    """When last as spam, in days since the epoch."""


_NEVER = Sighting()


@frozen(eq=False)
class Tally:
    """
    How often each of some things was learned.
    """

    spam: NDArray[np.uint32]
    ham: NDArray[np.uint32]
    days: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.spam)

    def of(self, places: NDArray[Any]) -> Sighting:
        """
        Add up what was learned of those at some places.
        """
        if len(places) == 0:
            return _NEVER
        return Sighting(
            int(self.spam[places].sum()),
            int(self.ham[places].sum()),
            int(self.days[places].max()),
        )


@frozen(eq=False)
class Index:
    """
    What was learned at one time.
    """

    texts: Tally
    sketches: NDArray[np.uint32]
    """A row for each of the texts."""

    bands: NDArray[np.uint64]
    """Sorted, 16 for each of the texts."""

    entries: NDArray[np.uint32]
    """To which text each of them belongs: of the same number, that learned last comes first."""

    numbers: NDArray[np.uint64]
    """Those of structures and files, sorted, each once."""

    things: Tally
    """How often these were learned."""

    @classmethod
    def nothing(cls) -> Index:
        """
        Give what is known before anything was learned.
        """
        return cls.of(())

    @classmethod
    def of(cls, rows: Iterable[Remembered]) -> Index:
        """
        Bring what was learned of some messages together.
        """
        texts: dict[bytes, list[int]] = {}
        things: dict[int, list[int]] = {}
        for row in rows:
            marks = row.marks
            for number in (marks.structure, *marks.files):
                if number:
                    _count(things.setdefault(number, [0, 0, 0, 0]), row)
            if len(marks.sketch) == SKETCH_BYTES:
                _count(texts.setdefault(marks.sketch, [0, 0, 0, 0]), row)
        newest = sorted(texts.items(), key=lambda item: -item[1][3])
        sketches = np.frombuffer(b"".join(sketch for sketch, _ in newest), "<u4")
        sketches = sketches.reshape(-1, PLACES)
        keys = bands(sketches).reshape(-1)
        order = np.argsort(keys, kind="stable")
        numbers = sorted(things)
        return cls(
            _tally([counts for _, counts in newest]),
            sketches,
            keys[order],
            (order // _BANDS).astype(np.uint32),
            np.array(numbers, np.uint64),
            _tally([things[number] for number in numbers]),
        )

    @property
    def is_empty(self) -> bool:
        """
        Tell whether nothing at all is known.
        """
        return not len(self.texts) and not len(self.things)

    def text(self, of: Sketch) -> Sighting:
        """
        Tell how often texts were learned that are nearly the same as one.
        """
        if not len(self.texts):
            return _NEVER
        keys = bands(of)
        starts = self.bands.searchsorted(keys)
        shared = (self.bands.take(starts, mode="clip") == keys).nonzero()[0]
        if not len(shared):
            return _NEVER
        ends = self.bands.searchsorted(keys[shared], "right").tolist()
        pieces = [
            self.entries[start : min(end, start + MOST_COMPARED)]
            for start, end in zip(starts[shared].tolist(), ends, strict=True)
        ]
        found = np.unique(np.concatenate(pieces))
        same = np.count_nonzero(self.sketches[found] == of, axis=1)
        return self.texts.of(found[same >= _LEAST_ALIKE])

    def thing(self, number: int) -> Sighting:
        """
        Tell how often a structure or a file was learned.
        """
        at = int(self.numbers.searchsorted(np.uint64(number)))
        if at < len(self.numbers) and self.numbers.item(at) == number:
            return self.things.of(np.array([at]))
        return _NEVER


def _count(counts: list[int], row: Remembered) -> None:
    """
    Count in: times as spam, as ham, the last day as spam, the last day at all.
    """
    if row.is_spam:
        counts[0] += 1
        counts[2] = max(counts[2], row.day)
    else:
        counts[1] += 1
    counts[3] = max(counts[3], row.day)


def _tally(counts: list[list[int]]) -> Tally:
    columns = np.array(counts, np.uint32).reshape(-1, 4)
    return Tally(columns[:, 0], columns[:, 1], columns[:, 2].astype(np.uint16))


# -- the file -----------------------------------------------------------------------------


def alike_file_of(folder: Path) -> Path:
    """
    Name the file, in the folder of the classifier.
    """
    return folder / "alike"


def encode_index(index: Index) -> bytes:
    """
    Write it as the content of a file.
    """
    header = {"format": FORMAT, "texts": len(index.texts), "things": len(index.things)}
    text = json.dumps(header).encode("ascii")
    text += b" " * (-len(text) % 8)
    body = b"".join(
        padded(array.astype(kind))
        for array, kind in (
            (index.texts.spam, "<u4"),
            (index.texts.ham, "<u4"),
            (index.texts.days, "<u2"),
            (index.sketches, "<u4"),
            (index.bands, "<u8"),
            (index.entries, "<u4"),
            (index.numbers, "<u8"),
            (index.things.spam, "<u4"),
            (index.things.ham, "<u4"),
            (index.things.days, "<u2"),
        )
    )
    checksum = crc32(body, crc32(text))
    return b"".join(
        (MAGIC, len(text).to_bytes(4, "little"), checksum.to_bytes(4, "little"), text, body)
    )


def load_index(path: Path, files: IFiles) -> Index:
    """
    Map a file into memory.

    @raise FileNotFoundError: there is none.
    @raise Unusable: what is there cannot be read; the words name the file.
    """
    try:
        return decode_index(map_file(path, files))
    except Unusable as error:
        raise Unusable(f"{path}: {error}") from error


def decode_index(content: bytes | mmap.mmap) -> Index:
    """
    Read the content of a file; the arrays refer to it.

    @raise Unusable: it cannot be read.
    """
    if content[: len(MAGIC)] != MAGIC:
        raise Unusable("this is no file of texts that were learned by mailgate")
    view = memoryview(content)
    length = int.from_bytes(view[len(MAGIC) : len(MAGIC) + 4], "little")
    if crc32(view[_FIXED:]) != int.from_bytes(view[len(MAGIC) + 4 : _FIXED], "little"):
        raise Unusable("the file is damaged: its checksum is wrong")
    try:
        header = json.loads(bytes(view[_FIXED : _FIXED + length]))
        if header["format"] != FORMAT:
            raise Unusable("another version has written it; the hub writes it anew at its start")
        texts, things = header["texts"], header["things"]
        arrays = Arrays(view, _FIXED + length)
        return Index(
            Tally(arrays.take("<u4", texts), arrays.take("<u4", texts), arrays.take("<u2", texts)),
            arrays.take("<u4", texts * PLACES).reshape(-1, PLACES),
            arrays.take("<u8", texts * _BANDS),
            arrays.take("<u4", texts * _BANDS),
            arrays.take("<u8", things),
            Tally(
                arrays.take("<u4", things), arrays.take("<u4", things), arrays.take("<u2", things)
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unusable(f"the file does not hold what it should ({error!r})") from error
