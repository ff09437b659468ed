"""
The links of a message, taken apart as programs that follow them would. Linear, never raising.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase

from attrs import frozen

from mailgate.message.host import clean_host, is_address

LINK_LIMIT = 250
"""How many links of a message are looked at."""

LENGTH_LIMIT = 2000
"""How many characters of a link are looked at."""

_IGNORED = re.compile(r"[\t\r\n]+")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,20}):", re.IGNORECASE | re.ASCII)
# A browser takes a backslash for a slash, passes over how many there are, and takes what stands
# before the last @ for the name of a user.
_WEB = re.compile(
    r"[/\\]*(?:[^/\\?#]*@)?(\[[^\]/\\?#]*\]|[^/\\?#:@]*)(?::([0-9]{0,6}))?"
    r"([/\\][^?#]*)?(?:[^?#]*\?([^#]*))?",
    re.DOTALL,
)
_SECOND_LEVEL_LABELS = """
    ac asn co com edu firm gen go gob gouv gov govt gub idf ind info k12 ltd me mil muni my net ne
    nhs nic nom or org plc police sch school tm web
    """
_SECOND_LEVEL = frozenset(_SECOND_LEVEL_LABELS.split())
"""
Labels under which countries give out names, as in C{co.uk}.

It stands for the Public Suffix List, and does not know the names that a single country or a
hosting service has.
"""

_END = re.compile(r"[\s<>\"'`\x00-\x20]")
_BEHIND = ".,;:!?)]}*_~'"
_SCHEMES = ("https", "http", "ftp")
_LAST_LETTERS = ("s", "p")
"""Of these schemes."""


@frozen
class Link:
    """
    Where a link leads.
    """

    scheme: str
    """In lower case; C{http} where the link has none but looks like a name of a web server."""

    host: str
    """As L{clean_host} gives it, or C{""}: of C{mailto:} that of the (first) address."""

    port: int | None
    path: str
    query: tuple[str, ...]
    """The names in the query, in their order."""

    is_address: bool
    """Whether the host is an IP address, in whatever way it is written."""

    organisation: str
    """The organisational domain of the host."""

    @property
    def labels(self) -> list[str]:
        """
        Give the labels of the host, from left to right.
        """
        return self.host.split(".") if self.host else []

    @property
    def is_web(self) -> bool:
        """
        Tell whether a browser opens it.
        """
        return self.scheme in _SCHEMES


def parse_link(target: str) -> Link | None:
    """
    Take a link apart, or give C{None} where it leads nowhere outside of the message.
    """
    target = target[:LENGTH_LIMIT].strip()
    if "\n" in target or "\r" in target or "\t" in target:
        target = _IGNORED.sub("", target).strip()
    match = _SCHEME.match(target)
    if match is not None:
        scheme, rest = match[1].lower(), target[match.end() :]
    elif target.startswith(("//", "\\\\")) or target[:4].lower() == "www.":
        scheme, rest = "http", target
    else:
        return None
    if scheme == "mailto":
        host = clean_host(rest.partition("?")[0].rpartition("@")[2])
        return Link(scheme, host, None, "", (), False, organisation(host))
    if scheme not in _SCHEMES:
        return Link(scheme, "", None, rest[:200], (), False, "")
    web = _WEB.match(rest)
    if web is None:  # it cannot be, as everything in the pattern is optional
        return None
    name, port, path, query = web.groups()
    host, is_bare, owner = _host_again(name) if len(name) <= _SHORT else _host(name)
    return Link(
        scheme,
        host,
        int(port) if port else None,
        (path or "").replace("\\", "/"),
        _names(query) if query else (),
        is_bare,
        owner,
    )


def _host(name: str) -> tuple[str, bool, str]:
    """
    Give a host as it is compared, whether it is an address, and its organisational domain.
    """
    host = clean_host(name)
    is_bare = is_address(host)
    return host, is_bare, host if is_bare else organisation(host)


# The links of a message mostly lead to few hosts, and those of many messages to the same ones.
_SHORT = 64
_host_again = lru_cache(maxsize=2048)(_host)


def _names(query: str) -> tuple[str, ...]:
    return tuple(pair.partition("=")[0][:40] for pair in query.split("&", 20)[:20])


@lru_cache(maxsize=4096)
def organisation(host: str) -> str:
    """
    Give the organisational domain of a name: C{example.co.uk} of C{www.example.co.uk}.

    It is found by a short written list of labels (C{co}, C{com}, C{ac}...) that stand before
    a country's, not by the Public Suffix List.
    """
    labels = host.split(".")
    if len(labels) <= 2:
        return host
    keep = 3 if len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-keep:])


def are_related(one: str, other: str) -> bool:
    """
    Tell whether two organisational domains are likely to be of one organisation: the same, or
    with the same first label of at least four letters (C{example.com}, C{example.de}).
    """
    if one == other:
        return bool(one)
    first = one.partition(".")[0]
    return len(first) >= 4 and first == other.partition(".")[0] and first.strip("0123456789") != ""


def links_in(text: str) -> Iterator[str]:
    """
    Give the links in plain text as they stand there.
    """
    for start, end in spans_of_links(_lower(text)):
        yield text[start:end]


def _lower(text: str) -> str:
    """
    Write a text in lower case, with every character in its place.
    """
    lower = text.lower()
    return lower if len(lower) == len(text) else text.translate(_LOWER)


_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def spans_of_links(text: str) -> Iterator[tuple[int, int]]:
    """
    Find where links stand in plain text: C{http://...}, C{https://...}, C{www....}.

    @param text: the text, in lower case.
    """
    end = 0
    colon, www = text.find("://"), text.find("www.")
    while colon >= 0 or www >= 0:
        if colon >= 0 and (www < 0 or colon < www):
            scheme = None
            if text[colon - 1 : colon] in _LAST_LETTERS:
                scheme = next((s for s in _SCHEMES if text.endswith(s, end, colon)), None)
            start = -1 if scheme is None else colon - len(scheme)
            after = colon + 3
        else:
            start = www if www == 0 or not text[www - 1].isalnum() else -1
            after = www + 4
        if start >= 0:
            stop = _END.search(text, after, after + LENGTH_LIMIT)
            end = stop.start() if stop else min(len(text), after + LENGTH_LIMIT)
            while end > after and text[end - 1] in _BEHIND:
                end -= 1
            if end > after:
                yield start, end
            after = max(after, end)
            end = after
        if 0 <= colon < after:
            colon = text.find("://", after)
        if 0 <= www < after:
            www = text.find("www.", after)
