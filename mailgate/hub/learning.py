"""
The classifier's learner, opened when it is first needed.

A command that learns nothing need not wait for it, and a file that cannot be read keeps no mail
out: then nothing can be learned, and nothing is written over it.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from zope.interface import implementer

from mailgate.classify.learning import NOTHING, Learner
from mailgate.classify.lessons import Result
from mailgate.classify.store import Unusable
from mailgate.classify.teachers import Teachers
from mailgate.interfaces import ILearner

FOLDER = "classifier"
"""Where the classifier's files lie in the data folder."""


@implementer(ILearner)
class Learning:
    """
    Gives the learner to those who learn.
    """

    log = Logger()

    def __init__(self, learner: Learner, teachers: Teachers) -> None:
        """
        @param teachers: how much each may teach.
        """
        self._learner = learner
        self.teachers = teachers
        self._is_open = False
        self._turn = DeferredLock()

    def open(self) -> Deferred[Learner]:
        """
        Give the learner, opened.

        @raise Unusable: the file with what was learned cannot be read.
        @raise OSError: the folder cannot be used.
        """
        return self._turn.run(lambda: Deferred.fromCoroutine(self._open()))

    def open_at_start(self) -> Deferred[None]:
        """
        Open the learner, to catch up with what a crash has left. It is only told if that fails.
        """
        return Deferred.fromCoroutine(self._open_at_start())

    def learn(self, message: Path | bytes, is_spam: bool, by: str) -> Deferred[Result]:
        """
        Learn one message, if who says so has not taught enough today; see L{Learner.learn}.
        """
        return Deferred.fromCoroutine(self._learn(message, is_spam, by))

    def merge(self) -> Deferred[bool]:
        """
        Let what was learned lately count; to be called every few seconds.
        """
        return Deferred.fromCoroutine(self._merge())

    def close(self) -> Deferred[None]:
        """
        Write what was learned, where anything may have been.
        """
        return Deferred.fromCoroutine(self._close())

    async def _learn(self, message: Path | bytes, is_spam: bool, by: str) -> Result:
        day = self.teachers.take(by)
        if day is None:
            self.log.warn(
                "{event} {by} has taught {most} messages today, and this one is not learned",
                event="classifier.limited",
                by=by,
                most=self.teachers.most,
            )
            return Result.LIMITED
        result = None
        try:
            result = await (await self.open()).learn(message, is_spam, by)
        finally:
            if result is None or result in NOTHING:
                self.teachers.give_back(by, day)
        return result

    async def _open(self) -> Learner:
        if not self._is_open:
            await self._learner.open()
            self._is_open = True
        return self._learner

    async def _open_at_start(self) -> None:
        try:
            await self.open()
        except (Unusable, OSError) as error:
            self.log.error("{event} {error}", event="classifier.not_opened", error=str(error))

    async def _merge(self) -> bool:
        return await self._learner.merge() if self._is_open else False

    async def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            await self._learner.close()
