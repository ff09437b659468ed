"""
Whether the certificates hold, and for how long still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.config.certificate import read_pair
from mailgate.config.model import CertificateFiles
from mailgate.interfaces import IThreads

DAY = 86400.0
"""How often it is looked at them."""


class CertificateWatch:
    """
    Tells of certificates that do not hold, or not for long any more, as their files are.
    """

    log = Logger()

    def __init__(
        self,
        files: Callable[[], Sequence[CertificateFiles]],
        now: Callable[[], float],
        threads: IThreads,
    ) -> None:
        """
        @param files: gives those that count at the moment.
        @param now: gives the seconds since the epoch.
        @param threads: where files are read.
        """
        self._files = files
        self._now = now
        self._threads = threads

    def look(self) -> Deferred[None]:
        """
        Read the files, and tell.
        """
        now = datetime.fromtimestamp(self._now(), UTC)
        return self._threads.run(_look, self._files(), now).addCallback(self._tell)

    def _tell(self, found: Sequence[_State]) -> None:
        for each in found:
            file, log = each.file, self.log
            if each.trouble:
                log.error(
                    "{event} {file}: {why}", event="tls.unusable", file=file, why=each.trouble
                )
            if each.lapse:
                log.error(
                    "{event} {file} {why}", event="tls.does_not_hold", file=file, why=each.lapse
                )
            if each.approaching_end:
                log.warn(
                    "{event} {file} {why}",
                    event="tls.ends_soon",
                    file=file,
                    why=each.approaching_end,
                )
            if each.gap:
                log.warn("{event} {file}: {why}", event="tls.incomplete", file=file, why=each.gap)


@frozen
class _State:
    """
    What there is to say of a certificate.
    """

    file: str
    trouble: str = ""
    """Why it cannot be used."""

    lapse: str = ""
    approaching_end: str = ""
    gap: str = ""

    @classmethod
    def of(cls, files: CertificateFiles, now: datetime) -> _State:
        """
        Read it. Blocks.
        """
        file = str(files.certificate)
        try:
            chain = read_pair(files).chain
        except ValueError as error:
            return cls(file, str(error))
        return cls(file, "", chain.lapse(now), chain.approaching_end(now), chain.gap())


def _look(files: Sequence[CertificateFiles], now: datetime) -> Sequence[_State]:
    return [_State.of(each, now) for each in files]
