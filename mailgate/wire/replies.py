"""
Replies of a mail server as a client receives them (RFC 5321 section 4.2, RFC 2034).

The bytes come from a stranger's machine, so everything is bounded, and what is kept of the
text is printable ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailgate.interfaces import Capabilities
from mailgate.reply import Reply

LINE_LIMIT = 2048
"""Bytes of one line, its line end included."""

LINES_LIMIT = 100
"""Lines of one reply."""

_CODE = re.compile(rb"[2-5][0-9]{2}")
_SIZE = re.compile(r"[0-9]{1,20}")
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")


def read_ehlo(reply: Reply) -> Capabilities:
    """
    Read what the reply to EHLO offers (RFC 5321 section 4.1.1.1).
    """
    extensions = set()
    size = None
    for line in reply.text.split("\n")[1:]:
        keyword, _, parameter = line.partition(" ")
        extensions.add(keyword.upper())
        if keyword.upper() == "SIZE" and _SIZE.fullmatch(parameter):
            # RFC 1870 section 4: zero means that there is no fixed limit.
            size = int(parameter) or None
    return Capabilities(frozenset(extensions), size)


def fit_together(mail: Reply, results: Sequence[Reply], last: Reply, is_question: bool) -> bool:
    """
    Tell whether replies can be those to MAIL, to each RCPT, and to DATA or RSET.

    An upstream that has answered something before twice is one reply behind from then on: what
    comes for RCPT says what it thinks of MAIL, and what comes for DATA what it thinks of RCPT.
    """
    if last.code == 421:
        return True
    if mail.is_positive and any(reply.code == 503 for reply in results):
        return False  # "bad sequence of commands" is what follows a MAIL that was refused
    if is_question:
        # Whatever was said before, there is no reason to refuse RSET.
        return last.is_positive and (mail.is_positive or not is_taken(results))
    if mail.is_positive and is_taken(results):
        return last.code == 354
    return not (is_taken(results) or last.is_positive)


def is_taken(results: Sequence[Reply]) -> bool:
    """
    Tell whether some recipient is taken, by the replies to RCPT.
    """
    return any(reply.is_positive for reply in results)


class ReplyParser:
    """
    Turns received bytes into replies; how the bytes are cut makes no difference.

    A line may end with a bare LF: nothing can be smuggled to a client that way, and there are
    servers that do it.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._code = b""
        self._lines: list[str] = []
        self.error = ""
        """What is wrong with the bytes, or C{""}; nothing is read any more from there on."""

    @property
    def is_amid(self) -> bool:
        """
        Tell whether a reply has begun that is not yet complete.
        """
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> list[Reply]:
        """
        Take what was received and give the replies that are now complete, those before an
        C{error} included.
        """
        replies: list[Reply] = []
        if self.error:
            return replies
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            reply = self._take(line)
            if self.error:
                self._rest = b""
                return replies
            if reply is not None:
                replies.append(reply)
        if len(self._rest) >= LINE_LIMIT:
            self._rest = b""
            self.error = "a line of its reply is too long"
        return replies

    def _take(self, line: bytes) -> Reply | None:
        """
        Take one line without its LF; give the reply that it ends, if it does.
        """
        if len(line) >= LINE_LIMIT:
            self.error = "a line of its reply is too long"
            return None
        code, separator, text = line[:3], line[3:4], line[4:].removesuffix(b"\r")
        if not _CODE.fullmatch(code) or separator not in (b" ", b"-", b"\r", b""):
            self.error = "its reply is not well-formed"
            return None
        if self._code and code != self._code:
            self.error = "the lines of its reply have different codes"
            return None
        self._lines.append(_printable(text))
        if len(self._lines) > LINES_LIMIT:
            self.error = "its reply has too many lines"
            return None
        if separator == b"-":
            self._code = code
            return None
        lines, self._lines, self._code = self._lines, [], b""
        return _reply(code.decode("ascii"), lines)


def _printable(text: bytes) -> str:
    line = text.decode("ascii", "replace")
    if line.isascii() and line.isprintable():
        return line
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in line.replace("\t", " "))


def _reply(code: str, lines: list[str]) -> Reply:
    enhanced = _enhanced(code, lines[0])
    if enhanced:
        lines = [_without_enhanced(code, line) for line in lines]
    return Reply(int(code), enhanced, lines[0] if len(lines) == 1 else "\n".join(lines))


def _enhanced(code: str, line: str) -> str:
    """
    Give the enhanced code at the beginning of a line, if it is one of the reply's own class.
    """
    word, _, _ = line.partition(" ")
    return word if word[:1] == code[0] and _ENHANCED.fullmatch(word) else ""


def _without_enhanced(code: str, line: str) -> str:
    return line[len(_enhanced(code, line)) :].removeprefix(" ")
