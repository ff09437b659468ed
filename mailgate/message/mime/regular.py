"""
When a message is I{strictly regular}: all mail programs read the same parts, types and names.

It is when all of this holds for it and for each of its parts.

  - Its header section (RFC 5322 section 2.2) consists of fields with names of printable ASCII, of
    the lines that go on with them, none of which is blank, and of CRLF; there is no NUL.
  - Content-Type, Content-Disposition and Content-Transfer-Encoding stand there at most once each,
    and follow the grammar of RFC 2045 section 5.1: tokens and quoted strings, no comments, each
    parameter once. A semicolon at the end is allowed, as many programs write it.
  - The encoding is C{7bit}, C{8bit}, C{binary}, C{quoted-printable} or C{base64}; around other
    parts, one of the first three. Base64 has letters and line ends, and padding at its end only.
  - A boundary has 1 to 70 of the characters of RFC 2046 section 5.1.1 without the space, and stands
    nowhere in the message but in its own field and in its own lines, which are exactly as they
    must be; the last of them is there.
  - Before the first boundary and behind the last one stand short texts at most, that do not look
    like parts.
  - All names of a file end with the same extension, without white space in it. A name in pieces
    (RFC 2231 section 3) has them from 0 on, in their order.
  - No text begins like a header section, no part is to be fetched from elsewhere, and none is a
    message of an unknown kind.
  - Nothing is more than is read.
"""

from __future__ import annotations

import re

from mailgate.message.filename import extensions, forms
from mailgate.message.header import Headers
from mailgate.message.parameters import Value

CONTAINERS = 20
"""How many containers are looked at so closely; programs write a handful."""

_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=?-]{1,70}")
_ENCODINGS = frozenset(("", "7bit", "8bit", "binary", "quoted-printable", "base64"))
_PLAIN = frozenset(("", "7bit", "8bit", "binary"))
_QUIET = 1024
_LIKE_PART = re.compile(rb"content-|(?:^|[\r\n])(?:begin |=ybegin )", re.IGNORECASE)
_MESSAGES = frozenset(("message/rfc822", "message/global", "message/partial"))
REPORTS = frozenset(
    f"message/{kind}"
    for kind in (
        "delivery-status",
        "disposition-notification",
        "feedback-report",
        "global-delivery-status",
        "global-disposition-notification",
    )
)
"""Types that are fields for programs (RFC 3464, 5965, 6533, 8098), and no messages with parts."""

_KNOWN = _MESSAGES | REPORTS
_SPACE = re.compile(r"\s")
_PIECE = re.compile(r"(?:file)?name\*(\d+)\*?", re.ASCII)
FIELDS = ("content-type", "content-disposition", "content-transfer-encoding")


def of_fields(
    headers: Headers, values: tuple[Value, Value, Value], names: tuple[str, ...]
) -> list[str]:
    """
    Say what is not regular in the header section of a part.

    @param values: those of L{FIELDS}, as most programs read them.
    """
    doubts = [headers.oddity] if headers.oddity else []
    fields = headers.fields
    for name, value in zip(FIELDS, values, strict=True):
        if name in fields:
            if len(fields[name]) > 1:
                doubts.append(f"there are {len(fields[name])} fields {name}")
            if not value.is_regular:
                doubts.append(f"the field {name} is not as it must be written")
    kind, disposition, encoding = values
    if encoding.word not in _ENCODINGS:
        doubts.append("the encoding of a part is none that mail programs know")
    if encoding.word not in _PLAIN and kind.word.startswith(("multipart/", "message/")):
        doubts.append("what holds other parts is encoded itself")
    if kind.word == "message/external-body":
        doubts.append("a part is to be fetched from elsewhere")
    elif kind.word.startswith("message/") and kind.word not in _KNOWN:
        doubts.append("a part is a message of a kind that not all programs know")
    if kind.is_extended or disposition.is_extended:
        if not (_are_in_order(kind) and _are_in_order(disposition)):
            doubts.append("a name is in pieces that do not follow each other")
    if names:
        if len(names) > 1 and are_different(names):
            doubts.append("a file has names with different extensions")
        if any(_SPACE.search(last_extension(name)) for name in names):
            doubts.append("the extension of a file has white space in it")
    return doubts


def is_boundary(boundary: bytes) -> bool:
    """
    Tell whether it is one that all programs take as it stands.
    """
    return _BOUNDARY.fullmatch(boundary) is not None


def begins_like_part(data: bytes, begin: int) -> bool:
    """
    Tell whether a text begins with what looks like the header section of a part.
    """
    return data[begin : begin + 16].lstrip()[:8].lower() == b"content-"


def is_quiet(data: bytes, begin: int, end: int) -> bool:
    """
    Tell whether what stands before the first boundary, or behind the last one, is short and does
    not look like a part.
    """
    if end - begin <= 2:
        return True
    return end - begin <= _QUIET and _LIKE_PART.search(data[begin:end]) is None


def are_different(names: tuple[str, ...]) -> bool:
    """
    Tell whether files with these names would be opened in different ways.
    """
    # An encoded word is decoded by all programs that people use; how it stands there decides
    # nothing where there is another reading.
    decoded = [name for name in names if not name.startswith("=?")] or names
    return len({last_extension(name) for name in decoded}) > 1


def last_extension(name: str) -> str:
    """
    Give the last extension of a name, or C{""}: what most computers open the file by.
    """
    pieces = extensions((forms(name) or ("",))[-1])
    return pieces[-1] if pieces else ""


def _are_in_order(value: Value) -> bool:
    pieces = [_PIECE.fullmatch(name) for name, _ in value.parameters if "*" in name]
    numbers = [int(piece[1][:4]) for piece in pieces if piece is not None]
    return numbers == list(range(len(numbers)))
