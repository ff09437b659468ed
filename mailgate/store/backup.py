"""
A backup as a file: a tar that is packed with gzip, so that it can be looked into with what every
system has.

The first member says what it is, the last one has the length and the SHA-256 of every other.
Written and read from beginning to end, it can go through a pipe. The checksums find what a disk or
a cable has spoilt; whoever can write the file can write them too.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from attrs import frozen

from mailgate.interfaces import IFiles

FORMAT = 1
DESCRIPTION = "backup.json"
CHECKSUMS = "checksums.json"

DATABASE = "state.db"
CONFIGURATION = "mailgate.toml"
ACCOUNTS = "accounts"
TOKENS = "classifier/tokens"

_NAME = re.compile(
    r"mailgate\.toml|state\.db|accounts|classifier/tokens|tls/(?:certificate|key)\.pem"
    r"|blobs/([0-9a-f]{2})/\1[0-9a-f]{30}",
    re.ASCII,
)
"""The names that a member may have, and nothing that leads elsewhere."""

_STEP = 1024 * 1024
_COMPRESSION = 6
_JSON_LIMIT = 256 * 1024 * 1024


class BadBackup(Exception):
    """
    A file is no backup, or a damaged one; the message says so in words.
    """


@frozen
class Member:
    """
    A file of the backup.
    """

    name: str
    content: Path | bytes
    """What it has, or the file that has it."""


def blob_name(identity: str) -> str:
    """
    Name the member with a stored message.
    """
    return f"blobs/{identity[:2]}/{identity}"


def pack(output: BinaryIO, description: Mapping[str, Any], members: Iterable[Member]) -> None:
    """
    Write a backup. Blocks.

    @param description: what is to be known of it, as a value of JSON.
    @raise OSError: something cannot be read or written.
    """
    sums: dict[str, tuple[int, str]] = {}
    with (
        gzip.GzipFile(fileobj=output, mode="wb", compresslevel=_COMPRESSION, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        about = {"format": FORMAT, **description}
        sums[DESCRIPTION] = _add(archive, Member(DESCRIPTION, _json(about)))
        for member in members:
            sums[member.name] = _add(archive, member)
        _add(archive, Member(CHECKSUMS, _json(sums)))


def unpack(source: BinaryIO, folder: Path, files: IFiles) -> Mapping[str, Any]:
    """
    Read a backup and write its files below C{folder}, which is empty. Blocks.

    @return: its description.
    @raise BadBackup: it cannot be used. What lies in the folder then is to be removed.
    @raise OSError: something cannot be written.
    """
    try:
        packed = gzip.GzipFile(fileobj=source, mode="rb")
        with tarfile.open(fileobj=packed, mode="r|") as archive:
            description = _unpack(archive, folder, files)
        while packed.read(_STEP):
            # To the end, where the checksum of the packing stands.
            continue
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadBackup(f"it is no backup, or it is damaged or cut off ({error})") from error
    return description


# -- writing ------------------------------------------------------------------------------


class _Hashed(io.RawIOBase):
    """
    Reads a file, and sums up what is read.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sum.update(data)
        return data


def _add(archive: tarfile.TarFile, member: Member) -> tuple[int, str]:
    content = member.content
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        info = tarfile.TarInfo(member.name)
        info.mode = 0o600
        info.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        hashed = _Hashed(file)
        archive.addfile(info, hashed)
    return info.size, hashed.sum.hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode("ascii")


# -- reading ------------------------------------------------------------------------------


def _unpack(archive: tarfile.TarFile, folder: Path, files: IFiles) -> Mapping[str, Any]:
    description: Mapping[str, Any] | None = None
    promised: Mapping[str, Any] | None = None
    found: dict[str, tuple[int, str]] = {}
    for info in archive:
        if promised is not None:
            raise BadBackup(f"it goes on behind its end: {info.name!r}")
        if not info.isreg() or info.name in found:
            raise BadBackup(f"{info.name!r} in it is none of a backup's files, or there twice")
        if description is None:
            if info.name != DESCRIPTION:
                raise BadBackup("it is no backup of mailgate")
            content = _read(archive, info)
            description = _described(content)
            found[info.name] = len(content), hashlib.sha256(content).hexdigest()
        elif info.name == CHECKSUMS:
            promised = _parsed(_read(archive, info))
        elif _NAME.fullmatch(info.name):
            found[info.name] = _extract(archive, info, folder / info.name, files)
        else:
            raise BadBackup(f"{info.name!r} in it is none of a backup's files")
    if description is None or promised is None:
        raise BadBackup("it is cut off")
    if {name: list(each) for name, each in found.items()} != promised:
        wrong = sorted(
            name
            for name in {*found, *promised}
            if list(found.get(name, ())) != promised.get(name, [])
        )
        raise BadBackup(f"it is damaged: the checksum of {wrong[0]!r} is wrong")
    return description


def _extract(
    archive: tarfile.TarFile, info: tarfile.TarInfo, path: Path, files: IFiles
) -> tuple[int, str]:
    _make(path.parent)
    source = archive.extractfile(info)
    assert source is not None
    total = hashlib.sha256()
    with files.create(path) as file:
        while data := source.read(_STEP):
            total.update(data)
            files.write(file, data)
        files.sync(file)
    return info.size, total.hexdigest()


def _make(folder: Path) -> None:
    # Each by itself: what mkdir makes above the last one has another mode.
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o700)


def _read(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    if info.size > _JSON_LIMIT:
        raise BadBackup(f"{info.name!r} in it is too large")
    source = archive.extractfile(info)
    assert source is not None
    return source.read()


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise BadBackup(f"it is damaged ({error})") from error
    if not isinstance(value, dict):
        raise BadBackup("it is damaged: what should be a table is none")
    return value


def _described(content: bytes) -> Mapping[str, Any]:
    description = _parsed(content)
    if description.get("format") != FORMAT:
        raise BadBackup(
            f"it has format {description.get('format')!r}, and this mailgate reads {FORMAT}"
        )
    return description
