"""
Base64 (RFC 4648 section 4) as a stranger writes it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

__all__ = ["b64encode", "strict_b64decode"]


def strict_b64decode(text: bytes) -> bytes:
    """
    Give what C{text} stands for.

    There is one way to write it and no other: no white space, no missing padding, no bits that
    are left over.

    @raise ValueError: it is written in another way.
    """
    data = b64decode(text, validate=True)
    if b64encode(data) != text:
        raise ValueError("not base64 in its one form")
    return data
