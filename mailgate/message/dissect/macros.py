"""
Office documents, looked into with oletools and msoffcrypto.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import msoffcrypto
import olefile
from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError, ParseError
from oletools import oleobj
from oletools.olevba import VBA_Parser, detect_autoexec, detect_suspicious

from mailgate.config.forbidden import FileType
from mailgate.message.compound import compound_type
from mailgate.message.filetype import HEAD, file_type
from mailgate.message.inside.inspector import Specimen
from mailgate.message.inside.signs import SignKind

if TYPE_CHECKING:
    from mailgate.message.dissect.work import Bench

_EXCEL_OWN = "VelvetSweatshop"
"""What Excel tries before it asks anybody."""

_CODE = 1024 * 1024
"""Characters of macros that are looked at."""

_OBJECTS = 20
_SHOWN = 5
_DDE = re.compile(rb"\x13[\0 ]{0,8}D\0?D\0?E(?:\0?A\0?U\0?T\0?O)?\0?([ -~\0]{0,200})")
"""A field that asks for it; its text has one byte a character, or two."""


def look_at_office(specimen: Specimen, bench: Bench) -> None:
    """
    Look at the macros and objects of a document, and open it where it is encrypted.
    """
    data = specimen.data
    if file_type(data[:HEAD]) is FileType.OFFICE_OLD:
        match = _DDE.search(data)
        if match is not None:
            asked = match[1].replace(b"\0", b"").decode("latin-1").strip()
            words = f"asks to start a program by DDE ({asked[:100]})"
            bench.look.see(SignKind.DDE, words, specimen.path)
        if _is_locked(data):
            _unlock(specimen, bench)
            return
        _objects(specimen, bench)
        if (
            compound_type(data)[0] is not FileType.OFFICE_MACROS
            and "Workbook".encode("utf-16-le") not in data
        ):
            return
    _macros(specimen, bench)


def _is_locked(data: bytes) -> bool:
    try:
        return bool(msoffcrypto.OfficeFile(io.BytesIO(data)).is_encrypted())
    except (FileFormatError, ParseError):
        return False  # It is another compound file: a saved message, a list of pictures.


def _unlock(specimen: Specimen, bench: Bench) -> None:
    for password in (_EXCEL_OWN, *bench.passwords):
        file: Any = msoffcrypto.OfficeFile(io.BytesIO(specimen.data))
        content = io.BytesIO()
        try:
            file.load_key(password=password)
            file.decrypt(content)
        except (InvalidKeyError, DecryptionError):
            continue
        if password == _EXCEL_OWN:
            bench.opened.add(specimen.place)
        else:
            bench.unlocked(specimen)
        bench.take(content.getvalue(), specimen.path[-1:], specimen.path[:-1])
        return
    bench.locked.add(specimen.place)


def _macros(specimen: Specimen, bench: Bench) -> None:
    # The name decides nothing but what the parser writes.
    parser = VBA_Parser("a", data=specimen.data)
    see = bench.look.see
    try:
        if parser.detect_xlm_macros():
            see(SignKind.MACROS, "has macros of Excel 4 (XLM)", specimen.path)
        if not parser.detect_vba_macros():
            return
        code = "\n".join(_code(parser))[:_CODE]
    finally:
        parser.close()
    if not code.strip():
        see(SignKind.MACROS, "has macros that could not be read", specimen.path)
        return
    begin = _names(detect_autoexec(code))
    words = f"has macros that run by themselves ({begin})" if begin else "has macros"
    does = _names(detect_suspicious(code))
    see(SignKind.MACROS, f"{words}, which use {does}" if does else words, specimen.path)


def _code(parser: Any) -> list[str]:
    found = []
    for _, _, _, code in parser.extract_macros():
        found.append(code if isinstance(code, str) else code.decode("utf-8", "replace"))
    return found


def _names(keywords: Any) -> str:
    names = list(dict.fromkeys(keyword for keyword, _ in keywords))
    return ", ".join(names[:_SHOWN])


def _objects(specimen: Specimen, bench: Bench) -> None:
    """
    Take up the files that are packed in it.
    """
    with olefile.OleFileIO(io.BytesIO(specimen.data)) as ole:
        found = [path for path in ole.listdir() if path[-1].lower() == "\x01ole10native"]
        for path in found[:_OBJECTS]:
            native = oleobj.OleNativeStream(ole.openstream(path))
            if native.is_link or not native.data:
                continue
            name = native.filename or native.src_path or ""
            words = f"has a file in it ({name})" if name else "has an object in it (OLE)"
            bench.look.see(SignKind.EMBEDDED, words, specimen.path)
            bench.take(native.data, (name,) if name else (), specimen.path)
