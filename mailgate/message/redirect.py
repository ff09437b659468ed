"""
The addresses that the address of a link carries: a redirector, a click tracker, a translator or a
gateway that rewrites links passes a browser on to what stands in its own address.

Nothing is asked for: what can only be told by the service itself stays unknown.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import Iterator
from urllib.parse import unquote

from mailgate.message.host import clean_host

DEPTH_LIMIT = 3
"""How many redirectors are followed, one in the other."""

COUNT_LIMIT = 5
"""How many addresses of one link are given."""

_LENGTH_LIMIT = 2000
_ADDRESS = re.compile(r"https?:(?:[/\\]|%2f)", re.IGNORECASE)
_IN_PATH = re.compile(r"https?(?::|%3a)(?:/|%2f){1,2}", re.IGNORECASE)
_PARTS = re.compile(r"https?:[/\\]*([^/\\?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.I | re.S)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_PROOFPOINT_3 = re.compile(r"/v3/__(.+?)__;([A-Za-z0-9_-]*)", re.DOTALL)
_STARS = re.compile(r"\*(?:\*([A-Za-z0-9_-]))?")
_AMP = re.compile(
    r"/(?:amp|[acvi])/(s/)?([a-z0-9-]+(?:\.[a-z0-9-]+)+/.*)", re.IGNORECASE | re.DOTALL
)
_RUNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def carried(target: str) -> tuple[str, ...]:
    """
    Give the web addresses that the address of a link carries, the outermost first, each once.
    Never raises.
    """
    found: dict[str, None] = {}
    layer = [target[:_LENGTH_LIMIT].strip()]
    for _ in range(DEPTH_LIMIT):
        layer = [inner for outer in layer for inner in _within(outer) if inner not in found]
        found.update(dict.fromkeys(layer))
        if not layer or len(found) >= COUNT_LIMIT:
            break
    found.pop(target, None)
    return tuple(found)[:COUNT_LIMIT]


def _within(target: str) -> Iterator[str]:
    match = _PARTS.match(target)
    if match is None:
        return
    authority, path, query, fragment = match.groups()
    host = clean_host(authority.rpartition("@")[2].partition(":")[0])
    of_service = tuple(_of_service(host, path, query or ""))
    if of_service:
        yield from of_service
        return
    # Behind an address in a path, whatever follows is its own.
    inner = _IN_PATH.search(path)
    if inner is not None:
        yield _decoded(target[match.start(2) + inner.start() :])
        return
    for pair in (query or "").split("&", 40)[:40]:
        yield from _of_value(pair.partition("=")[2])
    yield from _of_value(fragment or "")


def _decoded(address: str) -> str:
    """
    Decode an address, as often as it was encoded as a whole.
    """
    for _ in range(DEPTH_LIMIT):
        if _ADDRESS.match(address) and "%2f" not in address[:14].lower():
            break
        address = unquote(address, errors="replace")
    return address


def _of_value(value: str) -> Iterator[str]:
    """
    Give the address that a value of a query is, plain or in base64.
    """
    if len(value) < 8:
        return
    plain = _decoded(value)
    if _ADDRESS.match(plain):
        yield plain
    elif plain.startswith("//"):
        yield f"https:{plain}"
    elif plain[:4].lower() == "www.":
        yield f"http://{plain}"
    elif _BASE64.fullmatch(plain):
        # Bing writes two letters before it.
        for text in (plain, plain[2:]):
            decoded = _from_base64(text)
            if _ADDRESS.match(decoded):
                yield decoded
                return


def _from_base64(text: str) -> str:
    text = text.rstrip("=").translate(_URL_SAFE)
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
    except (Error, ValueError):
        return ""


_URL_SAFE = str.maketrans("+/", "-_")


# -- services that write addresses in a way of their own ------------------------------------


def _of_service(host: str, path: str, query: str) -> Iterator[str]:
    if host.endswith(".translate.goog"):
        yield f"https://{_from_label(host.partition('.')[0])}{path}"
    elif host.endswith(".ampproject.org") or host.startswith("www.google."):
        match = _AMP.match(path)
        if match is not None:
            yield f"{'https' if match[1] else 'http'}://{match[2]}"
    elif host.endswith((".mimecast.com", ".mimecastprotect.com")):
        domain = _value_of("domain", query)
        if domain:
            yield f"http://{unquote(domain, errors='replace')}/"
    elif host.endswith(("urldefense.com", "urldefense.us", "urldefense.proofpoint.com")):
        yield from _of_proofpoint(path, query)


def _from_label(label: str) -> str:
    """
    Give the name that services of Google write as one label: C{-} for a dot, C{--} for itself.
    """
    return label.replace("--", "\0").replace("-", ".").replace("\0", "-")


def _of_proofpoint(path: str, query: str) -> Iterator[str]:
    if path.startswith("/v2/"):
        value = _value_of("u", query)
        if value:
            yield unquote(value.replace("-", "%").replace("_", "/"), errors="replace")
        return
    match = _PROOFPOINT_3.match(path if not query else f"{path}?{query}")
    if match is not None:
        yield _without_stars(match[1], _from_base64(match[2]))


def _without_stars(address: str, letters: str) -> str:
    """
    Put back the letters for which C{*} stands, and C{**A} for two of them, C{**B} for three...
    """
    at = 0

    def letter(match: re.Match[str]) -> str:
        nonlocal at
        count = 1 if match[1] is None else _RUNS.index(match[1]) + 2
        at += count
        return letters[at - count : at]

    return _STARS.sub(letter, address)


def _value_of(name: str, query: str) -> str:
    for pair in query.split("&", 40)[:40]:
        key, _, value = pair.partition("=")
        if key == name:
            return value
    return ""
