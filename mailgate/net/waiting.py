"""
The sandbox for commands, which have no reactor: whoever asks waits for the answer.
"""

from __future__ import annotations

import subprocess

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
from mailgate.net.sandboxed import ENVIRONMENT, command_of, shown
from mailgate.net.serving import ANSWER, REQUEST, What


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
            done = subprocess.run(
                command_of(self.program, self.limits),
                input=request,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=ENVIRONMENT,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return fail(SandboxTimeout("it took too long"))
        except OSError as error:
            return fail(SandboxUnavailable(f"no process can be started: {error}"))
        return _answer(done.stdout, done.returncode)


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
