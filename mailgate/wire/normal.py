"""
Addresses and domains in the form in which they are compared.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import normalize

from mailgate.wire.address import Address

TEXT = r"[^\x00-\x20\x7f\"(),:;<>@\[\]\\]+"
"""A local part without quotes."""

# The underscore is not in the grammar, but in the names of real senders' machines.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
DOMAIN_NAME = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
NAME_LIMIT = 253
"""Characters of a domain."""

_QUOTED = re.compile(rf'"({TEXT})"')


def normal_address(address: Address) -> str:
    """
    Give an address as it is compared: in lower case, its local part without quotes that it does
    not need, its domain as L{normal_domain} gives it; C{""} for the null sender.
    """
    local, host = address.local.lower(), address.host
    if local.startswith('"') and (quoted := _QUOTED.fullmatch(local)):
        local = quoted[1]
    if not local.isascii():
        local = normalize("NFC", local)
    return f"{local}@{normal_domain(host)}" if host else local


def normal_domain(domain: str) -> str:
    """
    Give a domain as it is compared: in lower case, without the dot at its end, and in its ASCII
    form (RFC 5890) where it has one. Never raises.
    """
    domain = domain.lower().removesuffix(".")
    return domain if domain.isascii() or len(domain) > NAME_LIMIT else _ascii_form(domain)


@lru_cache(1000)  # it is slow, and asked again for each recipient of a message
def _ascii_form(domain: str) -> str:
    try:
        name = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain
    # The codec also makes ASCII of what belongs in no name, as a full-width @.
    return name if DOMAIN_NAME.fullmatch(name) else domain
