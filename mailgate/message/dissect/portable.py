"""
PDF, looked into with pypdf: where it is encrypted or packed in unusual ways.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pypdf
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

from mailgate.message.inside.inspector import Specimen
from mailgate.message.inside.pdf import tell

if TYPE_CHECKING:
    from mailgate.message.dissect.work import Bench

_OBJECTS = 20_000
"""How many objects are looked at."""


def look_at_pdf_objects(specimen: Specimen, bench: Bench) -> None:
    """
    Look at all objects of a PDF, and open it where it is encrypted.
    """
    reader = pypdf.PdfReader(io.BytesIO(specimen.data), strict=False)
    if reader.is_encrypted:
        # Most need no password to be read, only to be changed.
        password = next((word for word in ("", *bench.passwords) if reader.decrypt(word)), None)
        if password is None:
            bench.locked.add(specimen.place)
            return
        bench.opened.add(specimen.place)
        if password:
            bench.unlocked(specimen)
    found: set[str] = set()
    launched = ""
    for each in _dictionaries(reader):
        found.update(str(key)[1:] for key in each)
        kind = str(each.get("/S", ""))[1:]
        found.add(kind)
        if kind == "URI":
            bench.look.lead(str(each.get("/URI", "")))
        elif kind == "Launch":
            launched = launched or str(each.get("/F") or each.get("/Win") or "")[:200]
    tell(found, launched, bench.look, specimen.path)


def _dictionaries(reader: Any) -> Iterator[Any]:
    """
    Give the dictionaries of all objects, and those in them.
    """
    numbers = {number for table in reader.xref.values() for number in table} | set(
        reader.xref_objStm
    )
    left = _OBJECTS
    for number in sorted(numbers):
        try:
            waiting: list[Any] = [reader.get_object(IndirectObject(number, 0, reader))]
        except (PyPdfError, ValueError):
            continue  # Programs pass over an object that is broken, too.
        while waiting and left > 0:
            left -= 1
            each = waiting.pop()
            if isinstance(each, DictionaryObject):
                yield each
                waiting += [value for key, value in each.items() if key != "/Parent"]
            elif isinstance(each, ArrayObject):
                waiting += list(each)
