"""
What a person is shown of a message: the beginning of its text, and what is attached to it.
"""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import max_len
from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder

from mailgate.config.forbidden import FileType
from mailgate.message.mime import read
from mailgate.message.mime.readings import Enclosed, is_simple, read_all, simple

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
    An attachment: what it says of itself, and what it is.
    """

    names: tuple[str, ...] = field(validator=max_len(_NAMES_SHOWN))
    """Readings of its name, the best first."""

    type: str
    size: int
    """Bytes, decoded."""

    true_type: str = ""
    """What it is by its content, or C{""} where that is not known."""

    is_usual: bool = True
    """Whether most programs show it, or only some that read the message in another way."""

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
    Read a message, and what is attached to it in all its readings. Never raises; linear in the size
    of C{data}.
    """
    parsed = read(data)
    readings = simple(parsed, data) if is_simple(parsed) else read_all(data, parsed)
    text, attachments = parsed.text, readings.enclosed
    usual = len(readings.all[0].enclosed)
    return Page(
        text[:TEXT_SHOWN],
        parsed.is_cut or len(text) > TEXT_SHOWN,
        parsed.is_from_html,
        tuple(
            _attached(each, number < usual)
            for number, each in enumerate(attachments[:ATTACHMENTS_SHOWN])
        ),
        max(0, len(attachments) - ATTACHMENTS_SHOWN),
        tuple(flaw[:_FLAW_SHOWN] for flaw in parsed.flaws[:_FLAWS_SHOWN]),
    )


def _attached(enclosed: Enclosed, is_usual: bool) -> Attached:
    part, kind = enclosed.part, enclosed.type
    names = tuple(name[:_NAME_SHOWN] for name in part.names[:_NAMES_SHOWN])
    true_type = "" if kind is FileType.UNKNOWN else kind.value
    return Attached(names, part.type[:_TYPE_SHOWN], part.size, true_type, is_usual)


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
