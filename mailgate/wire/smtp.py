"""
The commands of SMTP as a client sends them: grammar of RFC 5321 section 4.1, nothing more.

Every function here takes bytes that anybody may have sent and gives a value or raises
L{Refused} with the reply that the client shall get.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from attrs import frozen

from mailgate.reply import Reply
from mailgate.wire.address import NULL_SENDER, Address

# RFC 6531 section 3.3 adds what is not ASCII; whether a client may say that is asked later.
_MORE = "\x80-\U0010ffff"
_ATOM = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_MORE}-]+"
_LOCAL = rf'{_ATOM}(?:\.{_ATOM})*|"(?:[ !#-\[\]-~{_MORE}]|\\[ -~])*"'
# An underscore is not in the grammar of a domain, but in the names of real senders' machines;
# it can do no harm, and refusing it would lose their mail.
_LABEL = rf"[A-Za-z0-9_{_MORE}](?:[A-Za-z0-9_{_MORE}-]*[A-Za-z0-9_{_MORE}])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*|\[[!-Z^-~]+\]"
_MAILBOX = re.compile(rf"({_LOCAL})@({_DOMAIN})")
_SOURCE_ROUTE = re.compile(rf"@(?:{_DOMAIN})(?:,@(?:{_DOMAIN}))*:")
_PATH = re.compile(r"<([^<>\"]*(?:\"(?:[^\"\\]|\\.)*\"[^<>\"]*)*)>")
# A keyword is named in the reply that refuses it, and a line of a reply has 512 bytes.
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,63})(?:=([!-<>-~\x80-\U0010ffff]+))?")
_VERB = re.compile(r"[A-Za-z]{3,20}")
_GREETING = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
_CHUNK_SIZE = re.compile(r"[0-9]{1,20}")
_DOMAIN_LIMIT = 255


class Refused(Exception):
    """
    The command is not well-formed; C{reply} says why.
    """

    def __init__(self, code: int, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code, enhanced, text)


@frozen
class Command:
    """
    One command line.
    """

    verb: str
    """In upper case."""

    argument: str
    """What follows the verb's space, as it came, without white space at its end."""


@frozen
class Path:
    """
    The argument of MAIL or RCPT.
    """

    address: Address
    parameters: dict[str, str]
    """Values by keyword in upper case; C{""} for a keyword without a value."""


def parse_command(line: bytes, utf8: bool = False) -> Command:
    """
    Read one line, its line end included.

    @param utf8: whether it may be UTF-8, as where SMTPUTF8 is offered.
    @raise Refused: 500 for a line that does not end with CRLF, has control characters or
        8-bit characters that are not allowed, or does not begin with a verb.
    """
    if not line.endswith(b"\r\n"):
        raise Refused(500, "5.5.2", "a command line must end with CR LF")
    try:
        text = line[:-2].decode("utf-8" if utf8 else "ascii")
    except UnicodeDecodeError:
        why = "a command must be UTF-8" if utf8 else "8-bit characters are not allowed in a command"
        raise Refused(500, "5.5.2", why) from None
    if not text.isprintable():
        raise Refused(500, "5.5.2", "control characters are not allowed in a command")
    verb, _, argument = text.partition(" ")
    if not _VERB.fullmatch(verb):
        raise Refused(500, "5.5.2", "not a command")
    return Command(verb.upper(), argument.rstrip(" "))


def parse_bdat(argument: str) -> tuple[int, bool]:
    """
    Read the argument of BDAT (RFC 3030 section 2).

    @return: the bytes of the chunk, and whether it is the last.
    @raise Refused: 501; where the next command begins is then not known.
    """
    size, *rest = argument.split(" ")
    is_last = [word.upper() for word in rest] == ["LAST"]
    if not _CHUNK_SIZE.fullmatch(size) or (rest and not is_last):
        raise Refused(501, "5.5.4", "say BDAT with a number of bytes, then perhaps LAST")
    return int(size), is_last


def parse_greeting(argument: str) -> str:
    """
    Read the argument of HELO or EHLO.

    Whether it is a domain or address literal that makes sense is judged by a check; here only
    those characters are refused that can be part of neither.

    @raise Refused: 501.
    """
    if not _GREETING.fullmatch(argument):
        raise Refused(501, "5.5.4", "say your domain name or address literal")
    return argument


def parse_mail(argument: str) -> Path:
    """
    Read the argument of MAIL (section 4.1.1.2).

    @raise Refused: 501, or 550 for a source route.
    """
    path, parameters = _split(argument, "FROM:", "MAIL FROM:<address>")
    if not path:
        return Path(NULL_SENDER, parameters)
    return Path(_mailbox(path, "5.1.7"), parameters)


def parse_rcpt(argument: str) -> Path:
    """
    Read the argument of RCPT (section 4.1.1.3).

    @raise Refused: 501, or 550 for a source route.
    """
    path, parameters = _split(argument, "TO:", "RCPT TO:<address>")
    if path.lower() == "postmaster":
        return Path(Address(path, ""), parameters)
    return Path(_mailbox(path, "5.1.3"), parameters)


def literal_address(domain: str) -> IPv4Address | IPv6Address | None:
    """
    Give the address inside an address literal (section 4.1.3), or C{None} where it is none.
    """
    if not (domain.startswith("[") and domain.endswith("]")):
        return None
    inside = domain[1:-1]
    try:
        if inside[:5].lower() == "ipv6:":
            return IPv6Address(inside[5:])
        return IPv4Address(inside)
    except AddressValueError:
        return None


def _split(argument: str, keyword: str, usage: str) -> tuple[str, dict[str, str]]:
    if argument[: len(keyword)].upper() != keyword:
        raise Refused(501, "5.5.4", f"say {usage}")
    # The grammar has no space here; enough senders write one that it is let through.
    rest = argument[len(keyword) :].lstrip(" ")
    path = _PATH.match(rest)
    if path is None:
        raise Refused(501, "5.5.4", f"say {usage}, with the angle brackets")
    return path.group(1), _parameters(rest[path.end() :])


def _parameters(text: str) -> dict[str, str]:
    if not text:
        return {}
    if text[0] != " ":
        raise Refused(501, "5.5.4", "a space must stand between the address and its parameters")
    parameters: dict[str, str] = {}
    for word in text.split():
        parameter = _PARAMETER.fullmatch(word)
        if parameter is None:
            raise Refused(501, "5.5.4", "a parameter is not well-formed")
        keyword = parameter.group(1).upper()
        if keyword in parameters:
            raise Refused(501, "5.5.4", f"parameter {keyword} is given twice")
        parameters[keyword] = parameter.group(2) or ""
    return parameters


def _mailbox(path: str, enhanced: str) -> Address:
    mailbox = _MAILBOX.fullmatch(path)
    if mailbox is None:
        if _SOURCE_ROUTE.match(path):
            raise Refused(550, "5.7.1", "source routes are not accepted")
        raise Refused(501, enhanced, "the address is not well-formed")
    local, domain = mailbox.groups()
    if len(domain) > _DOMAIN_LIMIT or (domain[0] == "[" and literal_address(domain) is None):
        raise Refused(501, enhanced, "the domain of the address is not well-formed")
    return Address(local, domain)
