"""
Messages of the DNS (RFC 1035 section 4): the question that is sent, and the reply to it.

Only what the answer needs is read of a reply: the answers, and the authority and additional
sections where there are none. Whatever comes ends in a value or in L{Malformed}, after work that is
bounded by the size of the message: pointers in names go backwards only, and few of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from enum import Enum, IntEnum, auto
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from attrs import frozen

from mailgate.wire.dns.answer import (
    AAAA,
    MX,
    NODATA,
    NS,
    NXDOMAIN,
    PTR,
    TXT,
    A,
    MailExchange,
    Nothing,
    Records,
    RecordType,
)
from mailgate.wire.dns.name import NAME_LIMIT, unpack_name

UDP_SIZE = 1232
"""Bytes of a reply over UDP that fit through every network in one piece; we say so by EDNS."""

RECORDS_LIMIT = 1000
"""Records in the sections of a reply that are looked at."""

ALIASES_LIMIT = 16
POINTERS_LIMIT = 32
"""Pointers in one name."""

HEADER_SIZE = 12
_INTERNET = b"\0\1"
_ONE_QUESTION = b"\x01\0\0\1\0\0\0\0"  # recursion desired; one question
_PLAIN = _ONE_QUESTION + b"\0\0"
_EXTENDED = _ONE_QUESTION + b"\0\1"
_OPTIONS = b"\0\0\x29" + UDP_SIZE.to_bytes(2, "big") + b"\0\0\0\0\0\0"  # RFC 6891 section 6.1.2
_RECORD = struct.Struct("!HHIH")

_CNAME = 5
_SOA = 6
_OPT = 41
_SOA_LEAST = 22  # two names and five numbers

_LETTERS = bytes(0x20 if chr(byte).isalpha() and byte < 0x80 else 0 for byte in range(256))


class Rcode(IntEnum):
    """
    What a server says of its own success (RFC 1035 section 4.1.1, RFC 6891 section 9).
    """

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


class Malformed(ValueError):
    """
    A reply that cannot be read; the message says why.
    """


class Fit(Enum):
    """
    Whether a message is the reply to a question.
    """

    SAME = auto()
    OTHER_CASE = auto()
    """But for capital and small letters in the name."""

    NO_QUESTION = auto()
    """It is an error, and names no question."""

    OTHER = auto()
    """It is the reply to something else."""

    NO_REPLY = auto()


@frozen
class Reply:
    """
    What a reply says.
    """

    rcode: int
    is_truncated: bool
    answer: Records[Any] | Nothing | None = None
    """C{None} where the reply holds none."""

    seconds: int = 0
    """How long the answer holds; 0 also where that was not said."""

    alias: bytes = b""
    """The name to ask for, where the server knows no more than that this is an alias of it."""

    is_lame: bool = False
    """Whether the server says that others have to be asked, and asks none itself."""


def pack_question(name: bytes, type: RecordType[Any]) -> bytes:
    """
    Give the question as it stands in a message.

    @param name: as L{mailgate.wire.dns.name.pack_name} gives it.
    """
    return name + type.code.to_bytes(2, "big") + _INTERNET


def mix_case(name: bytes, noise: bytes) -> bytes:
    """
    Make some letters of a name large. A reply must have the same ones large, which somebody who
    sees no questions cannot know.

    @param name: in small letters.
    @param noise: random, and as long.
    """
    # The lengths of the labels are below all letters.
    letters = int.from_bytes(name.translate(_LETTERS), "big")
    mixed = int.from_bytes(name, "big") ^ (letters & int.from_bytes(noise, "big"))
    return mixed.to_bytes(len(name), "big")


def pack_query(id: bytes, question: bytes, is_extended: bool) -> bytes:
    """
    Give the message that asks.

    @param id: two bytes.
    @param is_extended: whether EDNS (RFC 6891) is spoken.
    """
    if is_extended:
        return id + _EXTENDED + question + _OPTIONS
    return id + _PLAIN + question


def fit(message: bytes, question: bytes) -> Fit:
    """
    Tell whether a message that has the id of a query is the reply to its question.
    """
    if len(message) < HEADER_SIZE or message[2] & 0xF8 != 0x80:
        return Fit.NO_REPLY
    asked = message[HEADER_SIZE : HEADER_SIZE + len(question)]
    if message[4:6] != b"\0\1":
        is_error = message[4:6] == b"\0\0" and message[3] & 0x0F in (Rcode.FORMERR, Rcode.NOTIMP)
        return Fit.NO_QUESTION if is_error else Fit.OTHER
    if asked == question:
        return Fit.SAME
    if asked[-4:] == question[-4:] and asked.lower() == question.lower():
        return Fit.OTHER_CASE
    return Fit.OTHER


def read_reply(message: bytes, question: bytes, type: RecordType[Any]) -> Reply:
    """
    Read a reply that L{fit}s its question.

    @raise Malformed: it cannot be read.
    """
    try:
        return _read(message, question, type)
    except (IndexError, struct.error):
        raise Malformed("the reply ends too early") from None


def _read(message: bytes, question: bytes, type: RecordType[Any]) -> Reply:
    rcode = message[3] & 0x0F
    is_truncated = bool(message[2] & 0x02)
    if is_truncated or rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        return Reply(rcode, is_truncated)
    counts = struct.unpack_from("!3H", message, 6)
    if sum(counts) > RECORDS_LIMIT:
        raise Malformed("the reply has too many records")
    names = _Names(message)
    name = names.known[HEADER_SIZE] = question[:-4].lower()
    at = HEADER_SIZE + len(question)
    wanted = type.code
    found: list[tuple[bytes, int, int, int]] = []
    aliases: dict[bytes, tuple[bytes, int]] = {}
    for _ in range(counts[0]):
        owner, at = names.read(at)
        kind, seconds, size, at = _head(message, at)
        if kind == wanted:
            found.append((owner, _lifetime(seconds), at, size))
        elif kind == _CNAME:
            target, end = names.read(at)
            if end != at + size:
                raise Malformed("an alias has not the length that it should have")
            aliases.setdefault(owner, (target, _lifetime(seconds)))
        at += size
    lifetimes: list[int] = []
    for _ in range(ALIASES_LIMIT):
        if name not in aliases:
            break
        name, seconds = aliases[name]
        lifetimes.append(seconds)
    else:
        raise Malformed("the aliases are too many, or go round in a circle")
    read = _READERS[wanted]
    values = []
    for owner, seconds, start, size in found:
        if owner == name:
            values.append(read(names, start, size))
            lifetimes.append(seconds)
    if not values:
        return _read_nothing(message, at, counts, lifetimes, name)
    if rcode != Rcode.NOERROR:
        raise Malformed("the reply has records of a name that does not exist")
    return Reply(rcode, False, Records(tuple(values)), min(lifetimes))


def _read_nothing(
    message: bytes, at: int, counts: tuple[int, ...], lifetimes: list[int], name: bytes
) -> Reply:
    """
    Read what says how long nothing is there (RFC 2308 section 5), and whether the server knows.
    """
    rcode = message[3] & 0x0F
    names = _Names(message)
    has_soa = False
    for index in range(counts[1] + counts[2]):
        _, at = names.read(at)
        kind, seconds, size, at = _head(message, at)
        if kind == _SOA and index < counts[1] and not has_soa:
            if size < _SOA_LEAST:
                raise Malformed("an SOA record is too short")
            has_soa = True
            minimum = int.from_bytes(message[at + size - 4 : at + size], "big")
            lifetimes.append(min(_lifetime(seconds), _lifetime(minimum)))
        elif kind == _OPT:
            rcode |= seconds >> 24 << 4
        at += size
    if rcode == Rcode.NXDOMAIN:
        return Reply(rcode, False, NXDOMAIN, min(lifetimes) if has_soa else 0)
    if rcode != Rcode.NOERROR:
        return Reply(rcode, False)
    if has_soa:
        return Reply(rcode, False, NODATA, min(lifetimes))
    if lifetimes:
        return Reply(rcode, False, alias=name)
    is_authority, recurses = message[2] & 0x04, message[3] & 0x80
    if not is_authority and not recurses:
        return Reply(rcode, False, is_lame=True)
    return Reply(rcode, False, NODATA)


def _head(message: bytes, at: int) -> tuple[int, int, int, int]:
    """
    Read what stands between the name of a record and its data.

    @return: its type (0 for records of another class), its lifetime, the size of the data, and
        where they begin.
    """
    kind, group, seconds, size = _RECORD.unpack_from(message, at)
    at += _RECORD.size
    if at + size > len(message):
        raise Malformed("a record is longer than the reply")
    return kind if group == 1 or kind == _OPT else 0, seconds, size, at


def _lifetime(seconds: int) -> int:
    # RFC 2181 section 8: what would be below zero is zero.
    return seconds if seconds < 0x80000000 else 0


class _Names:
    """
    Reads the names in a message. They are given as L{mailgate.wire.dns.name.pack_name} gives them.
    """

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.known: dict[int, bytes] = {}
        """Those that pointers lead to."""

    def read(self, at: int) -> tuple[bytes, int]:
        """
        Read the name at C{at}.

        @return: the name, and where it ends.
        @raise IndexError: the message ends in it.
        """
        message = self.message
        if message[at] == 0xC0 and (known := self.known.get(message[at + 1])) is not None:
            return known, at + 2
        pieces: list[bytes] = []
        targets: list[tuple[int, int]] = []
        end = 0
        while True:
            length = message[at]
            if length == 0:
                pieces.append(b"\0")
                end = end or at + 1
                break
            if length < 0x40:
                pieces.append(message[at : at + length + 1])
                at += length + 1
                continue
            target = (length & 0x3F) << 8 | message[at + 1]
            if length < 0xC0 or target >= at or len(targets) == POINTERS_LIMIT:
                raise Malformed("a name has a label that is none, or a wrong pointer")
            end = end or at + 2
            known = self.known.get(target)
            if known is not None:
                pieces.append(known)
                break
            targets.append((target, len(pieces)))
            at = target
        name = b"".join(pieces).lower()
        if len(name) > NAME_LIMIT:
            raise Malformed("a name is too long")
        for target, index in targets:
            self.known[target] = b"".join(pieces[index:]).lower()
        return name, end


# -- the data of records ------------------------------------------------------------------


def _read_ipv4(names: _Names, at: int, size: int) -> IPv4Address:
    if size != 4:
        raise Malformed("an IPv4 address has not four bytes")
    return IPv4Address(names.message[at : at + size])


def _read_ipv6(names: _Names, at: int, size: int) -> IPv6Address:
    if size != 16:
        raise Malformed("an IPv6 address has not sixteen bytes")
    return IPv6Address(names.message[at : at + size])


def _read_host(names: _Names, at: int, size: int) -> str:
    name, end = names.read(at)
    if end != at + size:
        raise Malformed("a name has not the length that it should have")
    return unpack_name(name)


def _read_exchange(names: _Names, at: int, size: int) -> MailExchange:
    if size < 3:
        raise Malformed("an MX record is too short")
    preference = int.from_bytes(names.message[at : at + 2], "big")
    return MailExchange(preference, _read_host(names, at + 2, size - 2))


def _read_text(names: _Names, at: int, size: int) -> bytes:
    message, end = names.message, at + size
    strings = []
    while at < end:
        length = message[at]
        strings.append(message[at + 1 : at + 1 + length])
        at += 1 + length
    if at != end or not strings:
        raise Malformed("a string is longer than its record")
    return b"".join(strings)


_READERS: Mapping[int, Callable[[_Names, int, int], Any]] = {
    A.code: _read_ipv4,
    NS.code: _read_host,
    PTR.code: _read_host,
    MX.code: _read_exchange,
    TXT.code: _read_text,
    AAAA.code: _read_ipv6,
}
