"""
Authentication-Results: what was found of a message, in its header section (RFC 8601).

What others write is read with care for quotes and comments. What we write has each value in quotes,
with nothing in it that could end them: names, addresses and reasons are strangers' text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from attrs import frozen

from mailgate.authentication.dkim import Dkim
from mailgate.authentication.dmarc import Dmarc
from mailgate.authentication.spf import Identity, Spf
from mailgate.wire.address import Address

FIELD = "Authentication-Results"

READ_LIMIT = 16_384
"""Bytes of a value at most; a longer one is not read."""

RESULTS = 100
"""Results, and properties of a result, at most; a value with more is not read."""

VALUE_LIMIT = 255
"""Characters of a value that are written; what is longer is cut."""

_LINE = 78
_COMMENT_PART = re.compile(r"\\.|[()]", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_VALUE = re.compile(r'[^ \t\r\n;()"\\]+')
_KEYWORD = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}(?![^ \t\r\n;(/=])", re.ASCII)
_PLAIN_ID = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
_UNPRINTABLE = re.compile(r"[^ -~]")


@frozen
class Property:
    """
    What a method has looked at, such as C{smtp.mailfrom}.
    """

    type: str
    name: str
    value: str


@frozen
class MethodResult:
    """
    What one method has found.
    """

    method: str
    result: str
    properties: tuple[Property, ...] = ()
    reason: str = ""
    version: int = 1

    def values(self, type: str, name: str) -> tuple[str, ...]:
        """
        Give the values of a property.
        """
        return tuple(
            each.value for each in self.properties if (each.type, each.name) == (type, name)
        )


@frozen
class AuthenticationResults:
    """
    What somebody has found of a message.
    """

    server: str
    """The C{authserv-id}: who says so."""

    results: tuple[MethodResult, ...] = ()
    version: int = 1


def parse(value: bytes) -> AuthenticationResults | None:
    """
    Read the value of a field, or give C{None} where it is out of the grammar (section 2.2).

    Keywords are given in small letters, comments are left out. As many write them, values may hold
    any visible character without quotes, words of the form C{name=value} may stand where properties
    do, which are left out, and a semicolon may stand at the end. Never raises.
    """
    return _parsed(_Scanner(_text(value))) if len(value) <= READ_LIMIT else None


def parse_sealed(value: bytes) -> tuple[int, AuthenticationResults] | None:
    """
    Read the value of an ARC-Authentication-Results: its instance and what follows (RFC 8617 section
    4.1.1), or give C{None} where it is out of the grammar. Never raises.
    """
    if len(value) > READ_LIMIT:
        return None
    scanner = _Scanner(_text(value))
    if scanner.keyword() != "i" or not scanner.take("="):
        return None
    instance = scanner.number()
    if instance is None or not scanner.take(";"):
        return None
    results = _parsed(scanner)
    return None if results is None else (instance, results)


def write(results: AuthenticationResults, name: str = FIELD) -> bytes:
    """
    Give the field with its name and its line end, in ASCII and folded.

    Whatever its values hold, it is one field, and what is in quotes stays there. What is not
    visible or not ASCII becomes a question mark, and what is too long is cut. A property without a
    value is left out, since not everybody can read an empty one.
    """
    return write_words(results.server, map(words, results.results), name)


def words(result: MethodResult) -> str:
    """
    Give one result as it stands in a field, folded, for L{write_words}.
    """
    version = f"/{result.version}" if result.version != 1 else ""
    said = [f"reason={quoted(result.reason)}"] if result.reason else []
    said += [
        f"{_property(each.type, each.name)}={quoted(each.value)}"
        for each in result.properties
        if each.value
    ]
    lines = []
    line = f"\t{_keyword(result.method)}{version}={_keyword(result.result)}"
    for word in said:
        if len(line) + 1 + len(word) <= _LINE:
            line += f" {word}"
        else:
            lines.append(line)
            line = f"\t{word}"
    lines.append(line)
    return "\r\n".join(lines)


def write_words(server: str, results: Iterable[str], name: str = FIELD) -> bytes:
    """
    Give the field, as L{write} does, of results that L{words} has written.
    """
    pieces = (f"{name}: {_identity(server)}", *results)
    text = ";\r\n".join(pieces) if len(pieces) > 1 else f"{pieces[0]}; none"
    return f"{text}\r\n".encode("ascii")


def of_spf(spf: Spf, sender: Address) -> MethodResult:
    """
    Say what SPF has found (section 2.7.2).

    @param sender: the envelope sender.
    """
    if spf.identity is Identity.MAIL_FROM:
        whole = f"{sender.local}@{spf.domain}"
        # What was cut could end within the domain, and so name another.
        value = whole if len(whole) <= VALUE_LIMIT else spf.domain
        looked_at = Property("smtp", "mailfrom", value)
    else:
        looked_at = Property("smtp", "helo", spf.domain)
    return MethodResult("spf", spf.result.value, (looked_at,), spf.reason)


def of_dkim(dkim: Dkim) -> MethodResult:
    """
    Say what DKIM has found of one signature (section 2.7.1, RFC 6008).
    """
    properties = (
        Property("header", "d", dkim.domain),
        Property("header", "s", dkim.selector),
        Property("header", "a", dkim.algorithm),
        Property("header", "b", dkim.value),
    )
    return MethodResult(
        "dkim",
        dkim.result.value,
        tuple(each for each in properties if each.value),
        dkim.reason,
    )


def of_dmarc(dmarc: Dmarc) -> MethodResult:
    """
    Say what DMARC has found (RFC 9989 section 9.1).
    """
    properties = []
    if dmarc.author:
        properties.append(Property("header", "from", dmarc.author))
    if dmarc.record is not None and dmarc.record.is_usable:
        properties.append(Property("polrec", "p", dmarc.record.policy.value))
        if dmarc.policy_domain != dmarc.author:
            properties.append(Property("polrec", "domain", dmarc.policy_domain))
    return MethodResult("dmarc", dmarc.result.value, tuple(properties), dmarc.reason)


def quoted(value: str) -> str:
    """
    Give a value as a quoted string (RFC 5322 section 3.2.4) in visible ASCII.
    """
    shown = value[:VALUE_LIMIT]
    if not (shown.isascii() and shown.isprintable()):
        shown = _UNPRINTABLE.sub("?", shown)
    if "\\" in shown or '"' in shown:
        shown = shown.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{shown}"'


def _identity(server: str) -> str:
    return server if _PLAIN_ID.fullmatch(server) else quoted(server)


@lru_cache(maxsize=256)
def _keyword(word: str) -> str:
    """
    Make sure that a word of ours can stand without quotes.
    """
    if not _KEYWORD.fullmatch(word):
        raise ValueError(f"{word!a} is no keyword")
    return word


@lru_cache(maxsize=256)
def _property(type: str, name: str) -> str:
    return f"{_keyword(type)}.{_keyword(name)}"


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


class _Scanner:
    """
    Reads token after token; white space and comments before each are passed over.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._is_broken = False

    @property
    def is_at_end(self) -> bool:
        """
        Tell whether nothing follows, and all comments are closed.
        """
        self._skip()
        return self._at >= len(self._text) and not self._is_broken

    def take(self, sign: str) -> bool:
        self._skip()
        if not self._text.startswith(sign, self._at):
            return False
        self._at += 1
        return True

    def keyword(self) -> str | None:
        found = self._match(_KEYWORD)
        return None if found is None else found[0].lower()

    def number(self) -> int | None:
        found = self._match(_DIGITS)
        return None if found is None else int(found[0])

    def value(self) -> str | None:
        """
        Read a value, in quotes or not; a quoted local part may have its domain behind it.
        """
        inside = self._match(_QUOTED)
        if inside is None:
            plain = self._match(_VALUE)
            return None if plain is None else plain[0]
        value = _PAIR.sub(r"\1", inside[1])
        if self._text.startswith("@", self._at):
            domain = self._match(_VALUE)
            value += domain[0] if domain is not None else ""
        return value

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip()
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _skip(self) -> None:
        while True:
            space = _SPACE.match(self._text, self._at)
            if space is not None:
                self._at = space.end()
            if not self._text.startswith("(", self._at):
                return
            self._at = self._comment_end()

    def _comment_end(self) -> int:
        depth = 0
        for part in _COMMENT_PART.finditer(self._text, self._at):
            if part[0] == "(":
                depth += 1
            elif part[0] == ")":
                depth -= 1
                if not depth:
                    return part.end()
        self._is_broken = True
        return len(self._text)


def _parsed(scanner: _Scanner) -> AuthenticationResults | None:
    server = scanner.value()
    if server is None:
        return None
    version = scanner.number()
    results: list[MethodResult] = []
    while scanner.take(";"):
        if scanner.is_at_end:
            break
        method = scanner.keyword()
        if method is None or len(results) >= RESULTS:
            return None
        method_version = scanner.number() if scanner.take("/") else 1
        if not scanner.take("="):
            if method == "none" and not results and scanner.is_at_end:
                break
            return None
        result = _result(scanner, method, method_version)
        if result is None:
            return None
        results.append(result)
    if not scanner.is_at_end:
        return None
    return AuthenticationResults(server, tuple(results), 1 if version is None else version)


def _result(scanner: _Scanner, method: str, version: int | None) -> MethodResult | None:
    result = scanner.keyword()
    if result is None or version is None:
        return None
    reason = ""
    properties: list[Property] = []
    for _ in range(RESULTS):
        type = scanner.keyword()
        if type is None:
            return MethodResult(method, result, tuple(properties), reason, version)
        name = None
        if scanner.take("."):
            name = scanner.keyword()
            if name is None:
                return None
        value = (scanner.value() or "") if scanner.take("=") else None
        if value is None:
            return None
        if name is not None:
            properties.append(Property(type, name, value))
        elif type == "reason" and not reason:
            reason = value
    return None
