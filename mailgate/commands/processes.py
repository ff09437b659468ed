"""
Work on many files by several processes, in the order of the files.

What crashes a process costs one file its result, and no other.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any

Work = Callable[[Sequence[str]], Sequence[Any]]
"""Gives the results for some files, in their order."""

_AT_A_TIME = 16
"""Files that a process is given at once."""

_AHEAD = 4
"""For each process: how many such portions are under way."""


class Processes:
    """
    Some processes that all do the same work.
    """

    def __init__(self, work: Work, number: int, crashed: Callable[[str], Any]) -> None:
        """
        @param work: gives the results for some files. The processes are forked, so each has its own
            copy of it, whatever it holds.
        @param number: how many processes.
        @param crashed: gives the result for a file whose process did not survive it.
        """
        self._work = work
        self._number = number
        self._crashed = crashed
        self._pool = self._fork(number)

    def run(self, paths: Iterable[str]) -> Iterator[Any]:
        """
        Give the result for each file, in order.
        """
        waiting: deque[tuple[Sequence[str], Future[Sequence[Any]]]] = deque()
        try:
            for portion in portions(paths):
                waiting.append((portion, self._submit(portion)))
                if len(waiting) >= self._number * _AHEAD:
                    yield from self._results(*waiting.popleft())
            while waiting:
                yield from self._results(*waiting.popleft())
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _submit(self, portion: Sequence[str]) -> Future[Sequence[Any]]:
        try:
            return self._pool.submit(_work, portion)
        except BrokenProcessPool:
            self._pool.shutdown()
            self._pool = self._fork(self._number)
            return self._pool.submit(_work, portion)

    def _results(self, portion: Sequence[str], future: Future[Sequence[Any]]) -> Iterator[Any]:
        try:
            yield from future.result()
        except BrokenProcessPool:
            # One of all the files that were under way did it; each gets a process of its own.
            yield from map(self._alone, portion)

    def _alone(self, path: str) -> Any:
        with self._fork(1) as pool:
            try:
                return pool.submit(_work, (path,)).result()[0]
            except BrokenProcessPool:
                return self._crashed(path)

    def _fork(self, number: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            number, multiprocessing.get_context("fork"), _begin, (self._work,)
        )


def portions(paths: Iterable[str]) -> Iterator[Sequence[str]]:
    """
    Give the files in portions that are worked on together.
    """
    rest = iter(paths)
    while portion := tuple(islice(rest, _AT_A_TIME)):
        yield portion


# What a process of the pool works with: it is handed nothing but the files, so there is no
# other place to keep it.
_worker: Work | None = None


def _begin(work: Work) -> None:
    # Ctrl-C reaches all processes of the terminal; only the first one has words for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    global _worker
    _worker = work


def _work(portion: Sequence[str]) -> Sequence[Any]:
    if _worker is None:
        raise RuntimeError("the process has not begun")
    return _worker(portion)
