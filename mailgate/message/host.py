"""
The name of a host as a browser reads it (WHATWG URL Standard, section 3.5).

Whatever is done to a name so that it looks like another one, in the end a browser asks for a name
in ASCII or goes to an address; this is what lists know and what is compared.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, unquote

import idna

LENGTH_LIMIT = 255
"""How many characters of a name are looked at (RFC 1035 section 2.3.4)."""

_LABEL_LIMIT = 63
"""How many characters a label has at most (RFC 1035 section 2.3.4)."""

_USUAL = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.[a-z][a-z0-9_-]*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def clean_host(name: str) -> str:
    """
    Give the name of a host as it is compared: in lower case and ASCII, decoded, without a dot at
    the end; an address in its usual form, one of IPv6 in brackets. Never raises.

    What no browser would open comes back as it stands, in lower case; letters that are not in ASCII
    and stand in a label that is too long, or behind it, are written as in an address.
    """
    host = name[:LENGTH_LIMIT].lower()
    if _USUAL.fullmatch(host):
        return host
    if "%" in host:
        host = unquote(host, errors="replace").lower()
    if not host.isascii():
        host = _in_ascii(host)
    host = host.strip().strip(".")
    if host.startswith("["):
        return _of_version_6(host)
    return _of_version_4(host) or host


def decoded_label(label: str) -> str:
    """
    Give a label of a name with the letters that it stands for (RFC 3492). Never raises.
    """
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def is_address(host: str) -> bool:
    """
    Tell whether what L{clean_host} gives stands for an IP address, or would if it were one: the
    last label is a number.
    """
    return host.startswith("[") or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _in_ascii(host: str) -> str:
    """
    Write a name in ASCII (UTS 46, as browsers do it: C{transitional} is false).
    """
    try:
        host = idna.uts46_remap(host, std3_rules=False, transitional=False)
    except (idna.IDNAError, UnicodeError):
        host = unicodedata.normalize("NFKC", host).lower()
    labels: list[str] = []
    is_name = True
    for label in host[:LENGTH_LIMIT].split("."):
        if not label.isascii():
            # Punycode takes quadratic time, and for each letter one or more of those of the label.
            is_name = is_name and len(label) < _LABEL_LIMIT
            label = _punycode(label) if is_name else quote(label, errors="replace").lower()
        is_name = is_name and len(label) <= _LABEL_LIMIT
        labels.append(label)
    return ".".join(labels)


def _punycode(label: str) -> str:
    return f"xn--{label.encode('punycode').decode('ascii')}"


def _of_version_6(host: str) -> str:
    try:
        return f"[{IPv6Address(host[1:].removesuffix(']'))}]"
    except ValueError:
        return host


def _of_version_4(host: str) -> str | None:
    """
    Read an address of IPv4 in any way of writing it: C{0x7f.1} is 127.0.0.1.

    Each part is a decimal, octal (C{0...}) or hexadecimal (C{0x...}) number, and the last one
    fills what is left of the four bytes.
    """
    parts = host.split(".")
    if len(parts) > 4 or not all(map(_NUMBER.fullmatch, parts)):
        return None
    numbers = []
    for part in parts:
        try:
            numbers.append(_number(part))
        except ValueError:  # an 8 or a 9 in an octal number
            return None
    *firsts, last = numbers
    if any(number > 255 for number in firsts) or last >= 256 ** (4 - len(firsts)):
        return None
    value = last
    for place, number in enumerate(firsts):
        value += number * 256 ** (3 - place)
    return str(IPv4Address(value))


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if len(part) > 1 and part.startswith("0") else 10)
