"""
What a message shows to people: its plain text, and its pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from attrs import frozen

from mailgate.message.confusable import CUT_LIMIT, cut_words, disguised_words
from mailgate.message.html import Page, read_html

if TYPE_CHECKING:
    from mailgate.message.mime.parts import TextPart

PLAIN_LIMIT = 32_000
"""How many characters of plain text are looked at, in all parts together."""

HTML_LIMIT = 512 * 1024
"""How many characters of HTML."""

PAGES = 10

_AT_ONCE = 96 * 1024
"""Characters of text that are looked at at once, which takes about 2 ms."""

_MARKS_AT_ONCE = 2000
"""
Tags in these characters, and four times as many references: those of somebody who wants it to take
long cost 3.5 us each. A newsletter of 64 KiB has 1,000.
"""
EVIDENCE = 20
"""How many words of one kind are named."""


@frozen(eq=False)
class Seen:
    """
    What is looked at of a message.
    """

    plain: str
    """The plain text, as it came, at most L{PLAIN_LIMIT} characters."""

    pages: tuple[Page, ...]
    """Those that are not empty, in their order, ten at most."""

    @cached_property
    def page(self) -> Page:
        """
        Give all pages as one; an empty one where there is none.
        """
        return Page.joined(self.pages)

    @cached_property
    def disguised_words(self) -> tuple[str, ...]:
        """
        Give the words with letters of another alphabet that look like Latin ones, each once, at
        most L{EVIDENCE}.
        """
        found = dict.fromkeys(word for text in self._texts for word in disguised_words(text))
        return tuple(islice(found, EVIDENCE))

    @cached_property
    def cut_words(self) -> tuple[str, ...]:
        """
        Give where characters of no width stand within words, at most L{EVIDENCE} times.
        """
        return tuple(islice((cut for text in self._texts for cut in cut_words(text)), EVIDENCE))

    def words(self, limit: int) -> str:
        """
        Give the beginning of what is read: of the first page that shows text, else of the plain
        text.

        @param limit: in characters.
        """
        texts = (*(page.text for page in self.pages), self.plain)
        return next((text[:limit] for text in texts if not text.isspace() and text), "")

    @property
    def _texts(self) -> tuple[str, str]:
        return self.plain, "\n".join([page.text[:CUT_LIMIT] for page in self.pages])[:CUT_LIMIT]


def is_quick(texts: Sequence[TextPart]) -> bool:
    """
    Tell whether it takes a few milliseconds at most to look at these texts, whatever is in them.
    """
    if sum([len(text.characters) for text in texts]) > _AT_ONCE:
        return False
    pages = [text.characters for text in texts if text.is_html]
    return sum([page.count("<") + page.count("&") // 4 for page in pages]) <= _MARKS_AT_ONCE


def seen_of(texts: Sequence[TextPart]) -> Seen:
    """
    Look at the texts of a message. Linear in their size; never raises.
    """
    plain: list[str] = []
    pages: list[Page] = []
    left, html_left = PLAIN_LIMIT, HTML_LIMIT
    for text in texts:
        if text.is_html:
            html = text.characters[:html_left]
            if len(pages) < PAGES and html and not html.isspace():
                html_left -= len(html)
                pages.append(read_html(html))
        elif left > 0:
            plain.append(text.characters[:left])
            left -= len(plain[-1])
    return Seen("\n".join(plain)[:PLAIN_LIMIT], tuple(pages))
