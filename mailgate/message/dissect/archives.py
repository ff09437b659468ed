"""
Archives that only libarchive opens, where it is there: 7z, rar, cab, iso and others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mailgate.message.archive import Flaw
from mailgate.message.inside.inspector import Specimen

if TYPE_CHECKING:
    from mailgate.message.dissect.work import Bench

# To look for it, the library starts a program, which nobody may in the sandbox.
os.environ.setdefault("LIBARCHIVE", "libarchive.so.13")
try:
    import libarchive
except (ImportError, OSError, TypeError):
    # The extra is not installed, or the library of the system is not.
    libarchive = None

_BYTES = 16 * 1024 * 1024
"""Bytes that are unpacked of one file."""


class NotOpened(Exception):
    """
    Nobody here opens archives of this kind.
    """


def look_at_archive(specimen: Specimen, bench: Bench) -> None:
    """
    Take up the files in an archive.

    @raise NotOpened: nobody here can open it.
    """
    if libarchive is None:
        raise NotOpened
    left = bench.opener.caps.unpacked_bytes
    count = 0
    try:
        for name, blocks in _entries(specimen.data):
            count += 1
            if count > bench.opener.caps.files:
                _tell(specimen, bench, "It holds more files than are read.")
                return
            content = _first(blocks, min(left, _BYTES))
            left -= len(content)
            bench.take(content, (name,) if name else (), specimen.path)
            if left <= 0:
                limit = bench.opener.caps.unpacked_bytes
                _tell(specimen, bench, f"Unpacked it has more than {limit:,} bytes.")
                return
    except libarchive.ArchiveError as error:
        words = str(error).lower()
        if "crypt" in words or "passphrase" in words:
            bench.locked.add(specimen.place)
        elif not count:
            raise
        else:
            _tell(specimen, bench, "It is broken behind its beginning.")


def _entries(data: bytes) -> Iterator[tuple[str, Iterator[bytes]]]:
    with libarchive.memory_reader(data) as archive:
        for entry in archive:
            if not entry.isfile:
                continue
            name = ""
            with suppress(UnicodeError):
                name = entry.pathname or ""
            yield name, entry.get_blocks()


def _first(blocks: Any, limit: int) -> bytes:
    """
    Give the first bytes of a file.
    """
    found = bytearray()
    for block in blocks:
        found += block
        if len(found) >= limit:
            break
    return bytes(found[:limit])


def _tell(specimen: Specimen, bench: Bench, sentence: str) -> None:
    bench.opener.flaws[Flaw(sentence, specimen.path)] = None
