"""
The addresses in a header field such as From (RFC 5322 section 3.4), read without trust.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailgate.message.text import characters
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address

if TYPE_CHECKING:
    from mailgate.message.header import Headers

VALUE_LIMIT = 2000
"""How many bytes of a value are looked at."""

_LIST_ID_LIMIT = 255

_TOKENS = 200
"""How many words, quoted strings and signs are looked at; one address has up to a dozen."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|[()<>,;:]|[^"\\()<>,;:]+|["\\]', re.DOTALL)
_COMMENT_PART = re.compile(r"\\.|[()]", re.DOTALL)


def mailboxes(value: bytes, most: int) -> tuple[Address, ...]:
    """
    Give the addresses in C{value}, the first C{most} of them, as they are written.

    Display names, comments, groups and the routes of section 4.4 are passed over. It takes what
    mail programs take, beyond the grammar too: two addresses in angle brackets without a comma,
    or words before an address without them. Linear, and it never raises.
    """
    return _Reader(characters(value[:VALUE_LIMIT]), most).read()


def only_mailbox(headers: Headers, name: str) -> str:
    """
    Give the one address in a field as it is compared, or C{""} where there are more or none.
    """
    values = headers.values(name)
    found = mailboxes(values[0], 2) if len(values) == 1 else ()
    return normal_address(found[0]) if len(found) == 1 else ""


def list_id(value: bytes) -> str:
    """
    Give what stands in the last angle brackets of a List-Id (RFC 2919 section 3), in lower case,
    or all of it, where a program has forgotten the brackets. Never raises.
    """
    inside, _, _ = value.rpartition(b"<")[2].partition(b">")
    return characters(inside[:_LIST_ID_LIMIT]).strip().lower()


class _Reader:
    def __init__(self, text: str, most: int) -> None:
        self._text = text
        self._most = most
        self._found: list[Address] = []
        self._words: list[str] = []
        self._is_inside = False
        self._has_brackets = False

    def read(self) -> tuple[Address, ...]:
        at = 0
        for _ in range(_TOKENS):
            token = _TOKEN.match(self._text, at)
            if token is None or len(self._found) >= self._most:
                break
            at = token.end()
            if token[0] == "(":
                at = self._comment_end(at)
            else:
                self._take(token[0])
        self._end_mailbox()
        return tuple(self._found[: self._most])

    def _take(self, token: str) -> None:
        if token == "<":
            self._words = []
            self._is_inside = self._has_brackets = True
        elif token == ">":
            if self._is_inside:
                self._add("".join(self._words))
            self._words = []
            self._is_inside = False
        elif token == ":" or (token == "," and self._is_inside):
            self._words = []  # the name of a group, or a route
        elif token in ",;":
            self._end_mailbox()
        else:
            self._words.append(token)

    def _end_mailbox(self) -> None:
        if self._is_inside or not self._has_brackets:
            self._add("".join(self._words))
        self._words = []
        self._is_inside = self._has_brackets = False

    def _add(self, text: str) -> None:
        local, at, domain = text.rpartition("@")
        local, domain = local.strip(), "".join(domain.split())
        if not local.startswith('"'):
            words = " ".join(local.split())
            local = words.replace(" .", ".").replace(". ", ".").rpartition(" ")[2]
        if at and local and domain:
            self._found.append(Address(local, domain))

    def _comment_end(self, at: int) -> int:
        depth = 1
        for part in _COMMENT_PART.finditer(self._text, at):
            if part[0] == "(":
                depth += 1
            elif part[0] == ")":
                depth -= 1
            if not depth:
                return part.end()
        return len(self._text)
