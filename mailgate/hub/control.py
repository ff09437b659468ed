"""
The control socket: how the command line talks to the gateway that runs.

Each line is one value of JSON. A request is C{{"command": NAME, "arguments": {...}}}; its answer
is C{{"answer": {...}}} or C{{"error": "a sentence"}}. Answers come in the order of the requests.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IListeningPort, IReactorUNIX
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from mailgate.hub.commands import Answer, CommandError, Commands

REQUEST_BYTES = 65_536
"""The longest request."""

ANSWER_SECONDS = 60.0
"""How long a command waits for its answer."""


class Control:
    """
    Listens on the control socket, which only the gateway's own user may connect to.
    """

    log = Logger()

    def __init__(self, reactor: IReactorUNIX, path: Path, commands: Commands) -> None:
        self._reactor = reactor
        self._path = path
        self._commands = commands
        self._port: IListeningPort | None = None
        self._folder = ExitStack()

    def start(self) -> None:
        """
        Listen. Only under the lock on the data folder: what lies there is of a process that
        is gone, and is removed.

        @raise CannotListenError: the path cannot be written.
        """
        self._path.unlink(missing_ok=True)
        factory: Factory[Any] = Factory.forProtocol(lambda: ControlProtocol(self._commands))
        factory.noisy = False
        # Not open to others for the moment between its making and the change of its mode.
        before = os.umask(0o177)
        try:
            short = self._folder.enter_context(short_name(self._path))
            self._port = self._reactor.listenUNIX(short, factory, mode=0o600)
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """
        Stop to listen.
        """
        port, self._port = self._port, None
        try:
            stopping = port.stopListening() if port is not None else None
            if stopping is not None:
                await stopping
        except FileNotFoundError:
            self.log.warn("{event} the socket was gone", event="control.gone")
        self._folder.close()


class ControlProtocol(LineOnlyReceiver):
    """
    One connection of the command line.
    """

    log = Logger()
    delimiter = b"\n"
    MAX_LENGTH = REQUEST_BYTES

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._turn = DeferredLock()

    def lineReceived(self, line: bytes) -> None:
        """
        Carry out one request.
        """
        self._turn.run(self._answer, line)

    def _answer(self, line: bytes) -> Deferred[None]:
        try:
            name, arguments = _read_request(line)
        except CommandError as error:
            self._send({"error": str(error)})
            return succeed(None)
        running = self._commands.run(name, arguments)
        return running.addCallbacks(
            lambda answer: self._send({"answer": answer}), self._failed, errbackArgs=(name,)
        )

    def _failed(self, failure: Failure, name: str) -> None:
        if isinstance(failure.value, CommandError):
            self._send({"error": str(failure.value)})
            return
        self.log.failure("{event} {command}", failure, event="control.failed", command=name)
        self._send({"error": "the command failed; the log of the gateway tells why"})

    def _send(self, value: Mapping[str, Any]) -> None:
        if self.transport is not None:
            self.transport.write(json.dumps(value).encode("ascii") + self.delimiter)


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """
    Give a name for a socket that is short enough, however deep its folder lies: the kernel
    takes 107 bytes. The name is good until the end of the context.

    @raise OSError: the folder is not there.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def ask(
    path: Path, name: str, arguments: Mapping[str, Any], seconds: float = ANSWER_SECONDS
) -> Answer:
    """
    Send a command to the gateway that runs, and wait for its answer. Blocks.

    @param seconds: how long it is waited for.
    @raise CommandError: it could not be carried out.
    @raise OSError: nobody listens there.
    """
    request = json.dumps({"command": name, "arguments": arguments}).encode("ascii") + b"\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        with short_name(path) as short:
            connection.connect(short)
        connection.sendall(request)
        with connection.makefile("rb") as lines:
            line = lines.readline()
    if not line:
        raise CommandError("the gateway closed the connection without an answer")
    answer: Mapping[str, Any] = json.loads(line)
    if "error" in answer:
        raise CommandError(answer["error"])
    found: Answer = answer["answer"]
    return found


def _read_request(line: bytes) -> tuple[str, Mapping[str, Any]]:
    try:
        request = json.loads(line)
        name, arguments = request["command"], request["arguments"]
    except (ValueError, KeyError, TypeError):
        raise CommandError("the request is not understood") from None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise CommandError("the request is not understood")
    return name, arguments
