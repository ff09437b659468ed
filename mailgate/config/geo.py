"""
Files that know where addresses are, in MaxMind's format.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mailgate.config.checks import GeoCheck
from mailgate.config.credentials import is_unread
from mailgate.config.problem import Problem, as_toml

INSTALL = "needs a library that is not installed: install mailgate with pip install '.[geo]'"

_TABLE = "[checks.geo]"


def open_geo_file(path: Path) -> Any:
    """
    Open a file and map it into memory. Blocks.

    @raise OSError: it cannot be read.
    @raise ValueError: it is no such file, or what reads it is not installed.
    """
    try:
        import maxminddb
    except ImportError:
        raise ValueError(INSTALL) from None
    try:
        try:
            return maxminddb.open_database(str(path), maxminddb.MODE_MMAP_EXT)
        except ValueError:  # without the extension, which is a matter of speed
            return maxminddb.open_database(str(path), maxminddb.MODE_MMAP)
    except maxminddb.InvalidDatabaseError:
        raise ValueError("it is no file in MaxMind's format, or it is damaged") from None


def lapses(section: GeoCheck, file: Path) -> Iterator[Problem]:
    """
    Give the files that cannot be used. Mail flows without them.
    """
    if not section.is_used:
        return
    for key, named, other in (
        ("country_file", section.country_file, ("ASN",)),
        ("system_file", section.system_file, ("Country", "City")),
    ):
        path = Path(named)
        if not named or is_unread(path):
            continue
        shown = as_toml(str(path))
        try:
            with open_geo_file(path) as reader:
                kind = str(reader.metadata().database_type)
        except OSError as error:
            yield Problem(file, _TABLE, key, shown, f"cannot be read: {error.strerror}")
        except ValueError as error:
            yield Problem(file, _TABLE, key, shown, str(error))
        else:
            if any(each in kind for each in other):
                yield Problem(file, _TABLE, key, shown, f"is a file of the kind {kind}")


def warnings(section: GeoCheck, file: Path) -> Iterator[Problem]:
    """
    Give what is allowed but says nothing.
    """
    for key, scores, needed, path in (
        ("countries", section.countries, "country_file", section.country_file),
        ("systems", section.systems, "system_file", section.system_file),
    ):
        if scores and path == "":
            why = f"says nothing without {needed}"
            yield Problem(file, _TABLE, key, "", why)
