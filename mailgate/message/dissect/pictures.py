"""
Pictures, looked at with Pillow and zxing-cpp: codes in them that lead somewhere.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import zxingcpp
from PIL import Image

from mailgate.message.inside.inspector import PICTURE_PIXELS, Specimen
from mailgate.message.inside.signs import SignKind

if TYPE_CHECKING:
    from mailgate.message.dissect.work import Bench

_FORMATS = ("PNG", "JPEG", "GIF", "BMP")
_CODES = zxingcpp.barcode_formats_from_str("QRCode|MicroQRCode|RMQRCode|Aztec|DataMatrix")
_LIMIT = 10
_ENOUGH = (1600, 1600)
"""Pixels that are enough of a JPEG, which can be read at a half or a quarter of its size."""


def look_at_picture(specimen: Specimen, bench: Bench) -> None:
    """
    Read the codes in a picture.
    """
    try:
        picture = Image.open(io.BytesIO(specimen.data), formats=_FORMATS)
        if picture.width * picture.height > PICTURE_PIXELS:
            return
        picture.draft("L", _ENOUGH)
        grey = _on_white(picture)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return  # What cannot be shown leads nowhere.
    for code in zxingcpp.read_barcodes(grey, formats=_CODES)[:_LIMIT]:
        text = code.text.strip()
        small = text[:20].lower()
        if "://" in small or small.startswith("www."):
            bench.look.lead(text)
            words = f"shows a code for a camera that leads to {text[:200]}"
            bench.look.see(SignKind.PICTURE, words, specimen.path)


def _on_white(picture: Image.Image) -> Image.Image:
    """
    Give a picture in grey, with white where it is transparent.
    """
    if "A" in picture.getbands() or "transparency" in picture.info:
        over = picture.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        white.alpha_composite(over)
        picture = white
    return picture.convert("L")
