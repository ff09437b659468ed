"""
How the gateway is: what the hub, its database, its machine and its workers say of themselves.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from mailgate import __version__
from mailgate.classify.store import Unusable
from mailgate.config.certificate import read_chain
from mailgate.config.model import Settings
from mailgate.hub.storage import Storage
from mailgate.interfaces import ISandbox
from mailgate.quarantine import rows
from mailgate.reporting.status import (
    CertificateStatus,
    DnsListStatus,
    Learned,
    Machine,
    Reload,
    SandboxStatus,
    Status,
    Stored,
    UpstreamStatus,
    WorkerSeen,
)
from mailgate.store import outbox
from mailgate.store.database import count_rows

T = TypeVar("T")

PATIENCE = 2.0
"""How long the database, the disk and the workers may take to answer, in seconds."""

_TOO_SLOW = f"no answer within {PATIENCE:g} seconds"


@frozen
class Around:
    """
    What is around the hub, and what it does not know by itself.
    """

    workers: Callable[[float], Deferred[Sequence[WorkerSeen]]]
    """Looks how they are, for so many seconds at most."""

    upstreams: Callable[[], tuple[UpstreamStatus, ...]]
    """Tells how they are, as the hub itself knows them."""

    settings: Callable[[], Settings]
    """Gives those that count at the moment."""

    is_started: Callable[[], bool]
    """Tells whether clients are let in."""

    sandbox: ISandbox
    """Where the hub reads messages."""

    dns_lists: Callable[[], tuple[DnsListStatus, ...]] = tuple
    """Tells how they are."""


class Health:
    """
    Finds out how the gateway is. Whatever does not answer is told; nothing is waited for long.
    """

    def __init__(
        self,
        clock: IReactorTime,
        storage: Storage,
        has_room: Callable[[], bool],
        around: Around,
    ) -> None:
        """
        @param has_room: tells whether mail is taken, as far as the disk goes.
        """
        self._clock = clock
        self._storage = storage
        self._has_room = has_room
        self._around = around
        self._began = clock.seconds()
        self._reload: Reload | None = None

    def reloaded(self, error: str = "") -> None:
        """
        Take note of a reload.

        @param error: why nothing has changed, or C{""}.
        """
        self._reload = Reload(self._storage.now(), error)

    def is_alive(self) -> Deferred[str]:
        """
        See whether the database answers: why not, or C{""}.
        """
        return Deferred.fromCoroutine(self._is_alive())

    def status(self) -> Deferred[Status]:
        """
        Find out all there is.
        """
        return Deferred.fromCoroutine(self._status())

    async def _is_alive(self) -> str:
        answer = await self._ask(self._storage.database.read(_ask_least))
        return answer if isinstance(answer, str) else ""

    async def _status(self) -> Status:
        storage, around = self._storage, self._around
        settings = around.settings()
        workers = around.workers(PATIENCE)
        reading = Deferred.fromCoroutine(self._ask(storage.database.read(_read_stored)))
        machine = await self._ask(storage.threads.run(_look_around, settings))
        stored = await reading
        learned: Learned | str = ""
        if isinstance(stored, Stored):
            # Not before the lock on the data folder is taken.
            learned = await self._ask(Deferred.fromCoroutine(self._learned()))
        return Status(
            version=__version__,
            hostname=settings.hostname,
            mode=settings.mode.value,
            now=storage.now(),
            # However often the wall clock was set meanwhile.
            started=storage.now() - (self._clock.seconds() - self._began),
            pid=os.getpid(),
            is_started=around.is_started(),
            workers_wanted=max(1, settings.workers),
            workers=tuple(await workers),
            upstreams=around.upstreams(),
            has_room=self._has_room(),
            wanted_bytes=settings.limits.free_bytes,
            outbox_seconds=settings.outbox.alert_seconds,
            outbox_copies=settings.outbox.alert_copies,
            database_error=stored if isinstance(stored, str) else "",
            stored=stored if isinstance(stored, Stored) else None,
            learned=learned if isinstance(learned, Learned) else None,
            machine=machine if isinstance(machine, Machine) else None,
            reload=self._reload,
            sandbox=SandboxStatus.of(around.sandbox),
            dns_lists=around.dns_lists(),
        )

    async def _ask(self, asking: Deferred[T]) -> T | str:
        """
        Wait for an answer, but not for long.

        @return: the answer, or why there is none.
        """
        try:
            return await asking.addTimeout(PATIENCE, self._clock)
        except TimeoutError:
            return _TOO_SLOW
        except (OSError, Unusable) as error:
            return str(error)

    async def _learned(self) -> Learned:
        known = await (await self._storage.learning.open()).status()
        return Learned(known.spam, known.ham, known.keys, known.is_trained)


def _ask_least(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1 FROM messages LIMIT 1").fetchone()


def _read_stored(connection: sqlite3.Connection) -> Stored:
    waiting, trying, suspended, oldest = outbox.survey(connection)
    stopped = outbox.count_stopped(connection)
    messages, size = connection.execute(
        "SELECT count(*), coalesce(sum(size), 0) FROM messages"
    ).fetchone()
    entries = connection.execute("SELECT list, count(*) FROM list_entry GROUP BY list")
    return Stored(
        held={kind.value: number for kind, number in rows.count(connection).items()},
        outbox_waiting=waiting,
        outbox_trying=trying,
        outbox_suspended=suspended,
        outbox_stopped=stopped,
        outbox_oldest=oldest,
        messages=messages,
        message_bytes=size,
        entries={"allow": 0, "block": 0, **dict(entries.fetchall())},
        senders=count_rows(connection, "reputation"),
    )


def _look_around(settings: Settings) -> Machine:
    data = settings.data
    disk = os.statvfs(data)
    return Machine(
        free_bytes=disk.f_bavail * disk.f_frsize,
        disk_bytes=disk.f_blocks * disk.f_frsize,
        state_bytes=sum(_sizes(data.glob("state.db*"))),
        trace_bytes=sum(_sizes(data.glob("trace-*.db*"))),
        certificates=tuple(_certificate(each.certificate) for each in settings.certificates),
    )


def _sizes(paths: Iterator[Path]) -> Iterator[int]:
    for path in paths:
        try:
            yield path.stat().st_size
        except FileNotFoundError:
            # SQLite removes its log when nobody needs it.
            continue


def _certificate(path: Path) -> CertificateStatus:
    try:
        chain = read_chain(path)
    except ValueError:
        return CertificateStatus(str(path), None, None)
    return CertificateStatus(str(path), chain.begin.timestamp(), chain.end.timestamp())
