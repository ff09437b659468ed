"""
The classifier as checks ask it: it judges by what was learned, and takes over what is new.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.classify.alike import Index, alike_file_of, load_index
from mailgate.classify.evidence import evidence_of
from mailgate.classify.model import Judgement, judge
from mailgate.classify.store import Learned, Unusable, file_of, load
from mailgate.config.stamp import Stamp, stamp_of
from mailgate.interfaces import IFiles, IThreads, MaybeDeferred
from mailgate.message.mime import Parsed

AT_ONCE = 96 * 1024
"""Up to how many characters of text a message is judged without a thread."""


T = TypeVar("T")


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

        self.alike = Index.nothing()
        """What was learned of texts, structures and files, as above."""

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


class _File(Generic[T]):
    """
    A file that is replaced from time to time.
    """

    def __init__(self, path: Path, load: Callable[[Path, IFiles], T], files: IFiles) -> None:
        self._path = path
        self._load = load
        self._files = files
        self._seen: Stamp | None = None

    def look(self) -> T | None:
        """
        Read it where it is new.

        @raise Unusable: it cannot be read; that is told once.
        @raise OSError: as above.
        """
        try:
            stamp = stamp_of(os.stat(self._path))
        except FileNotFoundError:
            return None
        if stamp == self._seen:
            return None
        self._seen = stamp
        return self._load(self._path, self._files)


class Reader:
    """
    Gives a classifier what is in its files, whenever there are new ones.
    """

    log = Logger()

    def __init__(
        self, classifier: Classifier, folder: Path, files: IFiles, threads: IThreads
    ) -> None:
        """
        @param folder: of the classifier.
        """
        self._classifier = classifier
        self._learned = _File(file_of(folder), load, files)
        self._alike = _File(alike_file_of(folder), load_index, files)
        self._threads = threads

    def refresh(self) -> Deferred[None]:
        """
        Look whether there is a new file, and if so take it; cheap if not.

        Never fails because of the file: one that cannot be read is an event, and what was known
        before still counts.
        """
        return self._threads.run(self._look).addCallback(self._take)

    def _look(self) -> tuple[Learned | None, Index | None]:
        return self._read(self._learned), self._read(self._alike)

    def _read(self, file: _File[T]) -> T | None:
        try:
            return file.look()
        except (Unusable, OSError) as error:
            self.log.error("{event} {error}", event="classifier.unusable", error=str(error))
            return None

    def _take(self, new: tuple[Learned | None, Index | None]) -> None:
        learned, alike = new
        if alike is not None:
            self._classifier.alike = alike
            self.log.debug(
                "{event} {texts} texts, {things} structures and files",
                event="fuzzy.loaded",
                texts=len(alike.texts),
                things=len(alike.things),
            )
        if learned is not None:
            self._classifier.learned = learned
            self.log.debug(
                "{event} {spam} spam, {ham} ham, {keys} tokens",
                event="classifier.loaded",
                spam=learned.spam,
                ham=learned.ham,
                keys=len(learned.keys),
            )
