"""
What is inside a message (RFC 2045, 2046, 2183): its parts, its text, its attachments by name.

The reader makes one pass over the bytes, keeps no tree and never raises. Whatever a message
holds more of than L{Limits} allows is not read, and C{flaws} says so in words.
"""

from __future__ import annotations

from binascii import a2b_base64
from quopri import decodestring

from attrs import define, evolve, frozen

from mailgate.message.header import Headers
from mailgate.message.parameters import Value, file_names
from mailgate.message.text import characters, words_of_html


@frozen
class Limits:
    """
    How much of a message is read.
    """

    depth: int = 20
    """Parts within parts."""

    parts: int = 500
    text: int = 512 * 1024
    """Characters of text, and bytes of it before they are decoded to characters."""

    header_bytes: int = 256 * 1024
    """Of the header section of one part, and four times as much in all."""

    lines: int = 50_000
    """Lines beginning with two hyphens, each of which might separate parts."""


@frozen
class Part:
    """
    One part of a message, or the whole message where it has none.
    """

    depth: int
    """0 for the message itself."""

    type: str
    """The media type that it claims, in lower case, C{text/plain} where it names none."""

    disposition: str
    """C{attachment}, C{inline} or C{""}: whatever it says, in lower case."""

    names: tuple[str, ...]
    """
    Every reading of its file name, the best first; empty where it has none.

    They come from a stranger: they may hold slashes, control characters and whatever reverses
    the direction of writing. They differ where programs would read them differently.
    """

    size: int
    """Bytes, decoded; of a multipart and of an attached message as it stands."""

    is_attachment: bool
    """Whether it is no container and not shown as text."""

    @property
    def name(self) -> str:
        """
        Give the file name that most programs would show, or C{""}.
        """
        return self.names[0] if self.names else ""


@frozen
class Parsed:
    """
    What was found in a message.
    """

    headers: Headers
    head: str
    """The header section of the message as it stands, as characters."""

    parts: tuple[Part, ...]
    """In their order, containers too."""

    text: str
    """What a reader would be shown: the plain text or, where there is none, that of the HTML."""

    is_from_html: bool
    """Whether (some of) the text was taken out of HTML."""

    is_cut: bool
    """Whether there was more text."""

    flaws: tuple[str, ...]
    """What was wrong or more than is read, each a sentence."""

    @property
    def attachments(self) -> tuple[Part, ...]:
        """
        Give the parts that are attached.
        """
        return tuple(part for part in self.parts if part.is_attachment)


def read(data: bytes, limits: Limits | None = None) -> Parsed:
    """
    Read a message with CRLF line ends. Never raises; linear in the size of C{data}.
    """
    return _Reader(data, limits or Limits()).read()


# -- the walk -----------------------------------------------------------------------------


@define
class _Open:
    """
    A container whose end has not been seen.
    """

    boundary: bytes | None
    """C{None} for an attached message, which ends with what it lies in."""

    depth: int
    begin: int
    index: int
    """Its place among the parts."""

    alternative: int | None
    """Which multipart/alternative it is or lies in."""


@frozen
class _Text:
    """
    A part that is shown as text.
    """

    raw: bytes
    charset: str
    is_html: bool
    alternative: int | None


class _Reader:
    """
    One pass over one message.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._data = data
        self._limits = limits
        self._stack: list[_Open] = []
        self._parts: list[Part] = []
        self._texts: list[_Text] = []
        self._text_left = limits.text
        self._is_cut = False
        self._lines_left = limits.lines
        self._header_left = 4 * limits.header_bytes
        self._flaws: dict[str, None] = {}

    def read(self) -> Parsed:
        top, body = self._headers(0)
        head = self._data[: min(body, self._limits.header_bytes)]
        at = self._entity(top, body)
        while at is not None:
            if len(self._parts) >= self._limits.parts:
                self._flaw(f"It has more than {self._limits.parts} parts; the rest is not read.")
                break
            headers, body = self._headers(at)
            at = self._entity(headers, body)
        self._close(0, len(self._data))
        text, is_from_html = self._text()
        return Parsed(
            top,
            characters(head),
            tuple(self._parts),
            text,
            is_from_html,
            self._is_cut,
            tuple(self._flaws),
        )

    def _flaw(self, sentence: str) -> None:
        self._flaws[sentence] = None

    def _headers(self, at: int) -> tuple[Headers, int]:
        """
        Read the header section at C{at}: what is in it, and where the body begins.
        """
        data = self._data
        window = min(len(data), at + self._limits.header_bytes, at + self._header_left)
        if data.startswith(b"\r\n", at):
            return Headers.parse(b""), at + 2
        end = data.find(b"\r\n\r\n", at, window)
        body = end + 4 if end >= 0 else window
        if end < 0 and window < len(data):
            self._flaw("A header section is longer than is read.")
        separator = self._separator(at, body) if self._stack else None
        if separator is not None:
            body = separator.line
            self._flaw("A part ends within its header section.")
        self._header_left -= body - at
        return Headers.parse(data[at:body]), body

    def _entity(self, headers: Headers, body: int) -> int | None:
        """
        Take note of the part whose body begins at C{body}; say where the next part begins.
        """
        content_type = Value.parse(_first(headers, "content-type"))
        disposition = Value.parse(_first(headers, "content-disposition"))
        if len(headers.values("content-type")) > 1:
            self._flaw("A part says twice of what type it is.")
        kind = content_type.word if "/" in content_type.word else "text/plain"
        depth = self._stack[-1].depth + 1 if self._stack else 0
        alternative = self._stack[-1].alternative if self._stack else None
        names = file_names(disposition, content_type)
        boundary = content_type.get("boundary")[:256].rstrip() or None
        is_multipart = kind.startswith("multipart/") and boundary is not None
        is_container = is_multipart or kind in ("message/rfc822", "message/global")
        if is_container and depth >= self._limits.depth:
            self._flaw(f"Its parts lie more than {self._limits.depth} deep; the rest is not read.")
            is_multipart = is_container = False
        part = Part(depth, kind, disposition.word, names, 0, not is_multipart)
        if is_container:
            if kind == "multipart/alternative":
                alternative = len(self._parts)
            boundary = boundary if is_multipart else None
            self._stack.append(_Open(boundary, depth, body, len(self._parts), alternative))
            self._parts.append(part)
            return self._next(body)[1] if is_multipart else body
        end, following = self._next(body)
        raw = self._data[body:end]
        encoding = _first(headers, "content-transfer-encoding").lower()
        size = _decoded_size(raw, encoding)
        is_html = kind == "text/html"
        if (is_html or kind == "text/plain") and not names and part.disposition != "attachment":
            text = _decoded(raw, encoding, self._text_left)
            self._is_cut = self._is_cut or len(text) == self._text_left < size
            self._text_left -= len(text)
            charset = characters(content_type.get("charset"))
            self._texts.append(_Text(text, charset, is_html, alternative))
            part = evolve(part, is_attachment=False)
        self._parts.append(evolve(part, size=size))
        return following

    # -- separators

    def _next(self, at: int) -> tuple[int, int | None]:
        """
        Find where the part at C{at} ends, and where the next one begins.

        What lies before the first separator and behind the last is passed over.
        """
        end: int | None = None
        while True:
            separator = self._separator(at, len(self._data))
            if separator is None:
                return (len(self._data) if end is None else end), None
            if end is None:
                end = max(at, separator.line - 2)
            self._close(separator.level + (0 if separator.is_last else 1), end)
            at = separator.following
            if not separator.is_last:
                return end, at
            if not self._stack:
                return end, None

    def _separator(self, at: int, stop: int) -> _Separator | None:
        """
        Find the next line from C{at} to C{stop} that is a boundary of an open container.
        """
        data = self._data
        line = at
        if not data.startswith(b"\n--", at - 1):
            line = data.find(b"\n--", at, stop) + 1
        while 0 < line < stop:
            if self._lines_left <= 0:
                self._flaw("Too many lines look like the border of a part.")
                return None
            self._lines_left -= 1
            end = data.find(b"\n", line, line + 320)
            following = end + 1 if end >= 0 else len(data)
            content = data[line + 2 : end if end >= 0 else line + 320].rstrip()
            for level in range(len(self._stack) - 1, -1, -1):
                boundary = self._stack[level].boundary
                if boundary is None or not content.startswith(boundary):
                    continue
                rest = content[len(boundary) :]
                if rest in (b"", b"--"):
                    return _Separator(line, following, level, rest == b"--")
            line = data.find(b"\n--", line, stop) + 1
        return None

    def _close(self, level: int, end: int) -> None:
        """
        End the open containers from C{level} on.
        """
        for ended in self._stack[level:]:
            size = max(0, end - ended.begin)
            self._parts[ended.index] = evolve(self._parts[ended.index], size=size)
        del self._stack[level:]

    # -- the text

    def _text(self) -> tuple[str, bool]:
        """
        Join the texts, leaving out the HTML where its alternative says it plainly.
        """
        decoded = [characters(text.raw, text.charset) for text in self._texts]
        plain = {
            text.alternative
            for text, words in zip(self._texts, decoded, strict=True)
            if not text.is_html and text.alternative is not None and words.strip()
        }
        pieces = []
        is_from_html = False
        left = self._limits.text
        for text, words in zip(self._texts, decoded, strict=True):
            if text.is_html:
                if text.alternative in plain:
                    continue
                words = words_of_html(words, left)
                is_from_html = True
            words = words.replace("\r\n", "\n").strip("\n")[:left]
            left -= len(words)
            if words.strip():
                pieces.append(words)
        return "\n\n".join(pieces), is_from_html


@frozen
class _Separator:
    """
    A line between two parts.
    """

    line: int
    """Its offset."""

    following: int
    level: int
    """The place on the stack of the container that it belongs to."""

    is_last: bool


def _first(headers: Headers, name: str) -> bytes:
    values = headers.values(name)
    return values[0] if values else b""


# -- encodings ----------------------------------------------------------------------------

_NOT_BASE64 = bytes(
    c
    for c in range(256)
    if c not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)
_SLICE = 256 * 1024


def _decoded_size(raw: bytes, encoding: bytes) -> int:
    """
    Count the bytes that C{raw} encodes, in slices, so that other threads get their turn.
    """
    if encoding == b"base64":
        slices = range(0, len(raw), _SLICE)
        letters = sum(len(raw[at : at + _SLICE].translate(None, _NOT_BASE64)) for at in slices)
        return letters * 3 // 4
    if encoding == b"quoted-printable":
        lines = raw.count(b"=\r\n")
        return len(raw) - 3 * lines - 2 * (raw.count(b"=") - lines)
    return len(raw)


def _decoded(raw: bytes, encoding: bytes, limit: int) -> bytes:
    """
    Decode the beginning of C{raw}, to at most C{limit} bytes.
    """
    if encoding == b"base64":
        letters = raw[: limit * 2].translate(None, _NOT_BASE64)
        letters = letters[: len(letters) - (len(letters) % 4 == 1)]
        return a2b_base64(letters + b"=" * (-len(letters) % 4))[:limit]
    if encoding == b"quoted-printable":
        return decodestring(raw[: limit * 3])[:limit]
    return raw[:limit]
