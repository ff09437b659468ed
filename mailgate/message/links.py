"""
Where a message leads: the links of its pages, of its text and of its files, and what these carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import frozen

from mailgate.message.header import Headers
from mailgate.message.redirect import carried
from mailgate.message.seen import Seen
from mailgate.message.urls import Link, links_in, parse_link

LIMIT = 200
"""How many links of a message are looked at."""

_TARGET = re.compile(rb"<([^<>]{1,1000})>")
_UNSUBSCRIBE_LIMIT = 2000


@frozen
class Place:
    """
    A place to which a message leads.
    """

    address: str
    """As it is written."""

    link: Link
    shown: str
    """What the page shows in its place; C{""} where it stands in text."""

    is_in_page: bool
    """Whether it is a link of a page, not only text that looks like one."""

    carried: tuple[Link, ...]
    """Where it leads on to, as far as its own address tells; the outermost first."""

    @property
    def all(self) -> tuple[Link, ...]:
        """
        Give the link and what it carries.
        """
        return (self.link, *self.carried)


@frozen
class Places:
    """
    All places to which a message leads.
    """

    places: tuple[Place, ...] = ()
    """Each once, in their order, those of pages first; at most L{LIMIT}."""

    is_cut: bool = False
    """Whether there are more."""

    @property
    def web(self) -> tuple[Place, ...]:
        """
        Give those that a browser opens.
        """
        return tuple(place for place in self.places if place.link.is_web and place.link.host)


def unsubscribe_links(headers: Headers) -> Iterator[Link]:
    """
    Read where List-Unsubscribe leads (RFC 2369 section 3.2), the first five of it. Never raises.
    """
    for value in headers.values("List-Unsubscribe")[:1]:
        for target in _TARGET.findall(value[:_UNSUBSCRIBE_LIMIT])[:5]:
            link = parse_link(target.decode("utf-8", "replace"))
            if link is not None:
                yield link


def places_of(seen: Seen, leads: Iterable[str] = ()) -> Places:
    """
    Find where a message leads. Linear in its size; never raises.

    @param leads: the links in its files, as they are written there.
    """
    places: list[Place] = []
    known: set[str] = set()
    for address, shown, is_in_page in _addresses(seen, leads):
        if address in known:
            continue
        known.add(address)
        link = parse_link(address)
        if link is None:
            continue
        if len(places) == LIMIT:
            return Places(tuple(places), True)
        inner = carried(address) if link.is_web else ()
        links = filter(None, map(parse_link, inner))
        places.append(Place(address, link, shown, is_in_page, tuple(links)))
    return Places(tuple(places))


def _addresses(seen: Seen, leads: Iterable[str]) -> Iterator[tuple[str, str, bool]]:
    for anchor in seen.page.anchors:
        yield anchor.target, anchor.text, True
    # Mail programs make links of what looks like one, in the text of a page too.
    for text in (seen.plain, *(page.text for page in seen.pages)):
        for address in links_in(text):
            yield address, "", False
    for lead in leads:
        yield lead, "", False
