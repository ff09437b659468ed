"""
What is inside a message (RFC 2045, 2046, 2183): its parts, its text, its attachments by name.

The reader makes one pass over the bytes, keeps no tree and never raises. Whatever a message
holds more of than L{Limits} allows is not read, and C{flaws} says so in words.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from attrs import define, field, frozen

from mailgate.message.encoding import decode_body, decoded_size
from mailgate.message.header import Headers
from mailgate.message.parameters import VALUE_LIMIT, Value, file_names
from mailgate.message.shown import shown
from mailgate.message.text import characters


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

    names: int = 50
    """Readings of the file name of one part."""


_NO_HEADERS = Headers({}, 0)

_VALUES_READ = 10
"""How many fields of a kind are searched for file names where one is allowed."""


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

    headers: Headers = field(default=_NO_HEADERS, eq=False, repr=False)
    """Its own."""

    encoding: str = field(default="", eq=False)
    """Its Content-Transfer-Encoding in lower case, or C{""} where it names none."""

    begin: int = field(default=0, eq=False)
    """Where its body begins in the message, as it stands there."""

    end: int = field(default=0, eq=False)
    """Where its body ends."""

    @property
    def name(self) -> str:
        """
        Give the file name that most programs would show, or C{""}.
        """
        return self.names[0] if self.names else ""


@frozen
class TextPart:
    """
    What a part says that is shown as text.
    """

    characters: str
    """As many as L{Limits} allows, decoded by its encoding and charset; of HTML the source."""

    is_html: bool
    index: int
    """The place of the part among all parts."""

    charset: str
    """As the part names it, or C{""}."""

    encoding: str
    """As in L{Part}."""

    alternative: int | None = None
    """The place of the multipart/alternative that it lies in, or C{None}."""


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

    texts: tuple[TextPart, ...]
    """All that is shown as text, in its order: of an alternative both, the plain and the HTML."""

    is_cut: bool
    """Whether there was more text."""

    flaws: tuple[str, ...]
    """What was wrong or more than is read, each a sentence."""

    unread: tuple[str, ...]
    """Those flaws that say that some parts are not read, or not to their end."""

    _text_limit: int

    @property
    def text(self) -> str:
        """
        Give what a reader would be shown: the plain text or, where there is none, that of the
        HTML. It is put together when it is first asked for.
        """
        return self._shown[0]

    @property
    def is_from_html(self) -> bool:
        """
        Tell whether (some of) the text was taken out of HTML.
        """
        return self._shown[1]

    @cached_property
    def _shown(self) -> tuple[str, bool]:
        return shown(self.texts, self._text_limit)

    @property
    def attachments(self) -> tuple[Part, ...]:
        """
        Give the parts that are attached.
        """
        return tuple(part for part in self.parts if part.is_attachment)


def read(data: bytes, limits: Limits | None = None, headers: Headers | None = None) -> Parsed:
    """
    Read a message with CRLF line ends. Never raises; linear in the size of C{data}.

    @param headers: those of the message, where they have been read already.
    """
    return _Reader(data, limits or Limits()).read(headers)


def decoded(part: Part, data: bytes, limit: int) -> bytes:
    """
    Decode the beginning of a part of the message C{data}, to at most C{limit} bytes.

    What is no base64 in base64 is passed over. Never raises.
    """
    return decode_body(data[part.begin : part.end], part.encoding, limit)


_LONG = "A header section is longer than is read."


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

    part: Callable[[int, bool, int], Part]
    """Makes the part of it, once its size and its end are known."""

    alternative: int | None
    """Which multipart/alternative it is or lies in."""


class _Reader:
    """
    One pass over one message.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._data = data
        self._limits = limits
        self._stack: list[_Open] = []
        self._parts: list[Part] = []
        self._texts: list[TextPart] = []
        self._text_left = limits.text
        self._is_cut = False
        self._lines_left = limits.lines
        self._header_left = 4 * limits.header_bytes
        self._flaws: dict[str, bool] = {}

    def read(self, headers: Headers | None) -> Parsed:
        if headers is None:
            top, body = self._headers(0)
        else:
            top, body = self._given(headers)
        head = self._data[: min(body, self._limits.header_bytes)]
        at = self._entity(top, body)
        while at is not None:
            if len(self._parts) >= self._limits.parts:
                self._flaw(f"It has more than {self._limits.parts} parts; the rest is not read.")
                break
            headers, body = self._headers(at)
            at = self._entity(headers, body)
        self._close(0, len(self._data))
        return Parsed(
            top,
            characters(head),
            tuple(self._parts),
            tuple(self._texts),
            self._is_cut,
            tuple(self._flaws),
            tuple(flaw for flaw, is_unread in self._flaws.items() if is_unread),
            self._limits.text,
        )

    def _flaw(self, sentence: str, is_unread: bool = True) -> None:
        self._flaws[sentence] = is_unread

    def _given(self, headers: Headers) -> tuple[Headers, int]:
        body = headers.end
        self._header_left -= body
        has_ended = body == 2 or self._data[max(0, body - 4) : body] == b"\r\n\r\n"
        if body < len(self._data) and not has_ended:
            self._flaw(_LONG)
        return headers, body

    def _headers(self, at: int) -> tuple[Headers, int]:
        """
        Read the header section at C{at}: what is in it, and where the body begins.
        """
        data = self._data
        window = min(len(data), at + self._limits.header_bytes, at + self._header_left)
        if data.startswith(b"\r\n", at):
            return Headers.parse(b"\r\n"), at + 2
        end = data.find(b"\r\n\r\n", at, window)
        body = end + 4 if end >= 0 else window
        if end < 0 and window < len(data):
            self._flaw(_LONG)
        separator = self._separator(at, body) if self._stack else None
        if separator is not None:
            body = separator.line
            self._flaw("A part ends within its header section.", is_unread=False)
        self._header_left -= body - at
        return Headers.parse(data[at:body]), body

    def _entity(self, headers: Headers, body: int) -> int | None:
        """
        Take note of the part whose body begins at C{body}; say where the next part begins.
        """
        content_type = Value.parse(_first(headers, "content-type"))
        disposition = Value.parse(_first(headers, "content-disposition"))
        if len(headers.fields.get("content-type", ())) > 1:
            self._flaw("A part says twice of what type it is.", is_unread=False)
        kind = content_type.word if "/" in content_type.word else "text/plain"
        index = len(self._parts)
        depth, alternative = 0, None
        if self._stack:
            depth, alternative = self._stack[-1].depth + 1, self._stack[-1].alternative
        names = self._names(headers, disposition, content_type)
        boundary = content_type.get("boundary")[:256].rstrip() or None
        is_multipart = kind.startswith("multipart/") and boundary is not None
        is_container = is_multipart or kind in ("message/rfc822", "message/global")
        if is_container and depth >= self._limits.depth:
            self._flaw(f"Its parts lie more than {self._limits.depth} deep; the rest is not read.")
            is_multipart = is_container = False
        encoding = Value.parse(_first(headers, "content-transfer-encoding")).word

        def part(size: int, is_attachment: bool, end: int) -> Part:
            return Part(
                depth,
                kind,
                disposition.word,
                names,
                size,
                is_attachment,
                headers,
                encoding,
                body,
                end,
            )

        if is_container:
            if kind == "multipart/alternative":
                alternative = index
            boundary = boundary if is_multipart else None
            self._stack.append(_Open(boundary, depth, body, index, part, alternative))
            self._parts.append(part(0, not is_multipart, body))
            return self._next(body)[1] if is_multipart else body
        end, following = self._next(body)
        raw = self._data[body:end]
        size = decoded_size(raw, encoding)
        is_html = kind == "text/html"
        is_text = (
            (is_html or kind == "text/plain") and not names and disposition.word != "attachment"
        )
        if is_text:
            text = decode_body(raw, encoding, self._text_left)
            self._is_cut = self._is_cut or len(text) == self._text_left < size
            self._text_left -= len(text)
            charset = characters(content_type.get("charset"))
            self._texts.append(
                TextPart(characters(text, charset), is_html, index, charset, encoding, alternative)
            )
        self._parts.append(part(size, not is_text, end))
        return following

    def _names(self, headers: Headers, disposition: Value, content_type: Value) -> tuple[str, ...]:
        """
        Read the file name, also where a field is there more than once.
        """
        names = file_names(disposition, content_type)
        for name in ("content-type", "content-disposition"):
            values = headers.fields.get(name, ())
            if any(len(value) > VALUE_LIMIT for value in values) or len(values) > _VALUES_READ:
                self._flaw("What a part says of its name is longer than is read.")
            for more in values[1:_VALUES_READ]:
                value = Value.parse(more.strip(b" \t"))
                names = tuple(dict.fromkeys((*names, *file_names(value, value))))
        limit = self._limits.names
        if len(names) > limit:
            self._flaw(f"A part has more than {limit} names; the rest is not read.")
        return names[:limit]

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
            end = max(end, ended.begin)
            self._parts[ended.index] = ended.part(end - ended.begin, ended.boundary is None, end)
        del self._stack[level:]


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
