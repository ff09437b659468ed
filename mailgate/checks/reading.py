"""
The body of a message, read once for all checks that verify what has signed it: while it arrives,
or where it was handed in whole, afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import frozen
from zope.interface import implementer

from mailgate.authentication.arc import ChainVerification
from mailgate.authentication.author import author_of
from mailgate.authentication.canonical import BodyHash, BodyHasher, Form
from mailgate.authentication.dkim import Verification
from mailgate.checks.outside import Outside
from mailgate.config.checks import CheckMode
from mailgate.config.model import Settings
from mailgate.interfaces import IBodyReader, IMessage, IThreads
from mailgate.message.arrival import SLICE, read_aside
from mailgate.message.envelope import Session
from mailgate.message.header import Headers
from mailgate.message.section import has_more_fields, header_section


class Signed(Protocol):
    """
    What a check has made of a header section.
    """

    @property
    def forms(self) -> frozenset[Form]:
        """
        Name the forms of the body whose hashes it takes to verify it.
        """


def signatures_of(section: bytes) -> Verification:
    """
    Read the signatures of DKIM.
    """
    # Which of them come first matters where there are several only.
    has_several = section.lower().count(b"dkim-signature") > 1
    return Verification(section, author_of(Headers.parse(section)).domain if has_several else "")


KINDS: Mapping[str, tuple[bytes, Callable[[bytes], Signed]]] = {
    "dkim": (b"dkim-signature", signatures_of),
    "arc": (b"arc-message-signature", ChainVerification),
}
"""
What reads a header section for a check, by its name; and what must stand in it, in small letters,
where there is anything to read.
"""


@implementer(IBodyReader)
class Reading:
    """
    What was read of one message.
    """

    def __init__(self, signed: Mapping[str, Signed]) -> None:
        """
        @param signed: what the checks have made of its header section, by their names.
        """
        self.signed = signed
        self.hashes: Mapping[Form, BodyHash] = {}
        """Of each form that is asked for; there once L{finish} was called."""

        self._hasher = BodyHasher(self.forms)

    @property
    def forms(self) -> frozenset[Form]:
        """
        Name the forms that are asked for.
        """
        return frozenset().union(*(each.forms for each in self.signed.values()))

    def update(self, data: bytes) -> None:
        """
        Take the next bytes of the body.
        """
        self._hasher.update(data)

    def finish(self) -> None:
        """
        Make the hashes, once.
        """
        self.hashes = self._hasher.finish()


@frozen
class Readings:
    """
    Whose bodies are read, and for which checks.
    """

    outside: Outside
    checks: tuple[str, ...]
    fields: int
    """How many header fields a message may have. One with more is refused."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Readings | None:
        """
        Take them from a configuration; C{None} where all of these checks are off.
        """
        on = [name for name in KINDS if getattr(settings.checks, name).mode is not CheckMode.OFF]
        if not on:
            return None
        return cls(Outside.from_settings(settings), tuple(on), settings.limits.header_fields)

    def begin(self, session: Session, is_relay: bool, section: bytes) -> Reading | None:
        """
        Begin to read the body behind a header section; C{None} where there is nothing to verify.

        @param is_relay: whether the client is a relay of ours. The stranger from whom it has the
            message is found only when all of it is there.
        """
        if not is_relay and not self.outside.has(session):
            return None
        if has_more_fields(section, self.fields):
            return None
        written = section.lower()
        signed = {}
        for name in self.checks:
            mark, read = KINDS[name]
            if mark in written:
                signed[name] = read(section)
        reading = Reading(signed)
        return reading if reading.forms else None


async def reading_of(message: IMessage, check: str, threads: IThreads | None) -> Reading:
    """
    Give what was read for a check: as the message arrived or, where that is not so, now.

    @param threads: where a body is read that is too long for one go; where there are none it is
        read here.
    """
    reading = message.reading
    if isinstance(reading, Reading) and check in reading.signed:
        return reading
    section = header_section(message)
    _, read = KINDS[check]
    reading = Reading({check: read(section)})
    if reading.forms:
        await _read(reading, message, len(section), threads)
    reading.finish()
    return reading


async def _read(reading: Reading, message: IMessage, start: int, threads: IThreads | None) -> None:
    """
    Read a body, which begins at byte C{start}, as it comes from memory or disk.
    """
    for chunk in message.chunks():
        data = chunk if isinstance(chunk, bytes) else await chunk
        body = data[start:] if start else data
        start = max(0, start - len(data))
        if threads is None or len(body) <= SLICE:
            reading.update(body)
        else:
            await threads.run(read_aside, reading.update, body)
