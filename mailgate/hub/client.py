"""
How a command reaches the gateway: the one that runs, or its storage where none runs.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mailgate.config.model import Settings
from mailgate.delivery.queue import Queue
from mailgate.hub.commands import Answer, CommandError, Commands
from mailgate.hub.control import ask, short_name
from mailgate.hub.lock import InUse, owner_of
from mailgate.hub.storage import Storage, open_for_command
from mailgate.interfaces import IFiles
from mailgate.store.threads import immediate_result

Ask = Callable[[str, Mapping[str, Any]], Answer]
"""Carries out a command by its name and arguments."""

STATUS_SECONDS = 10.0
"""How long the gateway may take to say how it is."""

_PAUSE = 0.1
_PATIENCE = 50


@contextmanager
def reach(settings: Settings, files: IFiles) -> Iterator[Ask]:
    """
    Give the way to carry out commands. Blocks.

    @raise CommandError: (here and in the commands) it is not possible; the message says why.
    """
    path = settings.data / "control"
    storage = _open_unless_running(settings, files, path)
    if storage is None:
        yield partial(ask, path)
        return
    queue = Queue(storage.messages, storage.now)
    commands = Commands(storage, storage.quarantine(lambda: None), queue)
    try:
        yield lambda name, arguments: immediate_result(commands.run(name, arguments))
    finally:
        immediate_result(storage.close())


def ask_running(settings: Settings, name: str, arguments: Mapping[str, Any]) -> Answer | str:
    """
    Ask the gateway that runs, and only that. Blocks.

    @return: its answer, or the words that tell why there is none.
    @raise CommandError: it answers that it cannot.
    """
    data = settings.data
    try:
        return ask(data / "control", name, arguments, STATUS_SECONDS)
    except TimeoutError:
        return f"the gateway at {data} does not answer"
    except (FileNotFoundError, ConnectionRefusedError):
        owner = owner_of(data)
        if owner is None:
            return f"no gateway runs at {data}"
        return f"process {owner} uses {data}, but takes no commands: it starts, stops or hangs"


def _open_unless_running(settings: Settings, files: IFiles, control: Path) -> Storage | None:
    reason = ""
    for _ in range(_PATIENCE):
        try:
            return open_for_command(settings, files)
        except InUse as error:
            reason = str(error)
        if _listens(control):
            return None
        # It is just starting or stopping, or it is another command.
        time.sleep(_PAUSE)
    raise CommandError(f"{reason}, which does not answer")


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection, short_name(path) as short:
        try:
            connection.connect(short)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
