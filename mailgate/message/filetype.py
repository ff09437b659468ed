"""
What a file is by its first bytes: our own table of the types that matter.
"""

from __future__ import annotations

import re
from struct import unpack_from

from mailgate.config.forbidden import FileType

HEAD = 1024
"""Bytes that are enough for most types."""

DEEP = 0x9806
"""Bytes that are enough for all: the marks of an optical disk stand far behind."""

_STARTS: tuple[tuple[bytes, FileType], ...] = (
    (b"PK\x03\x04", FileType.ZIP),
    (b"PK\x05\x06", FileType.ZIP),
    (b"PK\x07\x08", FileType.ZIP),
    (b"PK00PK\x03\x04", FileType.ZIP),
    (b"\x7fELF", FileType.UNIX_PROGRAM),
    (b"\xfe\xed\xfa\xce", FileType.MAC_PROGRAM),
    (b"\xfe\xed\xfa\xcf", FileType.MAC_PROGRAM),
    (b"\xce\xfa\xed\xfe", FileType.MAC_PROGRAM),
    (b"\xcf\xfa\xed\xfe", FileType.MAC_PROGRAM),
    (b"dex\n03", FileType.ANDROID_APP),
    (b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46", FileType.SHORTCUT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileType.OFFICE_OLD),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", FileType.ONENOTE),
    (b"\xa1\x2f\xff\x43\xd9\xef\x76\x4c\x9e\xe2\x10\xea\x57\x22\x76\x5f", FileType.ONENOTE),
    (b"ITSF", FileType.HELP),
    (b"?_\x03\0", FileType.HELP),
    (b"Rar!\x1a\x07", FileType.RAR),
    (b"7z\xbc\xaf\x27\x1c", FileType.SEVEN_ZIP),
    (b"MSCF\0\0\0\0", FileType.CAB),
    (b"\x60\xea", FileType.ARJ),
    (b"\x1f\x8b\x08", FileType.GZIP),
    (b"BZh", FileType.BZIP2),
    (b"\xfd7zXZ\0", FileType.XZ),
    (b"\x28\xb5\x2f\xfd", FileType.ZSTANDARD),
    (b"vhdxfile", FileType.DISK_IMAGE),
    (b"conectix", FileType.DISK_IMAGE),
    (b"MSWIM\0\0\0", FileType.DISK_IMAGE),
    (b"KDMV", FileType.DISK_IMAGE),
    (b"QFI\xfb", FileType.DISK_IMAGE),
    (b"koly\0\0\0\x04", FileType.DISK_IMAGE),
    (b"encrcdsa", FileType.DISK_IMAGE),
    (b"#@~^", FileType.WINDOWS_SCRIPT),
    (b"{\\rt", FileType.RTF),
    (b"\x78\x9f\x3e\x22", FileType.TNEF),
    (b"\x89PNG\r\n\x1a\n", FileType.IMAGE),
    (b"\xff\xd8\xff", FileType.IMAGE),
    (b"GIF8", FileType.IMAGE),
    (b"II*\0", FileType.IMAGE),
    (b"MM\0*", FileType.IMAGE),
    (b"ID3", FileType.MEDIA),
    (b"OggS", FileType.MEDIA),
    (b"fLaC", FileType.MEDIA),
)
_BY_FIRST: dict[int, list[tuple[bytes, FileType]]] = {}
for _start, _type in _STARTS:
    _BY_FIRST.setdefault(_start[0], []).append((_start, _type))

_MARKS: tuple[tuple[int, bytes, FileType], ...] = (
    (257, b"ustar", FileType.TAR),
    (7, b"**ACE**", FileType.ACE),
    (2, b"-lh", FileType.LHA),
    (4, b"ftyp", FileType.MEDIA),
)
_DISK_MARKS = (b"CD001", b"BEA01", b"NSR02", b"NSR03", b"CDROM")
_SECTORS = (0x8001, 0x8801, 0x9001, 0x9801)

_SPACE = b" \t\r\n\f\xef\xbb\xbf"
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|title|meta|style|iframe|table|div|a\s)",
    re.IGNORECASE,
)
_SHORTCUT = re.compile(
    rb"\[(?:InternetShortcut|Desktop Entry|DEFAULT\]\s+BASEURL)"
    rb"|(?:<\?xml[^>]{0,200}\?>\s*)?<(?:libraryDescription|searchConnectorDescription"
    rb"|persistedQuery)\b",
    re.IGNORECASE,
)
_WINDOWS_SCRIPTS = (
    b"wscript.",
    b"new activexobject",
    b"createobject(",
    b"on error resume next",
    b"@echo off",
    b"windows registry editor version",
)
"""What stands in scripts, in small letters."""

_MESSAGE = re.compile(
    rb"(?:(?:Received|Return-Path|Delivered-To|From|To|Subject|Date|Message-ID|MIME-Version"
    rb"|X-[\w-]{1,40}|DKIM-Signature|ARC-[\w-]{1,40}|Content-Type):[^\r\n]*\r?\n"
    rb"(?:[ \t][^\r\n]*\r?\n)*){3}",
    re.IGNORECASE,
)
_BINARY = bytes((*range(9), *range(14, 27), *range(28, 32)))
"""Control characters that no text has."""


def file_type(head: bytes) -> FileType:
    """
    Tell what a file is, by the first C{HEAD} bytes of it or, better, the first C{DEEP}.

    A zip that holds an Office file is C{ZIP} here, and what Office wrote before 2007 is
    C{OFFICE_OLD} whatever is in it, since only a look inside can tell. Never raises.
    """
    if not head:
        return FileType.UNKNOWN
    for start, kind in _BY_FIRST.get(head[0], ()):
        if head.startswith(start):
            return kind
    if head[:2] in (b"MZ", b"ZM") and _is_binary(head[:64]):
        return FileType.WINDOWS_PROGRAM
    if head.startswith((b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")) and len(head) >= 8:
        # A class has its version there, at least 45; a program for several Macs their number.
        (number,) = unpack_from(">I", head, 4)
        return FileType.MAC_PROGRAM if number < 40 else FileType.JAVA
    for offset, mark, kind in _MARKS:
        if head.startswith(mark, offset):
            return kind
    if head.startswith(b"RIFF"):
        return FileType.IMAGE if head.startswith(b"WEBP", 8) else FileType.MEDIA
    if b"%PDF-" in head[:HEAD]:
        return FileType.PDF
    if _is_disk(head):
        return FileType.DISK_IMAGE
    return _text_type(head[:4096])


def _is_disk(head: bytes) -> bool:
    if any(head.startswith(_DISK_MARKS, sector) for sector in _SECTORS):
        return True
    if head[510:512] != b"\x55\xaa":
        return False
    # A boot sector: of a file system, or of a disk with partitions.
    return (
        head.startswith(b"FAT", 54)
        or head.startswith(b"FAT32", 82)
        or head.startswith((b"NTFS", b"EXFAT"), 3)
        or all(head[entry] in (0, 0x80) for entry in range(446, 510, 16))
    )


def _text_type(head: bytes) -> FileType:
    if head.startswith(b"#!"):
        return FileType.UNIX_SCRIPT
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head[2:].replace(b"\0", b"")
    if _is_binary(head):
        return FileType.UNKNOWN
    text = head.lstrip(_SPACE)
    small = text.lower()
    if b"<hta:application" in small:
        return FileType.HTML_APPLICATION
    if _SHORTCUT.match(text):
        return FileType.SHORTCUT
    if _HTML.match(text):
        return FileType.HTML
    if _MESSAGE.match(text):
        return FileType.MESSAGE
    if any(words in small for words in _WINDOWS_SCRIPTS):
        return FileType.WINDOWS_SCRIPT
    return FileType.TEXT


def _is_binary(head: bytes) -> bool:
    return len(head.translate(None, _BINARY)) < len(head)
