"""
In which country an address is, and in whose network, as files in MaxMind's format say.

The files are the operator's own. They are copied, and the copy is mapped into memory, so that only
what is looked up takes any, and whoever writes over the original harms nobody.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.checks import GeoCheck as Section
from mailgate.config.geo import open_geo_file
from mailgate.config.stamp import Stamp, stamp_of
from mailgate.interfaces import IThreads

_SHOWN = 80


@frozen
class Place:
    """
    Where an address is, as far as it is known.
    """

    country: str = ""
    """The code of two letters (ISO 3166), in upper case, or C{""}."""

    country_name: str = ""
    """In English, or C{""}."""

    system: int | None = None
    """The number of the autonomous system."""

    system_name: str = ""

    def __bool__(self) -> bool:
        return bool(self.country) or self.system is not None


NOWHERE = Place()


@frozen
class _Loaded:
    stamp: Stamp
    reader: Any


class GeoFile:
    """
    One file. While it cannot be read, what was read before counts.
    """

    log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loaded: _Loaded | None = None
        self._trouble = ""
        self._is_broken = False

    def find(self, address: IPv4Address | IPv6Address) -> dict[str, Any]:
        """
        Give what the file has of an address: nothing, where it has nothing or is damaged.
        """
        loaded = self._loaded
        if loaded is None or (address.version == 6 and loaded.reader.metadata().ip_version == 4):
            return {}
        try:
            found = loaded.reader.get(address)
        except (ValueError, RuntimeError) as error:  # maxminddb's own error is of the second kind
            if not self._is_broken:
                self._is_broken = True
                self._tell(f"it is damaged: {error}")
            return {}
        return found if isinstance(found, dict) else {}

    def load(self) -> None:
        """
        Read the file if it has changed. Blocks. It never fails: an event tells.
        """
        try:
            self.take(self.read())
        except (OSError, ValueError):
            self.not_read(Failure())

    def read(self) -> _Loaded | None:
        """
        Read the file, unless it is as it was. Blocks.

        @raise OSError: it cannot be read.
        @raise ValueError: it is no such file, or what reads it is not installed.
        """
        with self._path.open("rb") as original:
            stamp = stamp_of(os.fstat(original.fileno()))
            if self._loaded is not None and self._loaded.stamp == stamp:
                return None
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(original, copy, 1024 * 1024)
                copy.flush()
                return _Loaded(stamp, open_geo_file(Path(f"/proc/self/fd/{copy.fileno()}")))

    def take(self, loaded: _Loaded | None) -> None:
        """
        Let what was read count.
        """
        if loaded is None:
            return
        self._loaded, self._trouble, self._is_broken = loaded, "", False
        self.log.info(
            "{event} {kind} from {path}",
            event="geo.read",
            kind=str(loaded.reader.metadata().database_type)[:_SHOWN],
            path=str(self._path),
        )

    def not_read(self, failure: Failure) -> None:
        """
        Tell, once, why it could not be read.
        """
        error = failure.value
        failure.trap(OSError, ValueError)
        self._tell(str(getattr(error, "strerror", None) or error))

    def _tell(self, why: str) -> None:
        if why != self._trouble:
            self._trouble = why
            self.log.error(
                "{event} {path}: {why}", event="geo.not_read", path=str(self._path), why=why
            )


class Geo:
    """
    What is known of places.
    """

    def __init__(self, countries: GeoFile | None = None, systems: GeoFile | None = None) -> None:
        """
        @param countries: knows the countries of addresses; without, none is known.
        @param systems: knows their autonomous systems.
        """
        self._countries = countries
        self._systems = systems

    @classmethod
    def of_check(cls, section: Section) -> Geo:
        """
        Make it of the settings of the check; nothing is read yet.
        """
        if not section.is_used:
            return cls()
        country, system = section.country_file, section.system_file
        return cls(
            GeoFile(Path(country)) if country else None,
            GeoFile(Path(system)) if system else None,
        )

    def load(self) -> None:
        """
        Read the files that have changed. Blocks. It never fails: an event tells.
        """
        for file in self._files():
            file.load()

    async def refresh(self, threads: IThreads) -> None:
        """
        Read the files that have changed, in a thread. It never fails: an event tells.
        """
        for file in self._files():
            reading: Deferred[Any] = threads.run(file.read)
            await reading.addCallbacks(file.take, file.not_read)

    def find(self, address: IPv4Address | IPv6Address) -> Place:
        """
        Tell where an address is.
        """
        found = {} if self._countries is None else self._countries.find(address)
        country = found.get("country") or found.get("registered_country")
        code, name = _country(country if isinstance(country, dict) else {})
        of_system = {} if self._systems is None else self._systems.find(address)
        number = of_system.get("autonomous_system_number")
        if not code and not isinstance(number, int):
            return NOWHERE
        return Place(
            code,
            name,
            number if isinstance(number, int) else None,
            _text(of_system.get("autonomous_system_organization")),
        )

    def _files(self) -> Iterable[GeoFile]:
        return [file for file in (self._countries, self._systems) if file is not None]


def _country(found: dict[str, Any]) -> tuple[str, str]:
    names = found.get("names")
    name = names.get("en") if isinstance(names, dict) else ""
    return _text(found.get("iso_code")).upper(), _text(name)


def _text(value: object) -> str:
    return value[:_SHOWN] if isinstance(value, str) and value.isprintable() else ""
