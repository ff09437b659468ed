"""
Measure what relaying costs: load -> server -> smtp-sink, for mailgate and for Postfix.

The figure is CPU milliseconds for one message, user and system, of all the server's
processes. Load and sink run on one core, the server on another; rounds alternate between
the servers and the median counts. Postfix runs as a before-queue filter proxy
(smtpd_proxy_filter) and hands every message straight to the sink, as mailgate does.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench.load import Summary, run
from bench.messages import Mailbag
from bench.processes import HOST, Unavailable, installed, keep_apart
from bench.sender import Manner
from bench.servers import PostfixTree, Server, Sink, start_mailgate, start_postfix

EXAMPLES = """
examples:
  bench/relay.py
      all rows, three rounds each, mailgate and Postfix
  bench/relay.py --rows open new --only mailgate --rounds 5
  MAILGATE_POSTFIX=/tmp/postfix-root bench/relay.py
      with a Debian package that was unpacked (dpkg -x) and not installed
  bench/relay.py --rows open --only mailgate --domains 1000
      with three routes for 1,000 domains
  bench/relay.py --rows open --only mailgate --profile relay.prof
      with cProfile running (the figures are then too high)
"""

COLUMNS = [
    "load",
    "server",
    "CPU ms a message",
    "least - most",
    "messages/s",
    "median ms",
    "99 % ms",
    "load's own CPU ms",
]

SETTLE = 2.0
"""Seconds after a run until the CPU time is read, so that work done in batches counts."""


@dataclass(frozen=True)
class Row:
    """
    One kind of load.
    """

    name: str
    title: str
    size: int
    messages: int
    connections: int
    messages_per_connection: int = 0


ROWS = (
    Row("open", "4 KiB, open connections", 4096, 10_000, 20),
    Row("new", "4 KiB, new connection each", 4096, 5_000, 20, messages_per_connection=1),
    Row("64k", "64 KiB, open connections", 65_536, 4_000, 20),
    Row("10m", "10 MiB, open connections", 10 * 1024 * 1024, 60, 4),
)


@dataclass(frozen=True)
class Measurement:
    """
    One run of one row through one server.
    """

    cpu: float
    """CPU milliseconds of the server for one message."""

    summary: Summary


def measure(
    server: Server, sink: Sink, row: Row, bag: Mailbag, first: int, count: int
) -> Measurement:
    """
    Send C{count} messages, from number C{first} on, and read the server's CPU time around it.

    @raise RuntimeError: a message was not accepted, or the sink has more or fewer of them.
    """
    manner = Manner(
        connections=row.connections, messages_per_connection=row.messages_per_connection
    )
    taken, used = sink.messages(), server.program.cpu_seconds()
    numbers = range(first, first + count)
    summary = run(
        (HOST, server.port), bag, numbers, manner, "sender@example.net", "user@example.com"
    )
    sleep(SETTLE)
    used, taken = server.program.cpu_seconds() - used, sink.messages() - taken
    if not summary.is_clean or taken != count:
        raise RuntimeError(
            f"{server.name}, {row.title}: the sink has {taken} of {count}\n{summary}"
        )
    return Measurement(used * 1000 / count, summary)


def machine() -> str:
    """
    Describe what the figures depend on.
    """
    processor = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    model = processor[1] if processor else platform.processor()
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, Twisted {installed('twisted')}"
    )


def table(titles: list[str], lines: list[list[str]]) -> str:
    """
    Set figures in columns.
    """
    widths = [max(len(line[at]) for line in [titles, *lines]) for at in range(len(titles))]
    rule = "  ".join("-" * width for width in widths)
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in [titles, *lines]
    ]
    return "\n".join([rows[0], rule, *rows[1:]])


def cells(row: Row, server: Server, measurements: list[Measurement]) -> list[str]:
    """
    Give one line of the table.
    """
    costs = [measurement.cpu for measurement in measurements]
    summaries = [measurement.summary for measurement in measurements]
    return [
        row.title,
        server.name,
        f"{median(costs):.3f}",
        f"{min(costs):.3f} - {max(costs):.3f}",
        f"{median(summary.rate for summary in summaries):.0f}",
        f"{median(summary.median for summary in summaries) * 1000:.1f}",
        f"{median(summary.percentile_99 for summary in summaries) * 1000:.1f}",
        f"{median(summary.cpu for summary in summaries):.3f}",
    ]


def compare(servers: list[Server], sink: Sink, rows: list[Row], rounds: int) -> list[list[str]]:
    """
    Measure each row in alternating rounds, after a warm-up, and give the lines of the table.
    """
    lines = []
    for row in rows:
        bag = Mailbag(row.size)
        first = 0
        measurements: dict[str, list[Measurement]] = {server.name: [] for server in servers}
        for turn in range(rounds + 1):
            count = row.messages if turn else -(-row.messages // 5)
            for server in servers:
                measurement = measure(server, sink, row, bag, first, count)
                first += count
                if turn:
                    measurements[server.name].append(measurement)
                    print(
                        f"# {row.name} round {turn} {server.name}: {measurement.cpu:.3f} ms",
                        file=sys.stderr,
                    )
        lines += [cells(row, server, measurements[server.name]) for server in servers]
    return lines


def parser() -> argparse.ArgumentParser:
    """
    Describe the command line.
    """
    made = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [row.name for row in ROWS]
    made.add_argument("--rows", nargs="+", choices=names, default=names, help="which loads (all)")
    made.add_argument("--only", choices=("mailgate", "postfix"), help="measure one server only")
    made.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="runs of each row (%(default)s)"
    )
    made.add_argument(
        "--share",
        type=float,
        default=1,
        metavar="X",
        help="send X times as many messages (%(default)s)",
    )
    made.add_argument("--load-core", type=int, default=0, metavar="CORE", help="%(default)s")
    made.add_argument("--server-core", type=int, default=1, metavar="CORE", help="%(default)s")
    made.add_argument(
        "--profile", type=Path, metavar="FILE", help="write mailgate's cProfile statistics"
    )
    made.add_argument(
        "--learned", type=Path, metavar="FILE", help="let mailgate's classifier know this export"
    )
    made.add_argument(
        "--domains",
        type=int,
        default=1,
        metavar="N",
        help="let mailgate take mail for N domains, on three routes (%(default)s)",
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """
    Run from the command line; 0 if all was measured, 1 if a part was not, 2 if nothing can be.
    """
    options = parser().parse_args(arguments)
    load_core, server_core = keep_apart(options.load_core, options.server_core)
    rows = [
        replace(row, messages=max(round(row.messages * options.share), row.connections))
        for row in ROWS
        if row.name in options.rows
    ]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="relay-")))
        try:
            tree = PostfixTree.find()
            sink = Sink(tree, load_core, folder / "sink")
        except Unavailable as error:
            print(error, file=sys.stderr)
            return 2
        stack.callback(sink.program.stop)
        makers: dict[str, Callable[[], Server]] = {
            "mailgate": lambda: start_mailgate(
                sink.port,
                server_core,
                folder / "mailgate",
                options.profile,
                options.learned,
                options.domains,
            ),
            "postfix": lambda: start_postfix(tree, sink.port, server_core, folder / "postfix"),
        }
        servers = []
        wanted = [options.only] if options.only else list(makers)
        for name in wanted:
            try:
                servers.append(makers[name]())
                stack.callback(servers[-1].program.stop)
            except Unavailable as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
        if not servers:
            return 2
        lines = compare(servers, sink, rows, options.rounds)
        print(f"date      {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        print(f"machine   {machine()}")
        print(f"servers   {', '.join(f'{server.name} {server.version}' for server in servers)}")
        print(f"command   {shlex.join([sys.executable, *sys.argv])}")
        print(
            f"rounds    {options.rounds}, medians; latency is the client's, load and sink within\n"
        )
        print(table(COLUMNS, lines))
    return 0 if len(servers) == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
