"""
How large a picture is, by its first bytes.
"""

from __future__ import annotations

from struct import error, unpack_from

_JPEG_STEPS = 200
_SIZES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
"""The markers of a JPEG behind which its size stands (ITU T.81, B.1.1.3)."""


def picture_size(data: bytes) -> tuple[int, int] | None:
    """
    Give width and height in pixels, or C{None} where they are not found. Never raises.
    """
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = unpack_from(">2L", data, 16)
        elif data.startswith(b"GIF8"):
            width, height = unpack_from("<2H", data, 6)
        elif data.startswith(b"BM"):
            width, height = unpack_from("<2l", data, 18)
        elif data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        else:
            return None
    except error:
        return None
    return width, abs(height)


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """
    @raise struct.error: it ends before.
    """
    at = 2
    for _ in range(_JPEG_STEPS):
        mark, kind, length = unpack_from(">2BH", data, at)
        if mark != 0xFF:
            return None
        if kind in _SIZES:
            height, width = unpack_from(">2H", data, at + 5)
            return width, height
        at += 2 + length
    return None
