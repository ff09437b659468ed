"""
Domain names of senders in the one form in which they are compared and looked up.
"""

from __future__ import annotations

import re
from functools import lru_cache

import idna

_LIMIT = 253
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def canonical(domain: str) -> str | None:
    """
    Give a domain name in small letters, in A-labels (RFC 5890 section 2.3) and without a dot at its
    end, or C{None} where it is none: an address literal, an empty label, a character that no host
    name has.

    A U-label is read as programs read what people type (UTS #46): what looks alike to them, such as
    wide letters, is alike.
    """
    return _canonical(domain) if len(domain) <= _LIMIT + 1 else None


@lru_cache(maxsize=1024)
def _canonical(domain: str) -> str | None:
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except UnicodeError:
            return None
    name = domain.removesuffix(".").lower()
    return name if len(name) <= _LIMIT and _NAME.fullmatch(name) else None


def is_within(name: str, domain: str) -> bool:
    """
    Tell whether C{name} is C{domain} or below it.
    """
    return name == domain or name.endswith(f".{domain}")
