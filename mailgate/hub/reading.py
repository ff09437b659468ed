"""
Looking into messages that are kept: for the review pages, and to learn from them.

What a stranger has made is not taken apart in the hub, which all depends on. Header sections are:
every process reads those, with code of ours that is small and bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.classify.evidence import Lore, decode_lore, encode_lore, lore_of
from mailgate.interfaces import IReader, ISandbox, IThreads, SandboxFailed
from mailgate.message.forwarded import decode_forwarded, encode_forwarded, forwarded
from mailgate.message.page import Page, decode_page, encode_page, page_of

T = TypeVar("T")

PAGE, LORE, FORWARDED = "page", "lore", "forwarded"
"""The names of the jobs."""

SECONDS = 20.0
"""How long one of them may take, with half of it to wait for a process."""

JOBS: Mapping[str, Callable[[bytes], bytes]] = {
    PAGE: lambda data: encode_page(page_of(data)),
    LORE: lambda data: encode_lore(lore_of(data)),
    FORWARDED: lambda data: encode_forwarded(forwarded(data)),
}
"""What is done in the sandbox."""


@implementer(IReader)
class SandboxReader:
    """
    Lets the sandbox do it.
    """

    def __init__(self, sandbox: ISandbox, apart: ISandbox) -> None:
        """
        @param apart: has a process of its own for each job.
        """
        self._sandbox = sandbox
        self._apart = apart

    def page(self, data: bytes, is_deadly: bool = False) -> Deferred[Page]:
        """
        Read what a person is shown of a message.
        """
        sandbox = self._apart if is_deadly else self._sandbox
        return _believed(sandbox.run(PAGE, data, SECONDS), decode_page)

    def lore(self, data: bytes) -> Deferred[Lore]:
        """
        Read what can be learned of a message.
        """
        return _believed(self._sandbox.run(LORE, data, SECONDS), decode_lore)

    def forwarded(self, data: bytes) -> Deferred[Sequence[bytes]]:
        """
        Give the messages attached to one.
        """
        return _believed(self._sandbox.run(FORWARDED, data, SECONDS), decode_forwarded)


@implementer(IReader)
class OwnReader:
    """
    Does it in this process: for a command that has no other work.
    """

    def __init__(self, threads: IThreads) -> None:
        self._threads = threads

    def page(self, data: bytes, is_deadly: bool = False) -> Deferred[Page]:
        """
        Read what a person is shown of a message.
        """
        return self._threads.run(page_of, data)

    def lore(self, data: bytes) -> Deferred[Lore]:
        """
        Read what can be learned of a message.
        """
        return self._threads.run(lore_of, data)

    def forwarded(self, data: bytes) -> Deferred[Sequence[bytes]]:
        """
        Give the messages attached to one.
        """
        return self._threads.run(forwarded, data)


def _believed(answer: Deferred[bytes], decode: Callable[[bytes], T]) -> Deferred[T]:
    def read(data: bytes) -> T:
        try:
            return decode(data)
        except ValueError as error:
            raise SandboxFailed(f"it answered what nobody answers: {error}") from None

    return answer.addCallback(read)
