"""
What an archive is by the names in it, and what is in a gzip file called.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailgate.config.forbidden import FileType
from mailgate.message.filename import forms
from mailgate.message.text import characters


def kind_of_zip(names: set[str]) -> FileType:
    """
    Tell what a zip file is.

    @param names: of all files in it, in small letters.
    """
    if any(name.endswith("vbaproject.bin") or "/macrosheets/" in name for name in names):
        return FileType.OFFICE_MACROS
    if "androidmanifest.xml" in names:
        return FileType.ANDROID_APP
    if "[content_types].xml" in names or {"mimetype", "meta-inf/manifest.xml"} <= names:
        return FileType.OFFICE
    if "meta-inf/manifest.mf" in names:
        return FileType.JAVA
    return FileType.ZIP


def named_in_gzip(data: bytes) -> tuple[str, ...]:
    """
    Give the name in the header of a gzip file (RFC 1952 section 2.3.1).
    """
    flags, at = data[3:4], 10
    if not flags or not flags[0] & 8:
        return ()
    if flags[0] & 4:
        at += 2 + int.from_bytes(data[10:12], "little")
    return (characters(data[at : at + 4096].partition(b"\0")[0]),)


def without_end(names: Iterable[str]) -> tuple[str, ...]:
    """
    Give the names that programs give to what they unpack from a gzip file.
    """
    endings = {".gz": "", ".tgz": ".tar", ".z": ""}
    return tuple(
        form[: -len(ending)] + instead
        for name in names
        for form in forms(name)
        for ending, instead in endings.items()
        if form.endswith(ending)
    )
