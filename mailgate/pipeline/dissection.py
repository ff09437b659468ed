"""
Files that others have to look into, in the sandbox: what goes there, and what comes of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from mailgate.interfaces import ISandbox, IThreads, SandboxError, SandboxUnavailable
from mailgate.message.archive import Caps, File
from mailgate.message.attachments import Attachments, Trouble
from mailgate.message.dissect.question import (
    JOB,
    Answer,
    Question,
    Unbelievable,
    decode_answer,
    encode_question,
)

SECONDS = 16.0
"""
How long the files of a message may take there; a process that has to be started first gets half of
it.
"""


@frozen(eq=False)
class Dissection:
    """
    Has files looked into in the sandbox.
    """

    sandbox: ISandbox | None
    """C{None}: there is none here."""

    caps: Caps
    threads: IThreads
    log = Logger()

    async def complete(
        self, attachments: Attachments, passwords: Iterable[str], trace: str
    ) -> Attachments:
        """
        Add to what was seen of the attachments what is seen there. Never raises.

        @param passwords: those to try on what is encrypted.
        @param trace: the id for the events.
        """
        if self.sandbox is None:
            return evolve(attachments, unjudged="there is no sandbox here")
        question = Question(attachments.specimens, tuple(passwords), self.caps)
        try:
            # It can be 32 MiB, which take their time.
            value = await self.threads.run(encode_question, question)
            data = await self.sandbox.run(JOB, value, SECONDS)
            answer = decode_answer(data)
        except CancelledError:
            raise
        except SandboxUnavailable as error:
            self.log.error(
                "{event} {error} in {trace}",
                event="attachments.unjudged",
                error=str(error),
                trace=trace,
            )
            return evolve(attachments, unjudged=str(error))
        except (SandboxError, Unbelievable) as error:
            self.log.warn(
                "{event} {error} in {trace}",
                event="attachments.unscannable",
                error=str(error),
                trace=trace,
            )
            troubles = [
                Trouble(each.path, str(error), is_grave=True) for each in attachments.specimens
            ]
            return evolve(attachments, troubles=(*attachments.troubles, *troubles))
        return _joined(attachments, answer)


def _joined(attachments: Attachments, answer: Answer) -> Attachments:
    files = [_unlocked(file, number, answer) for number, file in enumerate(attachments.files)]
    return evolve(
        attachments,
        files=(*files, *answer.files),
        flaws=tuple(dict.fromkeys((*attachments.flaws, *answer.flaws))),
        signs=tuple(dict.fromkeys((*attachments.signs, *answer.signs))),
        leads=tuple(dict.fromkeys((*attachments.leads, *answer.leads))),
        troubles=(*attachments.troubles, *answer.troubles),
    )


def _unlocked(file: File, number: int, answer: Answer) -> File:
    if number in answer.opened and file.is_encrypted:
        return evolve(file, is_encrypted=False)
    if number in answer.locked and not file.is_encrypted:
        return evolve(file, is_encrypted=True)
    return file
