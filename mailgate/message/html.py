"""
What a page of HTML shows, what it hides, and where it leads. One pass, linear, never raising.

There is no tree: a parser that builds one was measured on hostile pages, and half a megabyte of
nested elements cost it seconds. Only within an element that hides its text is there a stack of
the open elements, with a depth that is bounded.

Styles count where they stand in an element (C{style="display:none"}), not in a C{<style>}
block, where most rules are for one kind of screen only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape

from attrs import frozen

from mailgate.message.style import VALUE, Way, read_attributes

TEXT_LIMIT = 32_000
"""How many characters are kept of what a page shows, and of what it hides."""

LINK_LIMIT = 250
"""How many links are kept, and how many sources of images."""

_ATTRIBUTE_LIMIT = 4096
_SHOWN_LIMIT = 200
_DEPTH_LIMIT = 50
_FIRST_WORDS = 12

# The letters before the first names, and the tags without attributes, only spare time.
# An attribute's value may hold a ">" where it stands in quotes behind a "=". Every alternative
# can end where the page ends, so no token is ever looked at twice.
_ATTRIBUTES = r"""[^>=]*(?:=\s*(?:"[^"]*"|'[^']*'|)[^>=]*){0,200}[^>]*"""
_TOKEN = re.compile(
    rf"""<(?:
        (?=[sStTiInN])(?i:(script|style|title|iframe|noembed|noframes|template)(?=[\s/>])){_ATTRIBUTES}>?
        [^<]*(?:<(?!/(?i:\1))[^<]*){{0,20000}}
      | (/?)([a-zA-Z][^\s/>]*)(?:>|({_ATTRIBUTES})>?)
      | !--(?:-?>|.*?--!?>|.*)
      | [!?/][^>]*>?
    )""".replace("\n", "").replace(" ", ""),
    re.DOTALL,
)
_GROUPS = _TOKEN.groups + 1
_TOKENS = 2000
"""How many are cut off in one go, which takes about 2 ms at most: other threads wait for it."""


@frozen
class Hidden:
    """
    Text that a reader does not see.
    """

    text: str
    way: Way
    is_first: bool
    """Whether no more than 12 words are shown before it, where senders put what lists of
    messages show beside the subject."""


@frozen
class Anchor:
    """
    A link of a page.
    """

    target: str
    text: str
    """What is shown of it, at most 200 characters."""

    has_image: bool


@frozen
class Page:
    """
    What is on a page.
    """

    text: str
    """What is shown."""

    hidden: tuple[Hidden, ...]
    anchors: tuple[Anchor, ...]
    sources: tuple[str, ...]
    """Where its images come from, as written."""

    images: int
    forms: int
    passwords: int
    """Fields of forms that ask for one."""

    scripts: int
    splits: int
    """Hidden elements that stand between two letters of a word."""

    has_white_text: bool
    has_root: bool
    """Whether there is an C{<html>}."""

    ends: int
    """How many C{</html>} there are; of several pages, in that with the most."""

    references: int
    """Characters written as numbers (C{&#...;})."""

    @classmethod
    def joined(cls, pages: Sequence[Page]) -> Page:
        """
        Give some pages as one.
        """
        if len(pages) == 1:
            return pages[0]
        return cls(
            "\n".join(page.text for page in pages),
            tuple(each for page in pages for each in page.hidden),
            tuple(each for page in pages for each in page.anchors),
            tuple(each for page in pages for each in page.sources),
            sum(page.images for page in pages),
            sum(page.forms for page in pages),
            sum(page.passwords for page in pages),
            sum(page.scripts for page in pages),
            sum(page.splits for page in pages),
            any(page.has_white_text for page in pages),
            any(page.has_root for page in pages),
            max((page.ends for page in pages), default=0),
            sum(page.references for page in pages),
        )


_BREAK, _VOID, _LINK, _IMAGE, _FORM, _ROOT, _FONT, _CELL, _INPUT = (1 << bit for bit in range(9))
_BREAK_NAMES = """
    address article aside blockquote body br center dd div dl dt fieldset figure footer form h1 h2
    h3 h4 h5 h6 header hr html li main nav ol option p pre section table tbody td tfoot th thead
    tr ul
"""
_NAMES = {
    **dict.fromkeys(_BREAK_NAMES.split(), _BREAK),
    **dict.fromkeys(["area", "base", "col", "embed", "link", "meta", "source"], _VOID),
    "area": _VOID | _LINK,
    "br": _BREAK | _VOID,
    "hr": _BREAK | _VOID,
    "img": _VOID | _IMAGE,
    "form": _BREAK | _FORM,
    "input": _VOID | _INPUT,
    "a": _LINK,
    "html": _BREAK | _ROOT,
    "font": _FONT,
    "td": _BREAK | _CELL,
    "th": _BREAK | _CELL,
    "tr": _BREAK | _CELL,
    "table": _BREAK | _CELL,
}
_SPECIAL = _LINK | _IMAGE | _FORM | _ROOT | _FONT | _INPUT

_HREF = re.compile(rf"(?<![^\s\"'/])href\s*{VALUE}", re.IGNORECASE)
_SRC = re.compile(rf"(?<![^\s\"'/])src\s*{VALUE}", re.IGNORECASE)
_PASSWORD = re.compile(r"(?<![^\s\"'/])type\s*=\s*[\"']?password\b", re.IGNORECASE)
_ENDLESS_REFERENCE = re.compile(r"&#(?:[0-9]{20,}|[xX][0-9a-fA-F]{20,});?")
_BLANK = re.compile(r"[ \t\r\f]+")


def read_html(html: str) -> Page:
    """
    Read a page. Linear in the size of C{html}; never raises.
    """
    return _Walk(html).read()


def _plain(text: str) -> str:
    if "&" not in text:
        return text
    return unescape(_ENDLESS_REFERENCE.sub("\N{REPLACEMENT CHARACTER}", text))


class _Walk:
    """
    One walk over the tags of a page, from left to right.
    """

    def __init__(self, html: str) -> None:
        self._html = html
        self._shown: list[str] = []
        self._hidden: list[tuple[list[str], Way, bool]] = []
        self._stack: list[tuple[str, Way]] = []
        self._tables = 0
        self._too_deep = 0
        self._words = 0
        self._counted = 0
        self._may_split = False
        self._splits = 0
        self._anchors: list[Anchor] = []
        self._sources: list[str] = []
        self._target: str | None = None
        self._link_start = 0
        self._link_images = 0
        self._images = self._forms = self._passwords = self._scripts = self._ends = 0
        self._has_root = self._has_white_text = False
        self._styles: dict[str, tuple[Way | None, bool]] = {}

    def read(self) -> Page:
        shown, rest = self._shown, self._html
        while True:
            text, *tokens = _TOKEN.split(rest, _TOKENS)
            if text:
                self._text(text)
            if len(tokens) < _TOKENS * _GROUPS:
                break
            # What stands behind the last of them is not cut yet.
            rest, tokens[-1] = tokens[-1], ""
            self._take(tokens)
        self._take(tokens)
        self._end_link()
        return Page(
            _plain("".join(shown)[: 2 * TEXT_LIMIT])[:TEXT_LIMIT],
            self._all_hidden(),
            tuple(self._anchors),
            tuple(self._sources),
            self._images,
            self._forms,
            self._passwords,
            self._scripts,
            self._splits,
            self._has_white_text,
            self._has_root,
            self._ends,
            self._html.count("&#"),
        )

    def _text(self, text: str) -> None:
        if self._stack or self._may_split:
            self._say(text)
        else:
            self._shown.append(text)

    def _take(self, tokens: Sequence[str]) -> None:
        """
        Take some tokens, each with the text that follows it.
        """
        shown, names, stack = self._shown, _NAMES, self._stack
        of_each = (tokens[at::_GROUPS] for at in range(_GROUPS))
        for raw, slash, name, attributes, text in zip(*of_each, strict=True):
            if name is None:
                if raw is not None and raw.lower() == "script":
                    self._scripts += 1
            else:
                kind = names.get(name)
                if kind is None:
                    name = name.lower()
                    kind = names.get(name, 0)
                if attributes or kind & _SPECIAL or stack:
                    self._tag(name, kind, slash, attributes or "")
                elif text and kind == _BREAK:
                    # Half of all tags: <p>, </td>, <tr>.
                    shown += "\n", text
                    self._may_split = False
                    continue
                if kind & _BREAK:
                    shown.append("\n")
                    self._may_split = False
            if text:
                if stack or self._may_split:
                    self._say(text)
                else:
                    shown.append(text)

    def _all_hidden(self) -> tuple[Hidden, ...]:
        left = TEXT_LIMIT
        found = []
        for pieces, way, is_first in self._hidden:
            text = _plain("".join(pieces)[:left])
            left -= len(text)
            if text.strip():
                found.append(Hidden(text, way, is_first))
            if left <= 0:
                break
        return tuple(found)

    def _say(self, text: str) -> None:
        """
        Take text within an element that hides some, or right behind one.
        """
        way = self._stack[-1][1] if self._stack else Way.SHOWN
        if way is not Way.SHOWN:
            self._hidden[-1][0].append(text)
            return
        if self._may_split:
            self._may_split = False
            if text[0].isalpha():
                self._splits += 1
        self._shown.append(text)

    # -- tags --------------------------------------------------------------------------

    def _tag(self, name: str, kind: int, slash: str, attributes: str) -> None:
        if slash:
            if self._stack:
                self._leave(name, kind)
            if name == "a":
                self._end_link()
            elif name == "html":
                self._ends += 1
            return
        if kind & _SPECIAL:
            self._special(name, kind, attributes)
        way = None
        if attributes:
            way, is_white = self._style(attributes, kind)
            self._has_white_text = self._has_white_text or is_white
        if self._stack or way in (Way.ZERO_FONT, Way.HIDDEN):
            self._enter(name, kind, way)

    def _special(self, name: str, kind: int, attributes: str) -> None:
        if kind & _LINK:
            self._end_link()
            target = self._attribute(_HREF, attributes)
            if target and not target.startswith("#"):
                self._target = target
                self._link_start = len(self._shown)
                self._link_images = self._images
            if name == "area":
                self._end_link()
        elif kind & _IMAGE:
            self._images += 1
            if len(self._sources) < LINK_LIMIT:
                source = self._attribute(_SRC, attributes)
                if source:
                    self._sources.append(source)
        elif kind & _FORM:
            self._forms += 1
        elif kind & _INPUT:
            if _PASSWORD.search(attributes, 0, _ATTRIBUTE_LIMIT):
                self._passwords += 1
        elif kind & _ROOT:
            self._has_root = True

    def _attribute(self, pattern: re.Pattern[str], attributes: str) -> str:
        match = pattern.search(attributes, 0, _ATTRIBUTE_LIMIT)
        if match is None:
            return ""
        return _plain(match[1] or match[2] or match[3] or "").strip()

    def _end_link(self) -> None:
        if self._target is not None and len(self._anchors) < LINK_LIMIT:
            pieces = self._shown[self._link_start : self._link_start + 50]
            text = _BLANK.sub(" ", _plain("".join(pieces)[:_SHOWN_LIMIT])).strip()
            has_image = self._images > self._link_images
            self._anchors.append(Anchor(self._target, text, has_image))
        self._target = None

    # -- what is hidden ----------------------------------------------------------------

    def _style(self, attributes: str, kind: int) -> tuple[Way | None, bool]:
        """
        Tell whether an element hides its text (C{SHOWN}: it shows what a size of zero hid), and
        whether the text is white.
        """
        known = self._styles.get(attributes)
        if known is None:
            known = read_attributes(attributes[:_ATTRIBUTE_LIMIT].lower(), bool(kind & _FONT))
            if len(self._styles) < 1000:
                self._styles[attributes] = known
        return known

    def _enter(self, name: str, kind: int, way: Way | None) -> None:
        stack = self._stack
        if stack and stack[-1][0] == "p" and kind & _BREAK and not kind & _VOID:
            self._pop(len(stack) - 1)  # a block ends a paragraph (HTML section 13.1.2.4)
        if kind & _CELL and name != "table":
            self._end_cell(name)
        if kind & _VOID or (not stack and way not in (Way.ZERO_FONT, Way.HIDDEN)):
            return
        if len(stack) >= _DEPTH_LIMIT:
            self._too_deep += 1
            return
        outer = stack[-1][1] if stack else Way.SHOWN
        inner = outer if way is None or outer is Way.HIDDEN else way
        if inner is not Way.SHOWN and outer is not inner:
            self._begin_hidden(inner)
        elif inner is Way.SHOWN and outer is Way.ZERO_FONT:
            self._may_split = False
        if name == "table":
            self._tables += 1
        stack.append((name, inner))

    def _end_cell(self, name: str) -> None:
        """
        End the cell, or the row, that another one follows.
        """
        ended = ("tr", "td", "th") if name == "tr" else ("td", "th")
        for at in range(len(self._stack) - 1, -1, -1):
            if self._stack[at][0] in ended:
                self._pop(at)
                if name != "tr":
                    return
            elif self._stack[at][0] == "table":
                return

    def _begin_hidden(self, way: Way) -> None:
        if not self._stack and not self._may_split:
            before = self._shown[-1] if self._shown else ""
            self._may_split = before[-1:].isalpha()
        if self._words <= _FIRST_WORDS:
            for piece in self._shown[self._counted :]:
                self._words += len(piece.split(None, _FIRST_WORDS + 1))
                if self._words > _FIRST_WORDS:
                    break
            self._counted = len(self._shown)
        is_first = self._words <= _FIRST_WORDS
        if len(self._hidden) < 1000:
            self._hidden.append(([], way, is_first))

    def _leave(self, name: str, kind: int) -> None:
        """
        Close an element, and with it those inside that were not closed.
        """
        if self._too_deep and name != "table":
            self._too_deep -= 1
            return
        for at in range(len(self._stack) - 1, -1, -1):
            if self._stack[at][0] == name:
                self._pop(at)
                return
            if self._stack[at][0] == "table" and kind & _CELL == 0:
                return
        # It was opened outside. The end of a block ends what is open in it; within a table of
        # their own the cells of another one cannot end.
        if kind & _BREAK and not (kind & _CELL and self._tables and name != "table"):
            self._pop(0)

    def _pop(self, at: int) -> None:
        closed = self._stack[at:]
        del self._stack[at:]
        self._tables -= sum(name == "table" for name, _ in closed)
        self._too_deep = 0
