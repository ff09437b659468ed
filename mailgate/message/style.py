"""
What the attributes of an element of HTML do to its text: hide it, show it, make it white.
"""

from __future__ import annotations

import re
from enum import IntEnum

VALUE = r"""=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"""
"""A pattern: the value of an attribute, in one of three groups."""

_IS_HIDDEN = re.compile(r"(?<![^\s\"'/])hidden(?=[\s/>=]|$)")
_COLOR = re.compile(rf"(?<![^\s\"'/])color\s*{VALUE}")
_STYLE = re.compile(rf"(?<![^\s\"'/])style\s*{VALUE}")
_SPACES = re.compile(r"\s+|/\*(?:.*?\*/|.*)", re.DOTALL)
_SIZE = re.compile(r"(?<![a-z-])font-size:([0-9]*\.?[0-9]+)(px|pt|em|rem|%|)(?![a-z0-9])")
_OFF = re.compile(
    r"(?<![a-z-])(?:display:none|visibility:(?:hidden|collapse)|opacity:0?\.?0*(?![0-9.])"
    r"|color:transparent)"
)
_FLAT = re.compile(r"(?<![a-z-])(?:max-)?height:[01](?:px|pt)?(?![0-9.a-z])")
_TEXT_COLOR = re.compile(r"(?<![a-z-])color:([^;!]*)")
_BACK_COLOR = re.compile(r"(?<![a-z-])background(?:-color)?:([^;!]*)")
_RGB = re.compile(r"rgba?\(([0-9]{1,3}),([0-9]{1,3}),([0-9]{1,3})[^)]*\)")


class Way(IntEnum):
    """
    How text is hidden.
    """

    SHOWN = 0
    ZERO_FONT = 1
    """By a size of zero, which an element inside can take back."""

    HIDDEN = 2


def read_attributes(attributes: str, is_font: bool) -> tuple[Way | None, bool]:
    """
    Tell whether an element hides its text (C{SHOWN}: it shows what a size of zero hid; C{None}:
    neither), and whether the text is white.

    @param attributes: in lower case.
    @param is_font: whether it is a C{<font>}, with a colour of its own.
    """
    answer: tuple[Way | None, bool] = (None, False)
    if "style" in attributes:
        match = _STYLE.search(attributes)
        if match is not None:
            answer = _judge(_SPACES.sub("", match[1] or match[2] or match[3] or ""))
    if "hidden" in attributes and _IS_HIDDEN.search(attributes):
        answer = (Way.HIDDEN, answer[1])
    if is_font and (match := _COLOR.search(attributes)):
        color = _color(match[1] or match[2] or match[3] or "")
        answer = (answer[0], answer[1] or _is_white(color))
    return answer


def _judge(style: str) -> tuple[Way | None, bool]:
    """
    Tell what a style (in lower case, without spaces) does to the text of its element.
    """
    way: Way | None = None
    size = _SIZE.search(style) if "font-size:" in style else None
    if size is not None:
        value = float(size[1])
        pixels = (
            value * 16 if size[2] in ("em", "rem") else value * 0.16 if size[2] == "%" else value
        )
        way = Way.ZERO_FONT if pixels <= 1 else Way.SHOWN
    text = _TEXT_COLOR.search(style) if "color:" in style else None
    color = _color(text[1]) if text else None
    is_white = False
    if color is not None:
        behind = _BACK_COLOR.search(style)
        ground = _color(behind[1]) if behind else None
        if ground is not None and sum(abs(a - b) for a, b in zip(color, ground, strict=True)) <= 12:
            way = Way.HIDDEN
        is_white = ground is None and _is_white(color)
    if _OFF.search(style) or ("overflow:hidden" in style and _FLAT.search(style)):
        way = Way.HIDDEN
    return way, is_white


def _color(text: str) -> tuple[int, int, int] | None:
    """
    Read a colour as red, green and blue, as far as its way of writing is a usual one.
    """
    text = text.strip()
    if text in ("white", "black"):
        return (255, 255, 255) if text == "white" else (0, 0, 0)
    digits = text.removeprefix("#")
    try:
        if len(digits) == 3:
            red, green, blue = (int(digit, 16) * 17 for digit in digits)
            return red, green, blue
        if len(digits) == 6:
            value = int(digits, 16)
            return value >> 16, value >> 8 & 255, value & 255
    except ValueError:
        return None
    match = _RGB.search(text[:40])
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _is_white(color: tuple[int, int, int] | None) -> bool:
    return color is not None and min(color) >= 245
