"""
What the gateway stands on: the files, the clock, the terminal.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import field, frozen

from mailgate.edge.handed import HandedSockets
from mailgate.hub.supervisor import Supervisor
from mailgate.interfaces import IDelivery, IFiles
from mailgate.reporting.terminal import Voice
from mailgate.store.database import Connect
from mailgate.store.files import Files

FILE_THREADS = 10
"""How many threads read and write files, in the hub and in each worker."""

_YOUNG = 20_000
"""
Objects that are made before the garbage collector looks at them, instead of 700, so that it does
not look in the midst of each message.
"""


_TURN_SECONDS = 0.002


def spare_collector() -> None:
    """
    Let the garbage collector look seldom, and never again at what is there now, which stays.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


def share_time() -> None:
    """
    Let a thread work for 2 ms at most while another one, which may be the reactor's, waits for its
    turn, instead of 5.
    """
    sys.setswitchinterval(_TURN_SECONDS)


def keep_steady(reactor: Any) -> None:
    """
    Let a reactor that nothing waits for yet measure time by a clock that nobody can set.

    Twisted's own choice is the wall clock. Where that is put forward by a day, all sessions are too
    slow at once; where it is put back, nothing that is due later happens for a day.

    @raise RuntimeError: something waits already, for a time of the other clock.
    """
    if reactor.getDelayedCalls():
        raise RuntimeError("the clock of a reactor cannot be changed while something waits for it")
    reactor.seconds = time.monotonic


@frozen
class Parts:
    """
    What the gateway stands on. Tests put something else in the place of some of it.
    """

    files: IFiles = field(factory=Files)
    connect: Connect = sqlite3.connect
    """Makes connections to databases."""

    delivery: Callable[[IDelivery], IDelivery] = lambda delivery: delivery
    """Called with each upstream's delivery; gives what is used in its place."""

    resolv_conf: Path = Path("/etc/resolv.conf")
    """Names the DNS servers of this machine."""

    wall_clock: Callable[[], float] = time.time
    """Seconds since the epoch."""

    say: Callable[[str], None] = field(factory=Voice)
    """Shows a line to whoever starts the gateway at a terminal."""

    end: Callable[[int], None] = os._exit
    """Ends the process with a status."""

    handed: HandedSockets = field(factory=HandedSockets)
    """Binds addresses, as far as they have not been bound already."""

    supervisor: Supervisor = field(factory=Supervisor)
    """Tells whoever started the process how it is."""
