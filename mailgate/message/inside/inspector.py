"""
Looks into the files of one message, at a bounded cost: what is simple at once, and what needs a
parser of somebody else is kept for the sandbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice

from attrs import define, field, frozen

from mailgate.config.forbidden import FileType
from mailgate.message.filename import extensions, forms
from mailgate.message.inside.office import look_at_rtf, look_at_table
from mailgate.message.inside.page import PAGE_LIMIT, look_at_page
from mailgate.message.inside.pdf import look_at_pdf
from mailgate.message.inside.picture import picture_size
from mailgate.message.inside.shortcut import look_at_shortcut
from mailgate.message.inside.signs import Look
from mailgate.message.urls import links_in

FILES_LIMIT = 200
"""How many files are looked into."""

SPECIMENS = 20
"""How many are kept for the sandbox, of which at most half are pictures."""

SPECIMEN_BYTES = 32 * 1024 * 1024
"""Bytes of all of them together."""

PICTURE_BYTES = 4 * 1024 * 1024
PICTURE_SIDE = 50
"""Pixels that each side of a picture must have for a code to be in it."""

PICTURE_PIXELS = 16_000_000
MEMBER_BYTES = 4 * 1024 * 1024
"""Bytes that are looked at of a file in a document."""

_TEXT_BYTES = 128 * 1024
_TEXT_LINKS = 50

_PAGES = frozenset({"htm", "html", "xhtml", "xht", "shtml", "svg", "mht", "mhtml", "hta"})
_PAGE_CLAIMS = ("text/html", "image/svg", "application/xhtml")
_PAGE_TYPES = frozenset({FileType.HTML, FileType.HTML_APPLICATION})
_TABLES = frozenset({"csv", "tsv", "slk"})
_NOTES = frozenset({"ics", "vcs", "vcf", "ifb", "txt", "md"})
_ARCHIVES = frozenset(
    {
        FileType.SEVEN_ZIP,
        FileType.RAR,
        FileType.CAB,
        FileType.LHA,
        FileType.DISK_IMAGE,
        FileType.XZ,
        FileType.BZIP2,
        FileType.ZSTANDARD,
    }
)
"""Those that nothing of ours opens."""

_TEXTS = frozenset({FileType.TEXT, FileType.UNKNOWN, FileType.WINDOWS_SCRIPT})


class Parser(StrEnum):
    """
    Whose work it is to look into a file.
    """

    OFFICE = "office"
    LOCKED_ZIP = "locked-zip"
    PDF = "pdf"
    PICTURE = "picture"
    ARCHIVE = "archive"


@frozen
class Specimen:
    """
    A file for the sandbox.
    """

    parser: Parser
    data: bytes
    path: tuple[str, ...]
    """As in L{Sign<mailgate.message.inside.signs.Sign>}."""

    place: int
    """The place of the file among those of the message."""


@define(eq=False)
class Inspector:
    """
    Looks into the files of one message. Never raises.
    """

    look: Look = field(factory=Look)
    specimens: list[Specimen] = field(factory=list)
    is_full: bool = False
    """Whether there was more than is looked into."""

    _left: int = FILES_LIMIT
    _pictures_left: int = SPECIMENS // 2
    _bytes_left: int = SPECIMEN_BYTES

    def open(
        self, data: bytes, names: Sequence[str], kind: FileType, claimed: str, place: Place
    ) -> Iterator[bytes]:
        """
        Look into a file that is there as a whole.

        @return: what lies in it and shall be taken up as a file.
        """
        way = way_of(names, kind, claimed)
        if way is None:
            return
        if self._left <= 0:
            self.is_full = True
            return
        self._left -= 1
        path = place.path
        if way == "page":
            yield from look_at_page(data, self.look, path, place.limit)
        elif way == "pdf":
            if look_at_pdf(data, self.look, path):
                self.keep(Specimen(Parser.PDF, data, path, place.number))
        elif way == "picture":
            self._picture(data, place)
        elif way == "archive":
            self.keep(Specimen(Parser.ARCHIVE, data, path, place.number))
        elif way == "rtf":
            look_at_rtf(data, self.look, path)
        elif way == "shortcut":
            look_at_shortcut(data[:_TEXT_BYTES], self.look, path)
        elif way == "table":
            look_at_table(data[: 4 * _TEXT_BYTES], self.look, path)
        else:
            self._text(data[:_TEXT_BYTES])

    def keep(self, specimen: Specimen) -> None:
        """
        Keep a file for the sandbox.
        """
        if any(each.data == specimen.data for each in self.specimens):
            return  # The message can be read in several ways, and each has found it.
        if len(self.specimens) >= SPECIMENS or len(specimen.data) > self._bytes_left:
            # A picture more is no gap: senders of newsletters have dozens.
            self.is_full = self.is_full or specimen.parser is not Parser.PICTURE
            return
        self._bytes_left -= len(specimen.data)
        self.specimens.append(specimen)

    def _picture(self, data: bytes, place: Place) -> None:
        size = picture_size(data)
        if size is None or self._pictures_left <= 0 or len(data) > PICTURE_BYTES:
            return
        width, height = size
        if min(size) >= PICTURE_SIDE and width * height <= PICTURE_PIXELS:
            self._pictures_left -= 1
            self.keep(Specimen(Parser.PICTURE, data, place.path, place.number))

    def _text(self, data: bytes) -> None:
        """
        Find the links in a text: an invitation, a card, a note.
        """
        # Long lines of invitations are folded (RFC 5545 section 3.1).
        text = data.replace(b"\r\n ", b"").replace(b"\n ", b"").decode("utf-8", "replace")
        for link in islice(links_in(text), _TEXT_LINKS):
            self.look.lead(link)


@frozen
class Place:
    """
    Where a file is.
    """

    number: int
    """Among all files of the message."""

    path: tuple[str, ...]
    limit: int
    """How many bytes may be taken out of it."""


def way_of(names: Iterable[str], kind: FileType, claimed: str) -> str | None:
    """
    Say as what a file is looked into, or C{None} where it is not.
    """
    if kind in _WAYS:
        return _WAYS[kind]
    if kind not in _TEXTS:
        return None
    if claimed.startswith(_PAGE_CLAIMS):
        return "page"
    ends = {pieces[-1] for name in names for form in forms(name) if (pieces := extensions(form))}
    if not ends.isdisjoint(_PAGES):
        return "page"
    if not ends.isdisjoint(_TABLES):
        return "table"
    if claimed.startswith("text/") or not ends.isdisjoint(_NOTES):
        return "text"
    return None


_WAYS = {
    **dict.fromkeys(_PAGE_TYPES, "page"),
    FileType.PDF: "pdf",
    FileType.IMAGE: "picture",
    FileType.RTF: "rtf",
    FileType.SHORTCUT: "shortcut",
    **dict.fromkeys(_ARCHIVES, "archive"),
}
READ_WHOLE = {
    "page": PAGE_LIMIT,
    "pdf": SPECIMEN_BYTES,
    "picture": PICTURE_BYTES,
    "rtf": PAGE_LIMIT,
    "archive": SPECIMEN_BYTES,
    "table": 4 * _TEXT_BYTES,
    "shortcut": _TEXT_BYTES,
    "text": _TEXT_BYTES,
}
"""How many bytes of a file in an archive are unpacked to look into it."""
