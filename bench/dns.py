"""
What a look-up in the DNS costs, in microseconds of processor time of the process that asks: from
memory, at a server, and by twisted.names.

The server is a process of its own on this machine, and answers everything at once.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.task import react
from twisted.names.client import Resolver as NamesResolver

from mailgate.config.model import Dns
from mailgate.net.dns.resolver import Resolver
from mailgate.net.dns.servers import Server
from mailgate.wire.dns.answer import A

_ROUNDS = 5
_LOOK_UPS = 20
"""Of one run of a check."""

_HEADER = 12
_ANSWER = b"\xc0\x0c\0\1\0\1\0\0\x01\x2c\0\4\x7f\0\0\2"
"""An A record of the name that was asked for, for 300 seconds: 127.0.0.2."""

Ask = Callable[[str], Any]


def main() -> int:
    """
    Print a table.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=5000, help="look-ups (default: 5,000)")
    parser.add_argument("--at-once", type=int, default=20, help="of them (default: 20)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        _serve()
        return 0
    with subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            measuring = _measure(port, arguments.number, arguments.at_once)
            react(lambda reactor: Deferred.fromCoroutine(measuring(reactor)))
        finally:
            server.kill()
    return 0


def _serve() -> None:
    """
    Answer every query with one address.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        print(bound.getsockname()[1], flush=True)
        while True:
            query, client = bound.recvfrom(4096)
            end = query.index(b"\0", _HEADER) + 5
            header = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
            bound.sendto(header + query[_HEADER:end] + _ANSWER, client)


def _measure(port: int, number: int, at_once: int) -> Callable[[Any], Any]:
    names = (f"{each}.9.0.127.list.example.com" for each in count())

    async def measure(reactor: Any) -> None:
        resolver = Resolver(Dns(), reactor)
        resolver.use([Server("127.0.0.1", port)])
        lean = resolver.for_check("bench", 1e6, queries=10**9)
        ready = NamesResolver(servers=[("127.0.0.1", port)], reactor=reactor)
        wire: dict[str, Ask] = {
            "at a server": lambda name: lean.look_up(name, A),
            "twisted.names": ready.lookupAddress,
        }
        for what, ask in wire.items():
            await _cost(ask, names, number // 5, at_once)  # what is made once counts no more
            costs = [await _cost(ask, names, number, at_once) for _ in range(_ROUNDS)]
            print(f"{what:28} {median(costs):8.1f} us  ({min(costs):.1f} to {max(costs):.1f})")
        known = [next(names) for _ in range(_LOOK_UPS)]
        for name in known:
            await maybeDeferred(lean.look_up, name, A)
        cost = min(_cached(lambda: lean, known, number) for _ in range(_ROUNDS))
        print(f"{'from memory':28} {cost:8.2f} us")
        cost = min(
            _cached(lambda: resolver.for_check("bench", 5), known, number) for _ in range(_ROUNDS)
        )
        print(f"{'from memory, new resolver':28} {cost:8.2f} us  (one for {_LOOK_UPS} look-ups)")
        resolver.close()

    return measure


async def _cost(ask: Ask, names: Iterator[str], number: int, at_once: int) -> float:
    """
    Give the microseconds of one of so many look-ups of different names.
    """
    left = iter([next(names) for _ in range(number)])

    async def some() -> None:
        for name in left:
            await ask(name)

    began = process_time()
    await gatherResults([Deferred.fromCoroutine(some()) for _ in range(at_once)])
    return (process_time() - began) / number * 1e6


def _cached(resolver: Callable[[], Any], names: list[str], number: int) -> float:
    """
    Give the microseconds of one look-up of something that is known.
    """
    rounds = number // len(names) + 1
    began = process_time()
    for _ in range(rounds):
        look_up = resolver().look_up
        for name in names:
            look_up(name, A)
    return (process_time() - began) / (rounds * len(names)) * 1e6


if __name__ == "__main__":
    sys.exit(main())
