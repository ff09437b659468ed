"""
Learning: the one writer of what the classifier knows.

A lesson is in a log on the disk before it is told to be learned. From time to time all of it is
written as a new file, which takes the place of the old one in one step; the file says which log is
in it, so that a crash between the two loses nothing and counts nothing twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, TypeVar

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from zope.interface import implementer

from mailgate.classify.evidence import Lore, lore_of
from mailgate.classify.lessons import (
    Lesson,
    Pending,
    Result,
    What,
    decode_lessons,
    encode_lesson,
)
from mailgate.classify.mailboxes import MESSAGE_LIMIT
from mailgate.classify.model import HAM_NEEDED, SPAM_NEEDED, is_trained
from mailgate.classify.store import Learned, encode, file_of, load
from mailgate.interfaces import (
    IFiles,
    ILearner,
    IThreads,
    Marks,
    SandboxError,
    SandboxUnavailable,
)

T = TypeVar("T")

Remember = Callable[[Mapping[int, Marks], bool | None], Deferred[Any]]
"""
Told the marks of messages by their identities, and whether they are spam; C{None} where they are to
be forgotten.
"""

KEYS_LIMIT = 4_000_000
"""How many keys are kept: some 56 MB."""

_KEYS_PENDING = 1_000_000
_LOG = re.compile(r"lessons-([0-9]+)")
_DAY = 86400
NOTHING = (Result.KNOWN, Result.UNKNOWN, Result.UNREADABLE, Result.LIMITED)
"""What changes nothing."""


@frozen
class Status:
    """
    How much was learned.
    """

    spam: int
    """Messages."""

    ham: int
    keys: int
    """Different tokens, as of the last file."""

    is_trained: bool
    spam_needed: int = SPAM_NEEDED
    ham_needed: int = HAM_NEEDED


@implementer(ILearner)
class Learner:
    """
    Learns and forgets messages. What it does to files it does in a thread, one call at a time;
    what it reads of messages is read by another.
    """

    log = Logger()

    def __init__(
        self,
        folder: Path,
        files: IFiles,
        threads: IThreads,
        now: Callable[[], float],
        keys_limit: int = KEYS_LIMIT,
        read: Callable[[bytes], Deferred[Lore]] | None = None,
        remember: Remember | None = None,
    ) -> None:
        """
        @param folder: of the classifier; nobody else writes there.
        @param now: the time in seconds since the epoch.
        @param read: reads a message, as L{mailgate.interfaces.IReader.lore} does; C{None} does it
            in a thread.
        @param remember: told the marks of all that was taught; C{None} where nobody is.
        """
        self._folder = folder
        self._path = file_of(folder)
        self._files = files
        self._threads = threads
        self._now = now
        self._keys_limit = keys_limit
        self._read = read or (lambda data: threads.run(lore_of, data))
        self._remember = remember
        self._turn = DeferredLock()
        self._lock = Lock()
        self._base = Learned.nothing()
        self._pending = Pending(self._base)
        self._log_number = 0
        self._log_file: BinaryIO | None = None

    def open(self) -> Deferred[None]:
        """
        Read what was learned, and catch up with what a crash has left in the log.

        @raise Unusable: the file cannot be read; the words name it.
        @raise OSError: the folder cannot be used.
        """
        return self._run(self._open)

    def close(self) -> Deferred[None]:
        """
        Write all lessons into the file.
        """
        return self._run(self._close)

    def learn(self, message: Path | bytes, is_spam: bool, by: str) -> Deferred[Result]:
        """
        Learn a message with CRLF line ends; it is on the disk when the Deferred fires.

        One that was learned as the other class is corrected, one that was learned so already
        changes nothing.

        @param message: the message, or the file that holds it.
        @param by: who says so, for the log.
        @raise OSError: the disk failed; nothing was learned.
        @raise SandboxUnavailable: it cannot be read at the moment; nothing was learned.
        """
        return self.learn_many([message], is_spam, by).addCallback(lambda results: results[0])

    def learn_many(
        self, messages: Sequence[Path | bytes], is_spam: bool, by: str
    ) -> Deferred[Sequence[Result]]:
        """
        Learn messages of one class, with one wait for the disk.

        @return: what became of each, in their order.
        @raise OSError: the disk failed; none was learned.
        @raise SandboxUnavailable: they cannot be read at the moment; none was learned.
        """
        what = What.SPAM if is_spam else What.HAM
        return Deferred.fromCoroutine(self._take(messages, what, by))

    def unlearn(self, message: Path | bytes, by: str) -> Deferred[Result]:
        """
        Forget a message that was learned: the counts are again what they were, as far as none of
        its tokens has expired; the weights stay.

        @raise OSError: the disk failed; nothing was forgotten.
        """
        forgetting = Deferred.fromCoroutine(self._take([message], What.FORGET, by))
        return forgetting.addCallback(lambda results: results[0])

    def merge(self) -> Deferred[bool]:
        """
        Write what is new into the file, so that it counts; done every few seconds.

        @return: whether there was anything new.
        @raise OSError: the disk failed; the lessons are still in the log.
        """
        return self._run(self._merge)

    def status(self) -> Deferred[Status]:
        """
        Tell how much was learned.
        """
        return self._run(self._status)

    def export(self, path: Path) -> Deferred[Status]:
        """
        Write all that was learned into a file of the same form (docs/checks/bayes.rst).

        @raise FileExistsError: there is a file of this name.
        """
        return self._run(self._export, path)

    def import_(self, path: Path, replace: bool = False) -> Deferred[Status]:
        """
        Take over what was exported elsewhere, in place of what was learned here.

        @raise ValueError: something was learned here, and it is not to be replaced.
        @raise Unusable: the file cannot be read.
        """
        return self._run(self._import, path, replace)

    # -- reading -----------------------------------------------------------------------

    async def _take(
        self, messages: Sequence[Path | bytes], what: What, by: str
    ) -> Sequence[Result]:
        day = int(self._now() // _DAY)
        lores = [await self._lore(message) for message in messages]
        lessons = [
            None if lore is None else Lesson(what, lore.identity, day, lore.evidence)
            for lore in lores
        ]
        # Of two lessons on one message the same one must be the last in both places.
        async with self._turn:
            results: Sequence[Result] = await self._run(self._apply, lessons, what, by)
            if self._remember is not None:
                # What was known already too: nothing is missing for good that a crash has taken.
                marks = {lore.identity: lore.marks for lore in lores if lore is not None}
                await self._remember(marks, None if what is What.FORGET else what is What.SPAM)
        return results

    async def _lore(self, message: Path | bytes) -> Lore | None:
        """
        Read a message.

        @return: C{None} where whoever reads it dies of it.
        """
        data = await self._threads.run(self._beginning, message)
        try:
            return await self._read(data)
        except SandboxUnavailable:
            raise
        except SandboxError as error:
            self.log.warn("{event} {error}", event="classifier.unreadable", error=str(error))
            return None

    def _beginning(self, message: Path | bytes) -> bytes:
        if isinstance(message, bytes):
            return message[:MESSAGE_LIMIT]
        with self._files.open(message) as file:
            return file.read(MESSAGE_LIMIT)

    # -- in a thread -------------------------------------------------------------------

    def _run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        def locked() -> T:
            with self._lock:
                return function(*args)

        return self._threads.run(locked)

    def _open(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True)
            self._files.sync_directory(self._folder.parent)
        for leftover in self._folder.glob("*.new"):
            self._files.remove(leftover)
        try:
            self._base = load(self._path, self._files)
        except FileNotFoundError:
            self._base = Learned.nothing()
        self._pending = Pending(self._base)
        self._log_number = self._base.log
        found = sorted((int(match[1]), path) for match, path in self._logs())
        for number, path in found:
            if number > self._base.log:
                self._replay(path)
                self._log_number = number
        if self._pending.has_changed:
            self._write()
        for _, path in found:
            self._files.remove(path)

    def _logs(self) -> Sequence[tuple[re.Match[str], Path]]:
        matches = ((_LOG.fullmatch(path.name), path) for path in self._folder.iterdir())
        return [(match, path) for match, path in matches if match is not None]

    def _replay(self, path: Path) -> None:
        with self._files.open(path) as file:
            lessons, cut = decode_lessons(file.read())
        for each in lessons:
            self._pending.apply(each)
        self.log.info(
            "{event} {number} lessons of {path}, {cut} bytes of one that was not finished",
            event="classifier.recovered",
            number=len(lessons),
            path=str(path),
            cut=cut,
        )

    def _close(self) -> None:
        self._close_log()
        self._merge()

    def _apply(self, lessons: Sequence[Lesson | None], what: What, by: str) -> Sequence[Result]:
        read = [each for each in lessons if each is not None]
        self._append([each for each in read if not self._pending.is_idle(each)])
        results = [
            Result.UNREADABLE if each is None else self._pending.apply(each) for each in lessons
        ]
        self.log.info(
            "{event} {number} messages as {what}, by {by}",
            event="classifier.learned",
            number=sum(each not in NOTHING for each in results),
            what=str(what),
            by=by,
        )
        if self._pending.size > _KEYS_PENDING:
            try:
                self._merge()
            except OSError:
                self.log.failure(
                    "{event} the lessons stay in the log", event="classifier.not_written"
                )
        return results

    def _append(self, lessons: Sequence[Lesson]) -> None:
        if not lessons:
            return
        file = self._log_file
        try:
            if file is None:
                self._log_number += 1
                file = self._log_file = self._files.create(
                    self._folder / f"lessons-{self._log_number}"
                )
                self._files.sync_directory(self._folder)
            self._files.write(file, b"".join(map(encode_lesson, lessons)))
            self._files.sync(file)
        except BaseException:
            # What stands behind a record that is cut would not be read: begin another log.
            self._close_log()
            raise

    def _close_log(self) -> None:
        file, self._log_file = self._log_file, None
        if file is not None:
            file.close()

    def _merge(self) -> bool:
        if not self._pending.has_changed:
            return False
        # What is learned from here on is in another log: should the writing fail half-way, the
        # file may or may not hold the lessons of this one, and says so.
        self._close_log()
        self._write()
        self._remove_logs()
        return True

    def _remove_logs(self) -> None:
        """
        Remove the logs whose lessons are in the file.
        """
        for match, path in self._logs():
            if int(match[1]) <= self._base.log:
                self._files.remove(path)

    def _write(self) -> None:
        """
        Put a file with all lessons into its place.
        """
        self._replace(self._pending.merged(self._log_number, self._keys_limit))

    def _replace(self, learned: Learned) -> None:
        temporary = self._path.with_suffix(".new")
        self._files.remove(temporary)
        self._save(temporary, learned)
        self._files.rename(temporary, self._path)
        self._files.sync_directory(self._folder)
        self._base = load(self._path, self._files)
        self._pending = Pending(self._base)

    def _save(self, path: Path, learned: Learned) -> None:
        with self._files.create(path) as file:
            self._files.write(file, encode(learned))
            self._files.sync(file)

    def _status(self) -> Status:
        pending = self._pending
        return Status(pending.spam, pending.ham, len(self._base.keys), is_trained(pending))

    def _export(self, path: Path) -> Status:
        self._merge()
        self._save(path, self._base)
        return self._status()

    def _import(self, path: Path, replace: bool) -> Status:
        learned = load(path, self._files)
        if not replace and (self._pending.spam or self._pending.ham):
            raise ValueError(
                f"{self._pending.spam} messages of spam and {self._pending.ham} of ham were "
                "learned here, which an import replaces"
            )
        self._close_log()
        self._replace(evolve(learned, log=self._log_number))
        self._remove_logs()
        return self._status()
