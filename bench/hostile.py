"""
What messages that are made to take long cost: for each family of tests/message/hostile.py how long
the reactor was at one thing, how much processor time all of it took, and how much memory.

They are judged within this process, by all checks that are on as they come and that ask no DNS,
with the threads and the sandbox that a worker has.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, thread_time
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from attrs import define
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater, react
from twisted.python.threadpool import ThreadPool

from mailgate import sandboxed
from mailgate.checks.known import Known
from mailgate.classify.classifier import Classifier
from mailgate.config.model import Settings
from mailgate.judging import make_pipeline
from mailgate.message.envelope import Envelope, Session
from mailgate.message.section import HEAD_LIMIT, has_more_fields, header_section
from mailgate.message.spool import Spool
from mailgate.net.sandbox import Sandbox
from mailgate.parts import share_time, spare_collector
from mailgate.pipeline.engine import Pipeline
from mailgate.store.files import Files
from mailgate.store.threads import Threads
from mailgate.wire.address import Address
from tests.message.hostile import FAMILIES

_NOW = 1_800_000_000.0
_CLIENT = str(ip_address("185.1.2.3"))
_PIECE = 65_536
_IDLE = 0.0001
"""Seconds below which a turn of the reactor counts as idle."""

_LIMIT = 10.0
"""Milliseconds of a turn above which a family is marked."""


@define
class _Cost:
    turn: float
    """Milliseconds of the reactor's own thread, in the longest turn."""

    clock: float
    """The same by the clock, with the waiting for other threads and programs in it."""

    total: float
    """Of all threads."""

    memory: float
    """MiB that the process was larger at its largest than before."""


def main() -> int:
    """
    Print a table, the longest turn first.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kib", type=int, default=96, help="size of each message (default: 96)")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many (default: 3)")
    parser.add_argument("--only", default="", help="families with these words in their names")
    parser.add_argument("--rows", type=int, default=1000, help="how many of them are shown")
    arguments = parser.parse_args()
    share_time()
    with TemporaryDirectory() as folder:
        react(_print_costs, (Path(folder), arguments))  # ends the process
    return 0


async def _print_costs(clock: Any, folder: Path, arguments: argparse.Namespace) -> None:
    pool = ThreadPool(0, 4)
    pool.start()
    threads = Threads(clock, pool)
    sandbox = Sandbox(clock, sandboxed.PROGRAM, size=2, jobs=sandboxed.DOCUMENTS)
    classifier = Classifier(threads)
    settings = Settings.model_validate(
        {
            "hostname": "mail.example.com",
            "data": str(folder),
            "listener": [{"address": "127.0.0.1:2525"}],
            "route": [{"domains": ["example.com"], "upstream": "inbox"}],
            "upstream": {"inbox": {"kind": "maildir", "path": str(folder / "inbox")}},
        }
    )
    known = Known(classifier=classifier)
    pipeline = make_pipeline(settings, known, threads, clock, lambda: _NOW, sandbox=sandbox)
    spool = Spool(folder, Files(), threads, 1 << 28)
    spare_collector()
    rows: list[tuple[str, _Cost]] = []
    try:
        for name, make in FAMILIES.items():
            if arguments.only not in name:
                continue
            data = make(arguments.kib * 1024)
            costs = [
                await _cost(clock, pipeline, spool, data, settings.limits.header_fields)
                for _ in range(arguments.rounds)
            ]
            best = _Cost(
                min(cost.turn for cost in costs),
                min(cost.clock for cost in costs),
                min(cost.total for cost in costs),
                max(cost.memory for cost in costs),
            )
            rows.append((name, best))
    finally:
        pool.stop()
        await sandbox.close()
    rows.sort(key=lambda row: row[1].turn, reverse=True)
    print(f"{'family of ' + str(arguments.kib) + ' KiB':52}    turn   clock    total  memory")
    for name, cost in rows[: arguments.rows]:
        figures = f"{cost.turn:7.2f} {cost.clock:7.2f} {cost.total:8.1f} {cost.memory:7.1f}"
        print(f"{name:52} {figures}{'  too long' if cost.turn > _LIMIT else ''}")


async def _cost(clock: Any, pipeline: Pipeline, spool: Spool, data: bytes, fields: int) -> _Cost:
    turns: list[tuple[float, float]] = []
    is_over = False

    def tick(worked: float, at: float) -> None:
        turns.append((thread_time() - worked, perf_counter() - at))
        if not is_over:
            clock.callLater(0, tick, thread_time(), perf_counter())

    gc.collect()
    before = _largest(is_new=True)
    began, idle = process_time(), thread_time()
    tick(thread_time(), perf_counter())
    turns.clear()
    await _judge(pipeline, spool, data, fields, lambda: deferLater(clock, 0))
    is_over = True
    await deferLater(clock, 0)
    await deferLater(clock, 0)
    return _Cost(
        max(each[0] for each in turns) * 1e3,
        max(each[1] for each in turns) * 1e3,
        # The reactor goes round and round while others work.
        (process_time() - began - (thread_time() - idle) + sum(_worked(turns))) * 1e3,
        _largest() - before,
    )


def _worked(turns: list[tuple[float, float]]) -> list[float]:
    return [cost for cost, _ in turns if cost > _IDLE]


def _largest(is_new: bool = False) -> float:
    """
    Give how large this process was at most, in MiB.

    @param is_new: from now on.
    """
    if is_new:
        Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _judge(
    pipeline: Pipeline,
    spool: Spool,
    data: bytes,
    fields: int,
    breathe: Callable[[], Deferred[None]],
) -> None:
    """
    Judge a message from its connection to its dot, spooled and measured as the edge does.
    """
    session = Session(
        id="0000-0000-0000",
        listener="mx",
        role="mx",
        client=_CLIENT,
        port=40001,
        started=_NOW,
        helo="mx.example.org",
        is_esmtp=True,
        local="198.51.100.25",
    )
    judge = pipeline.open(session)
    await maybeDeferred(judge.connected)
    await maybeDeferred(judge.greeted, session)
    sender = Address("ada", "example.org")
    transaction = judge.begin(Envelope(session, "7q4m-x2vd-90kt", sender, _NOW))
    await maybeDeferred(transaction.mail)
    await maybeDeferred(transaction.rcpt, Address("user", "example.com"))
    writer = spool.begin(transaction.reading)
    for at in range(0, len(data), _PIECE):
        writer.write(data[at : at + _PIECE])
        await (writer.when_written() if writer.must_pause else breathe())
    finished = writer.finish()
    message = await finished if isinstance(finished, Deferred) else finished
    await breathe()
    section = header_section(message)
    is_read = message.size <= HEAD_LIMIT or b"\r\n\r\n" in section
    if is_read and not has_more_fields(section, fields):
        judged = transaction.message(message)
        if isinstance(judged, Deferred):
            await judged
    message.close()
    transaction.close()
    judge.close()


if __name__ == "__main__":
    sys.exit(main())
