"""
Looking at what a message shows, in another process: what goes there and what comes back.

What comes back was said by a process that a stranger's message may have taken over: it is a value
that L{mailgate.message.seen.seen_of} could give, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder

from mailgate.message.html import LINK_LIMIT, TEXT_LIMIT, Page
from mailgate.message.mime import TextPart
from mailgate.message.seen import PAGES, PLAIN_LIMIT, Seen, seen_of

JOB = "look"
"""The name of the job."""


class Unbelievable(ValueError):
    """
    Something came back that nobody sees.
    """


_encode = Encoder().encode
_texts = Decoder(tuple[TextPart, ...])
_seen = Decoder(Seen)


def encode_texts(texts: Sequence[TextPart]) -> bytes:
    """
    Write the texts of a message.
    """
    return _encode(tuple(texts))


def look(value: bytes) -> bytes:
    """
    Look at them there.
    """
    return _encode(seen_of(_texts.decode(value)))


def decode_seen(data: bytes) -> Seen:
    """
    Read what was seen.

    @raise Unbelievable: it cannot be seen.
    """
    try:
        seen = _seen.decode(data)
    except (MsgspecError, ValueError, RecursionError):
        # The words of the error would quote what nobody believes.
        raise Unbelievable("it is nothing that can be seen") from None
    if len(seen.plain) > PLAIN_LIMIT or len(seen.pages) > PAGES:
        raise Unbelievable("there is more than is looked at")
    if not all(map(_is_bounded, seen.pages)):
        raise Unbelievable("there is more on a page than is looked at")
    return seen


def _is_bounded(page: Page) -> bool:
    return (
        len(page.text) <= TEXT_LIMIT
        and sum(len(each.text) for each in page.hidden) <= TEXT_LIMIT
        and max(len(page.anchors), len(page.sources)) <= LINK_LIMIT
    )
