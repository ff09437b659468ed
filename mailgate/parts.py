"""
What the gateway stands on: the files, the clock, the terminal.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable

from attrs import field, frozen

from mailgate.edge.handed import HandedSockets
from mailgate.hub.supervisor import Supervisor
from mailgate.interfaces import IDelivery, IFiles
from mailgate.reporting.terminal import Voice
from mailgate.store.database import Connect
from mailgate.store.files import Files


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
