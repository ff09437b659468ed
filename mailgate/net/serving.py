"""
The life of a process in the sandbox: it confines itself, then does one job after the other.

Jobs come in at its standard input, answers go out at its standard output; each is its lengths and
its bytes, which nothing takes apart on the way. What the process writes otherwise goes to its
standard error.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import IntEnum
from struct import Struct

from mailgate.interfaces import Protection
from mailgate.net.confinement import Limits, confine

REQUEST = Struct(">HQ")
"""The lengths of the name of a job and of its value."""

ANSWER = Struct(">BQ")
"""What it is (L{What}), and the length of what follows."""

WORDS_LIMIT = 500
"""Bytes of the words in which a broken job is told."""

Work = Callable[[bytes], bytes]


class What(IntEnum):
    """
    What a process says.
    """

    READY = 0
    """It is confined: the protections that are active follow, with commas between."""

    DONE = 1
    """The result of a job follows."""

    FAILED = 2
    """The job broke, for the reason that follows; the process ends."""

    LAST = 3
    """The result of a job follows; the process has lived long enough, and ends."""


def serve(
    jobs: Mapping[str, Work],
    arguments: Sequence[str],
    wanted: Collection[Protection] = tuple(Protection),
) -> None:
    """
    Be a process of the sandbox, until its standard input ends.

    @param jobs: all jobs that it knows, by their names.
    @param arguments: the limits, as L{mailgate.net.sandbox} puts them on its command line.
    @param wanted: the protections.
    """
    memory_bytes, cpu_seconds = map(int, arguments)
    # Whatever a job prints must not be taken for an answer.
    output = os.dup(1)
    os.dup2(2, 1)
    os.closerange(output + 1, os.sysconf("SC_OPEN_MAX"))
    active = confine(Limits(memory_bytes, cpu_seconds), wanted)
    _answer(output, What.READY, ",".join(sorted(active)).encode("ascii"))
    while header := _read(REQUEST.size):
        name, length = REQUEST.unpack(header)
        job = _read(name).decode("ascii")
        what, answer = _do(jobs[job], _read(length))
        if what is What.DONE and time.process_time() >= cpu_seconds:
            what = What.LAST
        _answer(output, what, answer)
        if what is not What.DONE:
            return


def _do(work: Work, value: bytes) -> tuple[What, bytes]:
    try:
        return What.DONE, work(value)
    except Exception as error:
        # What it writes is told in the log of the other end.
        traceback.print_exc()
        sys.stderr.flush()
        words = f"{type(error).__name__}: {error}".encode("ascii", "backslashreplace")
        return What.FAILED, words[:WORDS_LIMIT]


def _read(length: int) -> bytes:
    """
    Read so many bytes, or fewer where the end comes before.
    """
    data = sys.stdin.buffer.read(length)
    return data if len(data) == length else b""


def _answer(output: int, what: What, value: bytes) -> None:
    rest = memoryview(ANSWER.pack(what, len(value)) + value)
    while rest:
        rest = rest[os.write(output, rest) :]
