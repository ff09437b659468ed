"""
XCLIENT and XFORWARD: how a mail server of ours says who its client is.

The extensions of Postfix, as its XCLIENT_README and XFORWARD_README describe them. Whoever may
send them can pretend to be anybody, so they are offered to configured networks only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address

from attrs import frozen

from mailgate.wire.network import canonical_ipv6
from mailgate.wire.smtp import Refused, parse_greeting
from mailgate.wire.xtext import decode, encode

XCLIENT_NAMES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
"""The attributes of XCLIENT, in the order in which EHLO offers them."""

XFORWARD_NAMES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")
"""The attributes of XFORWARD, in the order in which EHLO offers them."""

_NAMES = frozenset((*XCLIENT_NAMES, *XFORWARD_NAMES))
COMMAND_LIMIT = 512
"""Bytes of a command line, its line end included (RFC 5321 section 4.5.3.1.4)."""

_UNAVAILABLE = frozenset(("[UNAVAILABLE]", "[TEMPUNAVAIL]"))
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")
_PORT = re.compile(r"[0-9]{1,5}")
_WORD = re.compile(r"[!-~]{1,255}")
_PROTOCOL = re.compile(r"[!-~]{1,64}")
_LOGIN_LIMIT = 255


@frozen
class ClientAttributes:
    """
    What was said of a client. C{None} is for what was not said, so that what is known of it
    stays; an empty string, or port 0, for what the other server does not know.
    """

    name: str | None = None
    """Its host name in the DNS."""

    addr: str | None = None
    """Its IP address. An IPv4 address is never written as an IPv6 one."""

    port: int | None = None
    proto: str | None = None
    """C{SMTP} or C{ESMTP}; with XFORWARD any word."""

    helo: str | None = None
    """What it said in HELO or EHLO."""

    login: str | None = None
    """As whom it has logged in."""

    destaddr: str | None = None
    """The IP address that it connected to."""

    destport: int | None = None
    ident: str | None = None
    """The other server's name for the message."""

    source: str | None = None
    """C{LOCAL} or C{REMOTE}: whether it belongs to the other server's own machines."""


def parse_xclient(argument: str) -> ClientAttributes:
    """
    Read the argument of XCLIENT.

    @raise Refused: 501.
    """
    attributes = _split(argument, XCLIENT_NAMES)
    proto = attributes.get("PROTO")
    if proto and proto.upper() not in ("SMTP", "ESMTP"):
        raise _refused("PROTO")
    return _attributes(attributes)


def parse_xforward(argument: str) -> ClientAttributes:
    """
    Read the argument of XFORWARD.

    @raise Refused: 501.
    """
    return _attributes(_split(argument, XFORWARD_NAMES))


def write(verb: str, attributes: ClientAttributes, offered: str) -> list[str]:
    """
    Write commands that say who a client is, as few as are allowed. What fits into none is left out.

    @param verb: C{XCLIENT} or C{XFORWARD}.
    @param offered: what the other server named behind it in its reply to EHLO.
    """
    lines: list[str] = []
    for word in _words(attributes, offered.upper().split()):
        if lines and len(lines[-1]) + len(word) + 3 <= COMMAND_LIMIT:
            lines[-1] += f" {word}"
        elif len(verb) + len(word) + 3 <= COMMAND_LIMIT:
            lines.append(f"{verb} {word}")
    return [f"{line}\r\n" for line in lines]


def _words(attributes: ClientAttributes, offered: list[str]) -> Iterator[str]:
    for name in offered:
        value = getattr(attributes, name.lower()) if name in _NAMES else None
        if value is None:
            continue
        if name in ("ADDR", "DESTADDR") and ":" in value:
            value = f"IPV6:{value}"
        yield f"{name}={encode(str(value)) if value else '[UNAVAILABLE]'}"


def _split(argument: str, names: tuple[str, ...]) -> Mapping[str, str]:
    attributes: dict[str, str] = {}
    for word in argument.split(" "):
        name, equals, value = word.partition("=")
        name = name.upper()
        if not (equals and value):
            raise Refused(501, "5.5.4", "say attributes as NAME=value, with a space between two")
        if name not in names:
            raise Refused(501, "5.5.4", f"the attributes are {', '.join(names)}")
        if name in attributes:
            raise Refused(501, "5.5.4", f"attribute {name} is given twice")
        try:
            text = decode(value)
        except ValueError:
            raise _refused(name) from None
        attributes[name] = "" if text.upper() in _UNAVAILABLE else text
    return attributes


def _attributes(said: Mapping[str, str]) -> ClientAttributes:
    source = said.get("SOURCE")
    if source and source.upper() not in ("LOCAL", "REMOTE"):
        raise _refused("SOURCE")
    login = said.get("LOGIN")
    if login and not (login.isprintable() and len(login) <= _LOGIN_LIMIT):
        raise _refused("LOGIN")
    return ClientAttributes(
        name=_matching(said, "NAME", _HOST),
        addr=_address(said, "ADDR"),
        port=_port(said, "PORT"),
        proto=_upper(_matching(said, "PROTO", _PROTOCOL)),
        helo=_helo(said.get("HELO")),
        login=login,
        destaddr=_address(said, "DESTADDR"),
        destport=_port(said, "DESTPORT"),
        ident=_matching(said, "IDENT", _WORD),
        source=_upper(source),
    )


def _matching(said: Mapping[str, str], name: str, grammar: re.Pattern[str]) -> str | None:
    value = said.get(name)
    if value and not grammar.fullmatch(value):
        raise _refused(name)
    return value


def _upper(value: str | None) -> str | None:
    return value and value.upper()


def _helo(value: str | None) -> str | None:
    return value and parse_greeting(value)


def _port(said: Mapping[str, str], name: str) -> int | None:
    value = _matching(said, name, _PORT)
    if value is None:
        return None
    port = int(value or 0)
    if port > 65535:
        raise _refused(name)
    return port


def _address(said: Mapping[str, str], name: str) -> str | None:
    value = said.get(name)
    if not value:
        return value
    try:
        if value[:5].upper() == "IPV6:":
            return canonical_ipv6(value[5:])
        return str(IPv4Address(value))
    except ValueError:
        raise _refused(name) from None


def _refused(name: str) -> Refused:
    return Refused(501, "5.5.4", f"attribute {name} is not well-formed")
