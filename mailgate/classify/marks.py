"""
By what a message is known again that comes with other words in a few places, or in another frame:
its text, the structure of its pages, and the files that it brings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256

from attrs import frozen

from mailgate.classify.reading import read
from mailgate.classify.shingles import PLACES, sketch
from mailgate.interfaces import Marks
from mailgate.message.mime import Parsed, Part
from mailgate.message.mime.parts import decoded
from mailgate.message.urls import Link

SKETCH_BYTES = 4 * PLACES

LEAST_TAGS = 40
"""Pages with fewer tags have no structure: simple ones are alike anywhere."""

LEAST_IMAGE = 32 * 1024
"""Bytes; smaller pictures are logos and icons, which good mail has too."""

LEAST_FILE = 512
MOST_FILE = 512 * 1024
"""Bytes as encoded. Larger ones are not compared."""

MOST_FILES = 20

_CUT_AT = 1024 * 1024
"""Of a longer message only the beginning may be there."""

_TAGS_IN = 32 * 1024
"""Characters of HTML in which tags are looked for."""

_PARTS = 50
_LINKS = 30
_TAG = re.compile(r"<([a-zA-Z][a-zA-Z0-9]*)")
_WORD = re.compile(r"[^\W_]+")


@frozen(eq=False)
class Attached:
    """
    A file that is compared.
    """

    part: Part
    data: bytes
    """The message."""

    @property
    def size(self) -> int:
        """
        Give its bytes, as encoded.
        """
        return self.part.end - self.part.begin

    @property
    def mark(self) -> int:
        """
        Give the number for its content.
        """
        return _number(decoded(self.part, self.data, MOST_FILE))


def marks_of(parsed: Parsed, data: bytes) -> Marks:
    """
    Give all marks of a message. Never raises.

    @param data: the message, or its beginning.
    """
    text = sketch(parsed.once(read).body.hashes)
    return Marks(
        b"" if text is None else text.astype("<u4").tobytes(),
        structure_of(parsed),
        tuple(sorted({each.mark for each in attached(parsed, data)})),
    )


def structure_of(parsed: Parsed) -> int:
    """
    Give the number for the shape of a message: its parts, the tags of its pages one after the
    other, and how its links are built.

    @return: 0 where there is too little of it.
    """
    pages = [text.characters for text in parsed.texts if text.is_html]
    if not pages:
        return 0
    tags = _TAG.findall("\n".join(pages)[:_TAGS_IN])
    if len(tags) < LEAST_TAGS:
        return 0
    parts = [f"{part.depth} {part.type}" for part in parsed.parts[:_PARTS]]
    links = dict.fromkeys(map(_built, parsed.once(read).web[:_LINKS]))
    shape = "\n".join((" ".join(parts), " ".join(tags).lower(), " ".join(links)))
    return _number(shape.encode("utf-8", "replace"))


def attached(parsed: Parsed, data: bytes) -> Iterator[Attached]:
    """
    Give the files that are compared.

    @param data: the message, or its beginning.
    """
    for part in parsed.attachments[:MOST_FILES]:
        least = LEAST_IMAGE if part.type.startswith("image/") else LEAST_FILE
        each = Attached(part, data)
        # Of a file at the end of a beginning it is not known how it goes on.
        is_whole = part.end < len(data) or len(data) < _CUT_AT
        if part.size >= least and each.size <= MOST_FILE and is_whole:
            yield each


def _built(link: Link) -> str:
    """
    Give how a link is built, which is the same with the name or number of somebody else in it.
    """
    return f"{len(link.labels)}{_WORD.sub('w', link.path[:200])}?{len(link.query)}"


def _number(content: bytes) -> int:
    """
    Give a number of 64 bits that is not 0.
    """
    return int.from_bytes(sha256(content).digest()[:8], "big") or 1
