"""
A message as the classifier reads it: its words, its links, its sender, taken out once.
"""

from __future__ import annotations

import re

from attrs import frozen

from mailgate.classify.words import TEXT_LIMIT, Words, normalise, split, without_footers
from mailgate.message.header import Headers, decode
from mailgate.message.host import clean_host
from mailgate.message.html import Page
from mailgate.message.mime import Parsed
from mailgate.message.urls import (
    LINK_LIMIT,
    Link,
    are_related,
    organisation,
    parse_link,
    spans_of_links,
)

_LABEL_OF_LIST = re.compile(r"\[\S{2,25}\]")


@frozen(eq=False)
class Mailbox:
    """
    Whom a header field names.
    """

    name: str
    """The display name, decoded."""

    local: str
    domain: str
    """Both in lower case; C{""} where there is no address."""

    organisation: str

    @property
    def address(self) -> str:
        """
        Give the address, or what stands in its place.
        """
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @classmethod
    def parse(cls, raw: bytes) -> Mailbox:
        """
        Read the first address of a header field, leniently. Never raises.
        """
        raw = raw[:1000]
        less = raw.rfind(b"<")
        if less >= 0:
            name = raw[:less]
            address = raw[less + 1 :].partition(b">")[0]
        else:
            address, _, name = raw.partition(b"(")
            name = name.rpartition(b")")[0]
        text = address.decode("utf-8", "replace").strip().lower()
        local, at, domain = text.rpartition("@")
        if not at:
            return cls(_name(name), text, "", "")
        host = clean_host(domain)
        return cls(_name(name), local, host, organisation(host))


def _name(raw: bytes) -> str:
    return decode(raw.strip()).strip("\"' \t")


@frozen(eq=False)
class Reading:
    """
    What is read of a message.
    """

    parsed: Parsed
    sender: Mailbox
    """Of the (first) From."""

    subject: str
    """As a person reads it."""

    plain: str
    """The plain text, as it came, at most 32,000 characters."""

    is_plain: bool
    """Whether there is any."""

    is_html: bool
    """Whether there is HTML."""

    page: Page
    """All of it, as one page; an empty one where there is none."""

    words: Words
    """Those of the subject, of the plain text, and those that the HTML shows."""

    title: Words
    """Those of the subject, without what a list writes before it."""

    body: Words
    """The others."""

    plain_words: int
    """How many of these are of the plain text."""

    links: tuple[Link, ...]
    """Where it leads, from HTML and plain text, each once, at most 250."""

    web: tuple[Link, ...]
    """Those to a host that a browser would open."""

    sources: tuple[Link, ...]
    """Where its images come from."""

    @property
    def headers(self) -> Headers:
        """
        Give the header fields.
        """
        return self.parsed.headers

    @property
    def shown(self) -> str:
        """
        Give what the HTML shows, as it stands there.
        """
        return self.page.text

    def is_of_sender(self, domain: str) -> bool:
        """
        Tell whether an organisational domain is likely to be the sender's.
        """
        return are_related(domain, self.sender.organisation)


def sender_of(headers: Headers) -> Mailbox:
    """
    Give whom the (first) From names.
    """
    return Mailbox.parse(next(iter(headers.values("from")), b""))


def read(parsed: Parsed) -> Reading:
    """
    Read a message. Linear in its size; never raises.
    """
    headers, seen = parsed.headers, parsed.seen
    plain, joined = seen.plain, seen.page
    links: dict[str, Link] = {}
    for anchor in joined.anchors:
        _add(anchor.target, links)
    plain_words, shown_words = _prepared(plain, links), ""
    for page in seen.pages:
        shown_words += "\n" + _prepared(page.text, links)
        if len(plain_words) + len(shown_words) > TEXT_LIMIT:
            break
    text = f"{plain_words}\n{shown_words}"[:TEXT_LIMIT]
    subject = headers.text("subject")
    title = normalise(_LABEL_OF_LIST.sub(" ", subject))
    words = split(f"{title}\n{text}")
    title_bytes = _bytes_of(title)
    title_words = words.index(title_bytes)
    plain_bytes = title_bytes + 1 + _bytes_of(plain_words)
    sources: dict[str, Link] = {}
    for source in joined.sources:
        _add(source, sources)
    return Reading(
        parsed,
        sender_of(headers),
        subject,
        plain,
        plain != "" and not plain.isspace(),
        seen.pages != (),
        joined,
        words,
        words.between(0, title_words),
        words.between(title_words, len(words)),
        words.index(plain_bytes) - title_words,
        tuple(links.values()),
        tuple([link for link in links.values() if link.is_web and link.host]),
        tuple(sources.values()),
    )


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _add(target: str, links: dict[str, Link]) -> None:
    if target not in links and len(links) < LINK_LIMIT:
        link = parse_link(target)
        if link is not None:
            links[target] = link


def _prepared(text: str, links: dict[str, Link]) -> str:
    """
    Make a text ready to be split into words, and take its links out.
    """
    text = without_footers(normalise(text))
    pieces: list[str] = []
    at = 0
    for start, end in spans_of_links(text):
        pieces += (text[at:start], " urlx ")
        _add(text[start:end], links)
        at = end
    if not pieces:
        return text
    pieces.append(text[at:])
    return "".join(pieces)
