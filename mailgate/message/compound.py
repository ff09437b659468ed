"""
What lies in a compound file (OLE2), in which Office kept its documents before 2007.

Only the directory matters, and it is not followed from block to block, since a chain can be
broken on purpose: an entry is 128 bytes, begins at a multiple of that, and holds its name.
"""

from __future__ import annotations

from struct import unpack_from

from mailgate.config.forbidden import FileType

_ENTRY = 128
_HITS = 10_000
"""How often a name may stand there without being one; more often it is taken for one."""

_INSTALLERS = tuple(
    bytes([number]) + bytes.fromhex("100c0000000000c000000000000046")
    for number in (0x82, 0x84, 0x86)
)
"""The classes of installers, patches and transforms, which the entry of the root names."""


def compound_type(data: bytes) -> tuple[FileType, bool]:
    """
    Tell what a compound file is, and whether what it holds is encrypted. Never raises; linear.
    """
    upper = data.upper()  # Names are the same in capitals and small letters.
    if any(_find(upper, name) >= 0 for name in ("_VBA_PROJECT", "_VBA_PROJECT_CUR")):
        return FileType.OFFICE_MACROS, False
    root = _find(upper, "ROOT ENTRY")
    if root >= 0 and data.startswith(_INSTALLERS, root + 80):
        return FileType.INSTALLER, False
    return FileType.OFFICE_OLD, _find(upper, "ENCRYPTEDPACKAGE") >= 0


def _find(data: bytes, name: str) -> int:
    """
    Give the offset of the entry with this name, or -1.
    """
    wanted = (name + "\0").encode("utf-16-le")
    at = -1
    for _ in range(_HITS):
        at = data.find(wanted, at + 1)
        if at < 0:
            return -1
        if at % _ENTRY == 0 and at + _ENTRY <= len(data):
            (length,) = unpack_from("<H", data, at + 64)
            if length == len(wanted):
                return at
    return at
