"""
All readings of a message: what each mail program that may open it could see there.

Of a message that is strictly regular there is one. Of any other it is read again: by the last of
several fields, by whatever looks like a boundary, with a header section that ends early, with
every CR and LF as the end of a line, without believing any boundary, and by Python's own parser.
All that they find is looked at by the checks of attachments; where they differ is told in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from hashlib import blake2b

from attrs import evolve, field, frozen

from mailgate.config.forbidden import FileType
from mailgate.message.embedded import embedded, may_hold
from mailgate.message.encoding import decode_body
from mailgate.message.filetype import DEEP, HEAD, file_type
from mailgate.message.mime.guess import guess
from mailgate.message.mime.manner import CLEAN, EARLY, LAST, LOOSE, USUAL, Manner
from mailgate.message.mime.parts import Limits, Parsed, Part, decoded
from mailgate.message.mime.reader import read
from mailgate.message.mime.regular import last_extension
from mailgate.message.mime.stdlib import can_be_read, read_stdlib

_BEGINNING = 256
_BINARY = re.compile("[\0-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f\N{REPLACEMENT CHARACTER}]")
"""What stands in no text, but in the first characters of most files that are none."""

_DIFFERENCES = 10
"""How many are told."""

_SLICE = 64 * 1024

_EMBEDDED_BYTES = 32 * 1024 * 1024
"""Of files within text that are decoded, in all."""

_MORE = "there are more files within the text than are read"
_GUESSING = "one that looks for files and believes no boundary"
_STDLIB = "Python's own parser"


@frozen
class Enclosed:
    """
    An attachment, and the bytes that it stands in.
    """

    part: Part
    data: bytes = field(repr=False)

    def decoded(self, limit: int) -> bytes:
        """
        Decode its beginning, to at most C{limit} bytes.
        """
        return decoded(self.part, self.data, limit)

    @cached_property
    def type(self) -> FileType:
        """
        Say what it is by its content.
        """
        kind = file_type(self.decoded(HEAD))
        if kind is FileType.UNKNOWN and self.part.size > HEAD:
            kind = file_type(self.decoded(DEEP))
        return kind

    @cached_property
    def extensions(self) -> frozenset[str]:
        """
        Give the last extensions of its names.
        """
        names = [name for name in self.part.names if not name.startswith("=?")]
        return frozenset(map(last_extension, names or self.part.names or ("",)))

    @property
    def place(self) -> object:
        """
        Give what is the same only for what is there at the same place.
        """
        return id(self.data), self.part.begin, self.part.end, self.part.encoding

    @cached_property
    def digest(self) -> bytes:
        """
        Give what is the same only for what has the same content.
        """
        return blake2b(self.decoded(len(self.data)).strip(), digest_size=16).digest()

    def with_names(self, names: Iterable[str]) -> Enclosed:
        """
        Give it with more names.
        """
        more = dict.fromkeys((*self.part.names, *names))
        if len(more) == len(self.part.names):
            return self
        return Enclosed(evolve(self.part, names=tuple(more)), self.data)

    @cached_property
    def marks(self) -> frozenset[tuple[str, str]]:
        """
        Give what it has in common with another one that is named and made like it.
        """
        if self.part.type.startswith("message/"):
            return frozenset(((self.part.type, ""),))
        return frozenset((self.type.value, extension) for extension in self.extensions)


@frozen(eq=False)
class Reading:
    """
    What one kind of program finds.
    """

    words: str
    """Which one it is, in words."""

    enclosed: tuple[Enclosed, ...]
    """The attachments."""

    parsed: Parsed | None = None
    """All that it finds, where it finds more than attachments."""

    is_whole: bool = True
    """Whether it would find all that is there, so that it means something when it does not."""


@frozen
class Difference:
    """
    An attachment that is not the same for all programs.
    """

    enclosed: Enclosed
    words: str
    """Who sees it or who does not, as it stands behind its name."""


@frozen(eq=False)
class Readings:
    """
    A message in all its readings, the usual one first.
    """

    parsed: Parsed
    """The usual one."""

    all: tuple[Reading, ...]
    files: tuple[Enclosed, ...] = ()
    """Those that stand within its text, which some programs show as attached."""

    failures: tuple[str, ...] = ()
    """Which readings came to no end or found more than is read, each a clause."""

    def work_out(self) -> None:
        """
        Make what is made when it is first asked for, where it may take its time: in a thread.
        """
        for each in self.enclosed:
            _ = each.type
        _ = self.differences, self.hidden_texts

    @cached_property
    def enclosed(self) -> tuple[Enclosed, ...]:
        """
        Give the attachments of all readings, each once.
        """
        if len(self.all) == 1 and not self.files:
            return self.all[0].enclosed
        found = list(self.all[0].enclosed)
        places: dict[object, int] = {}
        for place, each in enumerate(found):
            places.setdefault(each.place, place)
            if len(self.all) > 1:
                places.setdefault(each.digest, place)
        others = (each for reading in self.all[1:] for each in reading.enclosed)
        for each in (*others, *self.files):
            same = places.get(each.place)
            if same is None:
                same = places.get(each.digest)
            if same is None:
                places[each.digest] = len(found)
                found.append(each)
            else:
                found[same] = found[same].with_names(each.part.names)
            places[each.place] = len(found) - 1 if same is None else same
        return tuple(found)

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """
        Say in which attachments the readings differ: there or not, their extension, their type.
        """
        usual, *others = self.all
        found: dict[tuple[bool, str, FileType], tuple[Enclosed, list[str]]] = {}
        for reading in others:
            missing = [(True, each) for each in _missing(reading.enclosed, usual.enclosed)]
            if reading.is_whole:
                missing += [(False, each) for each in _missing(usual.enclosed, reading.enclosed)]
            for is_there, each in missing:
                key = (is_there, each.part.name, each.type)
                words = found.setdefault(key, (each, []))[1]
                if reading.words not in words:
                    words.append(reading.words)
        differences = [
            Difference(each, f"is {'' if is_there else 'not '}there for {', for '.join(words)}")
            for (is_there, _, _), (each, words) in found.items()
        ]
        differences += [
            Difference(each, "has names with different extensions")
            for each in usual.enclosed
            if len(each.extensions) > 1
        ]
        return tuple(differences[:_DIFFERENCES])

    @cached_property
    def hidden_texts(self) -> tuple[str, ...]:
        """
        Give the text that other readings show and the usual one does not.
        """
        shown = "\n".join(text.characters for text in self.parsed.texts)
        found: dict[str, None] = {}
        for reading in self.all[1:]:
            for text in reading.parsed.texts if reading.parsed else ():
                # No program shows what has no header section behind the last part.
                fields = reading.parsed.parts[text.index].headers.fields if reading.parsed else {}
                words = text.characters.strip()
                if words and "content-type" in fields and words not in shown:
                    found[words] = None
        return tuple(found)


def _missing(some: Sequence[Enclosed], others: Sequence[Enclosed]) -> Iterator[Enclosed]:
    """
    Give those that have none like them among others.

    What says that it has parts, but not how they are separated, is nothing that is attached.
    """
    marks = frozenset().union(*(each.marks for each in others))
    for each in some:
        if not each.part.type.startswith("multipart/") and marks.isdisjoint(each.marks):
            yield each


def is_simple(parsed: Parsed) -> bool:
    """
    Tell whether the usual reading is all that there is to see.
    """
    if not parsed.is_regular:
        return False
    for text in parsed.texts:
        if may_hold(text.characters) or _BINARY.search(text.characters, 0, _BEGINNING):
            return False
    return True


def simple(parsed: Parsed, data: bytes) -> Readings:
    """
    Give the readings of a message for which L{is_simple} holds.
    """
    return Readings(parsed, (_reading(USUAL, parsed, data),))


def read_all(data: bytes, parsed: Parsed | None = None, limits: Limits | None = None) -> Readings:
    """
    Read a message in every way. Never raises; linear in the size of C{data}.

    @param parsed: the usual reading, where it is there already.
    """
    limits = limits or Limits()
    parsed = parsed or read(data, limits)
    readings = [_reading(USUAL, parsed, data)]
    files, failures = _files(data, parsed)
    if not parsed.is_regular:
        clean = _clean(data)
        manners = (LAST, EARLY, LOOSE) if clean is data else (CLEAN, LAST, EARLY, LOOSE)
        readings += [
            _reading(manner, read(clean, limits, manner=manner), clean) for manner in manners
        ]
        failures += [
            f"{reading.words} reads no more: {flaw[:1].lower()}{flaw[1:].removesuffix('.')}"
            for reading in readings[1:]
            for flaw in (reading.parsed.unread if reading.parsed else ())
            if flaw not in parsed.unread
        ]
        guessed, is_all = guess(clean, limits)
        if not is_all:
            failures.append(f"{_GUESSING} finds more than is read")
        found = tuple(Enclosed(part, clean) for part in guessed)
        readings.append(Reading(_GUESSING, found, is_whole=False))
        more, is_all = _embedded(clean, _EMBEDDED_BYTES)
        files += more
        if not is_all:
            failures.append(_MORE)
        if can_be_read(data):
            try:
                pairs = read_stdlib(data, limits)
            except (RecursionError, ValueError) as error:
                failures.append(f"{_STDLIB} fails ({type(error).__name__})")
            else:
                own = tuple(Enclosed(part, content) for part, content in pairs)
                readings.append(Reading(_STDLIB, own))
    every = Readings(parsed, tuple(readings), tuple(files), tuple(dict.fromkeys(failures)))
    every.work_out()
    return every


def _clean(data: bytes) -> bytes:
    """
    Make CRLF of every line end and take out NUL. (By replacing, which is some ten times as fast as
    a pattern, and in pieces, so that other threads get their turn.)
    """
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + _SLICE
        end += data[end - 1 : end] == b"\r"
        piece = data[at:end].replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        pieces.append(piece.replace(b"\n", b"\r\n"))
        at = end
    clean = b"".join(pieces)
    return data if clean == data else clean


def _reading(manner: Manner, parsed: Parsed, data: bytes) -> Reading:
    enclosed = tuple(Enclosed(part, data) for part in parsed.parts if part.is_attachment)
    return Reading(f"one that {manner.words}", enclosed, parsed)


def _files(data: bytes, parsed: Parsed) -> tuple[list[Enclosed], list[str]]:
    """
    Find the files within the text, and text that is none; say in a clause where there is more.
    """
    files: list[Enclosed] = []
    failures: list[str] = []
    left = _EMBEDDED_BYTES
    for text in parsed.texts:
        part = parsed.parts[text.index]
        raw = data[part.begin : part.end]
        content = decode_body(raw, part.encoding, len(raw))
        kind = file_type(content[:HEAD])
        if kind not in (FileType.TEXT, FileType.HTML, FileType.UNKNOWN, FileType.MESSAGE):
            files.append(Enclosed(part, data))
        written = text.characters.encode("utf-8") if b"\0" in content else content
        found, is_all = _embedded(written, left)
        files += found
        left -= sum(each.part.size for each in found)
        if not is_all:
            failures.append(_MORE)
    return files, failures


def _embedded(text: bytes, limit: int) -> tuple[list[Enclosed], bool]:
    """
    Decode the files within a text, to at most C{limit} bytes, and tell whether these are all.
    """
    files = embedded(text)
    decoded: list[Enclosed] = []
    for file in files.found:
        content = file.content(max(0, min(limit, file.end - file.begin)))
        limit -= len(content)
        names = (file.name,) if file.name else ()
        kind, size = "application/octet-stream", len(content)
        part = Part(1, kind, "attachment", names, size, True, begin=0, end=size)
        decoded.append(Enclosed(part, content))
    return decoded, files.is_whole and limit > 0
