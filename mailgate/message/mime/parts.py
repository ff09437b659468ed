"""
What is found in a message, and how much of it is looked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from attrs import field, frozen

from mailgate.message.encoding import decode_body
from mailgate.message.header import Headers
from mailgate.message.seen import Seen, seen_of
from mailgate.message.shown import shown

T = TypeVar("T")


@frozen
class Limits:
    """
    How much of a message is read.
    """

    depth: int = 20
    """Parts within parts."""

    parts: int = 500
    text: int = 512 * 1024
    """Characters of text, and bytes of it before they are decoded to characters."""

    slow_text: int = 512 * 1024
    """Bytes of text in a character set that takes long where it is wrong."""

    header_bytes: int = 256 * 1024
    """Of the header section of one part, and four times as much in all."""

    lines: int = 50_000
    """
    Lines beginning with two hyphens, each of which might separate parts, times the containers whose
    parts they might separate.
    """

    names: int = 50
    """Readings of the file name of one part."""


_NO_HEADERS = Headers({}, 0)


@frozen
class Part:
    """
    One part of a message, or the whole message where it has none.
    """

    depth: int
    """0 for the message itself."""

    type: str
    """The media type that it claims, in lower case, C{text/plain} where it names none."""

    disposition: str
    """C{attachment}, C{inline} or C{""}: whatever it says, in lower case."""

    names: tuple[str, ...]
    """
    Every reading of its file name, the best first; empty where it has none.

    They come from a stranger: they may hold slashes, control characters and whatever reverses
    the direction of writing. They differ where programs would read them differently.
    """

    size: int
    """Bytes, decoded; of a multipart and of an attached message as it stands."""

    is_attachment: bool
    """Whether it is no container and not shown as text."""

    headers: Headers = field(default=_NO_HEADERS, eq=False, repr=False)
    """Its own."""

    encoding: str = field(default="", eq=False)
    """
    Its Content-Transfer-Encoding in lower case, or C{""} where it names none; in another reading
    than the usual one also C{UNTIL_PADDING} or C{IN_PIECES}.
    """

    begin: int = field(default=0, eq=False)
    """Where its body begins in the message, as it stands there."""

    end: int = field(default=0, eq=False)
    """Where its body ends."""

    @property
    def name(self) -> str:
        """
        Give the file name that most programs would show, or C{""}.
        """
        return self.names[0] if self.names else ""


@frozen
class TextPart:
    """
    What a part says that is shown as text.
    """

    characters: str
    """As many as L{Limits} allows, decoded by its encoding and charset; of HTML the source."""

    is_html: bool
    index: int
    """The place of the part among all parts."""

    charset: str
    """As the part names it, or C{""}."""

    encoding: str
    """As in L{Part}."""

    alternative: int | None = None
    """The place of the multipart/alternative that it lies in, or C{None}."""


@frozen
class Parsed:
    """
    What was found in a message.
    """

    headers: Headers
    head: str
    """The header section of the message as it stands, as characters."""

    parts: tuple[Part, ...]
    """In their order, containers too."""

    texts: tuple[TextPart, ...]
    """All that is shown as text, in its order: of an alternative both, the plain and the HTML."""

    is_cut: bool
    """Whether there was more text."""

    flaws: tuple[str, ...]
    """What was wrong or more than is read, each a sentence."""

    unread: tuple[str, ...]
    """Those flaws that say that some parts are not read, or not to their end."""

    doubts: tuple[str, ...] = field(eq=False)
    """
    Why it is not strictly regular, so that other programs may read something else: each a clause.
    """

    _text_limit: int
    _made: dict[Any, Any] = field(factory=dict, init=False, eq=False, repr=False)

    def once(self, make: Callable[[Parsed], T]) -> T:
        """
        Give what a function makes of this message; whoever asks next gets the same.
        """
        if make not in self._made:
            self._made[make] = make(self)
        made: T = self._made[make]
        return made

    @property
    def is_regular(self) -> bool:
        """
        Tell whether all mail programs read it as it is read here.
        """
        return not self.doubts

    @property
    def text(self) -> str:
        """
        Give what a reader would be shown: the plain text or, where there is none, that of the
        HTML. It is put together when it is first asked for.
        """
        return self._shown[0]

    @property
    def is_from_html(self) -> bool:
        """
        Tell whether (some of) the text was taken out of HTML.
        """
        return self._shown[1]

    @cached_property
    def _shown(self) -> tuple[str, bool]:
        return shown(self.texts, self._text_limit)

    @cached_property
    def seen(self) -> Seen:
        """
        Give what its texts show. It is looked at when it is first asked for.
        """
        return seen_of(self.texts)

    def keep(self, seen: Seen) -> None:
        """
        Keep what was seen of its texts elsewhere, so that nobody looks again.
        """
        object.__setattr__(self, "seen", seen)

    @property
    def attachments(self) -> tuple[Part, ...]:
        """
        Give the parts that are attached.
        """
        return tuple(part for part in self.parts if part.is_attachment)


def decoded(part: Part, data: bytes, limit: int) -> bytes:
    """
    Decode the beginning of a part of the message C{data}, to at most C{limit} bytes.

    What is no base64 in base64 is passed over. Never raises.
    """
    return decode_body(data[part.begin : part.end], part.encoding, limit)
