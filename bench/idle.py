"""
Measure what connections cost that only stand there, and how long others wait meanwhile.

The gateway runs as its own process. Many clients connect from loopback, are greeted, and say
nothing. The figures are the memory for a thousand of them, and the seconds from connecting to
the greeting: of these clients themselves, and then of some more that come while they stand there.
"""

from __future__ import annotations

import argparse
import resource
import selectors
import shlex
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, sleep

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench.processes import HOST, Unavailable, free_port, keep_apart
from bench.relay import machine
from bench.secure import begin_tls
from bench.servers import start_mailgate

EXAMPLES = """
examples:
  bench/idle.py
      5,000 connections
  bench/idle.py --connections 8000 --at-once 1000
      more of them, and in a greater hurry
  bench/idle.py --connections 10000 --workers 2
      twice as many, over two processes
  bench/idle.py --connections 1000 --tls
      under TLS
"""

Address = tuple[str, int]

WARM_UP = 20
"""Connections before the memory is read for the first time."""

OTHERS = 200
"""How many more clients connect, one after the other, while the idle ones stand there."""

PAUSE = 0.01
"""Seconds between two of them."""

PER_SOURCE = 10_000
"""Connections from one address; its ports would not be enough for many more."""

PATIENCE = 60.0
"""Seconds without a single greeting after which it is given up."""

SETTLE = 2.0
"""Seconds until the memory is read."""

RESERVED = 100
"""Files of this program that are no idle connections."""

MIB = 1024 * 1024


@dataclass
class Crowd:
    """
    Clients that were greeted and say nothing.
    """

    connections: list[socket.socket] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    """Seconds from connecting to the greeting, of each."""

    def grow(self, address: Address, number: int, at_once: int) -> None:
        """
        Let C{number} more connect, and wait for their greetings, of C{at_once} at a time.

        @raise RuntimeError: one was not greeted.
        """
        began: dict[socket.socket, float] = {}
        last = len(self.connections) + number
        with selectors.DefaultSelector() as selector:
            while len(self.connections) < last:
                while len(began) < at_once and len(self.connections) + len(began) < last:
                    client = _connect(address, len(self.connections) + len(began))
                    began[client] = monotonic()
                    selector.register(client, selectors.EVENT_READ)
                ready = selector.select(PATIENCE)
                if not ready:
                    raise RuntimeError(f"no greeting for {PATIENCE:.0f} s")
                for key, _ in ready:
                    client = key.fileobj  # type: ignore[assignment]
                    selector.unregister(client)
                    _expect_greeting(client)
                    self.waits.append(monotonic() - began.pop(client))
                    self.connections.append(client)

    def secure(self) -> None:
        """
        Let all of them begin TLS, one after the other.

        @raise RuntimeError: one may not.
        @raise OSError: a connection was lost.
        """
        for number, client in enumerate(self.connections):
            self.connections[number] = begin_tls(client)

    def lost(self) -> int:
        """
        Count those to whom something has been said, or whose connection has ended.
        """
        with selectors.DefaultSelector() as selector:
            for client in self.connections:
                selector.register(client, selectors.EVENT_READ)
            return len(selector.select(0))

    def leave(self) -> None:
        """
        Hang up.
        """
        while self.connections:
            self.connections.pop().close()


def _connect(address: Address, number: int) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    # One loopback address has not the ports for very many.
    client.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
    client.bind((f"127.0.0.{1 + number // PER_SOURCE}", 0))
    client.connect_ex(address)
    return client


def _expect_greeting(client: socket.socket) -> None:
    said = client.recv(4096)
    if not (said.startswith(b"220 ") and said.endswith(b"\r\n")):
        raise RuntimeError(f"no greeting, but {said!r}")


def raise_file_limit(number: int) -> None:
    """
    Let this program, and what it starts, have C{number} open files.

    @raise Unavailable: the system does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        raise Unavailable(f"{number} open files are needed, and {hard} allowed (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def times(waits: list[float]) -> str:
    """
    Describe how long was waited.
    """
    return f"median {median(waits) * 1000:.1f} ms, worst {max(waits) * 1000:.1f} ms"


def parser() -> argparse.ArgumentParser:
    """
    Describe the command line.
    """
    made = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--connections", type=int, default=5000, metavar="N", help="%(default)s")
    made.add_argument(
        "--at-once", type=int, default=200, metavar="N", help="not yet greeted (%(default)s)"
    )
    made.add_argument("--workers", type=int, default=1, metavar="N", help="%(default)s")
    made.add_argument("--tls", action="store_true", help="they begin TLS once all are greeted")
    made.add_argument("--load-core", type=int, default=0, metavar="CORE", help="%(default)s")
    made.add_argument("--server-core", type=int, default=1, metavar="CORE", help="%(default)s")
    return made


def main(arguments: list[str] | None = None) -> int:
    """
    Run from the command line; 0 if it was measured, 2 if it cannot be.
    """
    options = parser().parse_args(arguments)
    _, core = keep_apart(options.load_core, options.server_core)
    number = options.connections
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="idle-")))
        try:
            raise_file_limit(number + RESERVED)
            # Nothing listens where its mail would go: there is none.
            server = start_mailgate(free_port(), core, folder / "mailgate", workers=options.workers)
        except Unavailable as error:
            print(error, file=sys.stderr)
            return 2
        stack.callback(server.program.stop)
        address = (HOST, server.port)
        warm_up, idle, others = Crowd(), Crowd(), Crowd()
        for crowd in (warm_up, idle, others):
            stack.callback(crowd.leave)
        warm_up.grow(address, WARM_UP, WARM_UP)
        if options.tls:
            warm_up.secure()
        warm_up.leave()
        sleep(SETTLE)
        before = server.program.resident_bytes()
        began = monotonic()
        idle.grow(address, number, options.at_once)
        if options.tls:
            idle.secure()
        opening = monotonic() - began
        sleep(SETTLE)
        after = server.program.resident_bytes()
        for _ in range(OTHERS):
            others.grow(address, 1, 1)
            sleep(PAUSE)
        lost = idle.lost()
    print(f"date             {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    print(f"machine          {machine()}")
    print(f"server           {server.name} {server.version}")
    print(f"command          {shlex.join([sys.executable, *sys.argv])}")
    print(f"connections      {number} idle, opened in {opening:.1f} s, {lost} lost")
    print(f"memory           {before / MIB:.1f} MiB before, {after / MIB:.1f} with them")
    print(f"a thousand       {(after - before) / MIB / number * 1000:.2f} MiB")
    print(f"greeting         {times(idle.waits)}, {options.at_once} at once")
    print(f"with all open    {times(others.waits)}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
