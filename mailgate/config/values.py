"""
How the values of the configuration are spelled: endpoints, networks, host names and paths.

Each function says in its C{ValueError} what is allowed, in words that can stand behind
"must be" or alone, since they are shown to the person who wrote the file.
"""

from __future__ import annotations

import os
import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from pathlib import Path

from mailgate.wire.address import Address
from mailgate.wire.base64 import strict_b64decode
from mailgate.wire.smtp import Refused, parse_mail

UNIX = "unix:"
UNIX_BYTES = 107
"""The longest path of a Unix socket."""

_OCTET = re.compile(r"(&)?([0-9]{1,3})(?:-([0-9]{1,3}))?\Z")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z", re.IGNORECASE)

ENDPOINT = "an IP address and a port, as in 127.0.0.1:25 or [::1]:25"
PLACE = "an IP address and a port, as in 127.0.0.1:25, or unix: and a path"
NETWORK = "an IP address or a network, as in 192.0.2.7 or 2001:db8::/32"
HOST_NAME = "a host name in ASCII, as in example.com"
FULL_NAME = "the full name of this machine in the DNS, as in mail.example.com"
HOST = "a host name or an IP address, as in mail.example.com or 192.0.2.7"
MAIL_HOST = f"{HOST}, or unix: and the path of a socket"
IP_ADDRESS = "an IP address, as in 192.0.2.7"
ADDRESS = "an address, as in ada@example.com"
PINNED_KEY = "the SHA-256 of a public key, in 64 hexadecimal digits or in base64"
SENDER = "an address, @ and a domain, or *, as in ada@example.com or @example.com"
TRAP = "an address, or @ and a domain, as in ada@example.com or @example.com"
LDAP_URL = "ldaps:// or ldap:// with a host, as in ldaps://dc1.example.com"
DATABASE_HOST = "a host name, an IP address, or the folder of a Unix socket, as in /run/postgresql"
MAILBOX = "an address, as in postmaster@example.com"
LIST_CODE = (
    "an answer of a list in which an octet may be a number, a range as 4-7, * for any, or & and "
    "the bits that are set, as in 127.0.0.2 or 127.0.0.&8"
)
SERVER = "an IP address, with a port where it is not 53, as in 127.0.0.1 or [::1]:5353"
BASE_URL = (
    "http:// or https:// with a host name and nothing behind it, as in https://mail.example.com"
)


def parse_endpoint(text: str) -> tuple[str, int]:
    """
    Split an endpoint into the IP address, without brackets, and the port.

    Port 0 stands for any free one. All addresses of the machine are C{0.0.0.0} or C{[::]}.

    @raise ValueError: it is not an address and a port.
    """
    host, colon, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"must be {ENDPOINT}")
    if ":" in host and not is_bracketed:
        raise ValueError(f"must be {ENDPOINT}; an IPv6 address stands in brackets")
    try:
        address = IPv6Address(host[1:-1]) if is_bracketed else IPv4Address(host)
    except ValueError as error:
        raise ValueError(f"must be {ENDPOINT}") from error
    return str(address), int(port)


def parse_server(text: str) -> tuple[str, int]:
    """
    Split a DNS server into the IP address, without brackets, and the port.

    @raise ValueError: it is none.
    """
    try:
        host, port = str(ip_address(text)), 53
    except ValueError:
        try:
            host, port = parse_endpoint(text)
        except ValueError as error:
            raise ValueError(f"must be {SERVER}") from error
    address = ip_address(host)
    if port == 0 or address.is_unspecified or address.is_multicast:
        raise ValueError(f"must be {SERVER}")
    return host, port


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """
    Read an address or a network; a single address is a network of one.

    @raise ValueError: it is neither, or its address lies inside the network it names.
    """
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(f"must be {NETWORK}") from error
    raise ValueError(f"has address bits behind its prefix; write {meant} for the whole network")


def check_endpoint(text: str) -> str:
    """
    Give back an endpoint that can be parsed.
    """
    parse_endpoint(text)
    return text


def check_place(text: str, folder: Path | None) -> str:
    """
    Give back an endpoint that can be parsed, or C{unix:} and a path, seen from C{folder}.

    @raise ValueError: it is neither.
    """
    path = unix_path(text)
    if path is not None:
        path = absolute(path, folder)
        if len(os.fsencode(path)) > UNIX_BYTES:
            raise ValueError(
                f"unix: and a path of at most {UNIX_BYTES} bytes, its folders included"
            )
        return f"{UNIX}{path}"
    try:
        parse_endpoint(text)
    except ValueError as error:
        raise ValueError(str(error).replace(ENDPOINT, PLACE)) from error
    return text


def unix_path(place: str) -> Path | None:
    """
    Give the path of a Unix socket, or C{None} where the place is an endpoint.
    """
    return Path(place.removeprefix(UNIX)) if place.startswith(UNIX) else None


def check_server(text: str) -> str:
    """
    Give back a DNS server that can be parsed.
    """
    parse_server(text)
    return text


def check_network(text: str) -> str:
    """
    Give back a network that can be parsed.
    """
    parse_network(text)
    return text


def parse_list_code(text: str) -> tuple[frozenset[int], ...]:
    """
    Give the values that each of the four octets of an answer may have.

    @raise ValueError: it is no pattern of an answer, or one of an error (RFC 5782 section 2.1).
    """
    octets = text.split(".")
    if len(octets) != 4:
        raise ValueError(f"must be {LIST_CODE}")
    values = tuple(map(_octet, octets))
    if values[0] != {127}:
        raise ValueError(f"must be {LIST_CODE}; answers of lists begin with 127")
    if text == "127.0.0.1" or text.startswith("127.255.255."):
        raise ValueError(f"must be {LIST_CODE}; this one says that a query is refused")
    return values


def _octet(text: str) -> frozenset[int]:
    if text == "*":
        return frozenset(range(256))
    found = _OCTET.fullmatch(text)
    if found is None or any(int(number) > 255 for number in found.group(2, 3) if number):
        raise ValueError(f"must be {LIST_CODE}")
    first, last = int(found[2]), int(found[3] or found[2])
    if found[1]:
        if found[3] or not first:
            raise ValueError(f"must be {LIST_CODE}")
        return frozenset(value for value in range(256) if value & first == first)
    if last < first:
        raise ValueError(f"must be {LIST_CODE}; the range ends before it begins")
    return frozenset(range(first, last + 1))


def check_list_code(text: str) -> str:
    """
    Give back a pattern of answers that can be parsed.
    """
    parse_list_code(text)
    return text


def check_host_name(text: str) -> str:
    """
    Give a host name of RFC 5321 section 2.3.5 in lower case.

    @raise ValueError: it is none.
    """
    if text.endswith("."):
        raise ValueError(f"must be {HOST_NAME}, without the dot at its end")
    if not text.isascii():
        raise ValueError(f"must be {HOST_NAME}{_ascii_form(text)}")
    if len(text) > 253 or not all(map(_LABEL.match, text.split("."))):
        raise ValueError(f"must be {HOST_NAME}")
    return text.lower()


def check_full_name(text: str) -> str:
    """
    Give a host name in lower case that has a domain and is no IP address.

    @raise ValueError: it is none.
    """
    try:
        name = check_host_name(text)
    except ValueError as error:
        raise ValueError(f"must be {FULL_NAME}") from error
    _, dot, rest = name.partition(".")
    if not dot:
        raise ValueError(f"must be {FULL_NAME}; this has no domain")
    if rest.rpartition(".")[2].isdigit():
        raise ValueError(f"must be {FULL_NAME}; this is an IP address")
    return name


def check_host(text: str) -> str:
    """
    Give a host name in lower case, or an IP address without brackets.

    @raise ValueError: it is neither.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ip_address(bare))
    except ValueError:
        pass
    try:
        return check_host_name(text)
    except ValueError as error:
        raise ValueError(f"must be {HOST}; the port has a key of its own") from error


def check_mail_host(text: str, folder: Path | None) -> str:
    """
    Give a host as L{check_host} does, or C{unix:} and a path, seen from C{folder}.

    @raise ValueError: it is neither.
    """
    path = unix_path(text)
    if path is not None:
        return f"{UNIX}{absolute(path, folder)}"
    try:
        return check_host(text)
    except ValueError as error:
        raise ValueError(str(error).replace(HOST, MAIL_HOST)) from error


def check_ip_address(text: str) -> str:
    """
    Give an IP address as it is usually written.

    @raise ValueError: it is none.
    """
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise ValueError(f"must be {IP_ADDRESS}") from error


def check_pinned_key(text: str) -> str:
    """
    Give the SHA-256 of a key in hexadecimal digits.

    @raise ValueError: it is none.
    """
    digits = text.lower()
    if re.fullmatch(r"[0-9a-f]{64}", digits):
        return digits
    try:
        digest = strict_b64decode(text.encode("ascii"))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise ValueError(f"must be {PINNED_KEY}")
    return digest.hex()


def parse_ldap_url(text: str) -> tuple[bool, str, int]:
    """
    Split the URL of a directory server: whether TLS comes first, the host without brackets, and the
    port.

    @raise ValueError: it is something else.
    """
    match = re.fullmatch(r"(ldaps?)://(\[[0-9a-fA-F:.]+\]|[^/:?#\[\]@\s]+)(?::(\d{1,5}))?/?", text)
    if match is None or int(match[3] or 1) not in range(1, 65536):
        raise ValueError(f"must be {LDAP_URL}")
    try:
        host = check_host(match[2])
    except ValueError as error:
        raise ValueError(f"must be {LDAP_URL}") from error
    is_tls = match[1] == "ldaps"
    return is_tls, host, int(match[3] or (636 if is_tls else 389))


def check_ldap_url(text: str) -> str:
    """
    Give back the URL of a directory server that can be parsed.
    """
    parse_ldap_url(text)
    return text


def check_database_host(text: str) -> str:
    """
    Give a host as L{check_host} does, or an absolute path.

    @raise ValueError: it is neither.
    """
    if text.startswith("/"):
        return text
    try:
        return check_host(text)
    except ValueError as error:
        raise ValueError(f"must be {DATABASE_HOST}; the port has a key of its own") from error


def is_this_machine(host: str) -> bool:
    """
    Tell whether a host is reached without a network: C{localhost}, a loopback address, or the
    folder of a Unix socket.
    """
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_base_url(text: str) -> str:
    """
    Give back a scheme, host and perhaps port, without anything behind them.

    @raise ValueError: it is something else.
    """
    match = re.fullmatch(r"https?://(\[[0-9a-fA-F:.]+\]|[^/:?#\[\]@\s]+)(?::(\d{1,5}))?", text)
    if match is None or int(match[2] or 1) not in range(1, 65536):
        raise ValueError(f"must be {BASE_URL}")
    try:
        check_host(match[1])
    except ValueError as error:
        raise ValueError(f"must be {BASE_URL}") from error
    return text


def check_sender(text: str) -> str:
    """
    Give an address, C{@} and a domain, or C{*}, in the form in which it is compared: in lower
    case, the domain in ASCII.

    @raise ValueError: it is none of them.
    """
    if text == "*":
        return text
    try:
        if text.startswith("@"):
            return f"@{check_host_name(Address('', text[1:]).host)}"
        address = parse_mail(f"FROM:<{text}>").address
    except (ValueError, Refused):
        raise ValueError(f"must be {SENDER}") from None
    if address.is_null or any(map(str.isspace, text)):
        raise ValueError(f"must be {SENDER}")
    return f"{address.local.lower()}@{address.host}"


def check_trap(text: str) -> str:
    """
    Give an address, or C{@} and a domain, in the form in which it is compared, as L{check_sender}
    does.

    @raise ValueError: it is neither, or an address that every domain has.
    """
    try:
        found = check_sender(text)
    except ValueError:
        found = "*"
    if found == "*":
        raise ValueError(f"must be {TRAP}")
    if Address(found.rpartition("@")[0], "").is_protected:
        raise ValueError("is never a trap: people complain there (RFC 2142)")
    return found


def check_address(text: str) -> str:
    """
    Give an address in the form in which it is compared, as L{check_sender} does.

    @raise ValueError: it is none.
    """
    try:
        found = check_sender(text)
    except ValueError:
        found = "*"
    if found == "*" or found.startswith("@"):
        raise ValueError(f"must be {ADDRESS}")
    return found


def parse_mailbox(text: str) -> Address:
    """
    Read an address with a domain.

    @raise ValueError: it is none.
    """
    try:
        address = parse_mail(f"FROM:<{text}>").address
    except (ValueError, Refused):
        raise ValueError(f"must be {MAILBOX}") from None
    if not address.domain or not text.isprintable() or str(address) != text:
        raise ValueError(f"must be {MAILBOX}")
    return address


def check_mailbox(text: str) -> str:
    """
    Give back an address that can be parsed.
    """
    parse_mailbox(text)
    return text


def absolute(path: Path, folder: Path | None) -> Path:
    """
    Give C{path} seen from C{folder}; without a folder it stays as it is.

    @raise ValueError: it is empty, or begins with a tilde, which only a shell expands.
    """
    if path == Path():
        raise ValueError("must be a path")
    if path.parts[0].startswith("~"):
        raise ValueError('must be written in full: "~" is not expanded')
    return path if folder is None else Path(os.path.normpath(folder / path))


def _ascii_form(name: str) -> str:
    try:
        return f"; in ASCII this is {name.encode('idna').decode('ascii')}"
    except UnicodeError:
        return ""
