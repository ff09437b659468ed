"""
The classifier as checks ask it: it judges by what was learned, and takes over what is new.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.classify.evidence import evidence_of
from mailgate.classify.model import Judgement, judge
from mailgate.classify.store import Learned, Unusable, file_of, load
from mailgate.config.stamp import Stamp, stamp_of
from mailgate.interfaces import IFiles, IThreads, MaybeDeferred
from mailgate.message.mime import Parsed

AT_ONCE = 96 * 1024
"""Up to how many characters of text a message is judged without a thread."""


class Classifier:
    """
    Judges messages by what it was last given; at first that is nothing.
    """

    def __init__(self, threads: IThreads | None = None) -> None:
        """
        @param threads: where messages with much text are judged; without, at once.
        """
        self._threads = threads
        self.learned = Learned.nothing()
        """What was learned. Whoever has something newer puts it here."""

    def judge(self, parsed: Parsed) -> MaybeDeferred[Judgement]:
        """
        Judge a message.
        """
        if self._threads is None or sum([len(t.characters) for t in parsed.texts]) <= AT_ONCE:
            return self.judge_at_once(parsed)
        return self._threads.run(self.judge_at_once, parsed)

    def judge_at_once(self, parsed: Parsed) -> Judgement:
        """
        Judge a message, however long it takes.
        """
        learned = self.learned
        return judge(parsed.once(evidence_of), learned, learned.regression)


def signals_of(parsed: Parsed) -> frozenset[str]:
    """
    Name the structural signals of a message, however long it takes.
    """
    return parsed.once(evidence_of).signals


class Reader:
    """
    Gives a classifier what is in the file, whenever there is a new one.
    """

    log = Logger()

    def __init__(
        self, classifier: Classifier, folder: Path, files: IFiles, threads: IThreads
    ) -> None:
        """
        @param folder: of the classifier.
        """
        self._classifier = classifier
        self._path = file_of(folder)
        self._files = files
        self._threads = threads
        self._seen: Stamp | None = None

    def refresh(self) -> Deferred[None]:
        """
        Look whether there is a new file, and if so take it; cheap if not.

        Never fails because of the file: one that cannot be read is an event, and what was known
        before still counts.
        """
        return self._threads.run(self._look).addCallback(self._take)

    def _look(self) -> Learned | None:
        try:
            stamp = stamp_of(os.stat(self._path))
        except FileNotFoundError:
            return None
        if stamp == self._seen:
            return None
        self._seen = stamp
        try:
            return load(self._path, self._files)
        except (Unusable, OSError) as error:
            self.log.error("{event} {error}", event="classifier.unusable", error=str(error))
            return None

    def _take(self, learned: Learned | None) -> None:
        if learned is not None:
            self._classifier.learned = learned
            self.log.debug(
                "{event} {spam} spam, {ham} ham, {keys} tokens",
                event="classifier.loaded",
                spam=learned.spam,
                ham=learned.ham,
                keys=len(learned.keys),
            )
