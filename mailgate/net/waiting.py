"""
The sandbox for commands, which have no reactor: whoever asks waits for the answer.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from threading import Event, Thread, Timer

from attrs import field, frozen
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from mailgate.interfaces import (
    ISandbox,
    Protection,
    SandboxDied,
    SandboxFailed,
    SandboxTimeout,
    SandboxUnavailable,
)
from mailgate.net.confinement import Limits
from mailgate.net.sandboxed import ANSWER_LIMIT, ENVIRONMENT, command_of, shown
from mailgate.net.serving import ANSWER, REQUEST, What

_LIMIT = ANSWER_LIMIT + 1024
"""Bytes of all that a process says: that it is ready, and the longest answer."""


@implementer(ISandbox)
@frozen(eq=False)
class WaitingSandbox:
    """
    Starts a process for each job.
    """

    program: str
    limits: Limits = field(factory=Limits)
    protections: frozenset[Protection] | None = None
    problem: str = ""

    def run(self, job: str, value: bytes, seconds: float) -> Deferred[bytes]:
        """
        Do a job.

        @return: a Deferred that has fired.
        @raise SandboxError: there is no result.
        """
        name = job.encode("ascii")
        request = REQUEST.pack(len(name), len(value)) + name + value
        try:
            process = subprocess.Popen(
                command_of(self.program, self.limits),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=ENVIRONMENT,
            )
        except OSError as error:
            return fail(SandboxUnavailable(f"no process can be started: {error}"))
        return _exchange(process, request, seconds)


def _exchange(process: subprocess.Popen[bytes], request: bytes, seconds: float) -> Deferred[bytes]:
    """
    Hand a job over, and wait for the end of the process.
    """
    late = Event()

    def end() -> None:
        late.set()
        process.kill()

    def feed() -> None:
        assert process.stdin is not None
        # A process that ends before it has read everything is told by what it has said.
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(request)

    assert process.stdout is not None
    clock, feeding = Timer(seconds, end), Thread(target=feed)
    clock.start()
    feeding.start()
    try:
        # What breaks out of its job could talk without end.
        said = process.stdout.read(_LIMIT + 1)
        if len(said) <= _LIMIT:
            process.wait()
    finally:
        clock.cancel()
        process.kill()
        status = process.wait()
        feeding.join()
        process.stdout.close()
    if late.is_set():
        return fail(SandboxTimeout("it took too long"))
    if len(said) > _LIMIT:
        return fail(SandboxDied("it said more than any process does"))
    return _answer(said, status)


def _answer(said: bytes, status: int) -> Deferred[bytes]:
    """
    Read what a process has said: that it is ready, and its answer.
    """
    answers = []
    at = 0
    while at + ANSWER.size <= len(said):
        what, length = ANSWER.unpack_from(said, at)
        answers.append((what, said[at + ANSWER.size : at + ANSWER.size + length]))
        at += ANSWER.size + length
    if not answers:
        return fail(SandboxUnavailable(f"a process was never ready and ended with {status}"))
    if len(answers) != 2 or at != len(said):
        return fail(SandboxDied(f"it ended with status {status}"))
    what, value = answers[1]
    if what == What.FAILED:
        return fail(SandboxFailed(shown(value)))
    return succeed(value)
