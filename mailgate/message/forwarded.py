"""
The messages that somebody has forwarded as attachments.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder

from mailgate.message.encoding import decode_body
from mailgate.message.mime import read

MOST = 10
"""How many of one message are taken."""

LIMIT = 8 * 1024 * 1024
"""Bytes of one, decoded; what is behind them is left out."""

_TYPES = frozenset(("message/rfc822", "message/global"))
_ENDING = ".eml"


def forwarded(data: bytes) -> Sequence[bytes]:
    """
    Give the messages attached to a message, with CRLF line ends, those inside of them left out.
    Never raises; linear in the size of C{data}.
    """
    found: list[bytes] = []
    last = 0
    for part in read(data).parts:
        is_message = part.type in _TYPES or any(
            name.lower().endswith(_ENDING) for name in part.names
        )
        # What lies within the last one is its own business.
        if not is_message or part.depth == 0 or part.begin < last or len(found) == MOST:
            continue
        last = part.end
        message = decode_body(data[part.begin : part.end], part.encoding, LIMIT)
        if message.strip():
            found.append(message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return found


_encode = Encoder().encode
_messages = Decoder(list[bytes])


def encode_forwarded(messages: Sequence[bytes]) -> bytes:
    """
    Write them for another process.
    """
    return _encode(list(messages))


def decode_forwarded(data: bytes) -> Sequence[bytes]:
    """
    Read what another process has written, which may be anything.

    @raise ValueError: it is no such list.
    """
    try:
        return _messages.decode(data)[:MOST]
    except (MsgspecError, ValueError):
        raise ValueError("it is no list of messages") from None
