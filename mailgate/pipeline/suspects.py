"""
Messages that have killed a process: their content is judged in the sandbox, and of one that kills
there again nothing more is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.finding import SANDBOX, Finding, Result
from mailgate.interfaces import (
    IMessage,
    INotes,
    ISandbox,
    MaybeDeferred,
    SandboxError,
    SandboxUnavailable,
)
from mailgate.pipeline.content import (
    JOB,
    Question,
    Said,
    Unbelievable,
    decode_answer,
    encode_question,
)
from mailgate.pipeline.plan import Plan
from mailgate.verdict import Kind

UNSCANNABLE = "CONTENT_UNSCANNABLE"
"""The symbol of the finding that the content of a message cannot be judged."""

UNJUDGED = "CONTENT_UNJUDGED"
"""The symbol of the finding that it could not be judged this time."""

_SCORE = 1.0
"""What it adds says nothing of the message; the policy holds it for the finding alone."""


@frozen
class Watch:
    """
    What was noted of a message while its content is worked on.
    """

    is_suspect: bool
    note: int | None
    notes: INotes

    def end(self, is_done: bool) -> None:
        """
        Take the note back, as nobody has died.

        @param is_done: whether nothing of the work can still go on. What is in a thread goes on
            when its client has gone or its deadline is over, and may kill the process then.
        """
        if self.note is not None:
            (self.notes.remove if is_done else self.notes.leave)(self.note)


class Suspects:
    """
    Which messages they are, and the sandbox for them.
    """

    log = Logger()

    def __init__(self, sandbox: ISandbox, settings: str, notes: INotes) -> None:
        """
        @param settings: the configuration as JSON, for the processes of the sandbox.
        @param notes: where it is noted at which messages this process is.
        """
        self._sandbox = sandbox
        self._settings = settings
        self._notes = notes
        self.hashes: Collection[bytes] = frozenset()
        """The SHA-256 of each. Whoever knows of others puts them here."""

    def begin(self, digest: bytes) -> Watch:
        """
        Note that the content of a message is worked on from now on, unless it is one of them.

        @param digest: its SHA-256.
        """
        if digest in self.hashes:
            return Watch(True, None, self._notes)
        return Watch(False, self._notes.add(digest), self._notes)

    async def judge(
        self, plan: Plan, question: Question, message: IMessage, seconds: float
    ) -> Sequence[Said]:
        """
        Judge the content in the sandbox.

        @param question: without message and settings.
        @param seconds: how long it may take.
        @return: what was found; where there is no result, that.
        """
        trace = question.envelope.trace
        try:
            data = await _bytes_of(message)
            asked = evolve(question, settings=self._settings, message=data)
            answer = await self._sandbox.run(JOB, encode_question(asked), seconds)
            return decode_answer(answer, plan, asked)
        except SandboxUnavailable as error:
            self.log.error(
                "{event} {error} in {trace}",
                event="suspect.unjudged",
                error=str(error),
                trace=trace,
            )
            return (_unjudged(str(error)),)
        except OSError as error:
            self.log.failure("{event} in {trace}", event="suspect.unreadable", trace=trace)
            return (_unjudged(f"it could not be read: {error.strerror}"),)
        except (SandboxError, Unbelievable) as error:
            self.log.warn(
                "{event} {error} in {trace}",
                event="suspect.unscannable",
                error=str(error),
                trace=trace,
            )
            return (_unscannable(str(error)),)


def digest_of(message: IMessage) -> MaybeDeferred[bytes]:
    """
    Give the SHA-256 of a message.

    @raise OSError: (in the Deferred) it cannot be read.
    """
    if message.path is not None:
        return Deferred.fromCoroutine(_digest_of_file(message))
    digest = sha256()
    for chunk in message.chunks():
        assert isinstance(chunk, bytes)
        digest.update(chunk)
    return digest.digest()


async def _digest_of_file(message: IMessage) -> bytes:
    digest = sha256()
    for chunk in message.chunks():
        digest.update(chunk if isinstance(chunk, bytes) else await chunk)
    return digest.digest()


async def _bytes_of(message: IMessage) -> bytes:
    chunks = [chunk if isinstance(chunk, bytes) else await chunk for chunk in message.chunks()]
    return b"".join(chunks)


def _unscannable(why: str) -> Said:
    words = (
        "This message has killed a process that looked into it, and so it did in the sandbox: "
        f"{why}. Nothing of its content was judged."
    )
    finding = Finding(UNSCANNABLE, _SCORE, words, kind=Kind.UNSCANNABLE, check=SANDBOX)
    return Said("", Result(SANDBOX, (finding,)))


def _unjudged(why: str) -> Said:
    words = f"This message has killed a process, and there was no sandbox for it: {why}."
    finding = Finding(UNJUDGED, 0.0, words, check=SANDBOX)
    return Said("", Result(SANDBOX, (finding,), has_failed=True))
