"""
One process of the sandbox, as the process that has started it sees it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

import mailgate
from mailgate.interfaces import Protection
from mailgate.net.confinement import Limits
from mailgate.net.serving import ANSWER, REQUEST, What

ANSWER_LIMIT = 4 * 1024 * 1024
"""Bytes of the longest answer."""

_WRITTEN_LIMIT = 16 * 1024
"""Bytes of what a process writes beside its answers; the rest is not told."""

_KNOWN = frozenset(map(int, What))
_NONSENSE = "it said what no process says"

_BEGIN = """\
import sys
sys.path.insert(0, sys.argv[1])
from importlib import import_module
import_module(sys.argv[2]).main(sys.argv[3:])
"""
_FOLDER = str(Path(mailgate.__file__).parents[1])
"""Where this very code lies: both ends are of one version, and of no other place."""

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
"""A process with threads cannot enter a user namespace."""


def command_of(program: str, limits: Limits) -> list[str]:
    """
    Give the command that starts a process.

    @param program: the name of a module whose C{main} calls L{mailgate.net.serving.serve}.
    """
    command = [sys.executable, "-I", "-B", "-c", _BEGIN, _FOLDER, program]
    return [*command, str(limits.memory_bytes), str(limits.cpu_seconds)]


@frozen
class Handlers:
    """
    Who is told what a process does.
    """

    ready: Callable[[SandboxedProcess, frozenset[Protection]], None]
    answered: Callable[[SandboxedProcess, What, bytes], None]
    broken: Callable[[SandboxedProcess, str], None]
    """It said what no process says; the second argument is what that was."""

    ended: Callable[[SandboxedProcess, str], None]
    """It is gone; the second argument is how, in words."""


class SandboxedProcess(ProcessProtocol):
    """
    One process. Nothing it says is believed.
    """

    log = Logger()

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._buffer = bytearray()
        self._written = 0
        self._line = b""
        self._is_ready = False
        self._is_deaf = False

    @classmethod
    def start(
        cls, reactor: Any, program: str, limits: Limits, handlers: Handlers
    ) -> SandboxedProcess:
        """
        Start a process.

        @param program: the name of a module whose C{main} calls L{mailgate.net.serving.serve}.
        @raise OSError: it is not possible.
        """
        process = cls(handlers)
        command = command_of(program, limits)
        # Descriptors 0, 1 and 2 are pipes; there are no others.
        reactor.spawnProcess(process, sys.executable, command, env=ENVIRONMENT)
        return process

    def send(self, job: str, value: bytes) -> None:
        """
        Let it do a job.
        """
        name = job.encode("ascii")
        self._transport.write(REQUEST.pack(len(name), len(value)) + name + value)

    def kill(self) -> None:
        """
        End it at once, and listen to it no more.
        """
        self._is_deaf = True
        with suppress(ProcessExitedAlready):
            self._transport.signalProcess("KILL")

    @property
    def _transport(self) -> Any:
        return self.transport

    def outReceived(self, data: bytes) -> None:
        """
        Take the answers that are whole.
        """
        if self._is_deaf:
            return
        buffer = self._buffer
        buffer += data
        while len(buffer) >= ANSWER.size and not self._is_deaf:
            what, length = ANSWER.unpack_from(buffer)
            if length > ANSWER_LIMIT:
                self._handlers.broken(self, f"it answered with {length} bytes")
                return
            end = ANSWER.size + length
            if len(buffer) < end:
                return
            value = bytes(memoryview(buffer)[ANSWER.size : end])
            del buffer[:end]
            self._take(what, value)

    def _take(self, what: int, value: bytes) -> None:
        if self._is_ready == (what == What.READY) or what not in _KNOWN:
            self._handlers.broken(self, _NONSENSE)
        elif what == What.READY:
            try:
                active = frozenset(map(Protection, filter(None, value.decode("ascii").split(","))))
            except ValueError:
                self._handlers.broken(self, _NONSENSE)
                return
            self._is_ready = True
            self._handlers.ready(self, active)
        else:
            self._handlers.answered(self, What(what), value)

    def errReceived(self, data: bytes) -> None:
        """
        Tell what it wrote.
        """
        *lines, self._line = (self._line + data[: _WRITTEN_LIMIT - self._written]).split(b"\n")
        self._written = min(_WRITTEN_LIMIT, self._written + len(data))
        for line in lines:
            self._tell(line)

    def processEnded(self, reason: Failure) -> None:
        """
        Tell that it is gone.
        """
        if self._line:
            self._tell(self._line)
        self._is_deaf = True
        self._handlers.ended(self, _way(reason))

    def _tell(self, line: bytes) -> None:
        self.log.warn("{event} {text}", event="sandbox.wrote", text=shown(line))


def shown(said: bytes) -> str:
    """
    Give the words of a process so that they can stand in a line of a log.
    """
    text = said.decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _way(reason: Failure) -> str:
    error = reason.value
    if not isinstance(error, ProcessTerminated):
        return "it ended"
    if error.signal is not None:
        return f"it was killed by {signal.Signals(error.signal).name}"
    return f"it ended with status {error.exitCode}"
