"""
Send many messages that look like mail to an SMTP server, and say how it went.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, process_time

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench.messages import Mailbag
from bench.sender import Mail, Manner, Result, send, stuffed

EXAMPLES = """
examples:
  bench/load.py localhost:2525
      1,000 messages of 4 KiB over 10 connections
  bench/load.py localhost:2525 --messages 20000 --connections 50 --per-connection 1
      a new connection for each message
  bench/load.py localhost:2525 --messages 50 --size 10m --connections 2 --cpu 0
      large messages, sent from the first core only
"""


@dataclass(frozen=True)
class Summary:
    """
    What a run of the load came to.
    """

    messages: int
    outcomes: dict[str, int]
    """How many messages ended in each way (see L{bench.sender.Result.kind}); their sum is
    C{messages}."""

    replies: dict[str, int]
    """How often each reply was given, without what differs from message to message."""

    seconds: float
    median: float
    """Seconds from MAIL (with a new connection: from connecting) to the reply, half below."""

    percentile_99: float
    cpu: float
    """Milliseconds of this program's own CPU time for each message."""

    @property
    def is_clean(self) -> bool:
        """
        Tell whether every message was accepted.
        """
        return self.outcomes.get("accepted", 0) == self.messages

    @property
    def rate(self) -> float:
        """
        Give the messages a second.
        """
        return self.messages / self.seconds

    def __str__(self) -> str:
        """
        Give the figures as a few lines to read.
        """
        lines = [
            f"{self.messages} messages in {self.seconds:.2f} s: {self.rate:.0f} a second",
            "outcomes: " + ", ".join(f"{count} {name}" for name, count in self.outcomes.items()),
            f"latency: median {self.median * 1000:.2f} ms, 99 % {self.percentile_99 * 1000:.2f} ms",
            f"cost of this program: {self.cpu:.3f} ms CPU a message",
        ]
        lines += [f"{count:8} x {reply}" for reply, count in self.replies.items()]
        return "\n".join(lines)


def summarise(results: list[Result], seconds: float, cpu_seconds: float) -> Summary:
    """
    Count the results of a run that took C{seconds} and C{cpu_seconds} of this program.
    """
    latencies = sorted(result.seconds for result in results) or [0.0]
    outcomes = Counter(result.kind for result in results)
    replies = Counter(general(result) for result in results)
    return Summary(
        messages=len(results),
        outcomes=dict(outcomes.most_common()),
        replies=dict(replies.most_common()),
        seconds=max(seconds, 1e-9),
        median=percentile(latencies, 50),
        percentile_99=percentile(latencies, 99),
        cpu=cpu_seconds * 1000 / max(len(results), 1),
    )


def percentile(ordered: list[float], share: int) -> float:
    """
    Give the least value that is at least as large as C{share} per cent of all values.
    """
    return ordered[max(-(-len(ordered) * share // 100) - 1, 0)]


def general(result: Result) -> str:
    """
    Give a reply, and whose it is, without the ids in it, so that equal replies look equal.
    """
    if not result.reply:
        return f"{result.stage}: no reply"
    text = re.sub(r"\s+", " ", result.reply.replace("\n", " / "))
    text = re.sub(r"\b[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}\b", "ID", text)
    return f"{result.stage}: {re.sub(r'[0-9A-Za-z]{8,}', _unless_word, text)}"


def _unless_word(match: re.Match[str]) -> str:
    return match[0] if match[0].isalpha() else "ID"


def mails(bag: Mailbag, numbers: range, sender: str, recipient: str) -> Iterator[Mail]:
    """
    Make the messages of C{numbers} ready to send, as they are asked for.
    """
    for number in numbers:
        yield Mail(str(number), sender, recipient, stuffed(bag.message(number)))


def run(
    address: tuple[str, int],
    bag: Mailbag,
    numbers: range,
    manner: Manner,
    sender: str,
    recipient: str,
) -> Summary:
    """
    Send the messages of C{numbers} and wait for all replies.
    """
    began, cpu = monotonic(), process_time()
    results = list(send(address, mails(bag, numbers, sender, recipient), manner))
    return summarise(results, monotonic() - began, process_time() - cpu)


def parse_address(text: str) -> tuple[str, int]:
    """
    Read C{HOST:PORT} or C{[IPv6]:PORT}; a host name must be C{localhost}.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    return ("127.0.0.1" if host in ("", "localhost") else host), int(port)


def parse_size(text: str) -> int:
    """
    Read a number of bytes, with C{k} or C{m} for KiB and MiB.
    """
    factors = {"k": 1024, "m": 1024 * 1024}
    factor = factors.get(text[-1:].lower(), 1)
    return int(text[:-1] if factor > 1 else text) * factor


def add_manner(parser: argparse.ArgumentParser, connections: int) -> None:
    """
    Add the options that say how to send, for all programs that send.
    """
    default = Manner()
    parser.add_argument(
        "--connections", type=int, default=connections, metavar="N", help="%(default)s"
    )
    parser.add_argument(
        "--per-connection",
        type=int,
        default=0,
        metavar="N",
        help="messages on one connection, 0: all (%(default)s)",
    )
    parser.add_argument(
        "--no-pipelining", action="store_true", help="wait for each reply even if offered"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=default.timeout,
        metavar="S",
        help="seconds without a reply (%(default)s)",
    )
    parser.add_argument("--helo", default=default.helo, metavar="NAME", help="%(default)s")
    parser.add_argument(
        "--sender", default="sender@example.net", metavar="ADDRESS", help="%(default)s"
    )
    parser.add_argument(
        "--recipient", default="user@example.com", metavar="ADDRESS", help="%(default)s"
    )


def manner_of(options: argparse.Namespace) -> Manner:
    """
    Read back what L{add_manner} added.
    """
    return Manner(
        connections=options.connections,
        messages_per_connection=options.per_connection,
        pipelining=not options.no_pipelining,
        timeout=options.timeout,
        helo=options.helo,
    )


def main(arguments: list[str] | None = None) -> int:
    """
    Run from the command line; 0 if every message was accepted, else 1.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address", type=parse_address, metavar="HOST:PORT")
    parser.add_argument(
        "--messages", type=int, default=1000, metavar="N", help="how many (%(default)s)"
    )
    parser.add_argument(
        "--size", type=parse_size, default="4k", help="bytes, 64k, 10m (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="another seed, other messages (%(default)s)"
    )
    add_manner(parser, connections=10)
    parser.add_argument("--cpu", type=int, metavar="CORE", help="run on this core only")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    bag = Mailbag(options.size, options.seed, options.recipient)
    numbers = range(options.messages)
    summary = run(
        options.address, bag, numbers, manner_of(options), options.sender, options.recipient
    )
    print(json.dumps(asdict(summary), indent=1) if options.json else summary)
    return 0 if summary.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
