"""
What the hub asks of a worker, and what a worker tells of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.logger import LogLevel, globalLogPublisher

from mailgate.config.model import Settings
from mailgate.hub.link import Method
from mailgate.interfaces import Counted
from mailgate.knowledge.dnslists import ListState
from mailgate.knowledge.entry import Entry
from mailgate.knowledge.excess import Excess
from mailgate.knowledge.penalty import Penalty
from mailgate.knowledge.traps import Trap, Trapped
from mailgate.reporting.events import Field, fields_of, text_of, traceback_of
from mailgate.reporting.measures import Measured
from mailgate.reporting.status import WorkerStatus

LINK = 3
"""The worker's descriptor for the link."""

FIRST_SOCKET = 4
"""Its descriptor for the first listening socket."""


@frozen
class Beginning:
    """
    What a worker is told at its start.
    """

    settings: Settings
    entries: tuple[Entry, ...]
    """Of the allow and block lists."""

    has_room: bool
    suspects: tuple[bytes, ...]
    """The SHA-256 of the messages that have killed a worker."""

    notes: Path
    """The file where it notes which messages it works on."""

    clients: tuple[str, ...]
    """Those that have a connection to another worker, once for each."""

    dns_lists: tuple[ListState, ...] = ()
    """How the lists in the DNS are."""

    excesses: tuple[Excess, ...] = ()
    """Of those who have sent too much."""

    penalties: tuple[Penalty, ...] = ()
    """Of those in the penalty box."""

    traps: tuple[Trap, ...] = ()
    """All that were made."""

    trapped: tuple[Trapped, ...] = ()
    """Who has written to one lately."""


@frozen
class Relisted:
    """
    A change of the allow and block lists.
    """

    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]


@frozen
class Count:
    """
    Something of a client that all workers count.
    """

    what: Counted
    client: str
    """Its IP address."""

    name: str = ""
    """The account, for log-ins."""


@frozen
class Said:
    """
    An event of a worker's log.
    """

    time: float
    """Seconds since the epoch."""

    level: str
    namespace: str
    event: str
    """Its name, or C{""}."""

    text: str
    """All of it in words."""

    traceback: str
    fields: dict[str, Field]
    """What the words are about, by their names."""


START = Method("start", bytes, None)
"""Begin to work; the answer comes when clients are let in. It takes a pickled L{Beginning}: the hub
may tell a worker anything, and it is only that way round."""

ROOM = Method("room", bool)
RELISTED = Method("relisted", Relisted, None)
EXCEEDED = Method("exceeded", Excess)
"""Somebody has sent too much."""

PENALIZED = Method("penalized", tuple[Penalty, ...])
"""What has changed in the penalty box; whoever is not in it any more has no points."""

TRAPS = Method("traps", tuple[Trap, ...], None)
"""All traps that were made."""

TRAPPED = Method("trapped", tuple[Trapped, ...])
"""Those that have written to a trap."""

PING = Method("ping", None, bool)
"""Are you there, and do you let clients in?"""

RETIRE = Method("retire", float, None)
"""Let nobody in any more; answered when all have gone, or after so many seconds."""

STOP = Method("stop", float, None)
"""Let nobody in any more, end the sessions within so many seconds, and write what waits."""

SUSPECTS = Method("suspects", tuple[bytes, ...])
"""The messages that have killed a worker, all that are known."""

COUNTED = Method("counted", Count)
"""What one worker has counted, and the others shall count too: said to the hub, and by it."""

DNS_LISTS = Method("dns lists", tuple[ListState, ...])
"""Lists in the DNS that are not as they were."""

DNS_LIST_FAILED = Method("dns list failed", ListState)
"""A worker has seen that a list in the DNS is not to be believed; said to the hub."""

STATUS = Method("status", None, WorkerStatus)
"""Tell how it is. What was counted since then is told before the answer."""

MEASURED = Method("measured", Measured)
SAID = Method("said", Said, is_expendable=True)


def said(event: Mapping[str, Any]) -> Said:
    """
    Give an event of the log as it crosses the border.
    """
    return Said(
        event.get("log_time", 0.0),
        event.get("log_level", LogLevel.info).name,
        str(event.get("log_namespace", "")),
        str(event.get("event", "")),
        text_of(event),
        traceback_of(event),
        dict(fields_of(event)),
    )


def repeat(told: Said, worker: int) -> None:
    """
    Put an event of a worker into the log of this process, as it was there.
    """
    fields = {name: each for name, each in told.fields.items() if not name.startswith("log_")}
    globalLogPublisher(
        {
            **fields,
            "log_time": told.time,
            "log_level": LogLevel.levelWithName(told.level),
            "log_namespace": told.namespace,
            "log_format": "{log_text}\n{log_traceback}" if told.traceback else "{log_text}",
            "log_text": told.text,
            "log_traceback": told.traceback,
            "event": told.event,
            "worker": worker,
        }
    )
