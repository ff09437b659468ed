"""
Zip files that need a password: by the old way of encryption with the standard library, by AES
(the format of WinZip, AE-1 and AE-2) with our own few lines.
"""

from __future__ import annotations

import hmac
import io
import zipfile
import zlib
from hashlib import pbkdf2_hmac
from struct import unpack_from
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from mailgate.message.inside.inspector import Specimen
from mailgate.message.zip import inflate

if TYPE_CHECKING:
    from mailgate.message.dissect.work import Bench

_BYTES = 8 * 1024 * 1024
"""Bytes that are decrypted of one file: the old way takes a second for each two million."""

_FILES = 20
"""How many are decrypted, the smallest first; where there are more it stays encrypted."""

_AES = 99
_AES_EXTRA = 0x9901
_LENGTHS = {1: 16, 2: 24, 3: 32}


def look_at_locked_zip(specimen: Specimen, bench: Bench) -> None:
    """
    Open a zip file with the words of the message, and take up what is in it.
    """
    with zipfile.ZipFile(io.BytesIO(specimen.data)) as archive:
        locked = [info for info in archive.infolist() if info.flag_bits & 1 and not info.is_dir()]
        # The smallest file with something in it shows soonest which password is right.
        probe = min(locked, key=lambda info: (info.file_size == 0, info.compress_size))
        for password in bench.passwords:
            if _read(archive, specimen.data, probe, password) is not None:
                break
        else:
            bench.locked.add(specimen.place)
            return
        bench.unlocked(specimen)
        left = _BYTES
        is_whole = len(locked) <= _FILES
        for info in sorted(locked, key=lambda info: info.compress_size)[:_FILES]:
            content = None
            if max(info.file_size, info.compress_size) <= left:
                left -= info.file_size
                content = _read(archive, specimen.data, info, password)
            if content is None:
                is_whole = False
            else:
                bench.take(content, (info.filename,), specimen.path)
        if not is_whole:
            bench.locked.add(specimen.place)


def _read(
    archive: zipfile.ZipFile, data: bytes, info: zipfile.ZipInfo, password: str
) -> bytes | None:
    """
    Decrypt a file, or give C{None} where the password is wrong.
    """
    if info.compress_size > _BYTES:
        return None
    word = password.encode("utf-8", "replace")
    if info.compress_type == _AES:
        return _read_aes(data, info, word)
    try:
        with archive.open(info, pwd=word) as file:
            content = file.read(_BYTES + 1)
    except (RuntimeError, zipfile.BadZipFile, zlib.error, EOFError):
        return None  # A wrong password shows by the check of one byte, or later by what comes out.
    return content[:_BYTES]


def _read_aes(data: bytes, info: zipfile.ZipInfo, password: bytes) -> bytes | None:
    """
    Decrypt by AES: salt, two bytes to check the password, the content, a MAC of ten bytes.
    """
    strength, method = _aes_extra(info.extra)
    length = _LENGTHS[strength]
    names, extras = unpack_from("<2H", data, info.header_offset + 26)
    begin = info.header_offset + 30 + names + extras
    packed = data[begin : begin + info.compress_size]
    salt, check = packed[: length // 2], packed[length // 2 : length // 2 + 2]
    content, mac = packed[length // 2 + 2 : -10], packed[-10:]
    keys = pbkdf2_hmac("sha1", password, salt, 1000, 2 * length + 2)
    if keys[2 * length :] != check:
        return None
    if not hmac.compare_digest(hmac.digest(keys[length : 2 * length], content, "sha1")[:10], mac):
        return None
    counters = b"".join(
        number.to_bytes(16, "little") for number in range(1, len(content) // 16 + 2)
    )
    # It is the counter mode, with the counter the other way round than everybody else has it.
    stream = Cipher(AES(keys[:length]), ECB()).encryptor().update(counters)[: len(content)]
    plain = (int.from_bytes(content, "big") ^ int.from_bytes(stream, "big")).to_bytes(
        len(content), "big"
    )
    if method == 0:
        return plain
    return inflate(plain, 0, len(plain), -zlib.MAX_WBITS, _BYTES) if method == 8 else None


def _aes_extra(extra: bytes) -> tuple[int, int]:
    """
    Give the strength and the method of packing.

    @raise ValueError: they are not there.
    """
    at = 0
    while at + 4 <= len(extra):
        kind, length = unpack_from("<2H", extra, at)
        if kind == _AES_EXTRA and length >= 7:
            _, _, strength, method = unpack_from("<H2sBH", extra, at + 4)
            return strength, method
        at += 4 + length
    raise ValueError("no extra field of AES")
