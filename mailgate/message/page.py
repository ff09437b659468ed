"""
What a person is shown of a message: the beginning of its text, and what is attached to it.
"""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import max_len
from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder

from mailgate.message.mime import Part, read

TEXT_SHOWN = 64 * 1024
"""How many characters of the text are shown."""

ATTACHMENTS_SHOWN = 100

_NAMES_SHOWN = 4
_NAME_SHOWN = 200
_TYPE_SHOWN = 100
_FLAWS_SHOWN = 100
_FLAW_SHOWN = 200


@frozen
class Attached:
    """
    An attachment, by what it says of itself.
    """

    names: tuple[str, ...] = field(validator=max_len(_NAMES_SHOWN))
    """Readings of its name, the best first."""

    type: str
    size: int
    """Bytes, decoded."""

    @property
    def name(self) -> str:
        """
        Give the best reading, or C{""}.
        """
        return self.names[0] if self.names else ""


@frozen
class Page:
    """
    A message as it is shown.
    """

    text: str = field(validator=max_len(TEXT_SHOWN))
    is_cut: bool
    """Whether there is more text."""

    is_from_html: bool
    attachments: tuple[Attached, ...] = field(validator=max_len(ATTACHMENTS_SHOWN))
    more_attachments: int
    """How many there are beside these."""

    flaws: tuple[str, ...] = field(validator=max_len(_FLAWS_SHOWN))
    """What is wrong with it, each a sentence."""


def page_of(data: bytes) -> Page:
    """
    Read a message. Never raises; linear in the size of C{data}.
    """
    parsed = read(data)
    text, attachments = parsed.text, parsed.attachments
    return Page(
        text[:TEXT_SHOWN],
        parsed.is_cut or len(text) > TEXT_SHOWN,
        parsed.is_from_html,
        tuple(map(_attached, attachments[:ATTACHMENTS_SHOWN])),
        max(0, len(attachments) - ATTACHMENTS_SHOWN),
        tuple(flaw[:_FLAW_SHOWN] for flaw in parsed.flaws[:_FLAWS_SHOWN]),
    )


def _attached(part: Part) -> Attached:
    names = tuple(name[:_NAME_SHOWN] for name in part.names[:_NAMES_SHOWN])
    return Attached(names, part.type[:_TYPE_SHOWN], part.size)


_encode = Encoder().encode
_pages = Decoder(Page)


def encode_page(page: Page) -> bytes:
    """
    Write it for another process.
    """
    return _encode(page)


def decode_page(data: bytes) -> Page:
    """
    Read what another process has written, which may be anything.

    @raise ValueError: it is no such page.
    """
    try:
        return _pages.decode(data)
    except (MsgspecError, ValueError):
        # The words of the error would quote what nobody believes.
        raise ValueError("it is no page") from None
