"""
The walk over a message, from its first byte to its last, without a tree.

It never raises. Whatever a message holds more of than L{Limits} allows is not read, and C{flaws}
says so in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from attrs import define, frozen

from mailgate.message.encoding import decode_body, measure
from mailgate.message.header import Headers
from mailgate.message.mime import regular
from mailgate.message.mime.manner import USUAL, VALUES_READ, Described, Manner, first_of
from mailgate.message.mime.parts import Limits, Parsed, Part, TextPart
from mailgate.message.parameters import VALUE_LIMIT
from mailgate.message.text import characters, is_slow

_LONG = "A header section is longer than is read."
_NO_FIELD = re.compile(rb"\r\n(?=[ \t]*\r\n)|\r\n(?![ \t])(?=[^:\r\n]*(?:\r\n|$))")
_BORDER = re.compile(rb"\n--([^\s-][^\r\n]{0,255})")
_GUESSES = 10_000
"""How many lines are looked at that may be the border of parts, where none is stated."""

_DOUBTS = 20
"""How many are told."""


def read(
    data: bytes,
    limits: Limits | None = None,
    headers: Headers | None = None,
    manner: Manner = USUAL,
) -> Parsed:
    """
    Read a message with CRLF line ends. Never raises; linear in the size of C{data}.

    @param headers: those of the message, where they have been read already.
    @param manner: whether it is read in another way than most programs do.
    """
    return _Reader(data, limits or Limits(), manner).read(headers)


@define
class _Open:
    """
    A container whose end has not been seen.
    """

    boundaries: tuple[bytes, ...]
    """None for an attached message, which ends with what it lies in."""

    depth: int
    begin: int
    index: int
    """Its place among the parts."""

    part: Callable[[int, bool, int], Part]
    """Makes the part of it, once its size and its end are known."""

    alternative: int | None
    """Which multipart/alternative it is or lies in."""

    default: str
    """The type of a part of it that states none (RFC 2046 section 5.1.5)."""

    separators: int = 0
    """How many of its own it has had."""

    has_ended: bool = False


class _Reader:
    """
    One pass over one message.
    """

    def __init__(self, data: bytes, limits: Limits, manner: Manner) -> None:
        self._data = data
        self._limits = limits
        self._manner = manner
        self._is_usual = manner is USUAL
        self._stack: list[_Open] = []
        self._parts: list[Part] = []
        self._texts: list[TextPart] = []
        self._text_left = limits.text
        self._is_cut = False
        self._lines_left = limits.lines
        self._header_left = 4 * limits.header_bytes
        self._flaws: dict[str, bool] = {}
        self._doubts: dict[str, None] = {}
        self._containers = 0
        self._no_empty_until = 0

    def read(self, headers: Headers | None) -> Parsed:
        if headers is None or self._manner.ends_early:
            top, body = self._headers(0)
        else:
            top, body = self._given(headers)
        head = self._data[: min(body, self._limits.header_bytes)]
        if not top.fields and body < len(self._data):
            self._doubt("the message begins without header fields")
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
            tuple(self._doubts),
            self._limits.text,
        )

    def _flaw(self, sentence: str, is_unread: bool = True) -> None:
        self._flaws[sentence] = is_unread
        self._doubt(sentence[:1].lower() + sentence[1:].removesuffix("."))

    def _doubt(self, clause: str) -> None:
        if len(self._doubts) < _DOUBTS:
            self._doubts[clause] = None

    # -- one part

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
            return Headers.of_part(b"\r\n"), at + 2
        # Where none was found it is not looked for again, which would take quadratic time.
        end = data.find(b"\r\n\r\n", max(at, self._no_empty_until - 3), window)
        if end < 0:
            self._no_empty_until = window
        body = end + 4 if end >= 0 else window
        if end < 0 and window < len(data):
            self._flaw(_LONG)
        separator = self._separator(at, body) if self._stack else None
        if separator is not None:
            body = separator.line
            self._flaw("A part ends within its header section.", is_unread=False)
        if self._manner.ends_early:
            return self._cut(at, body)
        self._header_left -= body - at
        return Headers.of_part(data[at:body]), body

    def _cut(self, at: int, body: int) -> tuple[Headers, int]:
        """
        End a header section where its first line stands that is no field.
        """
        end = body
        odd = _NO_FIELD.search(self._data, at, body)
        if odd is not None:
            end = odd.end()
            following = self._data.find(b"\r\n", end, body)
            is_blank = following >= 0 and not self._data[end:following].strip()
            body = following + 2 if is_blank else end
        self._header_left -= body - at
        return Headers.parse(self._data[at:end]), body

    def _entity(self, headers: Headers, body: int) -> int | None:
        """
        Take note of the part whose body begins at C{body}; say where the next part begins.
        """
        index = len(self._parts)
        depth, alternative, default = 0, None, "text/plain"
        if self._stack:
            around = self._stack[-1]
            depth, alternative, default = around.depth + 1, around.alternative, around.default
            if not (around.boundaries or headers.fields) and body < len(self._data):
                self._doubt("an attached message begins without header fields")
        described = self._manner.describe(headers, default)
        if self._is_usual:
            self._look(headers, described)
        kind = described.type
        names = described.names
        if len(names) > self._limits.names:
            self._flaw(f"A part has more than {self._limits.names} names; the rest is not read.")
            names = names[: self._limits.names]
        boundaries = described.boundaries
        if self._manner.is_loose and kind.startswith("multipart/"):
            boundaries = boundaries or self._guessed(body)
        is_multipart = boundaries != ()
        is_container = is_multipart or kind in ("message/rfc822", "message/global")
        if is_container and depth >= self._limits.depth:
            self._flaw(f"Its parts lie more than {self._limits.depth} deep; the rest is not read.")
            is_multipart = is_container = False
        encoding = described.encoding

        def part(size: int, is_attachment: bool, end: int) -> Part:
            return Part(
                depth,
                kind,
                described.disposition,
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
            default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            around = _Open(boundaries, depth, body, index, part, alternative, default)
            self._stack.append(around)
            self._parts.append(part(0, not is_multipart, body))
            return self._within(around) if is_multipart else body
        end, following = self._next(body)
        raw = self._data[body:end]
        size, is_strict = measure(raw, encoding)
        if not is_strict:
            if self._is_usual:
                self._doubt("base64 has other characters in it, or padding where it does not end")
            elif encoding == "base64":
                encoding = self._manner.base64
        is_html = kind == "text/html"
        is_text = (
            (is_html or kind == "text/plain")
            and not names
            and described.disposition != "attachment"
        )
        if is_text:
            if self._is_usual and regular.begins_like_part(self._data, body):
                self._doubt("a text begins like a header section")
            charset = described.charset
            text = decode_body(raw, encoding, self._text_left)
            if len(text) > self._limits.slow_text and is_slow(charset):
                self._flaw("A text is in a character set that takes long, and is not read.")
                text = text[: self._limits.slow_text]
            self._is_cut = self._is_cut or len(text) == self._text_left < size
            self._text_left -= len(text)
            self._texts.append(
                TextPart(characters(text, charset), is_html, index, charset, encoding, alternative)
            )
        self._parts.append(part(size, not is_text, end))
        return following

    def _look(self, headers: Headers, described: Described) -> None:
        """
        Look whether the header section of a part is regular.
        """
        for doubt in headers.once(_doubts):
            self._doubt(doubt)
        kind = described.type
        if kind.startswith("multipart/"):
            if not described.boundaries:
                self._doubt("what has parts does not say how they are separated")
            elif not regular.is_boundary(described.boundaries[0]):
                self._doubt("a boundary has characters that do not belong there, or too many")
        fields = headers.fields
        for name in ("content-type", "content-disposition"):
            if name not in fields:
                continue
            values = fields[name]
            if len(values) > 1 and name == "content-type":
                self._flaws["A part says twice of what type it is."] = False
            if len(values) > VALUES_READ or max(map(len, values)) > VALUE_LIMIT:
                self._flaw("What a part says of its name is longer than is read.")

    def _guessed(self, body: int) -> tuple[bytes, ...]:
        """
        Take the first line that begins with two hyphens for a boundary, where none is stated.
        """
        line = self._data.find(b"\n--", body)
        for _ in range(_GUESSES):
            if line < 0:
                break
            found = _BORDER.match(self._data, line)
            if found is not None:
                return (found[1].rstrip().lower(),)
            line = self._data.find(b"\n--", line + 1)
        return ()

    # -- separators

    def _within(self, around: _Open) -> int | None:
        """
        Find the first part of a container.
        """
        end, following = self._next(around.begin)
        if self._is_usual and not regular.is_quiet(self._data, around.begin, end):
            self._doubt("what stands before the first part is more than a short text")
        return following

    def _next(self, at: int) -> tuple[int, int | None]:
        """
        Find where the part at C{at} ends, and where the next one begins.

        What lies before the first separator and behind the last is passed over.
        """
        end: int | None = None
        while True:
            separator = self._separator(at, len(self._data))
            if end is not None and self._is_usual:
                behind = len(self._data) if separator is None else separator.line
                if not regular.is_quiet(self._data, at, behind):
                    self._doubt("what stands behind the last part is more than a short text")
            if separator is None:
                return (len(self._data) if end is None else end), None
            if end is None:
                end = max(at, separator.line - 2)
            around = self._stack[separator.level]
            around.separators += 1
            around.has_ended = separator.is_last
            self._close(separator.level + (0 if separator.is_last else 1), end)
            at = separator.following
            if not separator.is_last:
                return end, at
            if not self._stack:
                if self._is_usual and not regular.is_quiet(self._data, at, len(self._data)):
                    self._doubt("what stands behind the last part is more than a short text")
                return end, None

    def _separator(self, at: int, stop: int) -> _Separator | None:
        """
        Find the next line from C{at} to C{stop} that is a boundary of an open container.
        """
        if not self._stack:
            return None
        data = self._data
        line = at
        if not data.startswith(b"\n--", at - 1):
            line = data.find(b"\n--", at, stop) + 1
        while 0 < line < stop:
            if self._lines_left <= 0:
                self._flaw("Too many lines look like the border of a part.")
                return None
            self._lines_left -= len(self._stack)
            end = data.find(b"\n", line, line + 320)
            following = end + 1 if end >= 0 else len(data)
            content = data[line + 2 : end if end >= 0 else line + 320].rstrip()
            found = self._level(content)
            if found is not None:
                return _Separator(line, following, *found)
            line = data.find(b"\n--", line, stop) + 1
        return None

    def _level(self, content: bytes) -> tuple[int, bool] | None:
        """
        Say to which open container a line belongs, and whether it is the last of it.
        """
        if self._manner.is_loose:
            content = content.lower()
        levels = range(len(self._stack) - 1, -1, -1)
        for level in reversed(levels) if self._manner.is_outermost_first else levels:
            for boundary in self._stack[level].boundaries:
                if not content.startswith(boundary):
                    continue
                if self._manner.is_loose:
                    return level, False
                rest = content[len(boundary) :]
                if rest in (b"", b"--"):
                    return level, rest == b"--"
        return None

    def _close(self, level: int, end: int) -> None:
        """
        End the open containers from C{level} on.
        """
        for ended in self._stack[level:]:
            end = max(end, ended.begin)
            is_message = not ended.boundaries
            self._parts[ended.index] = ended.part(end - ended.begin, is_message, end)
            if not is_message and self._is_usual:
                self._look_at_boundary(ended)
        del self._stack[level:]

    def _look_at_boundary(self, ended: _Open) -> None:
        """
        Look whether a boundary stands where it must, and nowhere else.
        """
        self._containers += 1
        if self._containers > regular.CONTAINERS:
            self._doubt(f"it has more than {regular.CONTAINERS} parts that have parts")
        elif not ended.has_ended or ended.separators < 2:
            self._doubt("a boundary is missing")
        elif self._data.count(b"--" + ended.boundaries[0]) != ended.separators:
            self._doubt("a boundary stands where it does not belong")


def _doubts(headers: Headers) -> Sequence[str]:
    described = first_of(headers, "")
    return regular.of_fields(headers, described.values, described.names)


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
