"""
What is asked of the DNS, and what can come of it.

An answer is a value whatever happens: the records, nothing, or that it is not known. Nothing and
unknown are never the same: a name that a server cannot find out about may well be there.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Generic, TypeVar

from attrs import frozen

T = TypeVar("T")


@frozen(eq=False)
class RecordType(Generic[T]):
    """
    A type of records, and with it the type of what they hold.
    """

    name: str
    code: int

    def __str__(self) -> str:
        return self.name


@frozen
class MailExchange:
    """
    What an MX record holds.
    """

    preference: int
    """The lowest is tried first."""

    host: str
    """C{"."}: the domain takes no mail (RFC 7505)."""


A = RecordType[IPv4Address]("A", 1)
NS = RecordType[str]("NS", 2)
PTR = RecordType[str]("PTR", 12)
MX = RecordType[MailExchange]("MX", 15)
TXT = RecordType[bytes]("TXT", 16)
"""The strings of a record are joined, with nothing between them (RFC 7208 section 3.3, RFC 6376
section 3.6.2.2)."""

AAAA = RecordType[IPv6Address]("AAAA", 28)


@frozen
class Records(Generic[T]):
    """
    There are some.
    """

    values: tuple[T, ...]
    """At least one; in the order in which the server gave them, which means nothing. Names are as
    in L{mailgate.wire.dns.name}."""


@frozen
class Nothing:
    """
    There is nothing: a server says so.
    """

    exists: bool
    """
    Whether the name has records of other types (NODATA), or is not there at all (NXDOMAIN, RFC 2308
    section 2; also what can be no name: an empty label, one of more than 63 bytes, and the like).
    """


NXDOMAIN = Nothing(exists=False)
NODATA = Nothing(exists=True)


class Trouble(StrEnum):
    """
    Why something is not known.
    """

    TIMEOUT = "timeout"
    """No server has answered in time."""

    SERVFAIL = "servfail"
    """No server could find out."""

    REFUSED = "refused"
    """No server wants to tell us."""

    GARBAGE = "garbage"
    """What came is no answer that can be read."""

    UNREACHABLE = "unreachable"
    """For a while no server has answered anything, so none was asked."""

    BUDGET = "budget"
    """The check has asked too much, or its time is over."""

    BUSY = "busy"
    """Too many questions are waiting already."""


@frozen
class Unknown:
    """
    It is not known whether there is anything.
    """

    trouble: Trouble
    reason: str
    """In words that can stand behind "not known:", with nothing of a stranger's choosing."""


Answer = Records[T] | Nothing | Unknown
