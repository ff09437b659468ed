"""
The headers that every answer carries, wherever it is made.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_YEAR = 365 * 86400

DOWNLOAD = (("Content-Security-Policy", "default-src 'none'; sandbox"),)
"""For what a stranger wrote: should a browser show it all the same, it can do nothing."""

REVALIDATED = (("Cache-Control", "no-cache"),)
"""For files that are the same for everyone, and have a validator."""


def security_headers(is_secure: bool) -> dict[str, str]:
    """
    Give the headers that an answer has unless it names its own.

    The referrer policy is C{same-origin}: nothing of an address reaches another site, whereas
    with C{no-referrer} browsers send C{Origin: null} with the forms of these very pages, so
    that a form from elsewhere could not be told from one of ours.

    @param is_secure: whether the pages are asked for by https.
    """
    headers = {
        "Server": "mailgate",
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if is_secure:
        headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
    return headers


_UNFIT_FOR_A_NAME = re.compile(
    '[\x00-\x1f\x7f-\x9f/\\\\:*?"<>|\u200b-\u200f\u202a-\u202e\u2066-\u2069]'
)
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_NAME_LENGTH = 80


def attachment(name: str, ending: str) -> str:
    """
    Give a Content-Disposition that has the browser save a file (RFC 6266).

    @param name: what to call it; a stranger's words, of which nothing is kept that means
        something to a browser or a file system.
    @param ending: such as C{.eml}.
    """
    name = _UNFIT_FOR_A_NAME.sub("_", name)[:_NAME_LENGTH].strip(". ")
    if not name or _RESERVED.fullmatch(name):
        name = f"message{name and '-'}{name}"
    name += ending
    plain = "".join(c if c.isascii() else "_" for c in name)
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
