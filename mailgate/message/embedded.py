"""
Files that stand within text: uuencoded (POSIX), and in yEnc. Linear, never raising.
"""

from __future__ import annotations

import re
from binascii import Error as BinasciiError
from binascii import a2b_uu

from attrs import evolve, field, frozen

from mailgate.message.parameters import NAME_LIMIT
from mailgate.message.text import characters

FILES = 50
"""How many of a text are read."""

_TRIED = 1000
"""How many lines are looked at that may begin one."""

_WORDS = 100_000
"""How many words are looked at that may begin such a line."""

_SLACK = 256
"""Bytes beyond twice those decoded that are looked at: line ends and what stands before it."""

_LIKE_BEGIN = re.compile(r"begin(?:-base64)?[ \t]+(?:[0-7]{3}|[a-z]+=)")
_BEGIN = re.compile(rb"begin(?:-base64)?[ \t]+[0-7]{3,4}[ \t]+([^\r\n]{1,1000})")
_YBEGIN = re.compile(rb"=ybegin [^\r\n]{0,200}?name=([^\r\n]{1,1000})")
_END = re.compile(rb"[\r\n]end[ \t]*(?:[\r\n]|$)")
_YEND = re.compile(rb"[\r\n]=yend\b")
_LINE_ENDS = (b"", b"\r", b"\n")
_LINE = re.compile(rb"[\r\n]+")
_YESCAPED = re.compile(rb"=(.)", re.DOTALL)
_YPLAIN = bytes((c - 42) % 256 for c in range(256))


@frozen
class Embedded:
    """
    A file within a text.
    """

    name: str
    """As it stands there: from a stranger."""

    begin: int
    end: int
    """Where its content stands, encoded."""

    is_yenc: bool
    _raw: bytes = field(repr=False, eq=False)

    def content(self, limit: int) -> bytes:
        """
        Decode its beginning, to at most C{limit} bytes. What cannot be decoded ends it.
        """
        raw = self._raw[self.begin : min(self.end, self.begin + limit * 2 + _SLACK)]
        return _yenc(raw, limit) if self.is_yenc else _uu(raw, limit)


def may_hold(text: str) -> bool:
    """
    Tell whether it is worth to look for files in a text.
    """
    at = text.find("begin")
    for _ in range(_TRIED):
        if at < 0:
            return False
        if at == 0 or text[at - 1] in "\r\n" or text.startswith("=y", at - 2):
            if _LIKE_BEGIN.match(text, at):
                return True
        at = text.find("begin", at + 5)
    return True


@frozen
class Files:
    """
    What was found in a text.
    """

    found: tuple[Embedded, ...]
    is_whole: bool
    """Whether there is no more than is read."""


def uuencoded(raw: bytes) -> Files:
    """
    Find uuencoded files.
    """
    return _find(raw, b"begin", _BEGIN, _END, False)


def embedded(raw: bytes) -> Files:
    """
    Find all files within a text, at most 50 of each kind.
    """
    uu, yenc = uuencoded(raw), _find(raw, b"=ybegin", _YBEGIN, _YEND, True)
    return Files(uu.found + yenc.found, uu.is_whole and yenc.is_whole)


def _find(
    raw: bytes, word: bytes, first: re.Pattern[bytes], last: re.Pattern[bytes], is_yenc: bool
) -> Files:
    files: list[Embedded] = []
    tried = at = 0
    for _ in range(_WORDS):
        line = raw.find(word, at)
        if line < 0:
            return Files(tuple(files), True)
        at = line + len(word)
        begin = first.match(raw, line) if raw[line - 1 : line] in _LINE_ENDS else None
        if begin is None:
            continue
        tried += 1
        if tried > _TRIED or len(files) >= FILES:
            break
        at = begin.end()
        name = characters(begin[1].strip())[:NAME_LIMIT]
        file = Embedded(name, at, len(raw), is_yenc, raw)
        if not file.content(1):
            continue  # An English sentence may begin with this word, too.
        end = last.search(raw, at)
        at = len(raw) if end is None else end.start()
        files.append(evolve(file, end=at))
    return Files(tuple(files), False)


def _uu(raw: bytes, limit: int) -> bytes:
    """
    Decode lines; one that says that it is shorter than it is counts as long as it says.
    """
    decoded: list[bytes] = []
    left = limit
    for line in _LINE.split(raw):
        if left <= 0:
            break
        if not line:
            continue
        try:
            piece = a2b_uu(line)
        except BinasciiError:
            # As programs do: take as many characters as its length says (4 for each 3 bytes).
            count = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                piece = a2b_uu(line[:count])
            except BinasciiError:
                break
        decoded.append(piece[:left])
        left -= len(decoded[-1])
    return b"".join(decoded)


def _yenc(raw: bytes, limit: int) -> bytes:
    lines = [line for line in _LINE.split(raw) if not line.startswith(b"=ypart")]
    body = b"".join(lines)
    # An escaped character stands 64 further on, beside the 42 of all.
    body = _YESCAPED.sub(lambda match: bytes(((match[1][0] - 64) % 256,)), body)
    return body.translate(_YPLAIN)[:limit]
