"""
What lies in archives, and in archives in them: names and types, at a bounded cost.

Nothing is ever written anywhere. Whatever is broken, hidden or more than L{Caps} allows is told
in words.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable

from attrs import define, evolve, field, frozen

from mailgate.config.forbidden import FileType
from mailgate.message.archived import kind_of_zip, named_in_gzip, without_end
from mailgate.message.compound import compound_type
from mailgate.message.filename import extensions, forms
from mailgate.message.filetype import DEEP, HEAD, file_type
from mailgate.message.inside.inspector import (
    MEMBER_BYTES,
    READ_WHOLE,
    Inspector,
    Parser,
    Place,
    Specimen,
    way_of,
)
from mailgate.message.inside.office import is_looked_at, look_at_member, look_at_names
from mailgate.message.mime import Limits, Part
from mailgate.message.mime.readings import read_all
from mailgate.message.tar import read_tar
from mailgate.message.tnef import read_tnef
from mailgate.message.zip import Entry, inflate, read_directory, unpack

_OPENED = frozenset({FileType.ZIP, FileType.OFFICE_OLD, FileType.TAR, FileType.GZIP, FileType.TNEF})

_DOCUMENT_NAMES = """
    docx docm dotx dotm xlsx xlsm xltx xltm xlsb xlam pptx pptm potx potm ppsx ppsm ppam vsdx
    odt ods odp odg epub
"""
_DOCUMENTS = frozenset(_DOCUMENT_NAMES.split())
_ARCHIVE_NAMES = "zip zipx jar war ear apk aar xpi crx kmz whl"
_ZIPS = _DOCUMENTS | frozenset(_ARCHIVE_NAMES.split())
"""
The extensions of files that are opened as a zip whatever they begin with, as its directory stands
at the end.
"""

_MESSAGES = frozenset({"eml", "mht", "mhtml", "nws"})
_NOT_ZIP = frozenset(
    {FileType.RAR, FileType.SEVEN_ZIP, FileType.ACE, FileType.CAB, FileType.TEXT, FileType.HTML}
)
_RATIO_FROM = 10 * 1024 * 1024
"""Bytes from which on it counts how well something is packed: a small bomb is none."""

_MESSAGES_OPENED = 20
_INNER = Limits(parts=200, text=4096, header_bytes=32 * 1024, lines=2000)
"""How much is read of a message that is attached as a file, and of how many such."""

_DEEP_LOOKS = 200
"""How many files are looked at as far as the mark of an optical disk."""


@frozen
class Caps:
    """
    How much is read of all archives in a message.
    """

    depth: int = 4
    """Archives within archives: 1 is one that is attached itself. Documents count too."""

    files: int = 10_000
    ratio: int = 200
    """How many times larger than packed a file may be that is larger than 10 MiB."""

    unpacked_bytes: int = 64 * 1024 * 1024


@frozen
class File:
    """
    An attachment, or a file in one.
    """

    names: tuple[str, ...]
    """Every reading of its name, the usual one first; from a stranger."""

    type: FileType = FileType.UNKNOWN
    """By its content, where that can be seen."""

    within: tuple[str, ...] = ()
    """The names of the archives that it lies in, from the outermost on."""

    claimed: str = ""
    """The media type that an attachment claims."""

    is_encrypted: bool = False
    """Whether it, or something in it, can only be read with a password."""


@frozen
class Flaw:
    """
    Why not everything is seen.
    """

    sentence: str
    """What is wrong with an archive, or more in it than is read."""

    within: tuple[str, ...]
    """The names of the archives down to that one."""

    is_bomb: bool = False
    """Whether it is made to become huge."""


@frozen
class _Box:
    """
    A file that is to be opened.
    """

    data: bytes
    file: File
    place: int
    """Among the files."""

    kind: FileType

    @property
    def within(self) -> tuple[str, ...]:
        """
        Say where what is in it lies.
        """
        return _path_of(self.file)


Unpack = Callable[[int], bytes]
"""Unpacks the beginning of a file, to at most so many bytes."""


@define
class Opener:
    """
    Opens the archives of one message. Never raises.
    """

    caps: Caps
    files: list[File] = field(factory=list)
    """All that were found, each archive before what is in it."""

    flaws: dict[Flaw, None] = field(factory=dict)
    inspector: Inspector = field(factory=Inspector)
    """What has looked into them."""

    _bytes_left: int = field(init=False)
    _deep_looks: int = field(init=False, default=_DEEP_LOOKS)
    _messages_left: int = field(init=False, default=_MESSAGES_OPENED)
    _boxes: list[_Box] = field(factory=list, init=False)

    @_bytes_left.default
    def _all_bytes(self) -> int:
        return self.caps.unpacked_bytes

    def open(self, data: bytes, file: File) -> None:
        """
        Take up a file that is attached, what lies in it, what lies in that, and so on.
        """
        self._take(data, file)
        while self._boxes:
            self._open(self._boxes.pop())

    def _take(self, data: bytes, file: File) -> None:
        """
        Take up a file that is there as a whole.
        """
        kind = opened_as(file)
        if kind is not None:
            self._boxes.append(_Box(data, file, len(self.files), kind))
        self.files.append(file)
        self._look_into(data, file)

    def _look_into(self, data: bytes, file: File) -> None:
        """
        Look at what the last of the files would do, and take up what lies in it.
        """
        within = _path_of(file)
        place = Place(len(self.files) - 1, within, self._bytes_left)
        for content in self.inspector.open(data, file.names, file.type, file.claimed, place):
            self._bytes_left -= len(content)
            if len(within) > self.caps.depth:
                sentence = f"Files lie in each other more than {self.caps.depth} deep."
                self.flaws[Flaw(sentence, within)] = None
            elif self._files_left:
                self._take(content, File((), self._type(content), within))

    def _keep(self, parser: Parser, data: bytes, path: tuple[str, ...], place: int) -> None:
        self.inspector.keep(Specimen(parser, data, path, place))

    def _open(self, box: _Box) -> None:
        if box.kind is FileType.OFFICE_OLD:
            self._refine(box, *compound_type(box.data))
            if self.files[box.place].type is not FileType.INSTALLER:
                self._keep(Parser.OFFICE, box.data, box.within, box.place)
        elif len(box.within) > self.caps.depth:
            self._flaw(box, f"Archives lie in each other more than {self.caps.depth} deep.")
        elif box.kind is FileType.ZIP:
            self._open_zip(box)
        elif box.kind is FileType.TAR:
            self._open_tar(box)
        elif box.kind is FileType.TNEF:
            self._open_tnef(box)
        elif box.kind is FileType.MESSAGE:
            self._open_message(box)
        else:
            self._open_gzip(box)

    def _refine(self, box: _Box, kind: FileType, is_encrypted: bool) -> None:
        self.files[box.place] = evolve(box.file, type=kind, is_encrypted=is_encrypted)

    def _flaw(self, box: _Box, sentence: str, is_bomb: bool = False) -> None:
        self.flaws[Flaw(sentence, box.within, is_bomb)] = None

    def _too_much(self, box: _Box) -> None:
        self._flaw(box, f"Unpacked it has more than {self.caps.unpacked_bytes:,} bytes.")

    @property
    def _files_left(self) -> int:
        return max(0, self.caps.files - len(self.files))

    # -- each kind of archive

    def _open_zip(self, box: _Box) -> None:
        directory = read_directory(box.data, self._files_left)
        if not directory.entries and box.file.type is not FileType.ZIP:
            return  # It has the name of a zip, but no program can open it as one.
        for sentence in directory.flaws:
            self._flaw(box, sentence)
        if directory.overlaps:
            self._flaw(box, "Files in it share their bytes, as only in a bomb.", is_bomb=True)
        entries = [entry for entry in directory.entries if not entry.is_folder]
        all_names = {name.lower() for entry in entries for name in entry.names}
        kind = kind_of_zip(all_names)
        is_encrypted = any(entry.is_encrypted for entry in entries)
        self._refine(box, kind, is_encrypted)
        if is_encrypted and not directory.overlaps:
            self._keep(Parser.LOCKED_ZIP, box.data, box.within, box.place)
        if kind in (FileType.OFFICE, FileType.OFFICE_MACROS):
            self._look_into_document(box, entries, all_names)
        is_document = kind is not FileType.ZIP and _has_extension(box.file, _DOCUMENTS)
        for entry in entries:
            file = File(entry.names, within=box.within, is_encrypted=entry.is_encrypted)
            if entry.is_encrypted or directory.overlaps:
                # Opening what shares its bytes would take quadratic time.
                self.files.append(file)
            elif is_document and not _has_extension(file, _ZIPS):
                # What lies in a document is opened by the program of the document only.
                self.files.append(file)
            else:
                self._open_entry(box, entry, file)

    def _look_into_document(self, box: _Box, entries: list[Entry], names: set[str]) -> None:
        """
        Look at what a document since 2007 loads and starts, and at its pictures.
        """
        look_at_names(names, self.inspector.look, box.within)
        if any(name.endswith("vbaproject.bin") for name in names):
            self._keep(Parser.OFFICE, box.data, box.within, box.place)
        for entry in entries:
            name = entry.names[0].lower().replace("\\", "/").lstrip("/") if entry.names else ""
            is_picture = "/media/" in name or name.startswith("pictures/")
            if not (is_picture or is_looked_at(name)) or self._bytes_left <= 0:
                continue
            content = unpack(box.data, entry, min(MEMBER_BYTES, self._bytes_left))
            self._bytes_left -= len(content)
            if is_picture:
                place = Place(box.place, box.within, 0)
                for _ in self.inspector.open(content, (), file_type(content[:HEAD]), "", place):
                    raise AssertionError("nothing lies in a picture")
            else:
                look_at_member(name, content, self.inspector.look, box.within)

    def _open_entry(self, box: _Box, entry: Entry, file: File) -> None:
        if entry.size > max(_RATIO_FROM, entry.packed * self.caps.ratio):
            said = f"A file in it of {entry.packed:,} bytes would become {entry.size:,}."
            self._flaw(box, said, is_bomb=True)
            self.files.append(file)
        elif not entry.can_be_unpacked:
            if opened_as(file) is not None:
                self._flaw(box, "An archive in it is packed in a way that is not read.")
            self.files.append(file)
        else:
            self._unpack(box, file, lambda limit: unpack(box.data, entry, limit), entry.packed)

    def _open_gzip(self, box: _Box) -> None:
        names = dict.fromkeys(
            filter(None, (*named_in_gzip(box.data), *without_end(box.file.names)))
        )
        file = File(tuple(names), within=box.within)

        def unpack_it(limit: int) -> bytes:
            return inflate(box.data, 0, len(box.data), 16 + zlib.MAX_WBITS, limit)

        self._unpack(box, file, unpack_it, len(box.data))

    def _open_tar(self, box: _Box) -> None:
        tar = read_tar(box.data, self._files_left)
        for sentence in tar.flaws:
            self._flaw(box, sentence)
        for entry in tar.entries:
            content = box.data[entry.begin : entry.begin + entry.size]
            if len(content) < entry.size:
                self._flaw(box, "It ends in the middle of a file.")
            self._take(content, File(entry.names, self._type(content), box.within))

    def _open_tnef(self, box: _Box) -> None:
        tnef = read_tnef(box.data, self._files_left)
        for sentence in tnef.flaws:
            self._flaw(box, sentence)
        for each in tnef.files:
            self._take(each.content, File(each.names, self._type(each.content), box.within))

    def _open_message(self, box: _Box) -> None:
        if not self._messages_left:
            self._flaw(box, f"More than {_MESSAGES_OPENED} messages are attached as files.")
            return
        self._messages_left -= 1
        readings = read_all(box.data, limits=_INNER)
        for sentence in readings.parsed.unread:
            self._flaw(box, sentence)
        for each in readings.enclosed[: self._files_left]:
            part = each.part
            content = b"" if is_read(part) else each.decoded(len(each.data))
            self._take(content, File(part.names, self._type(content), box.within, part.type))
        if not self._files_left:
            self._flaw(box, "It holds more files than are read.")

    def _unpack(self, box: _Box, file: File, unpack_it: Unpack, packed: int) -> None:
        """
        Take up a file that must be unpacked to be seen: as a whole only where it is opened.
        """
        if self._bytes_left <= 0:
            self._too_much(box)
            self.files.append(file)
            return
        head = unpack_it(HEAD)
        self._bytes_left -= len(head)
        kind = file_type(head)
        if kind is FileType.UNKNOWN and len(head) == HEAD and self._looks_deep():
            kind = file_type(unpack_it(DEEP))
        file = evolve(file, type=kind)
        way = way_of(file.names, file.type, file.claimed)
        if opened_as(file) is None:
            self.files.append(file)
            if way is not None:
                content = unpack_it(max(0, min(READ_WHOLE[way], self._bytes_left)))
                self._bytes_left -= len(content)
                self._look_into(content, file)
            return
        content = unpack_it(self._bytes_left + 1)
        self._bytes_left -= len(content)
        if len(content) > max(_RATIO_FROM, packed * self.caps.ratio):
            said = f"{packed:,} bytes in it become {len(content):,} or more."
            self._flaw(box, said, is_bomb=True)
            self.files.append(file)
            return
        if self._bytes_left < 0:
            self._too_much(box)
        self._take(content, file)

    def _type(self, content: bytes) -> FileType:
        kind = file_type(content[:HEAD])
        if kind is FileType.UNKNOWN and len(content) > HEAD and self._looks_deep():
            kind = file_type(content[:DEEP])
        return kind

    def _looks_deep(self) -> bool:
        self._deep_looks -= 1
        return self._deep_looks >= 0


def is_read(part: Part) -> bool:
    """
    Tell whether what is in a part has been read with the message that it lies in: it is an
    attached message, as it should be, without an encoding of its own (RFC 2046 section 5.2.1).
    """
    is_message = part.type in ("message/rfc822", "message/global")
    return is_message and part.encoding not in ("base64", "quoted-printable")


def opened_as(file: File) -> FileType | None:
    """
    Say as what a file is opened, or C{None} where it is not.
    """
    if file.type in _OPENED:
        return file.type
    if file.type in (FileType.MESSAGE, FileType.TEXT):
        is_message = file.claimed.startswith("message/") or _has_extension(file, _MESSAGES)
        return FileType.MESSAGE if is_message else None
    if file.type not in _NOT_ZIP and _has_extension(file, _ZIPS):
        return FileType.ZIP
    return None


def last_extensions(names: Iterable[str]) -> set[str]:
    """
    Give what decides with which program a file is opened, by every reading of its name.
    """
    found = (extensions(form) for name in names for form in forms(name))
    return {pieces[-1] for pieces in found if pieces}


def _path_of(file: File) -> tuple[str, ...]:
    """
    Give the name of a file behind those of the archives in which it lies.
    """
    return (*file.within, file.names[0] if file.names else "")


def _has_extension(file: File, among: frozenset[str]) -> bool:
    return not among.isdisjoint(last_extensions(file.names))
