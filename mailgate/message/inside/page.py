"""
What a page (HTML, XHTML, SVG) that is attached does when a browser opens it: linear, never raising.

A browser runs its scripts, which no mail program does with the message itself. What a script does
is not followed. Pages that hand over a file bring it along in base64, and this can be looked at.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from html import unescape
from itertools import islice

from mailgate.config.forbidden import FileType
from mailgate.message.encoding import decode_body
from mailgate.message.filetype import DEEP, file_type
from mailgate.message.html import read_html
from mailgate.message.inside.signs import Look, SignKind
from mailgate.message.urls import links_in

PAGE_LIMIT = 8 * 1024 * 1024
"""Bytes of a page that are looked at."""

_HTML_LIMIT = 512 * 1024
_SCRIPT_LINKS = 50
_RUNS = 20
"""How many long runs of base64 are looked at."""

_RUN = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{400}[A-Za-z0-9+/]*={0,2}")
_ENCODED = re.compile(rb"[A-Za-z0-9+/=%\\,_-]{1000}")
_SCRIPT = re.compile(
    rb"<script\b|\bon(?:load|error|click|mouse\w{1,10}|focus|toggle)\s*=|javascript:"
)
_DECODERS = re.compile(
    rb"\batob\b|fromcharcode|\bunescape\s*\(|decodeuricomponent|uint8array|charcodeat|\batob\W"
    rb"|crypto\.subtle|textdecoder"
)
_HANDING = re.compile(
    rb"mssave(?:oropen)?blob|createobjecturl|new\s+blob\b|\.download\b|\sdownload\b|navigator\.mssave"
)
_WRITING = re.compile(rb"document\.write|\beval\s*\(|new\s+function\b|\binnerhtml\b|\bsrcdoc\b")
_META = re.compile(rb"<meta\b[^>]{0,1500}")
_REFRESH = re.compile(rb"http-equiv\s*=\s*[\"']?refresh")
_REFRESHED = re.compile(rb"\burl\s*=\s*[\"']?([^\"'>]{1,1000})")
_LOCATION = re.compile(
    rb"location(?:\.href)?\s*=\s*[\"'`](https?:[^\"'`\s]{1,1000})"
    rb"|location\.(?:replace|assign)\s*\(\s*[\"'`](https?:[^\"'`\s]{1,1000})"
)
_HARMLESS = frozenset({FileType.IMAGE, FileType.MEDIA, FileType.TEXT, FileType.UNKNOWN})
_BOMS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def look_at_page(data: bytes, look: Look, path: tuple[str, ...], limit: int) -> Iterator[bytes]:
    """
    Look at a page.

    @param limit: how many bytes of files that lie in it may be given.
    @return: these files.
    """
    data = data[:PAGE_LIMIT]
    charset = _BOMS.get(data[:2])
    if charset is not None:
        data = data.decode(charset, "replace").encode("utf-8")
    small = data.lower()
    has_script = _SCRIPT.search(small) is not None
    smuggled = list(_smuggled(data, limit))
    # A page that only shows a picture or a document which lies in it hands over nothing.
    hands_over = _HANDING.search(small) is not None
    unpacks = has_script and _DECODERS.search(small) is not None
    writes = has_script and _WRITING.search(small) is not None
    if smuggled and (hands_over or unpacks or b"data:text/html" in small):
        kinds = ", ".join(sorted({file_type(content[:DEEP]).value for content in smuggled}))
        look.see(SignKind.SMUGGLED, f"hands over a file that lies in it in base64 ({kinds})", path)
    elif unpacks and (hands_over or writes) and _ENCODED.search(data):
        how = "hands it over as a file" if hands_over else "makes a page of it"
        look.see(SignKind.UNPACKING, f"unpacks something that lies in it and {how}", path)
    elif has_script:
        look.see(SignKind.SCRIPT, "has a script, which a browser runs", path)
    _follow(data, small, look, path)
    yield from smuggled


def _smuggled(data: bytes, limit: int) -> Iterator[bytes]:
    """
    Decode what lies in a page in base64 and is a file that somebody would open.
    """
    for number, match in enumerate(_RUN.finditer(data)):
        if number == _RUNS or limit <= 0:
            return
        begin, end = match.span()
        head = b64decode(data[begin : begin + (min(end - begin, DEEP * 2) & ~3)] + b"==")
        if file_type(head[:DEEP]) not in _HARMLESS:
            content = decode_body(data[begin:end], "base64", limit)
            limit -= len(content)
            yield content


def _follow(data: bytes, small: bytes, look: Look, path: tuple[str, ...]) -> None:
    """
    Find where it leads: by itself, by its links, and by addresses in its scripts.
    """
    for begin, end in filter(None, (_refresh(small), _location(small))):
        target = unescape(data[begin:end].decode("utf-8", "replace")).strip()
        look.lead(target)
        look.see(SignKind.REDIRECT, f"leads on by itself to {target[:200]}", path)
    text = data[:_HTML_LIMIT].decode("utf-8", "replace")
    page = read_html(text)
    if page.passwords or (b"<input" in small and b'type="password"' in small):
        look.see(SignKind.PASSWORD, "asks for a password, in a form", path)
    for anchor in page.anchors:
        look.lead(anchor.target)
    for link in islice(links_in(text), _SCRIPT_LINKS):
        if "w3.org/" not in link.lower():
            look.lead(link)


def _refresh(small: bytes) -> tuple[int, int] | None:
    """
    Find the target of the first C{meta} element that leads on by itself.
    """
    for element in _META.finditer(small):
        if _REFRESH.search(element[0]):
            target = _REFRESHED.search(small, *element.span())
            if target is not None:
                return target.span(1)
    return None


def _location(small: bytes) -> tuple[int, int] | None:
    """
    Find the first address to which a script leads on.
    """
    match = _LOCATION.search(small)
    return match and match.span(match.lastindex or 0)
