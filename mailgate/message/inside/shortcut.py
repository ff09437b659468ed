"""
What a shortcut opens. Never raising.
"""

from __future__ import annotations

import re
from struct import error, unpack_from

from mailgate.message.inside.signs import Look, SignKind

_TARGET = re.compile(
    rb"^\s*(?:URL|BASEURL|Exec|IconFile)\s*=\s*([^\r\n]{1,2000})", re.MULTILINE | re.IGNORECASE
)
_ELEMENT = re.compile(rb"<url>\s*([^<]{1,2000}?)\s*</url>|\bpath=\"([^\"]{1,500})\"", re.IGNORECASE)
_ID_LIST, _LINK_INFO, _UNICODE = 1, 2, 128
_STRINGS = (4, 8, 16, 32)
"""The flags of the strings in their order: words, relative path, folder, arguments."""


def look_at_shortcut(data: bytes, look: Look, path: tuple[str, ...]) -> None:
    """
    Look at a shortcut of whatever kind.
    """
    if data.startswith(b"\x4c\0\0\0"):
        opened = _windows(data)
    else:
        match = _TARGET.search(data) or _ELEMENT.search(data)
        raw = b"" if match is None else next(filter(None, match.groups()))
        opened = raw.decode("utf-8", "replace").strip()
    if not opened:
        return
    look.see(SignKind.SHORTCUT, f"opens {opened[:250]}", path)
    if "://" in opened[:20] or opened.startswith("\\\\"):
        look.lead(opened)


def _windows(data: bytes) -> str:
    """
    Read what a C{.lnk} starts and with which arguments (MS-SHLLINK 2.1 to 2.4).
    """
    try:
        (flags,) = unpack_from("<L", data, 20)
        at, started = 76, ""
        if flags & _ID_LIST:
            at += 2 + unpack_from("<H", data, at)[0]
        if flags & _LINK_INFO:
            size, _, holds, _, local = unpack_from("<5L", data, at)
            if holds & 1 and 0 < local < size:
                begin = at + local
                end = data.find(b"\0", begin, at + size)
                started = data[begin:end].decode("cp1252", "replace") if end > 0 else ""
            at += size
        width = 2 if flags & _UNICODE else 1
        strings = {}
        for flag in _STRINGS:
            if flags & flag:
                length = unpack_from("<H", data, at)[0] * width
                raw = data[at + 2 : at + 2 + length]
                strings[flag] = raw.decode("utf-16-le" if width == 2 else "cp1252", "replace")
                at += 2 + length
    except error:
        return ""
    words = (started or strings.get(8, ""), strings.get(32, "").strip())
    return " ".join(filter(None, words))
